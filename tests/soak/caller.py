"""A small agent of the full soak: calls its model until it is refused. Started with `-I -S`.

    python -I -S caller.py SEED THINK [detach] [stay]

Nothing but sockets, so that hundreds fit on a small machine. What it asks is drawn from the seed:
the wire, the model, the length of the prompt, the output it allows, a stream or not, a cached prefix
or not. `detach` leaves a child in a session of its own that ignores SIGTERM, `stay` waits at the cap
instead of ending. Exit codes: 0 refused by a cap, 3 its token opens nothing, 4 any other answer.
"""

import _signal
import _socket
import posix
import sys
import time

MODELS = (
    ("anthropic", "claude-opus-5"), ("anthropic", "claude-opus-5"), ("anthropic", "claude-opus-5"),
    ("anthropic", "claude-sonnet-5-5"), ("chat", "gpt-6.1-sol"), ("chat", "gpt-6.1-terra"),
    ("anthropic", "claude-haiku-5-5"),
)  # fmt: skip
SCRIPTS = (("report", 200, 1_000), ("report", 50, 600), ("think", 200, 1_000), ("slow", 16, 80))
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.3, 8.0
state = int(sys.argv[1])


def draw(most):
    """A number below `most`: the random module would cost two megabytes."""
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) % most


def body(wire, model):
    script, least, most = SCRIPTS[draw(len(SCRIPTS))]
    allowed = least + draw(most - least)
    stream = "true" if draw(3) else "false"
    prompt = f"[[{script}]] {state} " + "word " * (400 + draw(6_000))
    limit = "max_tokens" if wire == "anthropic" else "max_completion_tokens"
    kept = ""
    if wire == "anthropic" and not draw(3):
        text = f"{sys.argv[1]} " + "rule " * 3_000
        kept = (
            f'"system":[{{"type":"text","text":"{text}","cache_control":{{"type":"ephemeral"}}}}],'
        )
    return (
        f'{{"model":"{model}","{limit}":{allowed},"stream":{stream},{kept}'
        f'"messages":[{{"role":"user","content":"{prompt}"}}]}}'
    )


def asked():
    """Host, port and the bytes of one request."""
    wire, model = MODELS[draw(len(MODELS))]
    names = {"anthropic": (b"ANTHROPIC_BASE_URL", "/v1/messages")}
    variable, path = names.get(wire, (b"OPENAI_BASE_URL", "/chat/completions"))
    place, _, base = posix.environ[variable].decode().removeprefix("http://").partition("/")
    host, _, port = place.partition(":")
    key = posix.environ[b"ANTHROPIC_API_KEY" if wire == "anthropic" else b"OPENAI_API_KEY"].decode()
    sent = body(wire, model)
    head = (
        f"POST /{base}{path} HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\n"
        f"content-type: application/json\r\nanthropic-version: 2026-10-21\r\nx-api-key: {key}\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(sent)}\r\n\r\n"
    )
    return host, int(port), (head + sent).encode()


def call():
    """The head of the answer, empty when there was none; read to its end."""
    host, port, request = asked()
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    head = b""
    try:
        connection.connect((host, port))
        left = memoryview(request)
        while left:
            left = left[connection.send(left) :]
        while data := connection.recv(65_536):
            head = head if len(head) > 2_000 else head + data
    except OSError:
        pass
    finally:
        connection.close()
    return head


def detach():
    if posix.fork() == 0:
        posix.setsid()
        _signal.signal(_signal.SIGTERM, _signal.SIG_IGN)
        time.sleep(3_600)
        posix._exit(0)


def work(think):
    retry = FIRST_RETRY_SECONDS
    while True:
        head = call()
        match head[9:12]:
            case b"200":
                retry = FIRST_RETRY_SECONDS
                time.sleep(think * draw(2_000) / 1_000)
            case b"" | b"429" | b"502" | b"503":
                time.sleep(retry * (500 + draw(1_000)) / 1_000)
                retry = min(2 * retry, 0.5 + 4 * think, LAST_RETRY_SECONDS)
            case b"403":
                return 3
            case _ if b"x-should-retry: false" in head.lower():
                return 0
            case _:
                print(head.decode(errors="replace")[:600], flush=True)
                return 4


def main():
    if "detach" in sys.argv:
        detach()
    code = work(float(sys.argv[2]))
    while code == 0 and "stay" in sys.argv:
        time.sleep(10)
        call()
    posix._exit(code)


main()
