"""The fair test in small: what must compile does, what must not does not, and nothing is silently wrong.

All of it, with the frozen half, is `python -m tests.soak.families --set both`.
"""

import pytest

from cockpit.architect import sandbox
from tests.families.development.given import HostileValue, MostlyYesterday, Reworded
from tests.families.development.plain import FailingChecks
from tests.families.development.refused import Commentary, Reviewer
from tests.families.development.synthetic import Discounts
from tests.families.development.traps import EmptyList, TwinFields
from tests.soak.families import table

pytestmark = pytest.mark.skipif(sandbox.best() is None, reason=sandbox.why_none() or "-")


def test_some_families():
    box = sandbox.best() if sandbox._bubblewrap_missing() else sandbox.Bubblewrap()
    kinds = (FailingChecks, Commentary, Reviewer, Discounts, EmptyList, TwinFields)
    kinds += (HostileValue, MostlyYesterday, Reworded)
    rows = {row.name: row for row in table(kinds, 1, [], changes=False, sandbox=box)}
    assert {name: row.verdict for name, row in rows.items()} == {
        "failing-checks": "compiled",
        "commentary": "N4",
        "reviewer": "N5",
        "discounts": "N6",
        "empty-list": "compiled",
        "twin-fields": "compiled",
        "hostile-value": "compiled",
        "mostly-yesterday": "compiled",
        "reworded": "N5",
    }
    assert all(row.folds["WRONG"] == row.later["WRONG"] == 0 for row in rows.values())
    assert rows["failing-checks"].folds == {"exact": 8}
    assert rows["failing-checks"].later == {"exact": 3}
    assert rows["failing-checks"].gates == "all"
    assert rows["hostile-value"].later == {"refused": 3}
    assert rows["mostly-yesterday"].later == {"exact": 1, "refused": 2}
    assert rows["mostly-yesterday"].gates == rows["hostile-value"].gates == "all"
    assert rows["twin-fields"].folds == {"exact": 7, "drift": 1}
