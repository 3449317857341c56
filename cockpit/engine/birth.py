"""How an agent is born: it is known to the engine before it executes its first instruction.

The child makes its own session (and takes its terminal), then waits at a gate. When the gate opens
it becomes the agent; when the runner dies before that, it leaves.
"""

import errno
import fcntl
import os
import signal
import struct
import termios
from typing import Any, NamedTuple

from cockpit.engine import frames, kernel

NOT_FOUND = 127
NOT_STARTED = 126
_IUTF8 = 0x4000


class Channels(NamedTuple):
    """The runner's ends: where input goes (None: nowhere), what to read, and the agent's terminal.

    `held` is our own hold on the terminal: while it is open an agent that closed its terminal, and
    may open it again, does not look like an end.
    """

    input: int | None
    outputs: dict[int, bytes]
    held: int | None = None

    @property
    def terminal(self) -> int | None:
        """The master side, None for pipes."""
        return self.input if self.held is not None else None


class Newborn(NamedTuple):
    """A child that waits. Write a byte to `gate` to let it begin; `trouble` tells if it cannot."""

    pid: int
    gate: int
    trouble: int
    channels: Channels


def resize(terminal: int, rows: int, columns: int) -> None:
    """Sets the size of a terminal; its foreground processes get SIGWINCH if that is news."""
    size = struct.pack("HHHH", *(max(1, min(side, 0xFFFF)) for side in (rows, columns)), 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def bear(spec: dict[str, Any]) -> Newborn:
    """Forks the agent-to-be: `argv`, `cwd`, `environment`, `umask`, `rows` and `columns` or 0, `stdin`.

    Raises:
        OSError: when there is no terminal or no process left.
    """
    terminal = bool(spec.get("rows"))
    ends, channels = _terminal(spec) if terminal else _pipes(spec.get("stdin", "pipe") == "pipe")
    gate_out, gate_in = os.pipe()
    trouble_out, trouble_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(gate_in)
        _become(spec, ends, terminal, gate_out, trouble_in)
    for descriptor in {*ends, gate_out, trouble_in} - {channels.held}:
        os.close(descriptor)
    _unblock(channels)
    return Newborn(pid, gate_in, trouble_out, channels)


def _unblock(channels: Channels) -> None:
    for descriptor in (*channels.outputs, channels.input):
        if descriptor is not None:
            os.set_blocking(descriptor, False)


def _terminal(spec: dict[str, Any]) -> tuple[tuple[int, int, int], Channels]:
    master, slave = os.openpty()
    resize(slave, int(spec["rows"]), int(spec["columns"]))
    if kernel.LINUX:
        attributes = termios.tcgetattr(slave)
        attributes[0] |= _IUTF8
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
    return (slave, slave, slave), Channels(master, {master: frames.OUTPUT}, slave)


def _pipes(with_input: bool) -> tuple[tuple[int, int, int], Channels]:
    output, errors = os.pipe(), os.pipe()
    outputs = {output[0]: frames.OUTPUT, errors[0]: frames.ERRORS}
    if not with_input:
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        return (nothing, output[1], errors[1]), Channels(None, outputs)
    given = os.pipe()
    return (given[0], output[1], errors[1]), Channels(given[1], outputs)


def _become(
    spec: dict[str, Any], ends: tuple[int, int, int], terminal: bool, gate: int, trouble: int
) -> None:
    """The child's whole life until it is the agent. Never returns."""
    code = NOT_STARTED
    try:
        os.setsid()
        if terminal:
            fcntl.ioctl(ends[0], termios.TIOCSCTTY, 0)
        for place, end in enumerate(ends):
            os.dup2(end, place)
        kernel.die_with_parent(signal.SIGTERM)
        _as_by_default(int(spec.get("umask", 0o022)))
        if os.read(gate, 1):
            os.chdir(spec["cwd"])
            os.execvpe(spec["argv"][0], spec["argv"], spec["environment"])
    except OSError as error:
        code = NOT_FOUND if error.errno == errno.ENOENT else NOT_STARTED
        about = error.filename if error.filename == spec["cwd"] else spec["argv"][0]
        os.write(trouble, f"{error.strerror}: {about}".encode(errors="replace")[:400])
    finally:
        os._exit(code)


def _as_by_default(umask: int) -> None:
    """Python ignores some signals, and so would every program it becomes."""
    os.umask(umask)
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except OSError:
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
