import subprocess
import sys
from pathlib import Path

import pytest

from cockpit.agents.adapter import Adapter
from cockpit.agents.registry import MODULES, chosen
from tests.agents import promises
from tests.agents.reading import FIXTURES, read_all, sources

ADAPTERS = chosen()
HOMES = sorted(path for path in FIXTURES.glob("*/*/home") if path.is_dir())
ENVIRONMENTS = {
    "claude-code": "CLAUDE_CONFIG_DIR",
    "codex": "CODEX_HOME",
    "opencode": "XDG_DATA_HOME",
    "gemini": "GEMINI_CLI_HOME",
    "qwen": "QWEN_HOME",
    "copilot": "COPILOT_HOME",
    "pi": "PI_CODING_AGENT_DIR",
    "vibe": "VIBE_HOME",
    "kimi": "KIMI_SHARE_DIR",
    "mini-swe-agent": "MSWEA_GLOBAL_CONFIG_DIR",
    "aider": "AIDER_CHAT_HISTORY_FILE",
}


def test_names_are_unique_and_those_they_are_chosen_by():
    assert [adapter.name for adapter in ADAPTERS] == list(MODULES)
    assert len({adapter.short for adapter in ADAPTERS}) == len(ADAPTERS)
    assert all(len(adapter.short) <= 8 for adapter in ADAPTERS)


def test_an_unknown_name_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="accepted: claude-code"):
        chosen(["clade-code"])


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_the_environment_moves_where_an_agent_writes(adapter: Adapter, tmp_path: Path):
    here = adapter.roots(tmp_path, {})
    assert all(tmp_path in root.parents for root in here)
    variable = ENVIRONMENTS.get(adapter.name)
    if variable is None:
        assert adapter.name == "cline"
        return
    elsewhere = tmp_path / "elsewhere"
    moved = adapter.roots(tmp_path, {variable: str(elsewhere)})
    assert any(elsewhere == root or elsewhere in root.parents for root in moved)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_a_changed_path_leads_to_the_source_that_looking_finds(adapter: Adapter):
    for home in HOMES:
        promises.agrees_on_sources(adapter, home)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_nothing_is_found_where_there_is_nothing(adapter: Adapter, tmp_path: Path):
    for root in adapter.roots(tmp_path, {}):
        assert list(adapter.sources(root)) == []
    assert adapter.registry(tmp_path, {}) == []


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_a_process_of_each_can_be_recognised(adapter: Adapter):
    assert adapter.process.names or adapter.process.scripts
    assert all("/" in script for script in adapter.process.scripts), "a bare name matches too much"


def test_the_list_of_agents_loads_nothing_heavy():
    code = (
        "import sys; import cockpit.agents.registry;"
        "print({'sqlite3', 'cockpit.agents.opencode', 'aiohttp', 'anthropic'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_a_run_is_named_after_its_agent(adapter: Adapter):
    for home in HOMES:
        calls, events, _ = read_all(adapter, home)
        runs = {call.run for call in calls} | {event.run for event in events}
        runs |= {source.run for source in sources(adapter, home)} - {""}
        assert all(run.startswith(f"{adapter.name}/") for run in runs)
