from msgspec.structs import replace
from runs import RUN, turns

from cockpit.core import events as e
from cockpit.core.tokens import Tokens
from cockpit.ui.entries import Entry, Story


def settled(call: str, at: int = 1, nano: int = 100, **more) -> e.CallSettled:
    return e.CallSettled(
        run=RUN, at=at, call=call, model="m", nano=nano, tokens=Tokens(10, output=5), **more
    )


def started(tool: str, at: int = 1) -> e.ToolStarted:
    return e.ToolStarted(run=RUN, at=at, tool=tool, name="Bash", summary="make")


def ended(tool: str, at: int = 2, **more) -> e.ToolEnded:
    return e.ToolEnded(run=RUN, at=at, tool=tool, **more)


def said(text: str = "hello", at: int = 1) -> e.ReplyGiven:
    return e.ReplyGiven(run=RUN, at=at, text=text)


def thought(at: int = 1) -> e.ThoughtGiven:
    return e.ThoughtGiven(run=RUN, at=at, text="hm")


def prompt(at: int = 1) -> e.PromptGiven:
    return e.PromptGiven(run=RUN, at=at, text="go on")


def told(*events: e.Event, complete: bool = True) -> Story:
    story = Story(complete=complete)
    story.extend(events)
    return story


def costs(story: Story) -> list[tuple[str, int | None]]:
    return [(entry.kind, entry.cost.nano if entry.cost else None) for entry in story.entries]


def test_a_tool_and_its_answer_are_one_entry():
    [entry] = told(
        started("a", at=5), ended("a", at=905, ok=False, output="Exit code 2\nno")
    ).entries
    assert (entry.state, entry.exit, entry.ended - entry.at) == ("failed", 2, 900)
    assert entry.output == "Exit code 2\nno"


def test_answers_of_tools_at_work_side_by_side_find_their_own():
    story = told(started("a"), started("b"), ended("b", output="B"), ended("a", output="A"))
    assert [entry.output for entry in story.entries] == ["A", "B"]


def test_output_that_talks_of_exits_has_no_exit_code():
    assert told(started("a"), ended("a", output="we saw exit code 3 there")).entries[0].exit is None


def test_a_tool_told_twice_is_one_entry():
    assert len(told(started("a"), started("a"), ended("a"), ended("a")).entries) == 1


def test_the_cost_stands_at_the_first_words_of_its_call():
    story = told(
        prompt(),
        thought(),
        said(),
        started("a"),
        settled("x", nano=7),
        ended("a"),
        said(),
        settled("y", nano=9),
    )
    assert costs(story) == [
        ("prompt", None),
        ("thought", 7),
        ("reply", None),
        ("tool", None),
        ("reply", 9),
    ]


def test_a_call_recorded_at_its_first_words_leaves_the_next_call_its_own():
    story = told(
        thought(), settled("x", nano=7), started("a"), ended("a"), thought(), settled("y", nano=9)
    )
    assert costs(story) == [("thought", 7), ("tool", None), ("thought", 9)]


def test_later_figures_of_a_call_add_to_it():
    story = told(said(), settled("x", nano=7), said(), settled("x", nano=3, revision=True))
    assert costs(story) == [("reply", 10), ("reply", None)]
    assert story.entries[0].cost.tokens == Tokens(20, output=10)


def test_an_unpriced_call_stays_unpriced_until_a_price_comes():
    story = told(said(), settled("x", nano=None))
    assert story.entries[0].cost.nano is None
    story.extend([settled("x", nano=4, revision=True)])
    assert story.entries[0].cost.nano == 4


def test_a_call_without_words_has_its_own_entry():
    assert costs(told(prompt(), settled("x", nano=7))) == [("prompt", None), ("call", 7)]


def without_costs(story: Story) -> list[Entry]:
    return [replace(entry, cost=None) for entry in story.entries]


def test_pages_join_wherever_they_are_cut():
    events = turns(12)
    whole = told(*events)
    for cut in range(1, len(events)):
        story = told(*events[cut:], complete=False)
        story.extend_before(events[:cut], complete=True)
        assert without_costs(story) == without_costs(whole), f"cut before {events[cut]}"
        assert story.costs(99) == whole.costs(99), f"cut before {events[cut]}"
        assert not story.orphans
        assert story.size == whole.size


