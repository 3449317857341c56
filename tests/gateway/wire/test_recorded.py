"""Exchanges with the real providers, as open-source projects recorded them for their own tests.

`tokens` are the classes in their order, read off the usage in the answer without this code.
"""

import json
from pathlib import Path

import pytest

from cockpit.core.tokens import Tokens
from cockpit.gateway.wire.registry import dialect_of
from tests.gateway.wire.answers import Case, cut_at, passed

RECORDED = Path(__file__).parents[2] / "fixtures" / "wire" / "recorded.jsonl"


def case(line):
    told = json.loads(line)
    return pytest.param(
        Case(
            told["wire"], told["path"], told["request"], told["content_type"],
            told["answer"].encode(), Tokens(*told["tokens"]),
        ),
        id=f"{told['host']} ({told['from']})",
    )  # fmt: skip


each = pytest.mark.parametrize("case", [case(line) for line in RECORDED.open()])


@each
def test_recorded_answers_cost_what_their_providers_told(case):
    meter = case.meter()
    pieces = cut_at(case.answer, range(0, len(case.answer), 13))
    out = passed(meter, pieces)
    metered = meter.result(cut=False)
    assert (metered.tokens, metered.mark, metered.complete) == (case.tokens, "exact", True)
    assert metered.message or case.wire == "ollama"
    assert out == case.answer or case.wire == "chat"


@each
def test_broken_off_they_are_estimated_not_below_the_truth(case):
    """Half of a recorded stream; the output of the whole is what half of it may have cost."""
    meter = case.meter()
    passed(meter, [case.answer[: len(case.answer) // 2]])
    metered = meter.result(cut=True)
    assert metered.mark == "estimated"
    assert metered.tokens.prompt >= case.tokens.prompt
    assert metered.tokens.output >= case.tokens.output // 2


@each
def test_the_bound_of_a_recorded_request_is_not_below_its_prompt(case):
    _, asked = dialect_of(case.path, {}, case.body)
    assert asked.prompt >= case.tokens.prompt
