"""The hook as agents run it: it asks the engine's socket, and whatever goes wrong, it says no."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cockpit.agents.launch.hooks import command
from cockpit.engine.api import Server
from cockpit.journal import paths

CALL = {
    "session_id": "s", "cwd": "/w/p", "hook_event_name": "PreToolUse", "tool_name": "Bash",
    "tool_input": {"command": "git push"}, "tool_use_id": "t1",
}  # fmt: skip
HOOK = (sys.executable, "-m", "cockpit.cli.hook")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    monkeypatch.setenv("COCKPIT_RUN", "run-k3f9")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    return tmp_path


async def hook(whose="claude", call=CALL, argv=None, **environment):
    given = call if isinstance(call, bytes) else json.dumps(call).encode()
    process = await asyncio.create_subprocess_exec(
        *(argv or (*HOOK, whose)), env={**os.environ, **environment},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(given), 20)
    return process.returncode, output.decode(), errors.decode()


async def decision(*arguments, **more):
    code, output, errors = await hook(*arguments, **more)
    assert (code, errors) == (0, "")
    said = json.loads(output)["hookSpecificOutput"]
    assert said["hookEventName"] == "PreToolUse"
    return said["permissionDecision"], said["permissionDecisionReason"]


@pytest.fixture
async def engine(home):
    """The engine's API with an answer of the test's choice; `asked` are the requests."""

    class Engine:
        answer = None

        def __init__(self):
            self.asked = []

        async def approve(self, request):
            self.asked.append(request)
            return msgspec.json.encode(self.answer)

    engine = Engine()
    server = Server({"approve": engine.approve}, {})
    await server.listen(paths.engine_socket())
    yield engine
    await server.close()


async def test_no_is_said_with_the_reason(engine):
    engine.answer = {"allow": False, "reason": "not today"}
    assert await decision() == ("deny", "not today")
    [request] = engine.asked
    assert {key: request[key] for key in ("run", "tool", "input", "cwd", "session", "call", "agent")} == {
        "run": "run-k3f9", "tool": "Bash", "input": {"command": "git push"}, "cwd": "/w/p",
        "session": "s", "call": "t1", "agent": "claude",
    }  # fmt: skip


async def test_where_no_rule_asks_the_agents_own_rules_decide(engine):
    engine.answer = {"allow": None}
    assert await hook() == (0, "", "")


async def test_yes_is_said_to_claude_and_not_to_codex_which_knows_no_such_word(engine):
    engine.answer = {"allow": True, "reason": "operator"}
    assert await decision() == ("allow", "operator")
    assert await hook("codex") == (0, "", "")


@pytest.mark.parametrize(
    "answer", [None, [], "yes", {}, {"allow": "yes"}, {"allow": 1}, {"reason": "x"}]
)
async def test_an_answer_that_says_nothing_is_no(engine, answer):
    engine.answer = answer
    assert (await decision())[0] == "deny"


async def test_without_an_engine_it_is_no(home):
    word, reason = await decision()
    assert word == "deny"
    assert "cannot be reached" in reason


@pytest.mark.parametrize("call", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
async def test_a_call_that_cannot_be_read_is_no(home, call):
    assert (await decision(call=call))[0] == "deny"


async def test_a_run_that_nobody_knows_is_no(home):
    assert "which run" in (await decision(COCKPIT_RUN=""))[1]


@pytest.mark.parametrize(
    "answer", [b"", b"garbage\n", b'{"id":1,"error":"no such run"}\n', b"x" * 100_000]
)
async def test_an_engine_gone_mad_or_away_is_no(home, answer):
    async def mad(reader, writer):
        await reader.readline()
        writer.write(answer)
        writer.close()

    paths.private(paths.engine_socket().parent)
    server = await asyncio.start_unix_server(mad, str(paths.engine_socket()))
    async with server:
        assert (await decision())[0] == "deny"


async def test_files_are_cut_and_commands_too_long_are_no(engine):
    engine.answer = {"allow": None}
    big = "x" * 900_000
    written = {**CALL, "tool_name": "Write", "tool_input": {"file_path": "/w/a", "content": big}}
    assert await hook(call=written) == (0, "", "")
    assert engine.asked[0]["input"] == {"file_path": "/w/a"}
    word, reason = await decision(call={**CALL, "tool_input": {"command": big}})
    assert (word, len(engine.asked)) == ("deny", 1)
    assert "too large" in reason


async def test_a_hook_that_cannot_even_start_blocks(home):
    for broken in (
        ("/nowhere/python",),
        (sys.executable, "-c", "raise SystemExit(1)"),
        ("kill", "-9", "$$"),
    ):
        code, _, errors = await hook(argv=("sh", "-c", command(broken, "claude")))
        assert code == 2
        assert "not allowed" in errors


async def test_it_costs_little(home):
    before = os.times()
    for _ in range(5):
        await hook()
    after = os.times()
    used = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    print(f"\nhook: {used / 5 * 1000:.0f} ms of CPU")
    assert used / 5 < 0.25  # 0.05 s on an idle machine
