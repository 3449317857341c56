"""Little agents that speak a control protocol over their pipes, well or badly; each is a program."""

LINES = """
import json, os, signal, sys, time
def tell(**message):
    sys.stdout.write(json.dumps(message) + "\\n"); sys.stdout.flush()
def heard():
    for line in sys.stdin:
        yield json.loads(line)
"""

CLAUDE = (
    LINES
    + """
def result(text="all done", **more):
    tell(type="result", **{"subtype": "success", "result": text, **more})
turn = None
for message in heard():
    if message["type"] == "user":
        text, name = message["message"]["content"][0]["text"], message["uuid"]
        tell(type="command_lifecycle", command_uuid=name, state="queued")
        tell(type="command_lifecycle", command_uuid=name, state="started")
        if turn is None:
            turn = text
            tell(type="system", subtype="init")
            if text.startswith("end "):
                result(**json.loads(text[4:]))
        else:
            result(f"{turn} and {text}")
    elif message["type"] == "control_request":
        tell(type="control_response", response={"request_id": message["request_id"]})
        result(subtype="error_during_execution")
        sys.exit(0)
"""
)
"""Works until it is told a word, or interrupted; `end {...}` ends at once with that result."""

BAD_CLAUDES = {
    "garbage": CLAUDE.replace('tell(type="system"', 'print("\\x00{][", 17, "[]", sep="\\n"); tell(type="system"'),
    "a line of 30 MB": CLAUDE.replace(
        'tell(type="system"', 'tell(type="assistant", x="a" * 30_000_000); tell(type="system"'
    ),
    "a line of 70 MB": CLAUDE.replace(
        'tell(type="system"',
        'sys.stdout.write("b" * 70_000_000 + "\\n"); tell(type="system"',
    ),
}  # fmt: skip
DIES = (
    LINES
    + """
for message in heard():
    tell(type="system", subtype="init")
    time.sleep(0.3)
    os._exit(3)
"""
)
DEAF = (
    LINES
    + """
next(heard())
tell(type="system", subtype="init")
os.close(0)
time.sleep(600)
"""
)
NEVER_ACKNOWLEDGES = (
    LINES
    + """
next(heard())
tell(type="system", subtype="init")
time.sleep(600)
"""
)
HEEDS_SIGNALS = (
    LINES
    + """
def interrupted(*_):
    count.append(1)
    time.sleep(0.2)
    tell(type="result", subtype="success", result=f"interrupted {len(count)} times")
    os._exit(5)
count = []
signal.signal(signal.SIGINT, interrupted)
next(heard())
tell(type="system", subtype="init")
print("ready", file=sys.stderr, flush=True)
while True:
    time.sleep(1)
"""
)

CODEX = (
    LINES
    + """
def answer(message, **result):
    tell(id=message["id"], result=result)
def told(method, **params):
    tell(method=method, params={"threadId": "t1", **params})
def item(kind, **item):
    told(f"item/{kind}", item=item)
steps = []
for message in heard():
    method, params = message.get("method"), message.get("params", {})
    if "id" not in message:
        continue
    steps.append(method)
    if method == "thread/start" or method == "thread/resume":
        answer(message, thread={"id": "t1"}, cwd=params["cwd"], model=params.get("model", "usual"))
    elif method == "turn/start":
        answer(message, turn={"id": "u1"})
        text = params["input"][-1]["text"]
        tell(method="turn/completed", params={"threadId": "t-other", "turn": {"id": "x", "status": "failed"}})
        if text == "refused":
            told("error", error={"message": "no money"})
            told("turn/completed", turn={"id": "", "status": "failed"})
            told("turn/started", turn={"id": "u1"})
            told("turn/completed", turn={"id": "u1", "status": "failed", "error": {"message": "no money"}})
            continue
        told("turn/started", turn={"id": "u1"})
        item("completed", type="agentMessage", text="I begin.")
        tell(id="ask-1", method="item/commandExecution/requestApproval", params={"threadId": "t1"})
    elif method == "turn/steer":
        if params["expectedTurnId"] != "u1":
            tell(id=message["id"], error={"code": -32600, "message": "no active turn"})
            continue
        answer(message, turnId="u1")
        item("started", type="userMessage", clientId=params["clientUserMessageId"])
        item("completed", type="agentMessage", text="done with " + params["input"][0]["text"])
        told("turn/completed", turn={"id": "u1", "status": "completed"})
    elif method == "turn/interrupt":
        told("turn/completed", turn={"id": "u1", "status": "interrupted"})
        answer(message)
    elif method == "thread/backgroundTerminals/clean":
        answer(message)
    else:
        answer(message)
print(json.dumps(steps), file=sys.stderr)
"""
)