def test_three_pages_join():
    events = turns(12)
    story = told(*events[41:], complete=False)
    story.extend_before(events[20:41], complete=False)
    story.extend_before(events[:20], complete=True)
    assert without_costs(story) == without_costs(told(*events))
    assert story.costs(99) == told(*events).costs(99)


def test_keys_stay_when_the_page_before_comes():
    events = turns(12)
    story = told(*events[30:], complete=False)
    key = story.end - 1
    entry = story[key]
    story.extend_before(events[:30], complete=True)
    assert story[key] == entry
    assert story.first < 0


def test_the_answer_of_a_tool_of_the_page_before_waits_for_it():
    story = told(ended("a", output="late"), complete=False)
    assert not story.entries
    story.extend_before([started("a")], complete=True)
    assert [entry.output for entry in story.entries] == ["late"]


def test_at_the_beginning_of_the_run_an_answer_without_a_question_is_shown():
    [entry] = told(ended("a", output="from nowhere")).entries
    assert (entry.kind, entry.output) == ("tool", "from nowhere")


def test_what_is_let_go_can_come_back():
    events = turns(12)
    story = told(*events)
    key = story.end - 5
    size = story.size
    gone = story.entries[-5:]
    story.drop_after(key)
    assert story.end == key
    assert story.size == size - sum(entry.size for entry in gone)


def test_marks():
    def only(event: e.Event) -> Entry:
        return told(event).entries[0]

    assert (
        only(e.ContextCompacted(run=RUN, at=1, before=180_000)).text
        == "context compacted, was 180,000 tokens"
    )
    assert only(e.RunInterrupted(run=RUN, at=1)).kind == "warning"
    assert only(e.CallFailed(run=RUN, at=1, status=529, message="Overloaded")).kind == "failure"
    assert only(e.CallFailed(run=RUN, at=1, message="cut")).text == "provider error cut"
    assert (
        only(e.RunSteered(run=RUN, at=1, text="stop that", channel="stdin")).name
        == "said, waits for stdin"
    )
    assert only(e.StopFailed(run=RUN, at=1, pids=(7,))).text == "STOP FAILED 7"
    assert told(e.TurnEnded(run=RUN, at=1)).entries == []


def test_a_note_is_one_entry_that_waits_and_then_was_told():
    waits = e.RunSteered(run=RUN, at=1, text="stop that", channel="gateway")
    heard = e.RunSteered(run=RUN, at=9, text="stop that", channel="gateway", delivered=9)
    (entry,) = told(waits, heard).entries
    assert (entry.name, entry.at, entry.ended) == ("told by gateway", 1, 9)
    assert len(told(waits, heard, waits).entries) == 2, "the same words again are another note"


def test_a_note_of_the_page_before_was_told_on_this_one():
    story = Story()
    story.extend([e.RunSteered(run=RUN, at=9, text="go", channel="gateway", delivered=9)])
    story.extend_before([e.RunSteered(run=RUN, at=1, text="go", channel="gateway")], complete=True)
    assert {entry.name for entry in story.entries} == {"told by gateway"}


def test_an_answer_stands_at_its_question():
    question = e.ApprovalAsked(run=RUN, at=1, tool="t", rule="git push", text="Bash: git push")
    answer = e.ApprovalAnswered(run=RUN, at=5, tool="t", allowed=False, by="operator")
    (entry,) = told(question).entries
    assert (entry.kind, entry.name, entry.text) == (
        "question",
        "waits for you",
        "git push: Bash: git push",
    )
    (entry,) = told(question, answer).entries
    assert (entry.name, entry.ended) == ("denied by operator", 5)
    assert [entry.text for entry in told(answer).entries] == ["denied by operator"]


def test_an_answer_waits_for_the_page_that_has_its_question():
    story = Story()
    story.extend([e.ApprovalAnswered(run=RUN, at=5, tool="t", allowed=True, by="operator")])
    assert story.entries == []
    question = e.ApprovalAsked(run=RUN, at=1, tool="t", rule="mail", text="Send")
    story.extend_before([question], complete=True)
    assert [entry.name for entry in story.entries] == ["allowed by operator"]


def test_last_costs_newest_last():
    story = told(
        said(),
        settled("x", nano=1),
        prompt(),
        said(),
        settled("y", nano=2),
        prompt(),
        said(),
        settled("z", nano=3),
    )
    assert [cost.nano for cost in story.costs(2)] == [2, 3]
