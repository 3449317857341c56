"""Where a script really works: in a copy of what it may see, and only what kept its contract goes back.

A script that commits works in the workspace itself, because a repository has locks of its own; it may
then write the folders it declared and the repository, and what it touched besides is found afterwards.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from cockpit.architect import stage
from cockpit.architect.blobs import Blobs
from cockpit.architect.broker import Answer, Answerer, Broker, Live, Request, refused
from cockpit.architect.replay import judged, scene, tell, unplayable
from cockpit.architect.result import Said, within
from cockpit.architect.sandbox import (
    PYTHON_FLAGS,
    Cell,
    Ended,
    Limits,
    Sandbox,
    best,
    python,
    why_none,
)
from cockpit.architect.stage import Content
from cockpit.core.script import EXIT_BUG, EXIT_DENIED, Capabilities, Script
from cockpit.core.trace import Trace
from cockpit.engine.occurrences import Beside

COPY_LIMIT = 512 * 1024 * 1024
LOOK_LIMIT = 64 * 1024 * 1024
PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
PRIVATE = (".local", ".localhost", ".internal", ".lan", ".home", ".test", ".home.arpa")
"""Names that never stand for anything but the operator's own network."""

Secrets = Callable[[str], str | None]
"""The secret of a name."""
NO_MODELS = "a script makes no model calls"


class Copied:
    """A run in a copy of the workspace: nothing is in the workspace before `keep`."""

    def __init__(
        self,
        said: Said,
        workspace: Path,
        before: Mapping[str, Content],
        made: Mapping[str, Content | None],
        capabilities: Capabilities,
    ) -> None:
        self.said = said
        self._workspace = workspace.resolve()
        self._before = before
        self._made = made
        self._capabilities = capabilities
        self.changed = bool(made)

    def look(self, path: str) -> bytes | None:
        content = self._made[path] if path in self._made else self._before.get(path)
        return content[0] if content is not None else None

    def keep(self) -> str:
        """Looks at every file first; then each is replaced in one step."""
        for path, content in self._made.items():
            against = self._against(path, content)
            if against:
                return against
        for path, content in self._made.items():
            _put(self._workspace / path, content)
        return ""

    def _against(self, path: str, content: Content | None) -> str:
        if not within(path, self._capabilities.write):
            return f"it wrote {path}, which it may not"
        if content is not None and stat.S_IFMT(content[1]) not in (0, stat.S_IFREG):
            return f"{path} is no plain file"
        target = self._workspace / path
        if not target.parent.resolve().is_relative_to(self._workspace) or target.is_symlink():
            return f"{path} leads out of the workspace"
        if _content(target) != self._before.get(path):
            return f"{path} was changed by somebody else meanwhile"
        return ""


class InPlace:
    """A run in the workspace itself; `touched` are files that it changed."""

    def __init__(
        self, said: Said, workspace: Path, touched: frozenset[str], capabilities: Capabilities
    ) -> None:
        self.said = said
        self._workspace = workspace.resolve()
        self._touched = touched
        self._capabilities = capabilities
        self.changed = bool(touched) or stage.uses_git(capabilities)

    def look(self, path: str) -> bytes | None:
        place = (self._workspace / path).resolve()
        with contextlib.suppress(OSError):
            if place.is_relative_to(self._workspace) and place.stat().st_size <= LOOK_LIMIT:
                return place.read_bytes()
        return None

    def keep(self) -> str:
        undeclared = sorted(
            path for path in self._touched if not within(path, self._capabilities.write)
        )
        return f"it wrote {undeclared[0]}, which it may not" if undeclared else ""


