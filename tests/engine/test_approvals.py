"""A tool call that cannot be undone waits for a yes; without one it is denied."""

import asyncio

from cockpit.core.events import ApprovalAnswered, ApprovalAsked, Event
from cockpit.core.fleet import Run
from cockpit.engine.approvals import Approvals
from cockpit.journal.approval import ApproveSettings

RUN = Run(id="run-1")


def matched(name: str, arguments: object, directory: str, workspace: str) -> tuple[str, str] | None:
    command = str(arguments)
    return ("push", command) if "push" in command else None


def asking(timeout: str = "5s") -> tuple[Approvals, list[Event]]:
    told: list[Event] = []
    settings = ApproveSettings(timeout=timeout)
    return Approvals(matched, settings, told.append, lambda: 7), told


async def test_what_no_rule_names_is_left_to_the_agent() -> None:
    approvals, told = asking()
    decision = await approvals.decide(RUN, "t", "Bash", {"command": "ls"}, "/")
    assert decision.allow is None
    assert told == []


async def test_a_yes_lets_it_run_and_is_an_event() -> None:
    approvals, told = asking()
    waiting = asyncio.create_task(
        approvals.decide(RUN, "t", "Bash", {"command": "git push \x1b]52;c;x\x07"}, "/")
    )
    await asyncio.sleep(0)
    assert approvals.answer("run-1", "t", allowed=True, by="operator")
    assert (await waiting).allow is True
    asked, answered = told
    assert isinstance(asked, ApprovalAsked)
    assert "\x1b" not in asked.text
    assert isinstance(answered, ApprovalAnswered)
    assert answered.allowed
    assert not approvals.answer("run-1", "t", allowed=True, by="operator")


async def test_silence_is_a_no() -> None:
    approvals, told = asking("1s")
    decision = await approvals.decide(RUN, "t", "Bash", {"command": "git push"}, "/")
    assert decision.allow is False
    assert "time-out" in decision.reason
    assert isinstance(told[-1], ApprovalAnswered)


async def test_a_stop_denies_what_waits() -> None:
    approvals, _ = asking()
    waiting = asyncio.create_task(approvals.decide(RUN, "t", "Bash", {"command": "git push"}, "/"))
    await asyncio.sleep(0)
    approvals.deny_all("run-1", "the stop")
    assert (await waiting).allow is False


async def test_an_agent_that_goes_away_takes_its_question_back() -> None:
    approvals, told = asking()
    waiting = asyncio.create_task(approvals.decide(RUN, "t", "Bash", {"command": "git push"}, "/"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(told[-1], ApprovalAnswered)
    assert not told[-1].allowed
