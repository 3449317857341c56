"""`cockpit tasks` over transcripts of Claude Code, without an engine."""

import json
import os
import time
from datetime import datetime, timedelta, timezone

import pytest

from tests.engine.machine import Machine


@pytest.fixture
def machine():
    machine = Machine()
    yield machine
    machine.end()


class Told:
    """A transcript of Claude Code, line by line."""

    def __init__(self, machine, session, began, project="/home/mo/shop"):
        self.path = machine.transcript(session)
        self.session, self.at, self.project, self.number = session, began, project, 0

    def line(self, kind, message, **more):
        self.at += timedelta(seconds=5)
        self.number += 1
        entry = {
            "type": kind, "sessionId": self.session, "uuid": f"{self.session}-{self.number}",
            "timestamp": self.at.isoformat().replace("+00:00", "Z"), "cwd": self.project,
            "version": "2.1.330", "message": message, **more,
        }  # fmt: skip
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def asked(self, text):
        self.line("user", {"role": "user", "content": text})

    def said(self, *content, stop="tool_use"):
        message = {
            "id": f"msg_{self.session}_{self.number}", "role": "assistant", "type": "message",
            "model": "claude-opus-5", "stop_reason": stop, "content": list(content),
            "usage": {"input_tokens": 9_000, "output_tokens": 300},
        }  # fmt: skip
        self.line("assistant", message, requestId=f"req_{self.session}_{self.number}")

    def used(self, name, given, output):
        id_ = f"toolu_{self.session}_{self.number}"
        self.said({"type": "tool_use", "id": id_, "name": name, "input": given})
        result = {"type": "tool_result", "tool_use_id": id_, "content": output, "is_error": False}
        self.line("user", {"role": "user", "content": [result]})

    def done(self, text="Done."):
        self.said({"type": "text", "text": text}, stop="end_turn")


def report(machine, number, day, secret=""):
    """A report of the day's visits, out of a file."""
    told = Told(machine, f"0000000{number}-0000-4000-8000-000000000000", day)
    date, visits = day.date().isoformat(), 4_000 + 37 * number
    told.asked(
        f"Write the visits report of {date}" if number % 2 else f"visits report, {date} {secret}"
    )
    told.used(
        "Bash", {"command": f"cat data/{date}.json"}, json.dumps({"date": date, "visits": visits})
    )
    text = f"# Visits on {date}\n\n{visits}\n"
    told.used(
        "Write", {"file_path": f"/home/mo/shop/reports/{date}.md", "content": text}, "written"
    )
    told.done()
    return told.path


def chat(machine, number, day):
    told = Told(machine, f"1000000{number}-0000-4000-8000-000000000000", day)
    told.asked("how full is the disk?")
    told.used("Bash", {"command": "df -h"}, f"/dev/sda1 {40 + number}%")
    told.done("Full enough.")


def mornings(count):
    today = datetime.now(timezone.utc).replace(hour=6, minute=30, second=0, microsecond=0)  # noqa: UP017
    return [today - timedelta(days=number) for number in range(count, 0, -1)]


def test_tasks_of_transcripts_with_rhythm_worth_and_verdict(machine):
    for number, day in enumerate(mornings(6)):
        report(machine, number, day)
        if number < 4:
            chat(machine, number, day + timedelta(hours=3, minutes=number))
    Told(machine, "20000000-0000-4000-8000-000000000000", mornings(1)[0]).asked("something else")
    done = machine.run("tasks", "--json")
    assert done.returncode == 0, done.stderr
    found = {len(task["runs"]): task for task in json.loads(done.stdout)}
    assert set(found) == {6, 4}
    task = found[6]
    assert task["cron"] == "30 6 * * *"
    assert task["agents"] == ["claude-code"]
    assert task["project"] == "/home/mo/shop"
    assert task["cost_nano"] > 0
    assert task["month_nano"] > 20 * task["cost_nano"]
    assert found[4]["verdict"] == "no"
    assert found[4]["refusal"]["code"] == "N3"
    listed = machine.run("tasks").stdout
    assert "30 6 * * *" in listed
    assert "no N3" in listed
    detail = machine.run("tasks", task["id"][:9]).stdout
    assert "write reports/<D>.md" in detail
    assert detail.count("claude-code") >= 3
    one = json.loads(machine.run("tasks", task["id"], "--json").stdout)
    assert len(one["examples"]) == 3
    missing = machine.run("tasks", "task-none")
    assert missing.returncode == 1
    assert "cockpit tasks lists them" in missing.stderr


def test_a_new_run_joins_its_task_and_the_task_keeps_its_name(machine):
    days = mornings(5)
    for number, day in enumerate(days[:3]):
        report(machine, number, day)
    (before,) = json.loads(machine.run("tasks", "--json").stdout)
    for number, day in enumerate(days[3:], 3):
        report(machine, number, day)
    (after,) = json.loads(machine.run("tasks", "--json").stdout)
    assert after["id"] == before["id"]
    assert len(after["runs"]) == 5
    (anew,) = json.loads(machine.run("tasks", "--anew", "--json").stdout)
    assert anew == after


def test_nothing_repeats(machine):
    assert "nothing repeats yet" in machine.run("tasks").stdout
    assert json.loads(machine.run("tasks", "--json").stdout) == []


def test_what_is_remembered_of_transcripts_holds_no_secret(machine):
    for number, day in enumerate(mornings(3)):
        report(machine, number, day, secret="password=Tr0ub4dor3xyz")
    assert machine.run("tasks").returncode == 0
    written = [path for path in machine.cockpit_home.rglob("*") if path.is_file()]
    assert any(path.name == "tasks.db" for path in written)
    for path in written:
        if path.name != "index.db":
            assert b"Tr0ub4dor3xyz" not in path.read_bytes(), path


def test_the_engine_answers_the_same(machine):
    import asyncio

    from tests.engine.machine import asked

    for number, day in enumerate(mornings(4)):
        os.utime(report(machine, number, day), (time.time() - 3_600,) * 2)
    machine.start()
    found = asyncio.run(asked(machine, "tasks"))
    (task,) = json.loads(found) if isinstance(found, bytes | str) else found
    (printed,) = json.loads(machine.run("tasks", "--json").stdout)
    assert task["id"] == printed["id"]
    assert list(task["runs"]) == printed["runs"]
