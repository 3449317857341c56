"""The engine as a process: wires everything below it together and ends in order."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from cockpit.agents.registry import chosen
from cockpit.engine import lock
from cockpit.engine.engine import Engine
from cockpit.engine.library import Library
from cockpit.journal import paths, settings
from cockpit.journal.index import Index, IndexBusyError
from cockpit.journal.store import Journal
from cockpit.prices.book import Book

LOG_LIMIT = 4 * 1024 * 1024
INDEX_WAIT_SECONDS = 30.0
HOME_SECONDS = 1.0
SWITCH_SECONDS = 0.0005
"""So long a busy thread may go on when another wants to: a hold's commit needs the interpreter a
dozen times, and at Python's own 5 ms a hundred streams made each of them wait for that long.
"""
REFRESH = (
    "import pathlib, sys; from cockpit.prices.snapshot import refresh;"
    " refresh(pathlib.Path(sys.argv[1]))"
)

log = logging.getLogger("cockpit.engine")


def main() -> None:
    """Runs the engine until SIGTERM, SIGINT or a `shutdown` request."""
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_SECONDS)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _shorten_log()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        held = lock.acquire(paths.engine_lock())
    except lock.EngineRunningError as error:
        log.info("%s", error)
        sys.exit(0)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(held))
    except settings.SettingsError as error:
        log.error("%s", error)
        sys.exit(1)
    finally:
        os.close(held)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, which carries streams at less CPU; where it is missing, the standard one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(held: int) -> None:
    options = settings.load(paths.settings_file())
    book = await _prices()
    library = Library(chosen(options.agents), Path.home(), os.environ, options.roots)
    journal = Journal(paths.journal_file())
    engine = Engine(options, library, await _index(), journal, book)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.shutdown)
    log.info("engine %d begins", os.getpid())
    watching = asyncio.create_task(_end_with_home(engine, held))
    await engine.run(paths.engine_socket())
    watching.cancel()
    log.info("engine %d ends", os.getpid())


async def _end_with_home(engine: Engine, held: int) -> None:
    """An engine whose home was removed serves nobody: a new one would not find it."""
    while lock.is_ours(paths.engine_lock(), held):  # noqa: ASYNC110 (nothing tells of a removal)
        await asyncio.sleep(HOME_SECONDS)
    log.info("the engine's home is gone")
    engine.shutdown()


async def _prices() -> Book:
    """The price book; compiled anew, in a child, when a newer genai-prices has been installed."""
    book = Book.load(paths.prices_file(), paths.cache())
    try:
        is_news = installed("genai-prices") != book.genai_prices
    except PackageNotFoundError:
        return book
    if not is_news:
        return book
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", REFRESH, str(paths.cache()), stdin=asyncio.subprocess.DEVNULL
    )
    await child.wait()
    return Book.load(paths.prices_file(), paths.cache())


async def _index() -> Index:
    """The index, once a `cockpit spend` that may be writing it has finished."""
    deadline = time.monotonic() + INDEX_WAIT_SECONDS
    while True:
        try:
            return Index.open(paths.index_file())
        except IndexBusyError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


def _shorten_log() -> None:
    path = paths.engine_log()
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), 2)
