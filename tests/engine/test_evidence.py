"""What a governed run leaves behind, with a real engine, gateway and runner."""

import json
import subprocess
import sys
import time

import pytest

from cockpit.journal.blobs import BlobStore
from cockpit.journal.evidence import Evidence
from tests.engine.governed import AGENT, Governed

TOOLS = """
from pathlib import Path
def asks(history):
    body = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": history}
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", json.dumps(body).encode(),
        {"content-type": "application/json", "anthropic-version": "2026-10-21",
         "x-api-key": os.environ["ANTHROPIC_API_KEY"]})
    urllib.request.urlopen(request, timeout=60).read()

def used(number, command, output, bad=False):
    return [
        {"role": "assistant", "content": [{"type": "tool_use", "id": f"t{number}", "name": "bash",
                                           "input": {"command": command}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{number}",
                                      "is_error": bad, "content": output}]},
    ]

said = [{"role": "user", "content": "the prompt that stays here"}]
asks(said)
said += used(1, "curl -s http://metrics.local/today.json", '{"visits": 7}')
asks(said)
said += used(2, "echo $ANTHROPIC_API_KEY $REPORT_HOST", "sk-the-real-key-9137 reports.local")
asks(said)
said += used(3, "false", "no", True)
asks(said)
Path("out.txt").write_text("7 visits, key sk-the-real-key-9137\\n")
Path("gone.txt").unlink()
"""


class Place(Governed):
    def __init__(self):
        super().__init__()
        self.work = self.root / "work"
        self.work.mkdir()

    @property
    def environment(self):
        return {**super().environment, "REPORT_HOST": "reports.local"}

    def do(self, program, *options, code=0):
        done = subprocess.run(
            [
                sys.executable, "-m", "cockpit", "run", "--name", "visits", *options,
                "--upstream", f"anthropic={self.upstream}", "--", sys.executable, "-c", program,
            ],
            env=self.environment, cwd=self.work, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + self.log()
        return done

    @property
    def blobs(self):
        return BlobStore(self.cockpit_home / "data" / "evidence")

    def rows(self):
        with Evidence.reading(self.cockpit_home / "data" / "journal.db", self.blobs) as kept:
            return kept.rows() if kept else []

    def trace(self, number=0):
        self.until(lambda: len(self.rows()) > number and self.rows()[number].ended is not None)
        with Evidence.reading(self.cockpit_home / "data" / "journal.db", self.blobs) as kept:
            return kept.trace(self.rows()[number])


@pytest.fixture
def place():
    place = Place()
    yield place
    place.end()


def test_workspace_tool_calls_fetches_and_outcome(place):
    (place.work / "gone.txt").write_text("x")
    (place.work / "same.txt").write_text("same")
    place.do(AGENT + TOOLS)
    trace = place.trace()
    assert (trace.outcome, trace.agent, trace.distrusted) == ("done", "generic", "")
    assert place.rows()[0].bytes == place.blobs.size()
    assert trace.task == "visits"
    assert trace.nano
    assert [(step.tool, step.ok, step.opaque) for step in trace.steps] == [
        ("bash", True, ""),
        ("bash", True, ""),
        ("bash", False, ""),
    ]
    assert trace.steps[0].output == '{"visits": 7}'
    assert set(trace.world.before.files) == {"gone.txt", "same.txt"}
    changed = trace.world.changed()
    assert set(changed) == {"out.txt", "gone.txt"}
    assert changed["gone.txt"] is None
    (fetch,) = trace.world.fetches
    assert fetch.url == "http://metrics.local/today.json"
    assert place.blobs.get(fetch.body) == b'{"visits": 7}'
    told = trace.world.environment
    assert told["PWD"] == str(place.work)
    assert told["REPORT_HOST"] == "reports.local"
    assert told["COCKPIT_DATE"] == time.strftime("%Y-%m-%d")
    assert json.loads(told["COCKPIT_ARGV"])[0] == sys.executable
    assert "ANTHROPIC_API_KEY" not in told


def test_no_secret_and_no_prompt_of_the_wire_is_written(place):
    (place.work / "notes.txt").write_text("the key is sk-the-real-key-9137\n")
    (place.work / "gone.txt").write_text("x")
    program = place.root / "agent.py"  # a prompt in the arguments would be evidence
    program.write_text(AGENT + TOOLS.replace("the prompt that stays here", "Ichneumon stays here"))
    place.do(f"exec(open({str(program)!r}).read())")
    program.unlink()
    trace = place.trace()
    assert trace.steps[1].output == "{{secret:ANTHROPIC_API_KEY}} reports.local"
    place.run("engine", "stop")
    for path in place.cockpit_home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"sk-the-real-key-9137" not in data, path
            assert b"Ichneumon" not in data, path


def test_a_run_in_a_home_has_no_world(place):
    program = place.root / "agent.py"
    program.write_text(AGENT + TOOLS)
    (place.home / "gone.txt").write_text("x")
    place.work = place.home
    place.do(f"exec(open({str(program)!r}).read())")
    trace = place.trace()
    assert trace.world is None
    assert len(trace.steps) == 3


def test_it_can_be_switched_off(place):
    (place.cockpit_home / "config").mkdir(parents=True)
    (place.cockpit_home / "config" / "settings.toml").write_text("[evidence]\non = false\n")
    place.do(AGENT + "print(call('x'))")
    place.run("engine", "stop")
    assert place.rows() == []
    assert not (place.cockpit_home / "data" / "evidence").exists()


def test_a_failed_run_says_so(place):
    place.do(AGENT + "call('x'); sys.exit(3)", code=3)
    assert place.trace().outcome == "failed"


def test_evidence_survives_the_death_of_the_engine(place):
    place.start()
    program = "call('x')\nimport pathlib\npathlib.Path('made').write_text('x')\ntime.sleep(600)\n"
    done = subprocess.run(
        [
            sys.executable, "-m", "cockpit", "run", "--detach", "--upstream",
            f"anthropic={place.upstream}", "--", sys.executable, "-c", AGENT + program,
        ],
        env=place.environment, cwd=place.work, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    run = done.stdout.strip()
    place.until(lambda: place.rows() and (place.work / "made").exists())
    place.kill()
    place.start()
    assert place.run("stop", run).returncode == 0
    trace = place.trace()
    assert trace.run == run
    assert trace.outcome == "stopped"
    assert set(trace.world.changed()) == {"made"}


def test_a_large_workspace_does_not_hold_a_run_up(place):
    place.start()
    place.do(AGENT + "call('x')")
    small = min(_took(place) for _ in range(3))
    for number in range(3_000):
        folder = place.work / f"d{number % 50}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}.txt").write_text(f"{number}\n" * 200)
    large = min(_took(place) for _ in range(3))
    assert large < small + 1.0, (small, large)
    place.until(lambda: [row.ended is None for row in place.rows()] == [False] * 7, 60)
    assert len(place.trace(len(place.rows()) - 1).world.before.files) == 3_000


def _took(place):
    began = time.monotonic()
    place.do(AGENT + "call('x')")
    return time.monotonic() - began
