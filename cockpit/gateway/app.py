"""The gateway's server: loopback HTTP, one URL with one token for each run."""

import logging
import traceback
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from cockpit.gateway import sentences
from cockpit.gateway.door import Door
from cockpit.gateway.governed import Governed, hashed
from cockpit.gateway.passage import GoneError, answered
from cockpit.gateway.peer import Peers
from cockpit.gateway.recognise import guessed
from cockpit.gateway.upstream import LONGEST_HEADER, TOKEN_HEADER
from cockpit.gateway.wire.registry import DIALECTS
from cockpit.journal.paths import private

LOOPBACK = "127.0.0.1"
PREFIX = "/run/"
IN_HEADER = "-"
"""In the token's place of a URL that must be written where others can read it: see the header."""
IDLE_S = 300.0
SHUTDOWN_S = 2.0

log = logging.getLogger(__name__)


class Gateway:
    """Serves the runs that were admitted.

    The port is kept in a file, so that a run's URL outlives the engine; one that somebody else took
    meanwhile is given up for a new one.
    """

    def __init__(self, door: Door, port_file: Path, host: str = LOOPBACK) -> None:
        self._door = door
        self._port_file = port_file
        self._host = host
        self._port = 0
        self._runs: dict[str, Governed] = {}
        self._peers = Peers()
        self._runner: web.ServerRunner | None = None

    async def open(self) -> bool:
        """Listens; False when the port of old was taken, so that URLs given out before are dead.

        Raises:
            OSError: when there is no port to listen at.
        """
        await self._door.outside.open()
        server = web.Server(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=IDLE_S,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        kept = self._kept_port()
        try:
            await web.TCPSite(self._runner, self._host, kept).start()
        except OSError:
            await web.TCPSite(self._runner, self._host, 0).start()
        self._port = self._runner.addresses[0][1]
        private(self._port_file.parent)
        self._port_file.write_text(f"{self._port}\n")
        return kept in (0, self._port)

    async def close(self) -> None:
        """Ends every connection. Calls under way are booked as broken off."""
        for governed in self._runs.values():
            governed.close_streams("cockpit: the engine is stopping")
        if self._runner is not None:
            await self._runner.cleanup()
        await self._door.outside.close()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    def run_url(self, token: str) -> str:
        """What a run is given: the only place where its token is written."""
        return f"{self.url}{PREFIX}{token}"

    def admit(self, governed: Governed) -> None:
        """The run's token opens the door from now on."""
        self._runs[governed.token_hash] = governed

    def dismiss(self, governed: Governed) -> None:
        """The run is over and its token is dead."""
        self._runs.pop(governed.token_hash, None)

    def _kept_port(self) -> int:
        with suppress(OSError, ValueError):
            port = int(self._port_file.read_text())
            return port if 0 < port < 65_536 else 0
        return 0

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        token, path, query = split(request.raw_path)
        if token == IN_HEADER:
            token = request.headers.get(TOKEN_HEADER, "")
        governed = self._runs.get(hashed(token)) if token else None
        if governed is None or not self._peers.trusted(request.transport):
            return _turned_away(path, request)
        if request.headers.get("upgrade"):
            return web.Response(status=426, text="cockpit: plain HTTP only")
        if path == "/" and request.method in ("GET", "HEAD"):
            return web.Response(text="cockpit")
        try:
            return await self._door.handle(governed, request, path, query)
        except (GoneError, ConnectionError):
            return _nobody(request)
        except Exception as error:  # its text, and the server's own log of it, could hold a key
            log.error("a request of %s failed: %s", governed.run, _place(error))
            return web.Response(status=500, text="cockpit: the gateway failed")


def split(target: str) -> tuple[str, str, str]:
    """Token, path and query of `/run/TOKEN/path?query`; no token for anything else."""
    whole, _, query = target.partition("?")
    if not whole.startswith(PREFIX):
        return "", whole, query
    token, _, path = whole.removeprefix(PREFIX).partition("/")
    return token, f"/{path}", query


def _turned_away(path: str, request: web.BaseRequest) -> web.Response:
    """In the dialect of the path, so that an agent says what is wrong instead of asking again."""
    dialect = DIALECTS[guessed(path, request.headers)]
    answer = answered(dialect.refusal(sentences.NO_RUN, ""), status=403)
    answer.force_close()
    return answer


def _place(error: Exception) -> str:
    """What kind of error it was and where: no word of what it says."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(frames))
    return f"{type(error).__name__} at {places}"


def _nobody(request: web.BaseRequest) -> web.Response:
    """The client has left, or must see that its answer is not whole."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=502)
