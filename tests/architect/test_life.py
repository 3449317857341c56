"""No road leads a script into action but the one through gates, a yes and agreement with the agent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cockpit.architect import life as l
from cockpit.architect.life import DAY, NotNowError
from cockpit.core.script import GATES, Trial

PASSED = tuple(Trial(gate, "", True) for gate in GATES)
FAILED = (*PASSED[:-1], Trial("V6", "run-1", False, "it read /etc/passwd"))


def shadowed(*, unattended=False):
    life = l.verified(l.compiled("one"), "one", PASSED)
    if unattended:
        life = l.unattended(life)
    return l.approved(life, "one", PASSED)


def active(*, unattended=False):
    life = shadowed(unattended=unattended)
    while life.stage != "active":
        life = l.agreed(life)
    return life


def test_three_agreements_adopt_a_script_and_five_one_that_nobody_watches():
    life = shadowed()
    for _ in range(2):
        life = l.agreed(life)
    assert life.stage == "shadow"
    assert l.agreed(life).stage == "active"
    life = shadowed(unattended=True)
    for _ in range(4):
        life = l.agreed(life)
    assert life.stage == "shadow"
    assert l.agreed(life).stage == "active"


def test_what_agreed_three_times_goes_back_beside_the_agent_when_it_is_scheduled():
    life = l.unattended(active())
    assert life.stage == "shadow"
    assert l.agreed(l.agreed(life)).stage == "active"


def test_a_gate_that_was_not_tried_is_not_passed():
    life = l.verified(l.compiled("one"), "one", PASSED[:-1])
    assert life.stage == "compiled"
    assert "V6" in life.reason


def test_an_edit_after_the_yes_is_not_run():
    life = active()
    assert l.may_run(life, "one") == ""
    assert "two" in l.may_run(life, "two")
    edited = l.verified(life, "two", PASSED)
    assert edited.stage == "verified"
    assert l.may_run(edited, "two")
    with pytest.raises(NotNowError, match="look again"):
        l.approved(edited, "one", PASSED)


def test_shadow_only_never_acts_however_often_it_agrees_and_does_once_approved():
    life = l.watched(l.verified(l.compiled("one"), "one", PASSED), PASSED)
    for _ in range(9):
        life = l.agreed(life)
    assert life.stage == "shadow"
    assert l.approved(life, "one", PASSED).stage == "active"


def test_an_unproven_script_may_be_watched_and_not_approved():
    unproven = PASSED[:3]
    life = l.watched(l.verified(l.compiled("one"), "one", unproven), unproven)
    with pytest.raises(NotNowError, match="not tried: V3"):
        l.approved(life, "one", unproven)
    with pytest.raises(NotNowError, match="etc/passwd"):
        l.watched(l.verified(l.compiled("one"), "one", FAILED), FAILED)


def test_two_quarantines_in_a_week_give_the_task_back():
    first = l.drifted(active(), "row count", 0)
    assert first.stage == "quarantined"
    mended = l.repaired(l.repairing(first, 1), "two", "")
    assert mended.stage == "active"
    assert l.drifted(mended, "row count", 6 * DAY).stage == "retired"
    assert l.drifted(mended, "row count", 8 * DAY).stage == "quarantined"


def test_a_value_that_is_known_for_some_dates_only_does_not_count_as_breakage():
    life = active()
    for day in range(5):
        life = l.drifted(life, "known for 2026-11 only", day * DAY, learning=True)
        life = l.repaired(l.repairing(life, day * DAY), f"c{day}", "")
        assert life.stage == "active"


def test_one_repair_a_day():
    life = l.beyond_repair(l.repairing(l.drifted(active(), "x", 0), 0), "nothing compiles")
    assert l.may_be_repaired(life, DAY - 1)
    assert not l.may_be_repaired(life, DAY)


def test_a_repair_that_a_person_must_look_at_waits():
    life = l.repaired(l.repairing(l.drifted(active(), "x", 0), 1), "two", "it wants another host")
    assert (life.stage, life.reason) == ("verified", "it wants another host")
    assert l.approved(life, "two", PASSED).stage == "approved"


def test_a_repair_of_what_was_never_adopted_begins_beside_the_agent_again():
    life = l.drifted(l.agreed(shadowed()), "x", 0)
    life = l.repaired(l.repairing(life, 1), "two", "")
    assert (life.stage, life.agreeing, life.approved) == ("shadow", 0, "two")


def test_a_silent_difference_counts_as_breakage_even_in_shadow():
    life = l.disagreed(shadowed(), "reports/a.md differs", 0)
    assert life.stage == "quarantined"
    life = l.repaired(l.repairing(life, 1), "two", "")
    assert l.disagreed(life, "reports/a.md differs", 2).stage == "retired"


def test_every_twentieth_run_is_audited():
    life, audited = active(), []
    for _ in range(40):
        audited.append(l.is_audited(life))
        life = l.ran(life)
    assert [number for number, each in enumerate(audited) if each] == [19, 39]


class AnyLife(RuleBasedStateMachine):
    """Whatever happens in whatever order."""

    def __init__(self):
        super().__init__()
        self.life = l.compiled("c0")
        self.said_yes = set()
        self.proven = {}
        self.now = 0
        self.made = 0

    def step(self, do):
        try:
            self.life = do()
        except NotNowError:
            return False
        return True

    @rule(passed=st.booleans(), same=st.booleans())
    def verify(self, passed, same):
        self.made += 1
        content = self.life.content if same else f"c{self.made}"
        self.proven[content] = PASSED if passed else FAILED
        self.step(lambda: l.verified(self.life, content, self.proven[content]))

    @rule()
    def approve(self):
        content = self.life.content
        if self.step(lambda: l.approved(self.life, content, self.proven.get(content, ()))):
            self.said_yes.add(content)

    @rule()
    def watch(self):
        self.step(lambda: l.watched(self.life, self.proven.get(self.life.content, ())))

    @rule(good=st.booleans())
    def compare(self, good):
        if self.life.stage in (*l.WATCHED, "active"):
            self.life = l.agreed(self.life) if good else l.disagreed(self.life, "differs", self.now)

    @rule(learning=st.booleans())
    def drift(self, learning):
        if self.life.stage in (*l.WATCHED, "active"):
            self.life = l.drifted(self.life, "drift", self.now, learning=learning)

    @rule(review=st.sampled_from(["", "another host"]), found=st.booleans())
    def repair(self, review, found):
        if not self.step(lambda: l.repairing(self.life, self.now)):
            return
        if not found:
            self.life = l.beyond_repair(self.life, "nothing compiles")
            return
        self.made += 1
        content, before = f"c{self.made}", self.life
        self.proven[content] = PASSED
        self.life = l.repaired(self.life, content, review)
        if not review and before.approved == before.content:
            self.said_yes.add(content)

    @rule(hours=st.integers(1, 100))
    def wait(self, hours):
        self.now += hours * 3_600_000

    @rule()
    def schedule(self):
        self.life = l.unattended(self.life)

    @invariant()
    def only_the_approved_acts(self):
        if self.life.stage == "active":
            assert self.life.content == self.life.approved
            assert self.life.content in self.said_yes
            assert not l.why_not(self.proven[self.life.content])


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@settings(deadline=None)
@given(st.lists(st.sampled_from(GATES)))
def test_passing_needs_every_gate(gates):
    trials = tuple(Trial(gate, "", True) for gate in gates)
    assert (l.why_not(trials) == "") == (set(gates) == set(GATES))
