"""Traces out of stories, and which fetches make a cassette."""

import json

import pytest

from cockpit.core import events as e
from cockpit.core.redaction import Redactor
from cockpit.core.text import clean
from cockpit.engine.fetches import prints_the_body
from cockpit.engine.traces import CUT, trace_of

QUIET = Redactor()
KEY = "sk-ant-api03-" + "Ab3_" * 12


def told(*events, run="a/1", agent="claude-code"):
    return trace_of(
        [e.RunSeen(run=run, at=1, agent=agent, session="1"), *events], run, agent, QUIET, zone="UTC"
    )


def started(tool, given, at=2, run="a/1", name="Bash"):
    text = given if isinstance(given, str) else json.dumps(given)
    return e.ToolStarted(run=run, at=at, tool=tool, name=name, arguments=text)


def ended(tool, output="", at=3, run="a/1", ok=True):
    return e.ToolEnded(run=run, at=at, tool=tool, output=output, ok=ok)


def test_steps_in_order_with_what_they_said():
    trace = told(
        e.RunDescribed(run="a/1", at=1, project="/w", model="m"),
        e.PromptGiven(run="a/1", at=1, text=f"use {KEY}"),
        started("t1", {"command": "cat x", "token": KEY}),
        ended("t1", f"it is {KEY}"),
        started("t2", {"command": "ls"}, at=4),
        e.TurnEnded(run="a/1", at=9),
    )
    first, second = trace.steps
    assert first.arguments["command"] == "cat x"
    assert (first.output, first.took_ms, first.opaque) == ("it is {{secret:ANTHROPIC_KEY}}", 1, "")
    assert second.opaque == "missing"
    assert trace.prompts == ("use {{secret:ANTHROPIC_KEY}}",)
    assert KEY not in repr(trace)
    assert (trace.outcome, trace.root, trace.model, trace.ended) == ("done", "/w", "m", 9)


def test_what_sub_agents_did_was_done_by_the_run():
    trace = told(
        started("t1", {"prompt": "look"}, name="Task"),
        e.RunSeen(run="a/1/sub", at=3, agent="claude-code", session="1", parent="a/1"),
        e.PromptGiven(run="a/1/sub", at=3, text="look"),
        started("t1", {"command": "touch y"}, at=4, run="a/1/sub"),
        ended("t1", "", at=5, run="a/1/sub"),
        ended("t1", "the child says it is fine", at=6),
    )
    assert [(step.tool, step.opaque) for step in trace.steps] == [
        ("Task", "summarised"),
        ("Bash", ""),
    ]
    assert trace.prompts == ()


def test_a_patch_that_is_told_twice_is_one_step():
    trace = told(
        started("c", "*** Begin Patch\n*** End Patch", name="apply_patch"),
        ended("c", "Success"),
        ended("c", "", ok=False),
        agent="codex",
    )
    (step,) = trace.steps
    assert (step.arguments, step.output, step.ok) == (
        {"input": "*** Begin Patch\n*** End Patch"},
        "Success",
        False,
    )


def test_arguments_that_were_cut_short_are_nobody_s_guess():
    given = clean(json.dumps({"file_path": "a.txt", "content": "x" * 70_000}))
    (step,) = told(started("t", given, name="Write"), ended("t", "written")).steps
    assert step.tool == f"Write {CUT}"
    assert step.opaque == "truncated"


@pytest.mark.parametrize(
    ("last", "outcome"),
    [
        (e.TurnEnded(run="a/1", at=9), "done"),
        (e.RunInterrupted(run="a/1", at=9), "stopped"),
        (e.CallFailed(run="a/1", at=9, status=500), "failed"),
        (e.RunEnded(run="a/1", at=9, outcome="exit 0"), "done"),
        (e.RunEnded(run="a/1", at=9, outcome="exit 3: no"), "failed"),
        (e.ThoughtGiven(run="a/1", at=9), "unknown"),
    ],
)
def test_how_it_ended(last, outcome):
    assert told(last).outcome == outcome


def test_a_run_that_nobody_tells_of_is_none():
    assert trace_of([], "a/1", "codex", QUIET, zone="UTC") is None


@pytest.mark.parametrize(
    ("command", "whole"),
    [
        ("curl -s http://h/a", True),
        ("curl -fsSL 'http://h/a?x=1&y=2'", True),
        ("/usr/bin/curl --silent -H 'A: b' http://h/a", True),
        ("wget -qO- http://h/a", True),
        ("curl http://h/a", False),
        ("curl -si http://h/a", False),
        ("curl -s -w '%{http_code}' http://h/a", False),
        ("curl -sv http://h/a", False),
        ("curl -s http://h/a && echo ok", False),
        ("curl -s http://h/a | jq .", False),
        ("curl -s http://h/a > x", False),
        ("curl -s http://h/a http://h/b", False),
        ("curl -s http://h/a\necho ok", False),
        ("curl -s 'http://h/a", False),
        ("cat http://h/a", False),
        ("", False),
    ],
)
def test_only_a_plain_fetch_is_a_cassette(command, whole):
    assert prints_the_body(command) is whole
