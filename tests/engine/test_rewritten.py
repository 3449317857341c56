"""Sources that are not appended to: documents written anew, databases with a log beside them."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from cockpit.agents.cline import Cline
from cockpit.agents.copilot import Copilot
from cockpit.agents.opencode import OpenCode
from cockpit.agents.pi import Pi
from cockpit.core import events as e
from cockpit.engine import transcript
from cockpit.engine.books import Pricing
from cockpit.engine.library import (
    Library,
    describe_runs,
    read_on,
    refreshed,
    scan,
    unchanged,
)
from cockpit.journal.index import Index
from cockpit.prices.book import Book
from tests.agents.reading import home


@pytest.fixture
def index(tmp_path):
    index = Index.open(tmp_path / "cache" / "index.db")
    yield index
    index.close()


free = Pricing(Book.load())


def only(library: Library, ending: str):
    (place,) = [each for each in library.places() if each.source.path.endswith(ending)]
    return place


def test_a_document_written_again_is_told_on_from_where_it_was(tmp_path, index):
    shutil.copytree(home("cline", "basic"), tmp_path / "home")
    library = Library((Cline(),), tmp_path / "home", {})
    place = only(library, ".messages.json")
    path = Path(place.source.path)
    document = json.loads(path.read_text())
    messages = document["messages"]
    path.write_text(json.dumps(document | {"messages": messages[:-1]}))
    first = read_on(place, None, index, free, story=True)
    path.write_text(json.dumps(document))
    second = read_on(only(library, ".messages.json"), first.cursor, index, free, story=True)
    assert [type(event) for event in second.events] == [e.ReplyGiven, e.TurnEnded]
    assert (len(first.booked), len(second.booked)) == (5, 1)


def test_a_change_in_a_database_s_log_is_news(tmp_path, index):
    database = tmp_path / "home/.local/share/opencode/opencode.db"
    database.parent.mkdir(parents=True)
    shutil.copyfile(home("opencode", "basic") / ".local/share/opencode/opencode.db", database)
    writer = sqlite3.connect(database)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("UPDATE session SET time_updated = strftime('%s') * 1000")
    writer.commit()
    library = Library((OpenCode(),), tmp_path / "home", {})
    place = only(library, "opencode.db")
    reading = read_on(place, None, index, free, story=True)
    assert unchanged(only(library, "opencode.db"), reading.cursor)
    writer.execute("UPDATE session SET title = 'another'")
    writer.commit()
    now = refreshed(place)
    assert now is not None
    assert not unchanged(now, reading.cursor)
    news = read_on(now, reading.cursor, index, free, story=True)
    writer.close()
    assert [event.name for event in news.events if isinstance(event, e.RunDescribed)] == ["another"]


@pytest.mark.parametrize(
    ("agent", "fixture", "project"),
    [
        (Cline(), "cline", "/home/operator/src/cline/basic/repo"),
        (OpenCode(), "opencode", "/home/operator/src/opencode/basic/repo"),
        (Pi(), "pi", "/home/operator/src/pi/basic/repo"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_runs_of_every_form_are_described(agent, fixture, project, index):
    library = Library((agent,), home(fixture, "basic"), {})
    for _ in scan(library, index, free):
        pass
    describe_runs(library, index)
    assert {run.project for run in index.runs().values()} == {project}
    assert not index.undescribed()


def test_a_page_shows_one_run_of_a_file_that_tells_of_several():
    library = Library((Copilot(),), home("copilot", "subagent"), {})
    (place,) = library.places()
    story = place.adapter.story(Path(place.source.path).read_bytes(), place.source, b"")
    runs = {event.run for event in story}
    assert len(runs) == 2
    for run in runs:
        page = transcript.page(place, run, Book.load(), None, 1000)
        assert {event.run for event in page.events} == {run}
        assert sum(isinstance(event, e.CallSettled) for event in page.events) == 2
