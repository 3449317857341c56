"""Candidate, wait or no: on real work of scripted agents, and for what it is worth."""

import pytest

from cockpit.architect.profile import profile
from cockpit.architect.verdict import Judged, determinism, judged, task_of
from cockpit.core.money import NANO
from cockpit.core.script import Refusal
from tests.families.blobs import Blobs
from tests.families.development import FAMILIES
from tests.families.family import record
from tests.families.web import Web


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    web = Web()
    blobs = Blobs()
    base = tmp_path_factory.mktemp("families")

    def live(name):
        kind = next(one for one in FAMILIES if one.name == name)
        return record(kind(), base, web, blobs, seed=3).traces

    yield live, blobs
    web.close()


def task_from(traces, known, cost=NANO // 2):
    group = [profile(trace) for trace in traces]
    return task_of(group, [cost] * len(group), known, "task-x")


def test_a_plain_report_is_a_candidate(lived):
    live, blobs = lived
    traces = live("daily-report")
    known = judged("task-x", traces, blobs)
    assert known.compiled, known.refusal
    task = task_from(traces, known)
    assert (task.verdict, task.refusal, task.determinism) == ("candidate", None, 1.0)
    assert task.cron == "10 8 * * 1-5"
    assert task.month_nano > 0
    assert any(line.startswith("write ") for line in task.outline)


@pytest.mark.parametrize(
    "family", [kind for kind in FAMILIES if kind.group == "refuse"], ids=lambda kind: kind.name
)
def test_judgement_is_refused_with_what_decided_it(lived, family):
    live, blobs = lived
    traces = live(family.name)
    task = task_from(traces, judged("task-x", traces, blobs))
    assert task.verdict == "no"
    assert task.refusal.code in family.expects
    assert task.refusal.reason


def test_fewer_than_three_successes_wait_for_the_next(lived):
    live, blobs = lived
    traces = live("daily-report")[:2]
    task = task_from(traces, judged("task-x", traces, blobs))
    assert (task.verdict, task.refusal.code) == ("wait", "N1")
    assert (
        "2 successful runs so far, 3 are needed; the next is to be expected" in task.refusal.reason
    )


def test_runs_that_failed_or_are_distrusted_do_not_count(lived):
    from msgspec.structs import replace

    live, blobs = lived
    traces = live("daily-report")[:4]
    traces[0] = replace(traces[0], outcome="failed")
    traces[1] = replace(traces[1], distrusted="it was held: too dear")
    task = task_from(traces, judged("task-x", traces, blobs))
    assert task.verdict == "wait"
    assert task.refusal.reason.startswith("2 successful runs")


def test_what_does_not_pay_is_refused(lived):
    live, _ = lived
    traces = live("daily-report")
    task = task_from(traces, Judged(compiled=True, determinism=1.0), cost=0)
    assert (task.verdict, task.refusal.code) == ("no", "N10")


def test_what_a_model_may_work_out_is_a_candidate_that_says_so(lived):
    live, _ = lived
    traces = live("daily-report")
    task = task_from(traces, Judged(Refusal("N6", "worked out"), 0.9))
    assert (task.verdict, task.refusal.code) == ("candidate", "N6")
    assert task.month_nano < task_from(traces, Judged(None, 1.0)).month_nano


def test_determinism_tells_prose_from_figures(lived):
    live, _ = lived
    plain, prose = determinism(live("daily-report")), determinism(live("commentary"))
    assert 0.0 < prose < plain <= 1.0
    assert determinism([]) == 0.0
