"""A run's input and output in this terminal, or in these pipes.

With a terminal on both sides every byte goes straight through and the agent feels as if started
here. With pipes its output and its errors stay apart and the end of the input is passed on. Leaving,
by the key or by closing the window, stops nothing.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from cockpit.cli.detach import HOLD_SECONDS, DetachKey
from cockpit.cli.output import fail
from cockpit.cli.terminal import guarded
from cockpit.engine import frames, kernel
from cockpit.engine.loop import READ, WRITE, Loop
from cockpit.engine.modes import Modes

LOST = 255
"""The exit code when the runner vanished and the agent's own is not known."""
READ_BYTES = 64 * 1024
WRITE_BYTES = 4096
"""A pipe that select calls writable takes so much without blocking."""
KEPT_BYTES = 64 * 1024 * 1024
"""Output waiting for a slow reader here; the runner keeps only the newest beyond that."""
SENT_BYTES = 256 * 1024
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


def attach(path: Path, *, owner: bool = True) -> int:
    """Shows the run behind a runner's socket until it ends or is left; returns the exit code.

    That is the agent's own, 128 + signal if it was killed, 0 if the run was left, 255 if its runner
    vanished. The `owner` of a run passes the end of its input on.
    """
    try:
        connection = _connected(path)
    except OSError:
        fail(f"{path.stem} has ended, or it was started without a runner: cockpit show {path.stem}")
    with connection:
        return _Attachment(connection, path.stem, owner=owner).work()


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
        if kernel.peer(connection)[1] != os.getuid():
            raise PermissionError(f"{path} is not ours")
    except OSError:
        connection.close()
        raise
    connection.setblocking(False)
    return connection


class _Left(Exception):  # noqa: N818 - no error: the way out of the loop
    """This terminal and the run part; the run may go on."""

    def __init__(self, code: int, word: str = "") -> None:
        super().__init__(word)
        self.code = code
        self.word = word


