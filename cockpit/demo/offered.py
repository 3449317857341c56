"""Calls of the tools an agent offers, with the names and arguments its own schemas ask for."""

import re
from typing import Any

from cockpit.demo.conversation import Call, Conversation, Tool, canonical

SHELL_TOOLS = (
    "Bash",
    "bash",
    "exec_command",
    "shell",
    "shell_command",
    "local_shell",
    "run_shell_command",
)
WRITE_TOOLS = ("Write", "write", "write_file")
AGENT_TOOLS = ("Agent", "Task", "task", "agent", "invoke_agent", "spawn_agent")
AGENT_KINDS = ("general-purpose", "- general:")
"""The sub-agent that every agent has, as its tool's description names it."""
WEB_SEARCH = "web_search"
CODE_TOOL = "exec"
"""Codex's newer models run their tools from JavaScript."""

SHORT_WAIT_MS = 30_000

_SESSION = re.compile(r"session ID (\d+)", re.IGNORECASE)
_CELL = re.compile(r"cell ID (\w+)", re.IGNORECASE)


def find(conversation: Conversation, *names: str) -> Tool | None:
    """The first of these tools that the agent offers."""
    offered = {tool.name: tool for tool in conversation.tools}
    return next((offered[name] for name in names if name in offered), None)


def shell(
    conversation: Conversation, command: str, why: str, *, wait_ms: int = SHORT_WAIT_MS
) -> tuple[Call, ...]:
    """A call of the agent's own shell tool; none if it has none."""
    tool = find(conversation, *SHELL_TOOLS)
    if tool is not None:
        return (Call(tool.name, _shell_arguments(tool, command, why, wait_ms)),)
    if find(conversation, CODE_TOOL):
        return (Call(CODE_TOOL, {"input": _shell_code(command, wait_ms)}, freeform=True),)
    return ()


def _shell_arguments(tool: Tool, command: str, why: str, wait_ms: int) -> dict[str, Any]:
    name = "cmd" if "cmd" in tool.fields else "command"
    listed = (tool.fields.get(name) or {}).get("type") == "array"
    extra = {"description": why, "timeout": wait_ms, "yield_time_ms": wait_ms}
    chosen = {key: value for key, value in extra.items() if key in tool.fields}
    return {name: ["bash", "-lc", command] if listed else command, **chosen}


def _shell_code(command: str, wait_ms: int) -> str:
    arguments = canonical({"cmd": command, "yield_time_ms": SHORT_WAIT_MS})
    return (
        f'// @exec: {{"yield_time_ms": {wait_ms}}}\n'
        f"let result = await tools.exec_command({arguments});\n"
        "while (result.session_id !== undefined) {\n"
        "  result = await tools.write_stdin({session_id: result.session_id, yield_time_ms: 30000});\n"
        "}\n"
        "text(result.output);\n"
    )


def wait_on(conversation: Conversation) -> tuple[Call, ...]:
    """A call that waits for a command which the last result says is still running."""
    result = conversation.last_result()
    session, cell = _SESSION.search(result), _CELL.search(result)
    if session and find(conversation, "write_stdin"):
        waiting = {"session_id": int(session[1]), "chars": "", "yield_time_ms": 300_000}
        return (Call("write_stdin", waiting),)
    if cell and find(conversation, "wait"):
        return (Call("wait", {"cell_id": cell[1], "yield_time_ms": 300_000}),)
    return ()


def write(conversation: Conversation, path: str, content: str) -> tuple[Call, ...]:
    """A call that writes a file: by the agent's write tool, else by its shell."""
    tool = find(conversation, *WRITE_TOOLS)
    if tool is None:
        return shell(conversation, f"cat > {path} <<'EOF'\n{content}EOF", f"Write {path}")
    name = "file_path" if "file_path" in tool.fields else "path"
    return (Call(tool.name, {name: path, "content": content}),)


def delegate_to(tool: Tool, prompt: str) -> Call:
    """A call of an agent's own tool for sub-agents."""
    kind = next((kind for kind in AGENT_KINDS if kind in tool.description), AGENT_KINDS[0])
    given = {
        "description": "Look around",
        "prompt": prompt,
        "message": prompt,
        "task_name": "look_around",
        "subagent_type": kind.strip("- :"),
        "agent_name": "generalist",
    }
    if tool.namespace:
        given["fork_turns"] = "none"
    arguments = {name: text for name, text in given.items() if name in tool.fields}
    return Call(tool.name, arguments, namespace=tool.namespace)
