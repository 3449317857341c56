"""Which runs did the same: weighted similarity, average linkage, one run after the other where need be.

Two clusters merge where their runs are alike by `THRESHOLD` on average. That asks for one pair at
least that is so alike, and a pair's effects and resources tell soon that it cannot be: so only runs
that such pairs connect are ever compared as a whole, and nothing is lost by it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace
from rapidfuzz import fuzz, process
from rapidfuzz.distance import LCSseq

from cockpit.architect.candidates import EFFECTS, RESOURCES, TEXT, THRESHOLD, candidates
from cockpit.architect.profile import Profile, widened

SAME_KEY = 85.0
SAME_WORDS = 0.90
"""Of runs that touched nothing the words alone must be alike by this."""
HOW_SHARE = 0.4
"""What a run read with tells less than what it read: `cat` or `sed` is a habit of its agent."""
IDLE_WORDS = 0.5
"""The words of a run that found nothing to do must be alike by this to what others did."""
SAMPLED = 12
"""So many members of a cluster a new run is held against, the latest first."""
LEAST_RUNS = 3


class _Kind(Struct, eq=False):
    """Runs with the very same words, effects and resources."""

    text: str
    effects: tuple[int, ...]
    tokens: frozenset[str]
    weight: float
    members: list[Profile]


class Rarity:
    """How much each token tells: a token of every run tells little."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._count = max(1, len(profiles))
        self._held = Counter(token for one in profiles for token in one.resources)
        self._weights: dict[str, float] = {}

    def weight(self, token: str) -> float:
        found = self._weights.get(token)
        if found is None:
            share = HOW_SHARE if token.startswith("cmd:") else 1.0
            told = math.log(1 + self._count / max(1, self._held[token]))
            found = self._weights[token] = share * told
        return found

    def total(self, tokens: Iterable[str]) -> float:
        return sum(map(self.weight, tokens))


class Folding:
    """Names of files that no second run has, and names in folders where others loop, become `*`."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        told = [set(one.effects) | set(one.resources) for one in profiles]
        self._held = Counter(name for names in told for name in names)

    def folded(self, profiles: Iterable[Profile]) -> dict[str, Profile]:
        """The profiles by run, as they are compared."""
        return {one.run: self._fold(one) for one in profiles}

    def _fold(self, one: Profile) -> Profile:
        effects = [self._name(key) for key in one.effects]
        once = [key for key, before in zip(effects, ["", *effects], strict=False) if key != before]
        resources = {self._name(token) for token in one.resources}
        return replace(one, effects=tuple(once), resources=tuple(sorted(resources)))

    def _name(self, told: str) -> str:
        wide = widened(told)
        return wide if self._held[told] == 1 or self._held[wide] > 1 else told


class Keys:
    """Effect keys by number: those that are alike by `SAME_KEY` have the number of the most usual one."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._numbers: dict[str, int] = {}
        leaders: dict[str, list[str]] = defaultdict(list)
        for key, _ in Counter(key for one in profiles for key in one.effects).most_common():
            known = leaders[key.partition(" ")[0]]
            found = process.extractOne(key, known, scorer=fuzz.ratio, score_cutoff=SAME_KEY)
            if found is None:
                known.append(key)
            self._numbers[key] = self._numbers[found[0]] if found else len(self._numbers)

    def numbers(self, effects: Iterable[str]) -> tuple[int, ...]:
        """The keys as numbers."""
        return tuple(self._numbers[key] for key in effects)


def similarity(one: Profile, other: Profile, among: Sequence[Profile] = ()) -> float:
    """How alike two runs are, 0 to 1; `among` are the runs that tell what is rare."""
    every = [one, other, *(each for each in among if each.run not in (one.run, other.run))]
    folded = Folding(every).folded(every)
    forms = list(folded.values())
    rarity, keys = Rarity(forms), Keys(forms)
    return _alike(
        _kind(folded[one.run], keys, rarity), _kind(folded[other.run], keys, rarity), rarity
    )


def _kind(one: Profile, keys: Keys, rarity: Rarity) -> _Kind:
    tokens = frozenset(one.resources)
    return _Kind(one.text, keys.numbers(one.effects), tokens, rarity.total(tokens), [one])


def _alike(one: _Kind, other: _Kind, rarity: Rarity, least: float = 0.0) -> float:
    """The similarity; what cannot reach `least` may come out as 0."""
    if bool(one.effects) != bool(other.effects):
        return _idle(one, other, _words(one, other), rarity)
    work = RESOURCES * _resources(one, other, rarity)
    if one.effects:
        if TEXT + EFFECTS + work < least:
            return 0.0
        work += EFFECTS * LCSseq.similarity(one.effects, other.effects) * 2 / (
            len(one.effects) + len(other.effects)
        )  # fmt: skip
        return 0.0 if TEXT + work < least else TEXT * _words(one, other) + work
    if one.tokens or other.tokens:
        return (TEXT * _words(one, other) + work) / (TEXT + RESOURCES)
    text = _words(one, other)
    return text if text >= SAME_WORDS else 0.0


def _words(one: _Kind, other: _Kind) -> float:
    return fuzz.token_set_ratio(one.text, other.text) / 100


def _idle(one: _Kind, other: _Kind, text: float, rarity: Rarity) -> float:
    """Where only one of both changed anything the other may have found nothing to do: by what was read."""
    if text < IDLE_WORDS:
        return 0.0
    read, also = _sources(one.tokens), _sources(other.tokens)
    whole = rarity.total(read | also)
    share = rarity.total(read & also) / whole if whole else 0.0
    return (TEXT * text + RESOURCES * share) / (TEXT + RESOURCES)


