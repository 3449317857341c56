"""The architecture as tests: layers, pure core, light screens, no clock where time is an argument."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "cockpit"
HEAVY = {
    "anthropic", "openai", "ollama", "pydantic", "httpx", "httpx2", "genai_prices", "sqlalchemy",
    "keyring", "aiohttp", "psutil", "watchdog",
}  # fmt: skip
CLOCKS = {
    ("time", "time"), ("time", "time_ns"), ("time", "monotonic"), ("time", "monotonic_ns"),
    ("time", "perf_counter"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"),
    ("date", "today"),
}  # fmt: skip
READS_THE_CLOCK = {PACKAGE / "ui" / "app.py"}


def test_imports_point_down():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def loaded_by(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sorted(sys.modules))"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_command_line_loads_nothing_heavy():
    assert not loaded_by("import cockpit.cli.main, cockpit.cli.shell") & (
        HEAVY | {"textual", "rich", "sqlite3", "asyncio"}
    )


FIRST_PAINT = """
import asyncio
from cockpit.core.fleet import Fleet
from cockpit.ui.app import CockpitApp

class Silent:
    async def fleets(self):
        await asyncio.Event().wait()
        yield Fleet()

async def paint():
    async with CockpitApp(Silent(), now=lambda: 0).run_test() as pilot:
        await pilot.pause()

asyncio.run(paint())
"""


def test_the_first_paint_loads_nothing_heavy():
    assert not loaded_by(FIRST_PAINT) & HEAVY


def test_spend_loads_neither_the_engine_nor_the_screen(tmp_path):
    code = f"""
import os
os.environ["HOME"] = os.environ["COCKPIT_HOME"] = {str(tmp_path)!r}
from click.testing import CliRunner
from cockpit.cli.shell import cockpit
assert CliRunner().invoke(cockpit, ["spend", "--json"]).exit_code == 0
"""
    assert not loaded_by(code) & (HEAVY | {"textual", "rich"})


@pytest.mark.parametrize(
    "path",
    sorted({*(PACKAGE / "core").rglob("*.py"), *(PACKAGE / "ui").rglob("*.py")} - READS_THE_CLOCK),
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_time_is_an_argument(path):
    calls = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    read = [
        (call.value.id, call.attr)
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)
    ]
    assert not CLOCKS & set(read)
