"""A small one in CI; `python -m tests.soak.ledger` does 300 runs, 150 and 20 kills."""

from tests.soak.ledger import soak


def test_kills_never_break_the_cap_nor_lose_what_was_served():
    answer = soak(runs=30, run_kills=15, owner_kills=3, cap=4.0, seed=3)
    assert answer["wrong"] == []
    assert answer["kills"] == {"run": 15, "owner": 3}
    assert answer["served"] > 1.0
