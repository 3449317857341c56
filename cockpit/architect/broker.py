"""The only way out of a sandbox: one unix socket, HTTP as to a proxy, every request judged.

Live, it asks the world for what the capabilities allow, adds secrets that the script never sees, and writes
down what came. In replay it answers from what the runs had fetched, and from nothing else.
"""

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import unquote, urljoin, urlsplit

from msgspec import Struct

from cockpit.architect.blobs import Blobs
from cockpit.core.script import Capabilities
from cockpit.core.trace import Fetch

Word = Literal["", "denied", "unavailable", "unrecorded"]
STATUS: dict[Word, int] = {"denied": 403, "unavailable": 502, "unrecorded": 404}

HEAD_LIMIT = 64 * 1024
SENT_LIMIT = 1024 * 1024
BODY_LIMIT = 10 * 1024 * 1024
SECONDS = 30.0
REDIRECTS = 5
PASSED_ON = frozenset(
    {"accept", "authorization", "content-type", "user-agent", "x-api-key", "cookie"}
)
SECRET = re.compile(r"\{\{secret:([A-Za-z0-9_.-]{1,64})\}\}")


class Request(Struct, frozen=True):
    """What a script asks for."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""


class Answer(Struct, frozen=True):
    """What it is told; `word` is the broker's own, where the world was not asked or did not answer."""

    status: int
    body: bytes = b""
    kind: str = ""
    word: Word = ""
    why: str = ""


class Asked(Struct, frozen=True):
    """One line of the broker's record."""

    method: str
    url: str
    status: int
    word: Word = ""
    why: str = ""


class Answerer(Protocol):
    """Where answers come from."""

    def __call__(self, request: Request) -> Answer: ...


def refused(word: Word, why: str) -> Answer:
    return Answer(STATUS[word], (why + "\n").encode(), "text/plain", word, why)


def denied(method: str, url: str, capabilities: Capabilities) -> str:
    """Why the capabilities do not cover a request, in a sentence; empty if they do."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{url} is no address of the web"
    if "@" in parts.netloc:
        return "an address with a password in it is not asked"
    if any(step in ("..", ".") for step in re.split(r"[/\\]", unquote(parts.path))):
        return f"{url} goes up in its path"
    if method not in capabilities.methods:
        return f"{method} is not declared"
    if any(_covers(pattern, parts.netloc, parts.path or "/") for pattern in capabilities.hosts):
        return ""
    return f"{parts.netloc}{parts.path} is not declared"


def _covers(pattern: str, host: str, path: str) -> bool:
    name, slash, rest = pattern.partition("/")
    if name.lower() != host.lower():
        return False
    return not slash or re.fullmatch(translate("/" + rest), path) is not None


class Recorded:
    """Answers from the fetches of one run; for the same request the last that succeeded."""

    def __init__(self, fetches: Iterable[Fetch], blobs: Blobs) -> None:
        self._blobs = blobs
        self._by: dict[str, Fetch] = {}
        for fetch in fetches:
            known = self._by.get(key := f"{fetch.method} {fetch.url}")
            if known is None or known.status >= 400 or fetch.status < 400:
                self._by[key] = fetch

    def __call__(self, request: Request) -> Answer:
        fetch = self._by.get(f"{request.method} {request.url}")
        if fetch is None:
            return refused("unrecorded", f"the runs did not ask {request.method} {request.url}")
        return Answer(fetch.status, self._blobs.get(fetch.body), fetch.kind)


Resolve = Callable[[str, int], tuple[str, int]]


def resolve(host: str, port: int) -> tuple[str, int]:
    """The address a name stands for."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return str(found[0][4][0]), port


