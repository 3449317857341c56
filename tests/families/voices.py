"""How each agent says the same thing: its tools' names, arguments and the shape of their outputs."""

import random
import shlex
from dataclasses import dataclass
from typing import Any, Literal

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Voice:
    """One agent: `shell` and `command` name its shell tool; the others are empty where it has only that."""

    agent: str
    shell: str
    command: str
    read: str = ""
    write: str = ""
    path: str = "file_path"
    numbered: Literal["", "arrow", "bar"] = ""
    patch: str = ""
    fetch: str = ""

    def run(self, command: str) -> Call:
        if self.command == "argv":
            return self.shell, {"command": ["bash", "-lc", command]}
        told = {self.command: command}
        if self.agent == "claude-code":
            told["description"] = "Run " + command.split()[0]
        return self.shell, told

    def shown(self, text: str) -> str:
        """A file as its reading tool shows it."""
        lines = text.split("\n")
        if self.numbered == "arrow":
            return "\n".join(f"{number:>6}\u2192{line}" for number, line in enumerate(lines, 1))
        if self.numbered == "bar":
            body = "\n".join(f"{number:05d}| {line}" for number, line in enumerate(lines, 1))
            return f"<file>\n{body}\n</file>"
        return text


CLAUDE = Voice(
    "claude-code", "Bash", "command", "Read", "Write", numbered="arrow", fetch="WebFetch"
)
CODEX = Voice("codex", "exec_command", "cmd", patch="apply_patch")
OLDER_CODEX = Voice("codex", "shell", "argv", patch="apply_patch")
OPENCODE = Voice("opencode", "bash", "command", "read", "write", "filePath", "bar")
GEMINI = Voice(
    "gemini-cli", "run_shell_command", "command", "read_file", "write_file", "absolute_path"
)
MINI = Voice("mini-swe-agent", "bash", "command")
VOICES = (CLAUDE, CODEX, OPENCODE, GEMINI, MINI, OLDER_CODEX)


def get(url: str, chance: random.Random) -> str:
    quoted = chance.choice((shlex.quote(url), f'"{url}"', f"'{url}'"))
    return chance.choice(
        (f"curl -s {quoted}", f"curl -sS {quoted}", f"curl -fsSL {quoted}", f"wget -qO- {quoted}")
    )


def look(path: str, chance: random.Random) -> str:
    name = shlex.quote(path)
    return chance.choice(
        (f"cat {name}", f"cat {name}", f"sed -n '1,400p' {name}", f"head -n 500 {name}")
    )


def create(path: str, text: str, chance: random.Random) -> str:
    name = shlex.quote(path)
    folder = path.rpartition("/")[0]
    mark = next(word for word in ("EOF", "REPORT", "END_OF_FILE") if word not in text)
    begin = f"mkdir -p {shlex.quote(folder)} && " if folder else ""
    if not text.endswith("\n"):
        return f"{begin}printf '%s' {shlex.quote(text)} > {name}"
    return begin + chance.choice(
        (
            f"cat > {name} <<'{mark}'\n{text}{mark}",
            f"cat <<'{mark}' > {name}\n{text}{mark}",
            f"tee {name} >/dev/null <<'{mark}'\n{text}{mark}",
        )
    )


def append(path: str, text: str, chance: random.Random) -> str:
    name = shlex.quote(path)
    line = text[:-1]
    if "\n" not in line and chance.random() < 0.5:
        return f"echo {shlex.quote(line)} >> {name}"
    return f"cat >> {name} <<'EOF'\n{text}EOF"


def patch(path: str, text: str) -> str:
    lines = "".join(f"+{line}\n" for line in text.splitlines())
    return f"*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch\n"
