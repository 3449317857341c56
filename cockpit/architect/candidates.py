"""Pairs of runs that could be alike, found without looking closely at every pair.

What few runs have is looked up, what many have is counted in bits. No pair that could reach the
threshold is lost, unless there are so many runs that what many have may bring nobody together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from cockpit.architect.linkage import THRESHOLD

TEXT, EFFECTS, RESOURCES = 0.25, 0.35, 0.40
BLOCKED_ABOVE = 2_000
COMMON_SHARE, COMMON_LEAST = 0.05, 50
"""A token or an effect is common when more than this share of the runs have it, and so many."""
BIT = 0.1
"""The weight of a common token that one bit stands for; it has as many as cover its weight."""


class Compared(Protocol):
    """What of a run is looked at: a character for each effect, and what it touched."""

    effects: str
    tokens: frozenset[str]
    weight: float


class Weighing(Protocol):
    """How much tokens tell."""

    def weight(self, token: str) -> float: ...


class _Own(Struct, frozen=True):
    """Of one run: its rare tokens and effects, its common tokens and all its effects as bits."""

    tokens: tuple[str, ...]
    effects: str
    common: int
    steps: int
    weight: float
    length: int
    alone: bool
    """Whether what is common could suffice."""


def candidates(kinds: Sequence[Compared], rarity: Weighing) -> Iterator[tuple[int, int]]:
    """Places of pairs, the lower first."""
    owns = _owns(kinds, rarity)
    by_token: dict[str, list[int]] = defaultdict(list)
    by_effect: dict[str, list[int]] = defaultdict(list)
    alone: list[int] = []
    for place, own in enumerate(owns):
        shared: dict[int, float] = defaultdict(float)
        for token in own.tokens:
            weight = rarity.weight(token)
            for other in by_token[token]:
                shared[other] += weight
            by_token[token].append(place)
        near = set(shared)
        for effect in set(own.effects):
            near.update(by_effect[effect])
            by_effect[effect].append(place)
        if own.alone:
            near.update(alone)
            alone.append(place)
        for other in near:
            if _bound(own, owns[other], shared.get(other, 0.0)) >= THRESHOLD:
                yield other, place


def _bound(one: _Own, other: _Own, rare: float) -> float:
    """No similarity of the pair can be higher; `rare` is the weight of the rare tokens of both."""
    shared = rare + BIT * (one.common & other.common).bit_count()
    whole = one.weight + other.weight - shared
    resources = shared / whole if whole > shared else 1.0
    if not one.length or not other.length:
        if one.length != other.length:
            return 1.0 if shared else 0.0
        return (TEXT + RESOURCES * resources) / (TEXT + RESOURCES)
    effects = 2 * (one.steps & other.steps).bit_count() / (one.length + other.length)
    return TEXT + EFFECTS * effects + RESOURCES * resources


def _owns(kinds: Sequence[Compared], rarity: Weighing) -> list[_Own]:
    tokens = Counter(token for kind in kinds for token in kind.tokens)
    effects = Counter(effect for kind in kinds for effect in set(kind.effects))
    limit = max(COMMON_LEAST, COMMON_SHARE * len(kinds))
    common = _bits({token for token, held in tokens.items() if held > limit}, rarity)
    numbers: dict[tuple[str, int], int] = {}
    found: list[_Own] = []
    for kind in kinds:
        rare = tuple(token for token in kind.tokens if token not in common)
        seldom = "".join(effect for effect in kind.effects if effects[effect] <= limit)
        often = len(kind.effects) - len(seldom)
        alone = len(kinds) <= BLOCKED_ABOVE and _suffices(kind, rare, often, rarity)
        shared = _joined(common[token] for token in kind.tokens if token in common)
        steps = _joined(1 << numbers.setdefault(step, len(numbers)) for step in _nth(kind.effects))
        found.append(_Own(rare, seldom, shared, steps, kind.weight, len(kind.effects), alone))
    return found


def _bits(tokens: Iterable[str], rarity: Weighing) -> Mapping[str, int]:
    """For each token bits of its own, as many as it weighs."""
    found, free = {}, 0
    for token in tokens:
        count = int(rarity.weight(token) / BIT) + 1
        found[token] = ((1 << count) - 1) << free
        free += count
    return found


def _joined(bits: Iterable[int]) -> int:
    whole = 0
    for some in bits:
        whole |= some
    return whole


def _nth(effects: str) -> Iterator[tuple[str, int]]:
    """Each effect with how many times it was there before."""
    before: Counter[str] = Counter()
    for effect in effects:
        yield effect, before[effect]
        before[effect] += 1


def _suffices(kind: Compared, rare: Iterable[str], often: int, rarity: Weighing) -> bool:
    """Whether a run that shares all that is common in this one, and no more, could be like it."""
    common = kind.weight - sum(map(rarity.weight, rare))
    resources = common / kind.weight if kind.weight else 1.0
    if not kind.effects:
        return (TEXT + RESOURCES * resources) / (TEXT + RESOURCES) >= THRESHOLD
    effects = 2 * often / (often + len(kind.effects))
    return TEXT + EFFECTS * effects + RESOURCES * resources >= THRESHOLD