class Live:
    """Answers from the world, within the capabilities.

    `private` are the hosts that runs used although their addresses are private; `secrets` maps a name and
    a host to the secret, or None where that host never got it. A secret is put into headers only.
    """

    def __init__(
        self,
        capabilities: Capabilities,
        *,
        private: frozenset[str] = frozenset(),
        secrets: Callable[[str, str], str | None] = lambda _name, _host: None,
        resolve: Resolve = resolve,
        seconds: float = SECONDS,
        limit: int = BODY_LIMIT,
    ) -> None:
        self._capabilities = capabilities
        self._private = private
        self._secrets = secrets
        self._resolve = resolve
        self._seconds = seconds
        self._limit = limit
        self.taken: list[tuple[Request, Answer]] = []

    def __call__(self, request: Request) -> Answer:
        answer = self._follow(request)
        self.taken.append((request, answer))
        return answer

    def fetches(self, blobs: Blobs) -> tuple[Fetch, ...]:
        """What was fetched, as evidence."""
        return tuple(
            Fetch(
                method=request.method,
                url=request.url,
                status=answer.status,
                body=blobs.put(answer.body),
                kind=answer.kind,
            )
            for request, answer in self.taken
            if not answer.word
        )

    def _follow(self, request: Request) -> Answer:
        for _ in range(REDIRECTS + 1):
            if why := denied(request.method, request.url, self._capabilities):
                return refused("denied", why)
            if SECRET.search(request.url) or SECRET.search(request.body.decode("latin-1")):
                return refused("denied", "a secret belongs into a header")
            answer, to = self._ask(request)
            if not to:
                return answer
            if request.method not in ("GET", "HEAD"):
                return refused("denied", f"{request.method} was redirected")
            request = Request(request.method, urljoin(request.url, to), _anonymous(request.headers))
        return refused("unavailable", "too many redirects")

    def _ask(self, request: Request) -> tuple[Answer, str]:
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        try:
            headers, used = self._dressed(request.headers, host)
        except KeyError as error:
            return refused("denied", f"the secret {error.args[0]} is not for {host}"), ""
        try:
            connection = self._connect(parts.scheme, host, parts.port)
        except PermissionError as error:
            return refused("denied", str(error)), ""
        except OSError as error:
            return refused("unavailable", f"{host} cannot be reached: {error}"), ""
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with contextlib.closing(connection):
            try:
                connection.request(
                    request.method, target, request.body or None, {"Host": parts.netloc} | headers
                )
                told = connection.getresponse()
                body = self._body(told)
            except (OSError, http.client.HTTPException) as error:
                return refused("unavailable", f"{host} did not answer: {error}"), ""
        if len(body) > self._limit:
            return refused("unavailable", f"{host} sent more than {self._limit} bytes"), ""
        for name, secret in used.items():
            body = body.replace(secret.encode(), f"{{{{secret:{name}}}}}".encode())
        to = told.headers.get("Location", "") if told.status in (301, 302, 303, 307, 308) else ""
        return Answer(told.status, body, told.headers.get("Content-Type", "")), to

    def _body(self, told: http.client.HTTPResponse) -> bytes:
        """All of it, but no more than the limit and one byte, and not for ever."""
        late = time.monotonic() + self._seconds
        parts: list[bytes] = []
        length = 0
        while length <= self._limit and (part := told.read1(65536)):
            parts.append(part)
            length += len(part)
            if time.monotonic() > late:
                raise TimeoutError("it took too long")
        return b"".join(parts)

    def _dressed(
        self, headers: Mapping[str, str], host: str
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Headers with the secrets in their places, and the secrets used by name."""
        used: dict[str, str] = {}

        def put_in(match: re.Match[str]) -> str:
            name = match[1]
            declared = {one.partition("@")[0] for one in self._capabilities.secrets}
            secret = self._secrets(name, host) if name in declared else None
            if not secret:
                raise KeyError(name)
            used[name] = secret
            return secret

        passed = {name: value for name, value in headers.items() if name.lower() in PASSED_ON}
        return {name: SECRET.sub(put_in, value) for name, value in passed.items()}, used

    def _connect(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        """A connection to the very address that was judged.

        Raises:
            PermissionError: where the address is private and no run had asked there.
            OSError: where nobody answers.
        """
        address, number = self._resolve(host, port or (443 if scheme == "https" else 80))
        if not ipaddress.ip_address(address).is_global and host not in self._private:
            raise PermissionError(f"{host} is at the private address {address}, where no run asked")
        wire = socket.create_connection((address, number), self._seconds)
        wire.settimeout(self._seconds)
        if scheme == "https":
            wire = ssl.create_default_context().wrap_socket(wire, server_hostname=host)
        connection = http.client.HTTPConnection(host, number, timeout=self._seconds)
        connection.sock = wire
        return connection


def _anonymous(headers: Mapping[str, str]) -> dict[str, str]:
    """A redirect gets no secrets and no cookies."""
    return {
        name: value for name, value in headers.items() if name.lower() in ("accept", "user-agent")
    }


class Broker:
    """A listening unix socket; `asked` is the record of all it was asked, refusals too."""

    def __init__(self, path: Path, answer: Answerer) -> None:
        self.path = path
        self.asked: list[Asked] = []
        self._answer = answer
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        path.chmod(0o600)
        self._listening.listen(16)
        self._thread = threading.Thread(target=self._serve, name="broker", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Takes no more requests; the socket's file is gone afterwards."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(SECONDS)
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                wire, _ = self._listening.accept()
            except OSError:
                return
            with wire, contextlib.suppress(OSError):
                wire.settimeout(SECONDS)
                self._converse(wire)

    def _converse(self, wire: socket.socket) -> None:
        try:
            request = read_request(wire)
        except ValueError as error:
            request, answer = Request("", ""), refused("denied", str(error))
        else:
            answer = self._answered(request)
        self.asked.append(
            Asked(request.method, request.url, answer.status, answer.word, answer.why)
        )
        wire.sendall(_written(answer, head_only=request.method == "HEAD"))

    def _answered(self, request: Request) -> Answer:
        """Whatever an address or an answer is made of, the next request is heard."""
        try:
            return self._answer(request)
        except (LookupError, ValueError) as error:
            return refused("unavailable", f"{request.url} cannot be asked: {error!r}")


def read_request(wire: socket.socket) -> Request:
    """One request as to a proxy.

    Raises:
        ValueError: where it is none, or too long.
    """
    taken = b""
    while b"\r\n\r\n" not in taken:
        more = wire.recv(65536)
        taken += more
        if not more or len(taken) > HEAD_LIMIT:
            raise ValueError("no request, or one with too long a head")
    head, _, body = taken.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[0].isalpha():
        raise ValueError("not a request")
    headers = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    length = int(
        next((value for name, value in headers.items() if name.lower() == "content-length"), "0")
    )
    if not 0 <= length <= SENT_LIMIT:
        raise ValueError("too much is sent")
    while len(body) < length and (more := wire.recv(65536)):
        body += more
    return Request(words[0].upper(), words[1], headers, body[:length])


def _written(answer: Answer, *, head_only: bool) -> bytes:
    reason = http.client.responses.get(answer.status, "")
    lines = [
        f"HTTP/1.1 {answer.status} {reason}",
        f"Content-Length: {len(answer.body)}",
        "Connection: close",
    ]
    if answer.kind:
        lines.append(f"Content-Type: {_one_line(answer.kind)}")
    if answer.word:
        lines.append(f"X-Cockpit-{answer.word.title()}: {_one_line(answer.why)}")
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return head if head_only else head + answer.body


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
