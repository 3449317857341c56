"""Average linkage that looks at few pairs, held against one that looks at all of them."""

import random
from itertools import combinations

import pytest

from cockpit.architect.linkage import SAMPLED, THRESHOLD, Linkage, spread


def places(chance, count):
    """Points on a line, a few around each of some middles."""
    middles = [chance.uniform(0, 12) for _ in range(max(2, count // 6))]
    return [chance.choice(middles) + chance.gauss(0, 0.25) for _ in range(count)]


def alike(points):
    return lambda one, other: max(0.0, 1 - abs(points[one] - points[other]))


def every_pair(points):
    """Merges the two nearest clusters for as long as they are near enough."""
    told, groups = alike(points), [[place] for place in range(len(points))]

    def mean(one, other):
        return sum(told(a, b) for a in one for b in other) / (len(one) * len(other))

    while len(groups) > 1:
        one, other = max(combinations(groups, 2), key=lambda pair: mean(*pair))
        if mean(one, other) < THRESHOLD:
            break
        groups.remove(other)
        one += other
    return {frozenset(group) for group in groups}


def linkage(points, slack, asked):
    told = alike(points)

    def counted(one, other):
        asked.append((one, other))
        return told(one, other)

    near = [
        (one, other, told(one, other) + slack)
        for one, other in combinations(range(len(points)), 2)
        if told(one, other) + slack >= THRESHOLD
    ]
    return Linkage([1] * len(points), near, counted)


@pytest.mark.parametrize("slack", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("seed", range(12))
def test_it_finds_what_looking_at_every_pair_finds(seed, slack):
    points = places(random.Random(seed), 40)
    asked = []
    found = linkage(points, slack, asked).clusters()
    assert {frozenset(group) for group in found} == every_pair(points)
    assert len(asked) == len(set(asked)) < 40 * 39 / 2


def test_what_is_there_often_weighs_more():
    """The middle one is near both; the left one is there ten times, the mean of both is its."""
    similar = {(0, 1): 0.9, (0, 2): 0.3, (1, 2): 0.7}
    for weights, together in (([10, 1, 1], {0, 1}), ([1, 10, 1], {0, 1, 2})):
        near = [(*pair, value) for pair, value in similar.items() if value >= THRESHOLD]
        found = Linkage(weights, near, lambda one, other: similar[one, other]).clusters()
        assert together in [set(group) for group in found]


def test_nothing_near_nothing_merged():
    assert Linkage([1, 1], [], lambda one, other: 1 / 0).clusters() == [[0], [1]]


def test_some_of_many_evenly():
    assert spread(range(100), 3) == [0, 50, 99]
    assert spread([1, 2], SAMPLED) == [1, 2]
    assert spread(range(9), 1) == [0]