def _sources(tokens: frozenset[str]) -> frozenset[str]:
    return frozenset(token for token in tokens if not token.startswith(("out:", "fx:")))


def _resources(one: _Kind, other: _Kind, rarity: Rarity) -> float:
    shared = rarity.total(one.tokens & other.tokens)
    whole = one.weight + other.weight - shared
    return shared / whole if whole else 0.0


# --- all runs at once


def clusters(profiles: Sequence[Profile]) -> list[list[Profile]]:
    """The runs grouped by what they did, oldest first in each group, every run in one of them."""
    folded = Folding(profiles).folded(profiles)
    rarity, keys = Rarity(list(folded.values())), Keys(folded.values())
    kinds = _kinds(profiles, folded, keys, rarity)
    found: list[list[Profile]] = []
    for component in _components(kinds, rarity):
        for merged in _linked([kinds[place] for place in component], rarity):
            members = [one for kind in merged for one in kind.members]
            found += _by_project(sorted(members, key=_moment))
    return sorted(found, key=lambda group: (-len(group), _moment(group[0])))


def _kinds(
    profiles: Sequence[Profile], folded: Mapping[str, Profile], keys: Keys, rarity: Rarity
) -> list[_Kind]:
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], _Kind] = {}
    for one in profiles:
        form = folded[one.run]
        name = (form.text, form.effects, form.resources)
        if name in found:
            found[name].members.append(one)
        else:
            found[name] = _kind(form, keys, rarity)
            found[name].members[:] = [one]
    return list(found.values())


def _components(kinds: Sequence[_Kind], rarity: Rarity) -> list[list[int]]:
    """Places of kinds that a chain of pairs which are alike connects."""
    parents = list(range(len(kinds)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for one, other in candidates(kinds, rarity):
        first, second = root(one), root(other)
        if first != second and _alike(kinds[one], kinds[other], rarity, THRESHOLD) >= THRESHOLD:
            parents[second] = first
    found: dict[int, list[int]] = defaultdict(list)
    for place in range(len(kinds)):
        found[root(place)].append(place)
    return list(found.values())


def _linked(kinds: Sequence[_Kind], rarity: Rarity) -> list[list[_Kind]]:
    """Average linkage down to the threshold, along chains of nearest neighbours."""
    rows = _matrix(kinds, rarity)
    merged = {place: [kind] for place, kind in enumerate(kinds)}
    sizes = {place: len(kind.members) for place, kind in enumerate(kinds)}
    open_ = set(merged)
    chain: list[int] = []
    while open_:
        if not chain:
            chain.append(next(iter(open_)))
        here = chain[-1]
        before = chain[-2] if len(chain) > 1 else -1
        nearest, value = _nearest(rows[here], before)
        if value < THRESHOLD:
            chain.clear()
            open_.discard(here)
        elif nearest == before:
            _merge(here, before, rows, sizes)
            merged[before] += merged.pop(here)
            open_.discard(here)
            open_.add(before)
            del chain[-2:]
        else:
            chain.append(nearest)
    return list(merged.values())


def _matrix(kinds: Sequence[_Kind], rarity: Rarity) -> dict[int, dict[int, float]]:
    rows: dict[int, dict[int, float]] = {place: {} for place in range(len(kinds))}
    for place, one in enumerate(kinds):
        for other in range(place):
            rows[place][other] = rows[other][place] = _alike(one, kinds[other], rarity)
    return rows


def _nearest(row: Mapping[int, float], before: int) -> tuple[int, float]:
    """The most similar; where two are equally so, the one we came from."""
    best, value = -1, -1.0
    for other, alike in row.items():
        if alike > value or (alike == value and other == before):
            best, value = other, alike
    return best, value


def _merge(gone: int, kept: int, rows: dict[int, dict[int, float]], sizes: dict[int, int]) -> None:
    """The row of the kept one becomes the average over both."""
    lost, row = rows.pop(gone), rows[kept]
    part, whole = sizes[gone], sizes[gone] + sizes[kept]
    del row[gone]
    for other, alike in row.items():
        mean = (alike * sizes[kept] + lost[other] * part) / whole
        row[other] = rows[other][kept] = mean
        del rows[other][gone]
    sizes[kept] = whole


def _by_project(group: list[Profile]) -> list[list[Profile]]:
    """A task belongs to one project: where several repeat it, each has its own."""
    counts = Counter(one.project for one in group)
    own = [project for project, count in counts.items() if count >= LEAST_RUNS]
    if len(own) < 2:
        return [group]
    most = max(own, key=lambda project: counts[project])
    parts: dict[str, list[Profile]] = defaultdict(list)
    for one in group:
        parts[one.project if one.project in own else most].append(one)
    return list(parts.values())


# --- one run after the other


def joins(one: Profile, groups: Sequence[Sequence[Profile]]) -> int | None:
    """The place of the group that a new run belongs to, None where it is the first of its kind."""
    every = [one, *(member for group in groups for member in group)]
    folded = Folding(every).folded(every)
    rarity, keys = Rarity(list(folded.values())), Keys(folded.values())
    kind = _kind(folded[one.run], keys, rarity)
    best, value = None, 0.0
    for place, group in enumerate(groups):
        sample = [_kind(folded[other.run], keys, rarity) for other in list(group)[-SAMPLED:]]
        alike = [_alike(kind, other, rarity) for other in sample]
        mean = sum(alike) / len(alike) if alike else 0.0
        if mean >= THRESHOLD and mean > value:
            best, value = place, mean
    return best


def _moment(one: Profile) -> tuple[int, str]:
    return one.began, one.run