class _Attachment:
    def __init__(self, connection: socket.socket, run: str, *, owner: bool) -> None:
        self.connection = connection
        self.run = run
        self.owner = owner
        self.loop = Loop(selectors.SelectSelector())
        self.parser = frames.Parser()
        self.modes = Modes()
        self.key = DetachKey()
        self.to_run = bytearray()
        self.shown: dict[int, deque[bytes]] = {1: deque(), 2: deque()}
        self.waiting = 0
        self.greeted = self.terminal = self.interactive = False
        self.code: int | None = None
        self.input_open = True
        self.signals: deque[int] = deque()

    def work(self) -> int:
        """Until the agent's end has been shown, or the run is left."""
        with self._heeding_signals():
            try:
                self._say_hello()
                with self._raw():
                    while True:
                        self.loop.turn()
                        self._heed()
            except _Left as left:
                self._restore_modes()
                if left.word:
                    print(left.word, file=sys.stderr)
                return left.code

    # --- the beginning

    def _say_hello(self) -> None:
        self.loop.on(self.connection.fileno(), READ, self._receive)
        rows, columns = _size()
        self._say(frames.HELLO, role="attach", rows=rows, columns=columns, owner=self.owner)
        while not self.greeted:
            self.loop.turn()

    @contextlib.contextmanager
    def _raw(self) -> Iterator[None]:
        """Keys go to the agent as they are, and the terminal comes back whatever happens."""
        self.interactive = self.terminal and sys.stdin.isatty() and sys.stdout.isatty()
        if not self.interactive:
            self.loop.on(0, READ, self._typed)
            yield
            return
        if not self.owner:
            print(f"{self.run}: ctrl+] twice leaves it to itself", file=sys.stderr)
        self.before = termios.tcgetattr(0)
        with guarded():
            tty.setraw(0, termios.TCSANOW)
            self.loop.on(0, READ, self._typed)
            yield

    @contextlib.contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        """Signals become bytes on a socket, so that the loop wakes up for them."""
        ear, mouth = socket.socketpair()
        for end in (ear, mouth):
            end.setblocking(False)
        before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
        numbers = (*PASSED_ON, signal.SIGWINCH, signal.SIGHUP, signal.SIGCONT)
        old = {number: signal.signal(number, self._remember) for number in numbers}
        self.loop.on(ear.fileno(), READ, lambda: _drain(ear))
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            ear.close()
            mouth.close()

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.signals.append(number)

    def _heed(self) -> None:
        while self.signals:
            number = self.signals.popleft()
            if number == signal.SIGHUP:
                raise _Left(128 + number)
            if number in (signal.SIGWINCH, signal.SIGCONT):
                self._resize()
            elif self.interactive and number == signal.SIGTERM:
                raise _Left(128 + number, self._how_to_return())
            else:
                self._say(frames.SIGNAL, signal=signal.Signals(number).name)

    def _resize(self) -> None:
        rows, columns = _size()
        if rows and columns:
            self._say(frames.RESIZE, rows=rows, columns=columns)

    def _how_to_return(self) -> str:
        return f"left to itself; back with: cockpit attach {self.run}"

    # --- to the run

    def _say(self, kind: bytes, **fields: object) -> None:
        self._send(frames.said(kind, **fields))

    def _send(self, frame: bytes) -> None:
        self.to_run += frame
        self._push()

    def _push(self) -> None:
        descriptor = self.connection.fileno()
        try:
            while self.to_run:
                del self.to_run[: self.connection.send(self.to_run)]
        except BlockingIOError:
            self.loop.on(descriptor, WRITE, self._push)
            return
        except OSError:  # reading will tell the same, after what the runner said last
            self.to_run.clear()
        self.loop.off(descriptor, WRITE)

    def _typed(self) -> None:
        try:
            data = os.read(0, READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._input_is_over()
        elif self.interactive:
            self._type(data)
        else:
            self._send(frames.frame(frames.INPUT, data))
        if len(self.to_run) > SENT_BYTES:
            self.loop.off(0, READ)
            self.loop.at("input", 0.01, self._listen_again)

    def _listen_again(self) -> None:
        if not self.input_open:
            return
        if len(self.to_run) > SENT_BYTES:
            self.loop.at("input", 0.01, self._listen_again)
        else:
            self.loop.on(0, READ, self._typed)

    def _input_is_over(self) -> None:
        self.input_open = False
        self.loop.off(0, READ)
        if self.interactive:
            raise _Left(128 + signal.SIGHUP)
        if self.owner:
            self._send(frames.frame(frames.END_INPUT))

    def _type(self, data: bytes) -> None:
        keys, leave = self.key.feed(data)
        if keys:
            self._send(frames.frame(frames.INPUT, keys))
        if leave:
            raise _Left(0, self._how_to_return())
        if self.key.holds:
            self.loop.at("key", HOLD_SECONDS, self._release_key)

    def _release_key(self) -> None:
        if held := self.key.release():
            self._send(frames.frame(frames.INPUT, held))

    # --- from the run

    def _receive(self) -> None:
        try:
            data = self.connection.recv(256 * 1024)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._runner_is_gone()
            return
        for kind, body in self.parser.feed(data):
            self._take(kind, body)
        if self.waiting > KEPT_BYTES:
            self.loop.off(self.connection.fileno(), READ)

    def _runner_is_gone(self) -> None:
        self.loop.off(self.connection.fileno(), READ)
        if self.code is None:
            self.code = LOST
            self._warn("its runner vanished; cockpit show tells what became of the run")
        self._leave_if_shown()

    def _take(self, kind: bytes, body: bytes) -> None:
        match kind:
            case frames.OUTPUT:
                self._show(1, body)
            case frames.ERRORS:
                self._show(2, body)
            case frames.STATUS:
                self.terminal = bool(frames.read(body)["terminal"])
                self.greeted = True
            case frames.EXITED if self.code is None:
                self.code = int(frames.read(body)["code"])
                self._leave_if_shown()
            case frames.DROPPED:
                self._dropped(int(frames.read(body)["bytes"]))
            case frames.TOLD:
                self._warn(str(frames.read(body)["text"]))
            case frames.FAILED:
                self._warn(str(frames.read(body)["reason"]))
            case frames.PAUSED if self.interactive:
                self._rest()

    def _warn(self, text: str) -> None:
        end = b"\r\n" if self.terminal else b"\n"
        self._show(2, end[:-1] + f"cockpit: {text}".encode() + end)

    def _dropped(self, count: int) -> None:
        if self.terminal:
            self._say(frames.RESIZE, rows=0, columns=0)
        else:
            self._warn(f"{count:,} bytes of output were passed over: nobody read them in time")

    def _show(self, place: int, data: bytes) -> None:
        if self.terminal:
            self.modes.feed(data)
        if data:
            self.shown[place].append(data)
            self.waiting += len(data)
            self.loop.on(place, WRITE, lambda: self._write(place))

    def _write(self, place: int) -> None:
        queue = self.shown[place]
        piece = queue[0][:WRITE_BYTES]
        try:
            count = os.write(place, piece)
        except BlockingIOError:
            return
        except OSError as error:  # nobody reads any more: as if the window had been closed
            raise _Left(128 + signal.SIGPIPE) from error
        queue[0] = queue[0][count:]
        self.waiting -= count
        if not queue[0]:
            queue.popleft()
        if not queue:
            self.loop.off(place, WRITE)
        if self.waiting <= KEPT_BYTES and self.code is None:
            self.loop.on(self.connection.fileno(), READ, self._receive)
        self._leave_if_shown()

    def _leave_if_shown(self) -> None:
        if self.code is not None and not self.waiting:
            raise _Left(self.code)

    # --- the terminal

    def _restore_modes(self) -> None:
        if self.terminal and sys.stdout.isatty():
            with contextlib.suppress(OSError):
                os.write(1, self.modes.undo())

    def _rest(self) -> None:
        """The agent laid itself to rest, as at ctrl+z: so do we, until the shell wakes us."""
        raw = termios.tcgetattr(0)
        self._restore_modes()
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSANOW, self.before)
        os.kill(os.getpid(), signal.SIGSTOP)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSANOW, raw)
        self._say(frames.SIGNAL, signal="SIGCONT")


def _size() -> tuple[int, int]:
    """Rows and columns of this terminal, 0 where there is none."""
    for descriptor in (1, 0, 2):
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(descriptor)
            return (size.lines, size.columns)
    return (0, 0)


def _drain(ear: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        ear.recv(4096)
