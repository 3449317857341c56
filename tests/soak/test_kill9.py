"""Three kills in CI; `python -m tests.soak.kill9` does fifty."""

from tests.soak.kill9 import soak


def test_three_kills_lose_nothing_and_count_nothing_twice():
    answer = soak(3, seed=7)
    assert answer["wrong"] == []
    assert answer["calls"] > 20
