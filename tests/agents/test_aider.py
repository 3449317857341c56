from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.aider import HISTORY, Aider
from cockpit.core import events as e
from cockpit.core.tokens import Tokens
from tests.agents import promises
from tests.agents.reading import folded, home, read_block

AGENT = Aider()
REPOSITORY = home("aider", "basic") / "repo"
SOURCE = Source("aider", str(REPOSITORY / HISTORY), "lines")
DATA = (REPOSITORY / HISTORY).read_bytes()


def test_every_answer_is_booked_rounded_and_marked():
    books, _ = read_block(AGENT, SOURCE, DATA)
    assert [call.tokens for call in books.calls] == [
        Tokens(input=2500, output=55),
        Tokens(input=900, cache_write_5m=3100, cache_read=8000, output=1_100_000),
    ]
    assert {call.mark for call in books.calls} == {"estimated"}
    assert [call.model for call in books.calls] == ["mock-model", "claude-x"]
    assert len({call.id for call in books.calls}) == 2


def test_each_header_is_a_run_of_its_own():
    _, events = read_block(AGENT, SOURCE, DATA)
    first, second = sorted(folded(events).runs.values(), key=lambda run: run.started)
    assert first.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert second.name == "go on"
    assert first.project == str(REPOSITORY)
    assert first.phase == "waiting"
    assert first.caveats


def test_story_of_a_run():
    _, events = read_block(AGENT, SOURCE, DATA)
    told = [type(event) for event in events]
    assert told[:10] == [
        e.RunSeen, e.RunDescribed, e.RunCaveat, e.RunDescribed, e.PromptGiven, e.ReplyGiven,
        e.TurnEnded, e.ToolStarted, e.ToolEnded, e.TurnEnded,
    ]  # fmt: skip
    assert told[-3:] == [e.PromptGiven, e.CallFailed, e.RunInterrupted]
    (edit,) = [event for event in events if isinstance(event, e.ToolStarted)]
    assert (edit.name, edit.summary) == ("edit", "calc.py")


def test_a_repository_a_folder_of_them_or_the_file_itself_is_searched(tmp_path):
    for root in (REPOSITORY, REPOSITORY.parent, REPOSITORY / HISTORY):
        (source,) = AGENT.sources(root)
        assert source.path == str(REPOSITORY / HISTORY)
        assert AGENT.source(Path(source.path), root) == source
    assert AGENT.source(REPOSITORY / "calc.py", REPOSITORY) is None
    assert AGENT.roots(tmp_path, {}) == []
    assert AGENT.roots(tmp_path, {"AIDER_CHAT_HISTORY_FILE": "/h.md"}) == [Path("/h.md")]


@given(st.lists(st.integers(0, len(DATA)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_blocks_may_end_anywhere(cuts):
    promises.source_holds_when_split(AGENT, SOURCE, cuts)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read(data):
    for front in (b"", b"#### ", b"> Tokens: ", b"> Model: ", b"# aider chat started at "):
        promises.holds_for_bytes(AGENT, SOURCE, front + data)


def test_a_header_with_an_impossible_time():
    (seen, *_) = AGENT.story(b"# aider chat started at 2026-99-99 03:31:05\n", SOURCE, b"")
    assert seen.at == 0


@given(st.text("0123456789.kMm ,sentrcivdcahw", max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_report_is_read(text):
    line = f"> Tokens: {text} sent, {text} received.".encode()
    assert len(AGENT.calls(line, SOURCE, b"").calls) <= 1
