"""Pairs of runs that could be alike, found without looking at every pair.

What few runs have is looked up; of what many have only a bound is kept. No pair that could reach the
threshold is lost, unless there are so many runs that what many have may bring nobody together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

TEXT, EFFECTS, RESOURCES = 0.25, 0.35, 0.40
THRESHOLD = 0.60
BLOCKED_ABOVE = 2_000
COMMON_SHARE, COMMON_LEAST = 0.05, 50
"""A token or an effect is common when more than this share of the runs have it, and so many."""


class Compared(Protocol):
    """What of a run is looked at."""

    effects: tuple[int, ...]
    tokens: frozenset[str]
    weight: float


class Weighing(Protocol):
    """How much tokens tell."""

    def weight(self, token: str) -> float: ...


class _Own(Struct, frozen=True):
    """Of one run: its rare tokens and effects, and how much of it is common."""

    tokens: tuple[str, ...]
    effects: tuple[int, ...]
    common_weight: float
    common_effects: int
    alone: bool
    """Whether what is common could suffice."""


def candidates(kinds: Sequence[Compared], rarity: Weighing) -> Iterator[tuple[int, int]]:
    """Places of pairs, the lower first."""
    owns = _owns(kinds, rarity)
    by_token: dict[str, list[int]] = defaultdict(list)
    by_effect: dict[int, list[int]] = defaultdict(list)
    alone: list[int] = []
    for place, own in enumerate(owns):
        shared: dict[int, float] = defaultdict(float)
        hits: dict[int, int] = defaultdict(int)
        for token in own.tokens:
            weight = rarity.weight(token)
            for other in by_token[token]:
                shared[other] += weight
            by_token[token].append(place)
        for effect in own.effects:
            for other in by_effect[effect]:
                hits[other] += 1
        for effect in set(own.effects):
            by_effect[effect].append(place)
        near = shared.keys() | hits.keys()
        if own.alone:
            near = near | set(alone)
            alone.append(place)
        for other in near:
            bound = _bound(kinds, owns, place, other, shared.get(other, 0.0), hits.get(other, 0))
            if bound >= THRESHOLD:
                yield other, place


def _owns(kinds: Sequence[Compared], rarity: Weighing) -> list[_Own]:
    tokens = Counter(token for kind in kinds for token in kind.tokens)
    effects = Counter(effect for kind in kinds for effect in set(kind.effects))
    limit = max(COMMON_LEAST, COMMON_SHARE * len(kinds))
    found: list[_Own] = []
    for kind in kinds:
        rare = tuple(token for token in kind.tokens if tokens[token] <= limit)
        seldom = tuple(effect for effect in kind.effects if effects[effect] <= limit)
        common = sum(rarity.weight(token) for token in kind.tokens) - sum(map(rarity.weight, rare))
        often = len(kind.effects) - len(seldom)
        alone = len(kinds) <= BLOCKED_ABOVE and _suffices(kind, common, often)
        found.append(_Own(rare, seldom, common, often, alone))
    return found


def _suffices(kind: Compared, common: float, often: int) -> bool:
    """Whether a run that shares all that is common in this one, and no more, could be like it."""
    resources = common / kind.weight if kind.weight else 1.0
    effects = 2 * often / (often + len(kind.effects)) if kind.effects else 1.0
    return _weighed(effects, resources, touched=bool(kind.effects)) >= THRESHOLD


def _bound(
    kinds: Sequence[Compared], owns: Sequence[_Own], one: int, other: int, shared: float, hits: int
) -> float:
    """No similarity of the pair can be higher."""
    first, second = kinds[one], kinds[other]
    both = shared + min(owns[one].common_weight, owns[other].common_weight)
    whole = first.weight + second.weight - both
    resources = min(1.0, both / whole) if whole > 0 else 1.0
    if bool(first.effects) != bool(second.effects):
        return 1.0 if both else 0.0
    steps = len(first.effects) + len(second.effects)
    alike = hits + min(owns[one].common_effects, owns[other].common_effects)
    alike = min(alike, len(first.effects), len(second.effects))
    return _weighed(2 * alike / steps if steps else 0.0, resources, touched=steps > 0)


def _weighed(effects: float, resources: float, *, touched: bool) -> float:
    """The similarity with the very same words."""
    if touched:
        return TEXT + EFFECTS * effects + RESOURCES * resources
    return (TEXT + RESOURCES * resources) / (TEXT + RESOURCES)
