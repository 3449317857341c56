"""Where a script runs: no network, one socket, few files, little memory, a time that ends.

Two kinds do this: sandlock (Landlock and seccomp, a seed of its own) where the kernel is new enough, bubblewrap (namespaces, resource limits) otherwise. Where there is neither, nothing here runs a
script; whoever wants to must ask the operator each time, with the sentence of `why_none`.

The clock is the machine's in both: that of sandlock 0.9 moves the monotonic clock as well, and then a program
that sleeps until a moment never wakes. Scripts read no clock (V0), and git is told its day by its environment.
"""

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

How = Literal["exit", "timeout", "killed"]

PYTHON_FLAGS = ("-s", "-S", "-P", "-B")
"""The standard library and nothing else; PYTHONHASHSEED is obeyed, which -I would not do."""
SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/libexec", "/lib", "/lib64", "/usr/share/zoneinfo")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/zero")
SHELL = "/bin/sh"
LIMITED = (
    'ulimit -f {files}; ulimit -t {cpu}; ulimit -n 256; exec "$@" >"$COCKPIT_OUT" 2>"$COCKPIT_ERR"'
)
FEW = "ulimit -p {processes} 2>/dev/null || ulimit -u {processes}; ulimit -v {memory}; "
"""What sandlock counts itself; dash and bash have different letters for it."""
BLOCK = 512
OLDEST_LANDLOCK = 6


class Limits(Struct, frozen=True, kw_only=True):
    """What one execution may use up."""

    seconds: float = 60.0
    memory: int = 512 * 1024 * 1024
    processes: int = 24
    file_size: int = 64 * 1024 * 1024
    output: int = 1024 * 1024
    """So much of its output is read; it is stopped once it has written `file_size`."""


class Cell(Struct, frozen=True, kw_only=True):
    """One execution: `folder` is where it begins. Paths are absolute; what is not named here is not there.

    `writable` are folders or sockets, `programs` executables.
    """

    folder: str
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    seed: int = 0
    limits: Limits = Limits()


class Ended(Struct, frozen=True):
    """How it went: `code` is the exit code, negative where there was none."""

    code: int
    output: bytes
    errors: bytes
    how: How = "exit"
    took_ms: int = 0


class Sandbox(Protocol):
    """A way to run something that is not trusted."""

    kind: str

    def run(self, argv: Sequence[str], cell: Cell) -> Ended:
        """Runs to its end, or to that of its limits; nothing it started outlives the call."""
        ...


