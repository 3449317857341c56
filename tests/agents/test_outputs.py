"""Frames around what a tool said, as recorded from each agent; and what may be no source."""

import pytest

from cockpit.agents import codex_code
from cockpit.agents.outputs import said
from cockpit.core.text import BODY_LIMIT, clean

CODE = "def add(a, b):\n    return a + b\n"
CODEX = (
    "Chunk ID: 3775c5\nWall time: 0.0000 seconds\nProcess exited with code 0\n"
    "Original token count: 74\nOutput:\n"
)
OPENCODE = (
    "<path>/r/calc.py</path>\n<type>file</type>\n<content>\n1: def add(a, b):\n"
    "2:     return a + b\n\n(End of file - total 2 lines)\n</content>"
)
READ = (
    "     1→def add(a, b):\n     2→    return a + b\n     3→\n\n"
    "<system-reminder>\nWhenever you read a file\n</system-reminder>\n"
)
GEMINI = (
    "<untrusted_context>\nOutput: a\nb\nExit Code: 1\nProcess Group PGID: 124\n</untrusted_context>"
)
QWEN = (
    "Command: ls -la\nDirectory: (root)\nOutput: total 24\nx\nError: (none)\nExit Code: 0\n"
    "Signal: (none)\nProcess Group PGID: (none)"
)


@pytest.mark.parametrize(
    ("agent", "tool", "output", "told"),
    [
        ("claude-code", "Bash", "a\nb", "a\nb"),
        ("claude-code", "Read", READ, CODE),
        ("claude-code", "Read", "1\tdef add(a, b):\n2\t    return a + b\n3\t", CODE),
        ("codex", "exec_command", CODEX + "a\n", "a\n"),
        ("codex", "shell", "Exit code: 0\nWall time: 0.1 seconds\nOutput:\na\n", "a\n"),
        ("opencode", "read", OPENCODE, CODE),
        ("gemini", "run_shell_command", GEMINI, "a\nb"),
        ("qwen", "run_shell_command", QWEN, "total 24\nx"),
        ("copilot", "bash", "a\n<shellId: 0 completed with exit code 0>", "a"),
        ("kimi", "ReadFile", "     1\tdef add(a, b):\n     2\t    return a + b\n", CODE),
        ("pi", "bash", "no\n\n\nCommand exited with code 1", "no"),
        ("vibe", "read_file", CODE, CODE),
        ("generic", "bash", "Wall time: 1\nOutput:\nx", "Wall time: 1\nOutput:\nx"),
    ],
)
def test_the_frame_goes_and_the_rest_stays(agent, tool, output, told):
    assert said(agent, tool, {}, output) == (told, "")


@pytest.mark.parametrize(
    ("agent", "tool", "arguments", "output", "why"),
    [
        ("claude-code", "WebFetch", {"url": "http://x"}, "a page about x", "summarised"),
        ("claude-code", "Agent", {}, "child: 2 files", "summarised"),
        ("codex", "spawn_agent", {}, '{"agent_id":"1"}', "summarised"),
        ("gemini", "web_fetch", {}, "x", "summarised"),
        ("generic", "mcp__web__web_search", {}, "x", "summarised"),
        ("claude-code", "Bash", {}, "a\n... [42 lines truncated] ...\nb", "truncated"),
        ("codex", "exec_command", {}, CODEX + "a…120 tokens truncated…b", "truncated"),
        ("claude-code", "Bash", {}, "<persisted-output>\nx", "truncated"),
        ("claude-code", "Read", {"limit": 5}, "1\ta", "truncated"),
        ("claude-code", "Read", {}, "40\ta\n41\tb", "truncated"),
        ("vibe", "read_file", {"offset": 4}, "a", "truncated"),
        ("codex", "exec_command", {}, "Wall time: 1.0 seconds\naborted by user", "missing"),
        (
            "codex",
            "exec_command",
            {},
            "Wall time: 1 s\nProcess running with session ID 3",
            "missing",
        ),
        ("claude-code", "Bash", {}, "Command running in background with ID: b1", "missing"),
    ],
)
def test_what_may_be_no_source(agent, tool, arguments, output, why):
    assert said(agent, tool, arguments, output)[1] == why


def test_what_was_cut_by_ourselves_is_cut():
    assert said("generic", "bash", {}, clean("x" * (BODY_LIMIT + 1)))[1] == "truncated"
    assert said("generic", "bash", {}, clean("x" * BODY_LIMIT))[1] == ""


EXEC = """// @exec: {"yield_time_ms": 30000}
let result = await tools.exec_command({"cmd":"cat data/figures.json","yield_time_ms":30000});
while (result.session_id !== undefined) {
  result = await tools.write_stdin({session_id: result.session_id, yield_time_ms: 30000});
}
text(result.output);
"""


@pytest.mark.parametrize(
    ("code", "call"),
    [
        (EXEC, ("exec_command", {"cmd": "cat data/figures.json", "yield_time_ms": 30000})),
        (
            "const r = await tools.exec_command({cmd: 'ls', workdir: \"/w\"}); text(r.output)",
            ("exec_command", {"cmd": "ls", "workdir": "/w"}),
        ),
        (
            'text(await tools.apply_patch("*** Begin Patch\\n*** End Patch"))',
            None,
        ),
        (
            "const r = await tools.apply_patch(`*** Begin Patch\n*** End Patch`);\ntext(r)",
            ("apply_patch", {"input": "*** Begin Patch\n*** End Patch"}),
        ),
        ('const r = await tools.exec_command({cmd: "ls"}); text(r.output.slice(0, 9))', None),
        ('await tools.exec_command({cmd: "a"}); await tools.exec_command({cmd: "b"});', None),
        ("const r = await tools.exec_command({cmd: `ls ${dir}`}); text(r.output)", None),
        ("const r = await tools.exec_command(options); text(r.output)", None),
        ("text(1 + 1)", None),
    ],
)
def test_a_program_around_one_tool_is_seen_through(code, call):
    assert codex_code.seen_through({"input": code}) == call


def test_what_a_program_printed():
    told = (
        '[{"type": "input_text", "text": "Script completed\\nWall time 0.8 seconds\\nOutput:\\n"},'
        ' {"type": "input_text", "text": "{\\n}\\n"}]'
    )
    assert codex_code.printed(told) == "{\n}\n"
    assert codex_code.printed("[1]") == ""
    assert codex_code.printed("plain") == "plain"
