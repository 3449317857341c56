"""A governed run that is driven by its agent's own protocol, end to end, with a little agent that speaks it."""

import json
import sys
import time

import pytest

from tests.channels.fakes import LINES
from tests.engine.governed import AGENT, WithClaude
from tests.engine.machine import alive

CLAUDE = (
    f"#!{sys.executable}\n"
    + AGENT.replace('print("ready", flush=True)', "")
    + LINES
    + """
if "--input-format" not in sys.argv:
    print("plain", flush=True)
    sys.exit(0)
mood = os.environ.get("MOOD")
os.environ["ANTHROPIC_API_KEY"] = os.environ.get("ANTHROPIC_AUTH_TOKEN", "none")
first = next(heard())
tell(type="system", subtype="init")
call(first["message"]["content"][0]["text"])
for message in heard():
    if mood == "deaf":
        continue
    if message["type"] == "control_request":
        tell(type="control_response", response={"request_id": message["request_id"]})
        break
    text = message["message"]["content"][0]["text"]
    if mood == "drops":
        tell(type="command_lifecycle", command_uuid=message["uuid"], state="queued")
        tell(type="command_lifecycle", command_uuid=message["uuid"], state="cancelled")
        call("go on")
        break
    tell(type="command_lifecycle", command_uuid=message["uuid"], state="started")
    call(text)
    break
tell(type="result", subtype="success", result="well done")
"""
)


class Driven(WithClaude):
    """`claude` on the PATH is a little agent of ours."""

    def __init__(self):
        super().__init__(CLAUDE)
        self.mood = ""

    @property
    def environment(self):
        return {**super().environment, "MOOD": self.mood}

    def claude(self, *options):
        done = self.run(
            "run", "--detach", "--upstream", f"anthropic={self.upstream}/run/a", *options,
            "--", "claude", "-p", "build it",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + self.log()
        run = done.stdout.strip()
        self.until_row(run, lambda row: row["calls"] or row["state"] == "ended")
        return run


@pytest.fixture
def machine():
    machine = Driven()
    yield machine
    machine.end()


def is_over(row):
    return row["state"] in ("ended", "stopped")


def delivered(row):
    return row["governed"]["notes"] and row["governed"]["notes"][-1]["delivered"]


def test_a_word_goes_by_the_channel_and_its_delivery_is_confirmed(machine):
    run = machine.claude()
    done = machine.run("say", run, "--json", "use", "uv")
    assert json.loads(done.stdout)["channel"] == "stream-json"
    row = machine.until_row(run, lambda row: is_over(row) and delivered(row))
    (note,) = row["governed"]["notes"]
    assert note["channel"] == row["governed"]["channel"] == "stream-json"
    assert machine.served()[-1]["heard"].endswith("use uv")
    assert "exit 0" in row["evidence"]


def test_a_word_that_the_agent_drops_goes_by_the_gateway(machine):
    machine.mood = "drops"
    run = machine.claude()
    machine.run("say", run, "use uv")
    row = machine.until_row(run, delivered)
    (note,) = row["governed"]["notes"]
    assert note["channel"] == "gateway"
    assert "use uv" in machine.served()[-1]["heard"]


def test_a_word_that_is_never_confirmed_goes_by_the_gateway(machine):
    machine.mood = "deaf"
    run = machine.claude()
    done = machine.run("say", run, "--json", "use", "uv")
    assert json.loads(done.stdout)["channel"] == "gateway"
    assert machine.run("stop", run).returncode == 0


def test_a_stop_begins_with_the_agents_own_interrupt(machine):
    run = machine.claude()
    pid = machine.row(run)["pid"]
    done = machine.run("stop", run, "--json")
    assert done.returncode == 0, done.stdout + machine.log()
    climbed = machine.happened(run, "stop_climbed")
    assert [(one["rung"], one.get("channel")) for one in climbed] == [
        ("interrupt", "stream-json"), ("census", None)
    ]  # fmt: skip
    assert not alive(pid)


def test_an_agent_that_does_not_confirm_is_stopped_all_the_same(machine):
    machine.mood = "deaf"
    run = machine.claude()
    pid, began = machine.row(run)["pid"], time.monotonic()
    done = machine.run("stop", run, "--json")
    assert done.returncode == 0, done.stdout + machine.log()
    assert time.monotonic() - began < 8
    assert not alive(pid)


def test_it_can_be_switched_off(machine):
    run = machine.claude("--no-channel")
    row = machine.until_row(run, is_over)
    assert row["governed"]["channel"] == ""
    assert not machine.served()


def test_after_a_restart_of_the_engine_the_channel_is_still_there(machine):
    run = machine.claude()
    machine.kill()
    machine.start()
    machine.until_row(run, lambda row: row["pid"])
    done = machine.run("say", run, "--json", "use", "uv")
    assert json.loads(done.stdout)["channel"] == "stream-json", done.stderr
    machine.until_row(run, delivered)