class Workbench:
    """Runs scripts in the sandbox of this machine; without one only `act` works, and holds nothing."""

    def __init__(
        self,
        blobs: Blobs,
        sandbox: Callable[[], Sandbox | None] = best,
        *,
        secrets: Secrets = lambda _: None,
        models: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """`sandbox` is asked when one is needed: the first time takes a moment.

        `models` are the hosts (`name` or `name:port`) where models are, the gateway among them: no
        script gets an answer from there, whatever it was allowed.
        """
        self._blobs = blobs
        self._find = sandbox
        self._secrets = secrets
        self._models = models

    @property
    def _sandbox(self) -> Sandbox | None:
        return self._find()

    @property
    def held(self) -> str:
        """What holds a script here: `sandlock`, `bubblewrap`; empty where nothing does."""
        sandbox = self._sandbox
        return sandbox.kind if sandbox is not None else ""

    # --- beside the agent

    def beside(self, script: Script, trace: Trace, limit_ms: int) -> Beside:  # noqa: ARG002
        """Runs it in a copy of the world that the agent's run began in; nothing of it stays."""
        from cockpit.architect.compile import arguments  # the compiler is loaded when it is needed

        refusal = why_none() if self._sandbox is None else unplayable(trace, self._blobs)
        told = arguments(script, trace)
        refusal = refusal or ("its prompt does not tell what to do it for" if told is None else "")
        if self._sandbox is None or refusal:
            return Beside(Said(EXIT_DENIED, stderr=refusal), comparable=False)
        setting = scene(script, trace, self._blobs, told or ())
        [played] = stage.play([setting], self._blobs, self._sandbox)
        truth = tell([trace], self._blobs, self._sandbox)[trace.run]
        said = Said(played.code, played.output, played.errors, overdue=played.code == -2)
        return Beside(said, tuple(judged(script, played, truth)) if played.code == 0 else ())

    # --- for real

    def act(
        self,
        script: Script,
        workspace: Path,
        date: str,
        limit_ms: int,
        *,
        dry: bool,
        arguments: tuple[str, ...] = (),
    ) -> Copied | InPlace:
        """Runs it on the workspace; `dry` leaves nothing of it. `arguments` are its inputs as options."""
        with tempfile.TemporaryDirectory(prefix="cockpit-script-") as folder:
            base = Path(folder).resolve()
            here = base / "own"
            for each in (here, here / "home", here / "work"):
                each.mkdir()
            words = ("--date", date, *(("--dry-run",) if dry else ()), *arguments)
            in_place = self._sandbox is None or stage.uses_git(script.capabilities)
            if in_place:
                return self._in_place(script, workspace, base, words, limit_ms)
            return self._copied(script, workspace, base, words, limit_ms)

    def _copied(
        self, script: Script, workspace: Path, base: Path, words: tuple[str, ...], limit_ms: int
    ) -> Copied:
        work = base / "own" / "work"
        before = dict(_seen(workspace, script.capabilities))
        for path, content in before.items():
            _put(work / path, content)
        said = self._perform(script, work, (str(base / "own"),), base, words, limit_ms)
        made = stage.difference(before, stage.take(work))
        return Copied(said, workspace, before, made, script.capabilities)

    def _in_place(
        self, script: Script, workspace: Path, base: Path, words: tuple[str, ...], limit_ms: int
    ) -> InPlace:
        before = _stamps(workspace)
        writable = (str(base / "own"), *_folders(script.capabilities, workspace))
        said = self._perform(script, workspace, writable, base, words, limit_ms)
        after = _stamps(workspace)
        touched = {
            path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
        }
        return InPlace(said, workspace, frozenset(touched), script.capabilities)

    def _perform(
        self,
        script: Script,
        work: Path,
        writable: tuple[str, ...],
        base: Path,
        words: tuple[str, ...],
        limit_ms: int,
    ) -> Said:
        program = base / "script.py"
        program.write_text(script.source, encoding="utf-8")
        programs = _programs(script.capabilities, base / "bin")
        argv = [python(), *PYTHON_FLAGS, str(program), *words]
        live = Live(
            script.capabilities,
            private=private_hosts(script.capabilities),
            secrets=self._secret_of(script.capabilities),
        )
        with Broker(base / "own" / "broker", self._without_models(live)) as broker:
            cell = Cell(
                folder=str(work),
                readable=(str(base), str(work)),
                writable=writable,
                programs=tuple(programs),
                environment={
                    "PATH": str(base / "bin"),
                    "HOME": str(base / "own" / "home"),
                    "TMPDIR": str(base / "own" / "home"),
                    "PYTHONHASHSEED": "0",
                    "COCKPIT_BROKER": str(broker.path),
                },
                limits=Limits(seconds=limit_ms / 1000),
            )
            ended = self._sandbox.run(argv, cell) if self._sandbox else _unheld(argv, cell)
        return _said(ended)

    def _without_models(self, live: Answerer) -> Answerer:
        closed = self._models()

        def answer(request: Request) -> Answer:
            place = urlsplit(request.url)
            if closed & {place.netloc.lower(), place.hostname or ""}:
                return refused("denied", NO_MODELS)
            return live(request)

        return answer

    def _secret_of(self, capabilities: Capabilities) -> Callable[[str, str], str | None]:
        """A secret goes only to a host that got it in the runs, where the declaration names hosts."""

        def found(name: str, host: str) -> str | None:
            allowed = {name, f"{name}@{host}"} & set(capabilities.secrets)
            return self._secrets(name) if allowed else None

        return found


def private_hosts(capabilities: Capabilities) -> frozenset[str]:
    """The declared hosts whose names say that they are in the operator's own network."""
    names = {
        urlsplit(f"//{pattern.partition('/')[0]}").hostname or "" for pattern in capabilities.hosts
    }
    return frozenset(name for name in names if _is_private(name))


def _is_private(name: str) -> bool:
    return "." not in name or name.endswith(PRIVATE) or name.replace(".", "").isdigit()


def _said(ended: Ended) -> Said:
    code = ended.code if ended.how == "exit" else EXIT_BUG
    return Said(
        code,
        ended.output.decode("utf-8", "replace"),
        ended.errors.decode("utf-8", "replace"),
        overdue=ended.how == "timeout",
    )


def _unheld(argv: list[str], cell: Cell) -> Ended:
    """Without a sandbox, after the operator's yes: an empty environment and a limit, no more."""
    process = subprocess.Popen(
        argv,
        cwd=cell.folder,
        env={"LANG": "C.UTF-8", "TZ": "UTC", **cell.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=cell.limits.seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        output, errors = process.communicate()
        return Ended(-1, output, errors, "timeout")
    return Ended(process.returncode, output[-cell.limits.output :], errors[-cell.limits.output :])


def _seen(workspace: Path, capabilities: Capabilities) -> Iterator[tuple[str, Content]]:
    """The files that the script may see; links are not followed, a repository is not its to see.

    Raises:
        ValueError: when that is more than anybody copies for one run.
    """
    patterns, total = (*capabilities.read, *capabilities.write), 0
    for path in _files(workspace):
        told = path.relative_to(workspace).as_posix()
        if stage.covered(told, patterns) and not path.is_symlink():
            content = _content(path)
            if content is not None:
                total += len(content[0])
                if total > COPY_LIMIT:
                    raise ValueError(f"what it may see is larger than {COPY_LIMIT:,} bytes")
                yield told, content


def _files(workspace: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(workspace):
        if Path(folder) == workspace and ".git" in folders:
            folders.remove(".git")
        yield from (Path(folder, name) for name in names)


def _content(path: Path) -> Content | None:
    """Bytes and mode as the stage tells them; None for what is not there or no plain file."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return None
        return path.read_bytes(), 0o755 if status.st_mode & 0o100 else 0o644
    except OSError:
        return None


def _put(target: Path, content: Content | None) -> None:
    if content is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content[0])
        Path(draft).chmod(content[1] & 0o777)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _stamps(workspace: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file but the repository's own."""
    found = {}
    for path in _files(workspace):
        with contextlib.suppress(OSError):
            status = path.lstat()
            told = path.relative_to(workspace).as_posix()
            found[told] = (status.st_size, status.st_mtime_ns)
    return found


def _folders(capabilities: Capabilities, workspace: Path) -> list[str]:
    """The folders that its patterns begin with, and the repository; all of it where one has none."""
    heads = [pattern.partition("/")[0] for pattern in capabilities.write if "/" in pattern]
    at_the_top = any("/" not in pattern for pattern in capabilities.write)
    if at_the_top or any(set(head) & set("*?") for head in heads):
        return [str(workspace)]
    made = [workspace / head for head in dict.fromkeys(heads)]
    for folder in made:
        folder.mkdir(exist_ok=True)
    return [str(folder) for folder in (*made, workspace / ".git")]


def _programs(capabilities: Capabilities, folder: Path) -> list[str]:
    """Links to what it may start, and what they lead to."""
    folder.mkdir()
    found = []
    for word in sorted(
        {command.split()[0] for command in capabilities.commands if command.split()}
    ):
        path = shutil.which(word, path=PROGRAMS) if "/" not in word else None
        if path is not None:
            (folder / word).symlink_to(path)
            found += [path, str(Path(path).resolve())]
    return found
