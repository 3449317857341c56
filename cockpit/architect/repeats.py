"""Which runs did the same: weighted similarity, average linkage, one run after the other where need be.

Two clusters merge where their runs are alike by `THRESHOLD` on average. That asks for one pair at
least that is so alike, and a pair's effects and resources tell soon that it cannot be: so only runs
that such pairs connect are ever compared as a whole, and nothing is lost by it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace
from rapidfuzz import fuzz

from cockpit.architect.profile import Profile, widened

TEXT, EFFECTS, RESOURCES = 0.25, 0.35, 0.40
THRESHOLD = 0.60
SAME_KEY = 85.0
SAME_WORDS = 0.90
"""Of runs that touched nothing the words alone must be alike by this."""
BLOCKED_ABOVE = 2_000
COMMON_SHARE = 0.05
"""Above that many runs, a token of more than this share of them brings nobody together."""
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

    def common(self, token: str) -> bool:
        """Whether so many runs have it that it brings nobody together."""
        return self._count > BLOCKED_ABOVE and self._held[token] > COMMON_SHARE * self._count


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
    """Effect keys by number, and which of them count as equal."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._equal: dict[tuple[int, int], bool] = {}

    def numbers(self, effects: Iterable[str]) -> tuple[int, ...]:
        """The keys as numbers."""
        return tuple(map(self._number, effects))

    def _number(self, key: str) -> int:
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._names)
            self._names.append(key)
        return found

    def equal(self, one: int, other: int) -> bool:
        if one == other:
            return True
        pair = (one, other) if one < other else (other, one)
        found = self._equal.get(pair)
        if found is None:
            found = self._equal[pair] = self._alike(self._names[one], self._names[other])
        return found

    @staticmethod
    def _alike(one: str, other: str) -> bool:
        if one.partition(" ")[0] != other.partition(" ")[0]:
            return False
        return fuzz.ratio(one, other, score_cutoff=SAME_KEY) > 0

    def neighbours(self) -> dict[int, list[int]]:
        """For every key those that count as equal, itself included."""
        found: dict[int, list[int]] = {number: [number] for number in self._numbers.values()}
        for group in self._groups():
            for place, one in enumerate(group):
                limit = len(self._names[one]) / 0.7391  # longer ones cannot be alike by 85
                for other in group[place + 1 :]:
                    if len(self._names[other]) > limit:
                        break
                    if self.equal(one, other):
                        found[one].append(other)
                        found[other].append(one)
        return found

    def _groups(self) -> Iterator[list[int]]:
        """Keys that may be alike, shortest first: of the same kind, and of many with the same start."""
        many = len(self._names) > BLOCKED_ABOVE
        groups: dict[str, list[int]] = defaultdict(list)
        for name, number in self._numbers.items():
            kind, _, target = name.partition(" ")
            groups[f"{kind} {target[:4]}" if many else kind].append(number)
        for group in groups.values():
            yield sorted(group, key=lambda number: len(self._names[number]))


def similarity(one: Profile, other: Profile, rarity: Rarity, keys: Keys | None = None) -> float:
    """How alike two runs are, 0 to 1."""
    keys = keys or Keys()
    return _alike(_kind(one, keys, rarity), _kind(other, keys, rarity), rarity, keys)


def _kind(one: Profile, keys: Keys, rarity: Rarity) -> _Kind:
    tokens = frozenset(one.resources)
    return _Kind(one.text, keys.numbers(one.effects), tokens, rarity.total(tokens), [one])


def _alike(one: _Kind, other: _Kind, rarity: Rarity, keys: Keys) -> float:
    text = fuzz.token_set_ratio(one.text, other.text) / 100
    if bool(one.effects) != bool(other.effects):
        return _idle(one, other, text, rarity)
    work = _work(one, other, rarity, keys)
    if one.effects:
        return TEXT * text + work
    if one.tokens or other.tokens:
        return (TEXT * text + work) / (TEXT + RESOURCES)
    return text if text >= SAME_WORDS else 0.0


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


def _work(one: _Kind, other: _Kind, rarity: Rarity, keys: Keys) -> float:
    """The share of similarity that effects and resources make."""
    return EFFECTS * _effects(one.effects, other.effects, keys) + RESOURCES * _resources(
        one, other, rarity
    )


