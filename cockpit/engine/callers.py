"""Who talks to a runner: the engine, and terminals that are attached."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any, Literal

from cockpit.engine import frames, kernel
from cockpit.engine.loop import READ, WRITE, Loop
from cockpit.engine.outlet import RING_BYTES, Outbox

ENGINE_BYTES = 64 * 1024 * 1024
"""An engine that reads an agent's protocol from its output must not lose any for being busy."""
READ_BYTES = 256 * 1024
STALL_SECONDS = 1.0

Role = Literal["", "engine", "attach"]


class Caller:
    """One connection, `pid` behind it (0 where the kernel does not tell).

    `role` is empty until it said who it is; `owner` may end the agent's input.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.pid = kernel.peer(connection)[0]
        self.descriptor = connection.fileno()
        self.role: Role = ""
        self.watching = False
        self.owner = False
        self.open = True
        self.outbox = Outbox(RING_BYTES)
        self._moved = time.monotonic()
        self._parser = frames.Parser()

    @property
    def is_catching_up(self) -> bool:
        """Behind, but reading: worth waiting for. Who stands still is passed over instead."""
        return self.outbox.is_behind and time.monotonic() - self._moved < STALL_SECONDS

    def introduce(self, role: Role, *, watching: bool, owner: bool = False) -> None:
        """From here on it is known who this is."""
        self.role, self.watching, self.owner = role, watching, owner
        if role == "engine":
            self.outbox = Outbox(ENGINE_BYTES)

    def receive(self) -> list[frames.Frame] | None:
        """The frames that came; None when the other side is gone or talks nonsense."""
        try:
            data = self.connection.recv(READ_BYTES)
            return list(self._parser.feed(data)) if data else None
        except BlockingIOError:
            return []
        except (OSError, frames.FrameError):
            return None

    def flush(self) -> bool:
        """Sends what goes without waiting; false when the other side is gone."""
        while head := self.outbox.head():
            try:
                self.outbox.sent(self.connection.send(head))
                self._moved = time.monotonic()
            except BlockingIOError:
                return True
            except OSError:
                return False
        return True


class Callers:
    """Every connection of a runner.

    `answer` gets each frame's object and may raise to deny it, `typed` gets input, `gone` is told of callers that hung up.
    """

    def __init__(
        self,
        loop: Loop,
        path: str,
        answer: Callable[[Caller, bytes, dict[str, Any]], None],
        typed: Callable[[Caller, bytes], None],
        gone: Callable[[Caller], None],
    ) -> None:
        """Opens the socket, which only its owner can reach.

        Raises:
            OSError: when it cannot be made.
        """
        self.all: list[Caller] = []
        self._loop = loop
        self._answer = answer
        self._typed = typed
        self._gone = gone
        self._listener = _listen(path)
        loop.on(self._listener.fileno(), READ, self._accept)

    def add(self, caller: Caller) -> None:
        """Listens to a connection."""
        self.all.append(caller)
        self.hear(caller)

    def hear(self, caller: Caller) -> None:
        """Takes in what this caller says."""
        if caller.open:
            self._loop.on(caller.descriptor, READ, lambda: self._heard(caller))

    def ignore(self, caller: Caller) -> None:
        """Leaves what this caller says where it is, until `hear`."""
        self._loop.off(caller.descriptor, READ)

    def tell(self, caller: Caller, frame: bytes) -> None:
        """Sends one caller a frame that will not be dropped."""
        caller.outbox.put(frame)
        self.flush(caller)

    def tell_all(self, frame: bytes) -> None:
        """Sends it to everybody who said who they are."""
        for caller in list(self.all):
            if caller.role:
                self.tell(caller, frame)

    def show(self, kind: bytes, data: bytes) -> None:
        """Sends output to whoever watches."""
        for caller in list(self.all):
            if caller.watching:
                caller.outbox.put_output(kind, data)
                self.flush(caller)

    def flush(self, caller: Caller) -> None:
        """Sends what goes now, the rest when the caller reads."""
        if not caller.open:
            return
        if not caller.flush():
            self.hang_up(caller)
        elif caller.outbox:
            self._loop.on(caller.descriptor, WRITE, lambda: self.flush(caller))
        else:
            self._loop.off(caller.descriptor, WRITE)

    def hang_up(self, caller: Caller) -> None:
        """Ends a connection."""
        if caller.open:
            caller.open = False
            self.all.remove(caller)
            self._loop.forget(caller.descriptor)
            caller.connection.close()
            self._gone(caller)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if kernel.peer(connection)[1] == os.getuid():
            self.add(Caller(connection))
        else:
            connection.close()

    def _heard(self, caller: Caller) -> None:
        received = caller.receive()
        if received is None:
            self.hang_up(caller)
            return
        for kind, body in received:
            if not caller.open:
                return
            if kind == frames.INPUT and caller.role:
                self._typed(caller, body)
            else:
                self._take(caller, kind, body)

    def _take(self, caller: Caller, kind: bytes, body: bytes) -> None:
        try:
            self._answer(caller, kind, frames.read(body))
        except Exception as error:  # whatever was said, the agent does not suffer for it
            self.tell(caller, frames.said(frames.DENIED, reason=f"{type(error).__name__}: {error}"))


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen(16)
    listener.setblocking(False)
    return listener