def python() -> str:
    """The interpreter that scripts run under: that of the system or its installation, no environment's."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return str(Path(base).resolve())


def python_files() -> tuple[str, ...]:
    """What that interpreter consists of."""
    library = Path(sys.base_prefix).resolve()
    prefix = {"/usr": (), "/usr/local": ("/usr/local/lib",)}.get(str(library), (str(library),))
    return tuple(dict.fromkeys((python(), str(Path(os.__file__).parent), *prefix)))


class Sandlock:
    """Landlock and seccomp by sandlock: nothing is mounted, no privileges are needed."""

    kind = "sandlock"

    def run(self, argv: Sequence[str], cell: Cell) -> Ended:
        import sandlock  # type: ignore[import-untyped]  # 30 ms, and only Linux has it

        with tempfile.TemporaryDirectory(
            prefix="cockpit-out-", ignore_cleanup_errors=True
        ) as outputs:
            policy = sandlock.Sandbox(
                fs_readable=_present(
                    (*SYSTEM, *SYSTEM_FILES, SHELL, "/proc/self", *python_files(), *cell.readable)
                )
                + _present(cell.programs),
                fs_writable=[*_present(cell.writable), "/dev/null", outputs],
                clean_env=True,
                env=_environment(cell, outputs),
                cwd=cell.folder,
                max_memory=cell.limits.memory,
                max_processes=cell.limits.processes,
                max_open_files=256,
                random_seed=cell.seed,
                no_coredump=True,
                deterministic_dirs=True,
            )
            began = time.monotonic()
            result = policy.run(_limited(argv, cell.limits), timeout=cell.limits.seconds)
            hows: dict[int, How] = {0: "exit", 3: "timeout"}
            how = hows.get(int(result.reason), "killed")
            code = result.exit_code if how == "exit" else -1
            return _ended(code, how, began, outputs, cell.limits)


class Bubblewrap:
    """Namespaces by bubblewrap; limits by rlimits, of which the kernel exempts root from that of processes."""

    kind = "bubblewrap"

    def run(self, argv: Sequence[str], cell: Cell) -> Ended:
        with tempfile.TemporaryDirectory(
            prefix="cockpit-out-", ignore_cleanup_errors=True
        ) as outputs:
            began = time.monotonic()
            child = subprocess.Popen(
                [
                    *self._walls(cell, outputs),
                    SHELL,
                    "-c",
                    FEW.format(processes=cell.limits.processes, memory=cell.limits.memory // 1024)
                    + _limited(argv, cell.limits)[2],
                    "sh",
                    *argv,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={},
                start_new_session=True,
            )
            how: How = "exit"
            try:
                _, said = child.communicate(timeout=cell.limits.seconds)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                _, said = child.communicate()
                how = "timeout"
            if child.returncode > 128 or child.returncode < 0:
                how = "timeout" if how == "timeout" else "killed"
            ended = _ended(child.returncode, how, began, outputs, cell.limits)
            return msgspec.structs.replace(ended, errors=ended.errors or said[:4096])

    def _walls(self, cell: Cell, outputs: str) -> list[str]:
        walls = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
        walls += ["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        for name in SYSTEM + SYSTEM_FILES[:2] + ("/bin/sh", *python_files()):
            walls += _bound("--ro-bind", name)
        for name in (*cell.programs, *cell.readable):
            walls += _bound("--ro-bind", name)
        for name in (*cell.writable, outputs):
            walls += _bound("--bind", name)
        for name, value in _environment(cell, outputs).items():
            walls += ["--setenv", name, value]
        return [*walls, "--remount-ro", "/", "--chdir", cell.folder, "--"]


def _bound(how: str, name: str) -> list[str]:
    path = Path(name)
    if not path.exists():
        return []
    if path.is_symlink() and path.is_dir():
        return ["--symlink", str(path.readlink()), name]
    return [how, str(path.resolve()), name]


def _present(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if Path(name).exists()]


def _limited(argv: Sequence[str], limits: Limits) -> list[str]:
    words = LIMITED.format(files=limits.file_size // BLOCK, cpu=int(limits.seconds) + 1)
    return [SHELL, "-c", words, "sh", *argv]


def _environment(cell: Cell, outputs: str) -> dict[str, str]:
    told = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "GIT_CONFIG_NOSYSTEM": "1"}
    here = Path(outputs)
    return (
        told
        | cell.environment
        | {
            "COCKPIT_OUT": str(here / "out"),
            "COCKPIT_ERR": str(here / "err"),
        }
    )


def _ended(code: int, how: How, began: float, outputs: str, limits: Limits) -> Ended:
    took = round((time.monotonic() - began) * 1000)
    return Ended(code, _head(outputs, "out", limits), _head(outputs, "err", limits), how, took)


def _head(outputs: str, name: str, limits: Limits) -> bytes:
    path = Path(outputs) / name
    if path.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(limits.output)


def _works(sandbox: Sandbox) -> bool:
    """Whether it lets something run and keeps it from reading a folder it was not given."""
    with (
        tempfile.TemporaryDirectory(prefix="cockpit-try-") as inside,
        tempfile.NamedTemporaryFile() as other,
    ):
        code = f"import sys\ntry: open({other.name!r})\nexcept OSError: sys.exit(7)"
        cell = Cell(folder=inside, writable=(inside,), limits=Limits(seconds=20.0))
        try:
            return sandbox.run([python(), *PYTHON_FLAGS, "-c", code], cell).code == 7
        except (OSError, RuntimeError, ValueError):
            return False


@functools.cache
def _found() -> tuple[Sandbox | None, str]:
    missing = []
    for kind, told in ((Sandlock, _sandlock_missing()), (Bubblewrap, _bubblewrap_missing())):
        if not told and _works(sandbox := kind()):
            return sandbox, ""
        missing.append(told or f"{kind.kind} is installed but does not hold here")
    return None, "No sandbox on this machine: " + "; ".join(missing) + "."


def _sandlock_missing() -> str:
    if sys.platform != "linux":
        return "sandlock needs Linux"
    try:
        import sandlock
    except ImportError:
        return "sandlock is not installed"
    version = sandlock.landlock_abi_version()
    if version < OLDEST_LANDLOCK:
        return f"sandlock needs Landlock {OLDEST_LANDLOCK} (Linux 6.12), this kernel has {max(version, 0)}"
    return ""


def _bubblewrap_missing() -> str:
    return "" if shutil.which("bwrap") else "bubblewrap is not installed"


def best() -> Sandbox | None:
    """The first kind that really holds on this machine, tried once."""
    return _found()[0]


def why_none() -> str:
    """A sentence for the operator; empty where there is a sandbox."""
    return _found()[1]