ACP = (
    LINES
    + """
def send(**message):
    tell(jsonrpc="2.0", **message)
def update(**update):
    send(method="session/update", params={"sessionId": "s1", "update": update})
prompt = None
for message in heard():
    method, params = message.get("method"), message.get("params", {})
    if method == "session/new":
        send(id=message["id"], result={"sessionId": "s1"})
    elif method == "session/prompt":
        prompt = message
        text = params["prompt"][0]["text"]
        if text == "pay":
            send(id=message["id"], error={"code": 402, "message": "no money"})
            continue
        update(sessionUpdate="tool_call", toolCallId="c1", kind="execute", title=text)
        send(id=7, method="session/request_permission", params={"sessionId": "s1", "toolCall": {"toolCallId": "c1"},
             "options": [{"optionId": "go", "kind": "allow_once"}, {"optionId": "no", "kind": "reject_once"}]})
    elif method == "session/cancel":
        send(id=prompt["id"], result={"stopReason": "cancelled"})
    elif message.get("id") == 7 and not method:
        said = message["result"]["outcome"].get("optionId", "cancelled")
        update(sessionUpdate="agent_message_chunk", content={"text": f"heard {said}"})
        send(id=prompt["id"], result={"stopReason": "end_turn"})
    elif "id" in message:
        send(id=message["id"], result={})
"""
)

OPENCODE = """
import asyncio, json, os, sys
from aiohttp import BasicAuth, web
events, state = [], {"text": "", "says": 0}
async def guard(request, handler):
    auth = request.headers.get("Authorization", "")
    if not auth or BasicAuth.decode(auth).password != os.environ["OPENCODE_SERVER_PASSWORD"]:
        return web.Response(status=401)
    return await handler(request)
def tell(kind, **properties):
    data = json.dumps({"type": kind, "properties": {"sessionID": "s1", **properties}})
    for queue in events:
        queue.put_nowait(f"data: {data}\\n\\n".encode())
def say(text, message):
    tell("message.part.updated", part={"sessionID": "s1", "type": "text", "text": text, "messageID": message, "time": {"end": 1}})
async def stream(request):
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    queue = asyncio.Queue()
    events.append(queue)
    while True:
        await answer.write(await queue.get())
async def session(request):
    return web.json_response({"id": "s1"})
async def prompt(request):
    text = (await request.json())["parts"][0]["text"]
    if state["says"]:
        tell("message.part.updated", part={"sessionID": "s1", "type": "text", "text": text, "messageID": "m2"})
        tell("message.updated", info={"sessionID": "s1", "role": "assistant", "parentID": "m2", "id": "m3"})
        say(f"{state['text']} and {text}", "m3")
        tell("session.idle")
    else:
        state["text"], state["says"] = text, 1
        if text == "pay":
            tell("session.error", error={"name": "APIError", "data": {"message": "no money"}})
            tell("session.idle")
    return web.Response(status=204)
async def abort(request):
    tell("session.idle")
    return web.json_response(True)
async def main():
    app = web.Application(middlewares=[web.middleware(guard)])
    app.add_routes([web.get("/event", stream), web.post("/session", session), web.get("/session/s1", session),
                    web.post("/session/s1/prompt_async", prompt), web.post("/session/s1/abort", abort)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    print(f"opencode server listening on http://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
