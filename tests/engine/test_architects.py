"""A model is asked behind the gateway: booked like any call, within its budget, and once a question."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from cockpit.architect.life import why_not
from cockpit.architect.sandbox import best, why_none
from cockpit.core.budget import Budget
from cockpit.demo.mornings import Mornings
from cockpit.engine.architects import Architects
from cockpit.engine.compiling import Compiler
from cockpit.engine.consult import asked, said_in
from cockpit.journal.architect import ArchitectSettings
from tests.architect.test_synthesize import DISCOUNTS, GOOD, NO_DISCOUNT, Scripted, answer
from tests.architect.worlds import Blobs

CENT = 10_000_000


class Vendor:
    """Speaks Anthropic's wire on loopback and always says the same."""

    def __init__(self, text):
        self.bodies = []
        vendor = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                vendor.bodies.append(json.loads(self.rfile.read(length)))
                told = json.dumps(
                    {
                        "id": f"msg_{len(vendor.bodies)}", "type": "message", "role": "assistant",
                        "model": "claude-opus-5", "stop_reason": "end_turn",
                        "content": [{"type": "text", "text": text}],
                        "usage": {"input_tokens": 2_000, "output_tokens": 500},
                    }
                ).encode()  # fmt: skip
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def vendor():
    vendor = Vendor('{"verdict": "refuse", "refuse_code": "N4"}')
    yield vendor
    vendor.close()


def architects(mornings, vendor):
    async def begin(wanted):
        told = await mornings.client.ask("begin", **msgspec.to_builtins(wanted))
        return json.loads(told)["run"]

    made = Architects(
        ArchitectSettings(model="claude-opus-5", upstream=vendor.url),
        begin=begin,
        run=lambda name: mornings._engine._publisher.fleet.runs.get(name),
        environment=lambda: {**mornings.environment(), "ANTHROPIC_API_KEY": "sk-the-real-one"},
    )
    made.start()
    return made


async def test_a_question_is_a_run_of_its_own_with_a_budget(vendor):
    async with Mornings() as mornings:
        consultation = architects(mornings, vendor).consultation(Budget(money=50 * CENT))
        text = await asyncio.to_thread(consultation.ask, "fill the holes")
        assert json.loads(text)["verdict"] == "refuse"
        assert [body["messages"] for body in vendor.bodies] == [
            [{"role": "user", "content": "fill the holes"}]
        ]
        assert "tools" not in vendor.bodies[0]
        [run] = [run for run in (await mornings.client.fleet()).runs.values() if run.governed]
        assert (run.name, run.calls, run.nano) == ("architect", 1, consultation.nano)
        assert 0 < consultation.nano < 50 * CENT


async def test_what_a_question_could_cost_is_held_before_it_leaves(vendor):
    async with Mornings() as mornings:
        consultation = architects(mornings, vendor).consultation(Budget(money=100_000))
        assert await asyncio.to_thread(consultation.ask, "x " * 20_000) == ""
        assert vendor.bodies == []
        assert consultation.nano == 0


def test_without_a_model_nobody_is_asked():
    made = Architects(ArchitectSettings(), begin=None, run=None, environment=dict)
    assert made.consultation(Budget(money=CENT)) is None


def test_every_wire_is_spoken(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://x/v1")
    monkeypatch.setenv("OLLAMA_HOST", "http://y")
    assert asked("chat", "m", "q", 9)[0] == "http://x/v1/chat/completions"
    assert asked("ollama", "m", "q", 9)[0] == "http://y/api/chat"
    assert said_in("chat", {"choices": [{"message": {"content": "a"}}]}) == "a"
    assert said_in("ollama", {"message": {"content": "b"}}) == "b"


class Paid(Scripted):
    nano = 3 * CENT


@pytest.mark.skipif(best() is None, reason=why_none())
def test_what_a_model_fills_goes_through_the_same_gates():
    blobs = Blobs()
    traces = DISCOUNTS.traces(blobs, 8)
    alone = Compiler(blobs).make("t", traces, Budget())
    assert alone.refusal.code == "N6"
    budgets, good = [], Paid(answer(GOOD.replace("total / 100", "total / 10 / 10")))
    compiler = Compiler(blobs, lambda most: budgets.append(most) or good)
    made = compiler.make("t", traces, Budget(money=20 * CENT))
    assert (made.script.tier, made.nano) == (1, 3 * CENT)
    assert budgets == [Budget(money=20 * CENT)]
    assert why_not(compiler.prove(made.script, traces)) == ""
    bad = Compiler(blobs, lambda _: Paid(answer(NO_DISCOUNT))).make("t", traces, Budget())
    assert bad.script is None
    assert bad.nano == 3 * CENT
