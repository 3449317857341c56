"""Claude Code: transcripts under `~/.claude/projects`, a registry of live sessions beside them."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cockpit.agents import loose
from cockpit.agents.adapter import Books, History, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.claude_books import books, history
from cockpit.agents.claude_story import story
from cockpit.core.events import Event

AGENT = "claude-code"
SUFFIX = ".jsonl"
FIRST_LINES = 64 * 1024
REGISTRY_LIMIT = 64 * 1024


class ClaudeCode:
    """Run ids are `claude-code/<session>` and, for sub-agents, `claude-code/<session>/<agent>`.

    A session is the stem of its file. Sub-agents lie in `<session>/subagents/agent-<id>.jsonl`;
    older versions put `agent-<id>.jsonl` beside the session, or wrote its lines into it.
    """

    name = AGENT
    short = "claude"
    process = ProcessMark(
        names=("claude", "claude.exe"),
        scripts=("/bin/claude", "claude-code/cli.js"),
        leave=("daemon", "bg-pty-host", "mcp"),
    )
    interrupt = InterruptRule(group=False, first="SIGINT", grace_ms=3_000)

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        return [directory / "projects" for directory in _configured(home, environment)]

    def sources(self, root: Path) -> Iterable[Source]:
        sessions = str(root).count(os.sep) + 2
        for path in _transcripts(str(root)):
            stem = path[path.rfind(os.sep) + 1 : -len(SUFFIX)]
            if stem and path.count(os.sep) == sessions and not stem.startswith("agent-"):
                # what `source` says too: thousands of Path objects would cost more than all else
                yield Source(AGENT, path, "lines", f"{AGENT}/{stem}", stem)
                continue
            source = self.source(Path(path), root)
            if source is not None:
                yield source

    def source(self, path: Path, root: Path) -> Source | None:
        """The source of a transcript; only an `agent-*.jsonl` beside its session is opened."""
        if path.suffix != SUFFIX:
            return None
        try:
            parts = path.relative_to(root).parts
        except ValueError:
            return None
        session, agent = _names(path, parts)
        if not agent:
            return Source(AGENT, str(path), "lines", f"{AGENT}/{session}", session)
        parent = f"{AGENT}/{session}" if session else None
        run = f"{parent or AGENT}/{agent}"
        return Source(AGENT, str(path), "lines", run, session or agent, parent)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        return books(block, source, memory)

    def history(self, block: bytes, end: int, source: Source, memory: bytes) -> History:
        return history(block, end, source, memory)

    def story(self, block: bytes, source: Source, memory: bytes) -> list[Event]:
        return story(block, source, memory)

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        """Sessions that say they run; one killed by SIGKILL stays, so compare `created`."""
        found = []
        for directory in _configured(home, environment):
            for path in (directory / "sessions").glob("*.json"):
                live = _live(path)
                if live is not None:
                    found.append(live)
        return found


def _configured(home: Path, environment: Mapping[str, str]) -> list[Path]:
    """Configuration directories: `CLAUDE_CONFIG_DIR` (several by comma), else the two usual ones."""
    chosen = [name.strip() for name in environment.get("CLAUDE_CONFIG_DIR", "").split(",")]
    if any(chosen):
        return [Path(name).expanduser() for name in chosen if name]
    return [home / ".claude", home / ".config" / "claude"]


def _transcripts(directory: str) -> Iterator[str]:
    """Every file of the right name below; links are followed only to files."""
    waiting = [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.name.endswith(SUFFIX):
                        yield entry.path
        except OSError:
            continue


def _names(path: Path, parts: tuple[str, ...]) -> tuple[str, str]:
    """Session and sub-agent of a transcript, the latter empty for the session itself."""
    if "subagents" in parts[1:-1]:
        place = parts.index("subagents", 1)
        return parts[place - 1], path.stem.removeprefix("agent-")
    if path.stem.startswith("agent-"):
        return _told_session(path), path.stem.removeprefix("agent-")
    if len(parts) > 2:
        return f"{parts[-2]}/{path.stem}", ""
    return path.stem, ""


def _told_session(path: Path) -> str:
    """The session that a lone sub-agent's file names in its first lines, empty when none does."""
    try:
        with path.open("rb") as file:
            head = file.read(FIRST_LINES)
    except OSError:
        return ""
    for entry in loose.objects(head[: head.rfind(b"\n") + 1]):
        session = loose.name(loose.table(entry).get("sessionId"))
        if session:
            return session
    return ""


def _live(path: Path) -> Live | None:
    try:
        with path.open("rb") as file:
            entry = loose.table(loose.decode(file.read(REGISTRY_LIMIT)))
    except OSError:
        return None
    pid, session = loose.count(entry.get("pid")), loose.name(entry.get("sessionId"))
    if not pid or not session:
        return None
    return Live(
        pid=pid,
        session=session,
        cwd=loose.name(entry.get("cwd")),
        created=_created(loose.text(entry.get("procStart"))),
        status=loose.name(entry.get("status")),
        name=loose.name(entry.get("name")),
    )


def _created(started: str) -> int:
    """When the process began: on Linux it is registered in clock ticks since the machine started."""
    if not started.isdigit() or len(started) > 18:
        return 0
    try:
        statistics = Path("/proc/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in statistics.splitlines():
        if line.startswith("btime "):
            return round((int(line[6:]) + int(started) / os.sysconf("SC_CLK_TCK")) * 1000)
    return 0
