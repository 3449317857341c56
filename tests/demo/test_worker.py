"""One agent on its own: a process started by hand, and the tools it really runs."""

import asyncio
import sys

import msgspec
import pytest

from cockpit.demo.cast import cast
from cockpit.demo.plan import Place
from cockpit.demo.provider import Provider
from cockpit.demo.toolset import run_tool
from cockpit.demo.turns import Asked
from cockpit.demo.workspace import make_workspace

(PLAN,) = [plan for plan in cast() if plan.name == "drop-legacy-table"]


async def test_a_worker_started_by_hand_ends_when_its_standard_input_closes(tmp_path):
    workspace, home = tmp_path / "work", tmp_path / "home"
    workspace.mkdir()
    home.mkdir()
    make_workspace(PLAN, workspace, home)
    async with Provider() as provider:
        place = Place(home=str(home), workspace=str(workspace), provider=provider.url)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cockpit.demo.worker"),
            *("--plan", msgspec.json.encode(PLAN).decode()),
            *("--place", msgspec.json.encode(place).decode()),
            stdin=asyncio.subprocess.PIPE,
        )
        await asyncio.wait_for(provider.until(3), 60)
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 20) == 143
        assert [served.status for served in provider.served()] == [200, 200, 200]


@pytest.mark.parametrize(
    ("arguments", "code", "output"),
    [
        ({"command": "echo said; exit 3"}, 3, "said\n"),
        ({"cmd": "cat told"}, 0, "something"),
        ({"file_path": "deep/new.txt", "content": "text"}, 0, "Wrote deep/new.txt"),
        ({"file_path": "../outside.txt", "content": "text"}, 1, "outside the workspace"),
    ],
)
def test_tools_do_what_they_say_inside_the_workspace(tmp_path, arguments, code, output):
    workspace = tmp_path / "work"
    workspace.mkdir()
    (workspace / "told").write_text("something")
    outcome = run_tool(Asked("call", "tool", arguments), workspace)
    assert (outcome.code, output in outcome.output) == (code, True)
    assert (workspace / "deep/new.txt").exists() == (output == "Wrote deep/new.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
