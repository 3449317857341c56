"""What a tool itself said, out of the frame that an agent puts around it, and whether that is all of it.

Every frame was seen in a recorded transcript of that agent. What was cut short, or written by a
model, is told apart: it may not be the source of anything.
"""

import re
from collections.abc import Callable
from typing import Any

from cockpit.core.text import BODY_LIMIT
from cockpit.core.trace import Opaque

MODEL_MADE = frozenset((
    "task", "agent", "subagent", "spawn_agent", "invoke_agent", "delegate", "wait_agent", "wait",
    "send_input", "send_message", "sendmessage", "webfetch", "web_fetch", "fetchurl", "websearch",
    "web_search", "google_web_search", "searchweb", "codebase_investigator", "oracle", "summarize",
    "taskoutput",
))  # fmt: skip
"""Tools that answer with a model's words, or with a page that was rewritten on its way."""

_CUT = re.compile(
    r"\[[^\]\n]{0,100}\btruncated\b[^\]\n]{0,100}\]|…\s?\d[\d,]* \w+ truncated…"
    r"|omitted \d+ of \d+ lines|<persisted-output>|^Output too large|^\.\.\. ?\d+ (?:more )?(?:lines|characters)"
    r"|^Total output lines: \d+|\bresponse clipped\b|<output_truncated",
    re.IGNORECASE | re.MULTILINE,
)
_UNFINISHED = re.compile(
    r"\A(?:.*\n){0,4}?Process running with session ID|\ACommand running in background with ID"
    r"|aborted by user\s*\Z|\AAsync agent launched|\ABackground (?:agent|command)"
)
_CODEX = re.compile(
    r"\A(?:Chunk ID: .*\n)?(?:Exit code: -?\d+\n)?Wall time: .*\n(?:Process exited with code -?\d+\n)?"
    r"(?:Original token count: \d+\n)?(?:Total output lines: \d+\n)?Output:\n"
)
_REMINDER = re.compile(r"\n*<system-reminder>.*?</system-reminder>\s*", re.DOTALL)
_NUMBERED = re.compile(r"^ *(\d+)(?:\t|→|: | \| )", re.MULTILINE)
_GEMINI = re.compile(
    r"\A<untrusted_context>\nOutput: (.*?)(?:\nExit Code: \d+)?(?:\nProcess Group PGID: .*)?"
    r"\n</untrusted_context>\s*\Z",
    re.DOTALL,
)
_QWEN = re.compile(
    r"\ACommand: .*?\nDirectory: .*?\nOutput: (.*)\nError: .*?\nExit Code: .*\nSignal: .*\n.*\Z",
    re.DOTALL,
)
_OPENCODE_READ = re.compile(
    r"\A<path>.*?</path>\n<type>file</type>\n<content>\n(.*)\n\n\((.*?)\)\n</content>", re.DOTALL
)
_COPILOT = re.compile(r"\n?<shellId: \S+ completed with exit code -?\d+>\s*\Z")
_FAILED = re.compile(
    r"\n*Command exited with code -?\d+\s*\Z|\A\[Command exited with code -?\d+\]\n\n"
)
_PART = ("offset", "limit", "start_line", "end_line", "view_range", "line_offset", "n_lines")

Frame = Callable[[str, dict[str, Any]], tuple[str, bool]]


def said(agent: str, tool: str, arguments: dict[str, Any], output: str) -> tuple[str, Opaque]:
    """The tool's own words, and why they may be no source: empty when they may."""
    name = tool.lower()
    if name.rpartition("__")[2] in MODEL_MADE or name in MODEL_MADE:
        return output, "summarised"
    if _UNFINISHED.search(output):
        return output, "missing"
    frame = _FRAMES.get((agent, name))
    text, partial = frame(output, arguments) if frame else (output, False)
    if partial or len(output) > BODY_LIMIT or _CUT.search(output):
        return text, "truncated"
    return text, ""


def _codex(output: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    del arguments
    return _CODEX.sub("", output, count=1), False


def _unwrapped(frame: "re.Pattern[str]") -> Frame:
    def unwrap(output: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        del arguments
        match = frame.match(output)
        return (match[1], False) if match else (output, False)

    return unwrap


def _without(frame: "re.Pattern[str]") -> Frame:
    def cut(output: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        del arguments
        return frame.sub("", output), False

    return cut


def _numbered(output: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    """A file with its line numbers: without them, and whether it is only a part."""
    text = _REMINDER.sub("", output)
    first = _NUMBERED.match(text)
    if first is None:
        return text, _is_part(arguments)
    return _NUMBERED.sub("", text), first[1] != "1" or _is_part(arguments)


def _opencode_read(output: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    match = _OPENCODE_READ.match(output)
    if match is None:
        return output, True
    text, _ = _numbered(match[1], {})
    return text + "\n", _is_part(arguments) or not match[2].startswith("End of file")


def _part_of(output: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    return output, _is_part(arguments)


def _is_part(arguments: dict[str, Any]) -> bool:
    return any(arguments.get(name) not in (None, 0, "") for name in _PART)


_FRAMES: dict[tuple[str, str], Frame] = {
    ("claude-code", "read"): _numbered,
    ("kimi", "readfile"): _numbered,
    ("cline", "read_files"): _numbered,
    ("opencode", "read"): _opencode_read,
    ("codex", "exec_command"): _codex,
    ("codex", "shell"): _codex,
    ("codex", "shell_command"): _codex,
    ("codex", "write_stdin"): _codex,
    ("codex", "apply_patch"): _codex,
    ("gemini", "run_shell_command"): _unwrapped(_GEMINI),
    ("qwen", "run_shell_command"): _unwrapped(_QWEN),
    ("copilot", "bash"): _without(_COPILOT),
    ("pi", "bash"): _without(_FAILED),
    ("cline", "run_commands"): _without(_FAILED),
    **{(agent, tool): _part_of for agent in ("gemini", "qwen", "vibe", "copilot", "pi")
       for tool in ("read_file", "view", "read")},
}  # fmt: skip
"""By agent and tool, in lower case."""
