"""The agent inside its runner: its process, its input and output, its exit code."""

import contextlib
import os
import signal
import struct
import termios
from collections import deque
from collections.abc import Callable
from fcntl import ioctl
from typing import Any

from cockpit.engine import birth, kernel
from cockpit.engine.outlet import Ring

READ_BYTES = 64 * 1024
INPUT_BYTES = 1024 * 1024
DRAIN_BYTES = 1024 * 1024


class Vessel:
    """One agent from its birth to its exit code. Never blocks; the runner's loop calls it.

    `output` gets every piece of output with its kind, `closing` is told of each descriptor before it
    is closed. `code` is None until the agent was reaped:
    128 + signal when it was killed.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        output: Callable[[bytes, bytes], None],
        closing: Callable[[int], None],
    ) -> None:
        """Forks the child; it waits for `begin`.

        Raises:
            OSError: when there is no terminal or no process left.
        """
        environment = {**spec["environment"], "COCKPIT_RUN": spec["run"]}
        newborn = birth.bear({**spec, "environment": environment})
        self.pid = newborn.pid
        self.ticks = (kernel.row(self.pid) or kernel.Row(self.pid, 0, 0, 0, 0, True)).ticks
        self.ring = Ring()
        self.code: int | None = None
        self.began = False
        self.trouble = newborn.trouble
        self.outputs = dict(newborn.channels.outputs)
        self.input = newborn.channels.input
        self.is_terminal = newborn.channels.terminal is not None
        self._held = newborn.channels.held
        self._gate: int | None = newborn.gate
        self._output = output
        self._closing = closing
        self._typed: deque[bytes] = deque()
        self._typed_bytes = 0
        self._ending = False

    def begin(self) -> None:
        """Opens the gate: the child becomes the agent."""
        if self._gate is not None:
            self.began = True
            with contextlib.suppress(OSError):  # it was killed while it waited
                os.write(self._gate, b"g")
            self._close_gate()

    def _close_gate(self) -> None:
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None

    def failed(self) -> str:
        """Why the program could not be started, empty when it runs. Ask when `trouble` is readable."""
        reason = os.read(self.trouble, 400).decode(errors="replace")
        self._closing(self.trouble)
        os.close(self.trouble)
        return reason

    @property
    def terminal(self) -> int | None:
        """Our side of the agent's terminal while it is open; None for pipes."""
        return next(iter(self.outputs), None) if self.is_terminal else None

    # --- output

    def pull(self, descriptor: int) -> bool:
        """Reads what there is; false when this output has ended and is closed."""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:  # a terminal that nobody has open any more
            data = b""
        if not data:
            self._close_output(descriptor)
            return False
        kind = self.outputs[descriptor]
        self.ring.add(kind, data)
        self._output(kind, data)
        return True

    def _close_output(self, descriptor: int) -> None:
        del self.outputs[descriptor]
        if descriptor == self.input:
            self.input = None
        self._closing(descriptor)
        os.close(descriptor)

    def let_go(self) -> None:
        """The agent is gone: from now on its terminal ends when nobody else has it open."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def close(self) -> None:
        """Takes what is left of the output and closes everything, whoever else has it open."""
        for descriptor in list(self.outputs):
            pulled = 0
            while pulled < DRAIN_BYTES and self._has_more(descriptor):
                pulled += READ_BYTES
            if descriptor in self.outputs:
                self._close_output(descriptor)
        self._close_input()
        self._close_gate()
        self.let_go()

    def _has_more(self, descriptor: int) -> bool:
        before = self.ring.count
        return self.pull(descriptor) and self.ring.count > before

    # --- input

    @property
    def is_full(self) -> bool:
        """Whether so much input waits that no more should be taken in."""
        return self._typed_bytes > INPUT_BYTES

    @property
    def has_input(self) -> bool:
        """Whether input waits to be written."""
        return self.input is not None and bool(self._typed)

    def type(self, data: bytes) -> None:
        """Gives input to the agent, now or as soon as it takes it."""
        if self.input is not None and data and not self._ending:
            self._typed.append(data)
            self._typed_bytes += len(data)
            self.push()

    def end_input(self) -> None:
        """Closes the agent's standard input behind what waits; a terminal gets its end key."""
        if self.terminal is not None:
            self.type(self._end_key())
            return
        self._ending = True
        self.push()

    def _end_key(self) -> bytes:
        with contextlib.suppress(termios.error):
            key: bytes = termios.tcgetattr(self.terminal or 0)[6][termios.VEOF]
            return key
        return b""

    def push(self) -> None:
        """Writes what the agent takes without waiting."""
        while self._typed and self.input is not None:
            try:
                count = os.write(self.input, self._typed[0])
            except BlockingIOError:
                return
            except OSError:  # it does not listen any more
                self._close_input()
                return
            self._typed_bytes -= count
            self._typed[0] = self._typed[0][count:]
            if not self._typed[0]:
                self._typed.popleft()
        if self._ending:
            self._close_input()

    def _close_input(self) -> None:
        self._typed.clear()
        self._typed_bytes = 0
        if self.input is not None and self.input not in self.outputs:
            self._closing(self.input)
            os.close(self.input)
        self.input = None

    # --- signals and size

    def resize(self, rows: int, columns: int) -> None:
        """Sets the size of the agent's terminal, if it has one."""
        if self.terminal is not None:
            with contextlib.suppress(OSError):
                birth.resize(self.terminal, rows, columns)

    def size(self) -> tuple[int, int]:
        """Rows and columns, 0 without a terminal."""
        if self.terminal is None:
            return (0, 0)
        rows, columns, _, _ = struct.unpack(
            "HHHH", ioctl(self.terminal, termios.TIOCGWINSZ, bytes(8))
        )
        return (rows, columns)

    def signal(self, number: int, *, group: bool) -> None:
        """Signals the agent or its group, while its pid is certainly its own."""
        if self.code is None:
            with contextlib.suppress(OSError):
                (os.killpg if group else os.kill)(self.pid, number)

    def living_pid(self) -> int | None:
        """The agent's pid while it is certainly its own."""
        return self.pid if self.code is None else None

    def is_stopped(self, pid: int, status: int) -> bool:
        """Takes in what `waitpid` said; true when it said that the agent was stopped, as by ctrl+z."""
        if pid != self.pid:
            return False
        if os.WIFSTOPPED(status):
            return os.WSTOPSIG(status) in (signal.SIGTSTP, signal.SIGSTOP)
        code = os.waitstatus_to_exitcode(status)
        self.code = 128 - code if code < 0 else code
        return False
