"""A small one in CI; `python -m tests.soak.governed` does 300 runs, 150 and 20 kills, $100."""

from tests.soak.governed import soak


async def test_kills_of_runs_and_engine_never_break_the_cap_nor_lose_what_was_served():
    answer = await soak(12, 6, 2, "0.6usd", seed=5, pace=60)
    assert answer["wrong"] == []
    assert answer["kills"].pop("engine") == 2
    assert sum(answer["kills"].values()) == 6
    assert answer["calls_served"] > 20
