"""A figure that cannot be one makes its line a bad one: counted, never half booked."""

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from cockpit.agents.opencode import OpenCode
from cockpit.agents.registry import chosen
from tests.agents.reading import home, merged, read_block, sources

FIGURES = {
    "gemini": rb'"output":42',
    "qwen": rb'"candidatesTokenCount":53',
    "copilot": rb'"outputTokens":53',
    "pi": rb'"output":53',
    "cline": rb'"outputTokens": 53',
    "vibe": rb'"input_tokens":604',
    "kimi": rb'"output": 53',
}


@pytest.mark.parametrize("damage", [b"-1", b'"53"', b"1e30", b"1.5", b"{}"])
@pytest.mark.parametrize("agent", FIGURES)
def test_a_damaged_figure_is_a_bad_line(agent: str, damage: bytes):
    (adapter,) = chosen([agent])
    source = max(sources(adapter, home(agent, "basic")), key=lambda s: Path(s.path).stat().st_size)
    data = Path(source.path).read_bytes()
    field = FIGURES[agent].rpartition(b":")[0]
    damaged = re.sub(FIGURES[agent] + rb"\b", field + b":" + damage, data)
    assert damaged != data
    whole, _ = read_block(adapter, source, data)
    left, _ = read_block(adapter, source, damaged)
    lost = merged(whole.calls).keys() - merged(left.calls).keys()
    assert len(lost) == 1
    assert left.bad_lines >= 1
    assert whole.bad_lines == 0


def test_in_a_database_too(tmp_path: Path):
    path = tmp_path / "opencode.db"
    shutil.copyfile(home("opencode", "basic") / ".local/share/opencode/opencode.db", path)
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE message SET data = replace(data, '\"output\":42', '\"output\":-4')"
        )
    database.close()
    books, _ = OpenCode().read(path, b"", since=0)
    assert (len(books.calls), books.bad_lines) == (5, 1)
