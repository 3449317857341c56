"""The web of a test: many named hosts behind one proxy on loopback, answered from a table."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Page:
    body: bytes
    status: int = 200
    kind: str = "application/json"


@dataclass(frozen=True)
class Seen:
    method: str
    url: str
    page: Page
    sent: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Web:
    """A proxy: `pages` by "METHOD url"; what was asked is kept in `seen`."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.seen: list[Seen] = []
        web = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                web.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Answer, f"do_{method}", Answer.answer)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        sent = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        url = (
            request.path
            if "://" in request.path
            else f"http://{request.headers['Host']}{request.path}"
        )
        missing = Page(b'{"error":"not found"}\n', 404)
        page = self.pages.get(f"{request.command} {url}", missing)
        self.seen.append(Seen(request.command, url, page, sent, tuple(request.headers.items())))
        request.send_response(page.status)
        request.send_header("Content-Type", page.kind)
        request.send_header("Content-Length", str(len(page.body)))
        request.send_header("Connection", "close")
        request.close_connection = True
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(page.body)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