def _resources(one: _Kind, other: _Kind, rarity: Rarity) -> float:
    shared = rarity.total(one.tokens & other.tokens)
    whole = one.weight + other.weight - shared
    return shared / whole if whole else 0.0


def _effects(one: Sequence[int], other: Sequence[int], keys: Keys) -> float:
    """Twice the longest common subsequence, for both lengths."""
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    row = [0] * (len(other) + 1)
    for key in one:
        before = 0
        for place, against in enumerate(other, 1):
            above = row[place]
            row[place] = before + 1 if keys.equal(key, against) else max(above, row[place - 1])
            before = above
    return 2 * row[-1] / (len(one) + len(other))


# --- all runs at once


def clusters(profiles: Sequence[Profile]) -> list[list[Profile]]:
    """The runs grouped by what they did, oldest first in each group, every run in one of them."""
    folded = Folding(profiles).folded(profiles)
    rarity, keys = Rarity(list(folded.values())), Keys()
    kinds = _kinds(profiles, folded, keys, rarity)
    found: list[list[Profile]] = []
    for component in _components(kinds, rarity, keys):
        for merged in _linked([kinds[place] for place in component], rarity, keys):
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


def _components(kinds: Sequence[_Kind], rarity: Rarity, keys: Keys) -> list[list[int]]:
    """Places of kinds that a chain of pairs which may be alike connects."""
    parents = list(range(len(kinds)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for one, other in _candidates(kinds, rarity, keys):
        first, second = root(one), root(other)
        if first != second and _may_be_alike(kinds[one], kinds[other], rarity, keys):
            parents[second] = first
    found: dict[int, list[int]] = defaultdict(list)
    for place in range(len(kinds)):
        found[root(place)].append(place)
    return list(found.values())


def _may_be_alike(one: _Kind, other: _Kind, rarity: Rarity, keys: Keys) -> bool:
    """Whether the pair could reach the threshold with the very same words."""
    if bool(one.effects) != bool(other.effects):
        return _idle(one, other, 1.0, rarity) >= THRESHOLD
    work = _work(one, other, rarity, keys)
    if one.effects:
        return TEXT + work >= THRESHOLD
    return (TEXT + work) / (TEXT + RESOURCES) >= THRESHOLD


def _candidates(kinds: Sequence[_Kind], rarity: Rarity, keys: Keys) -> Iterator[tuple[int, int]]:
    """Pairs with a token or an effect in common; of runs that touched nothing, all pairs."""
    near = keys.neighbours()
    by_token: dict[str, list[int]] = defaultdict(list)
    by_effect: dict[int, set[int]] = defaultdict(set)
    idle: list[int] = []
    for place, kind in enumerate(kinds):
        alike = {other for token in kind.tokens for other in by_token[token]}
        alike |= {other for effect in set(kind.effects) for other in by_effect[effect]}
        if not kind.tokens and not kind.effects:
            alike |= set(idle)
            idle.append(place)
        yield from ((other, place) for other in sorted(alike))
        for token in kind.tokens:
            if not rarity.common(token):
                by_token[token].append(place)
        for effect in {equal for key in kind.effects for equal in near[key]}:
            by_effect[effect].add(place)


def _linked(kinds: Sequence[_Kind], rarity: Rarity, keys: Keys) -> list[list[_Kind]]:
    """Average linkage down to the threshold, along chains of nearest neighbours."""
    rows = _matrix(kinds, rarity, keys)
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


def _matrix(kinds: Sequence[_Kind], rarity: Rarity, keys: Keys) -> dict[int, dict[int, float]]:
    rows: dict[int, dict[int, float]] = {place: {} for place in range(len(kinds))}
    for place, one in enumerate(kinds):
        for other in range(place):
            rows[place][other] = rows[other][place] = _alike(one, kinds[other], rarity, keys)
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
    rarity, keys = Rarity(list(folded.values())), Keys()
    kind = _kind(folded[one.run], keys, rarity)
    best, value = None, 0.0
    for place, group in enumerate(groups):
        sample = [_kind(folded[other.run], keys, rarity) for other in list(group)[-SAMPLED:]]
        alike = [_alike(kind, other, rarity, keys) for other in sample]
        mean = sum(alike) / len(alike) if alike else 0.0
        if mean >= THRESHOLD and mean > value:
            best, value = place, mean
    return best


def _moment(one: Profile) -> tuple[int, str]:
    return one.began, one.run
