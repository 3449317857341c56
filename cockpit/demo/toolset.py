"""The tools of the demo agents, under each agent's own names, and what they really do."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from cockpit.demo.plan import Agent
from cockpit.demo.turns import Asked, Outcome

TIMEOUT_S = 60
KEEP_CHARACTERS = 4000


class ToolSpec(Struct, frozen=True):
    """A tool as it is offered to a model."""

    name: str
    description: str
    fields: dict[str, str]

    def schema(self) -> dict[str, Any]:
        properties = {
            name: {"type": "string", "description": self.fields[name]} for name in self.fields
        }
        return {"type": "object", "properties": properties, "required": list(self.fields)}

    def function(self) -> dict[str, Any]:
        """As the chat wires of OpenAI and Ollama take it."""
        function = {"name": self.name, "description": self.description, "parameters": self.schema()}
        return {"type": "function", "function": function}


_WHY = {"description": "What the command does, in a few words"}
_CONTENT = {"content": "The whole new content"}

SUB_AGENT = ToolSpec(
    "Agent",
    "Hand a task to a sub-agent and get its report",
    {"description": "A few words", "prompt": "The task", "subagent_type": "Which agent"},
)

TOOLS: dict[Agent, list[ToolSpec]] = {
    "claude-code": [
        ToolSpec("Bash", "Run a shell command", {"command": "The command", **_WHY}),
        ToolSpec("Write", "Write a file", {"file_path": "Path of the file", **_CONTENT}),
    ],
    "codex": [ToolSpec("exec_command", "Run a shell command", {"cmd": "The command"})],
    "copilot": [ToolSpec("bash", "Run a shell command", {"command": "The command", **_WHY})],
    "qwen": [
        ToolSpec("run_shell_command", "Run a shell command", {"command": "The command", **_WHY}),
        ToolSpec("write_file", "Write a file", {"file_path": "Path of the file", **_CONTENT}),
    ],
}


def run_tool(call: Asked, workspace: Path) -> Outcome:
    """Do what the model asked for, inside the workspace."""
    started = now()
    if "content" in call.arguments:
        code, output = _write(call.arguments, workspace)
    else:
        command = call.arguments.get("command") or call.arguments.get("cmd") or "false"
        code, output = _shell(str(command), workspace)
    return Outcome(call, code, output[-KEEP_CHARACTERS:], started, now())


def _write(arguments: dict[str, Any], workspace: Path) -> tuple[int, str]:
    root = workspace.resolve()
    path = (root / str(arguments.get("file_path") or arguments.get("path"))).resolve()
    if not path.is_relative_to(root):
        return 1, f"{path} is outside the workspace"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(arguments["content"]))
    return 0, f"Wrote {path.relative_to(root)}"


def _shell(command: str, workspace: Path) -> tuple[int, str]:
    process = subprocess.Popen(
        [shutil.which("bash") or "sh", "-c", command],
        cwd=workspace,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return 124, f"no end after {TIMEOUT_S} s"
    finally:
        _kill_group(process)
    return process.returncode, output


def _kill_group(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
