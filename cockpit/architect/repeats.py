"""Which runs did the same: weighted similarity, average linkage, one run after the other where need be.

Two clusters merge where their runs are alike by `THRESHOLD` on average. That asks for one pair at
least that is so alike, and a pair's effects and resources tell soon that it cannot be: words, which
cost most, are compared only where a merge depends on them, and nothing is lost by it. Where nearly all
runs are alike (hundreds of changes to the same few files) some are compared, and the others join them.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from rapidfuzz import fuzz, process
from rapidfuzz.distance import LCSseq

from cockpit.architect.candidates import EFFECTS, RESOURCES, TEXT, candidates
from cockpit.architect.folding import Folding
from cockpit.architect.linkage import SAMPLED, THRESHOLD, Linkage, spread
from cockpit.architect.profile import Profile

SAME_KEY = 85.0
SAME_WORDS = 0.90
"""Of runs that touched nothing the words alone must be alike by this."""
HOW_SHARE = 0.4
"""What a run read with tells less than what it read: `cat` or `sed` is a habit of its agent."""
IDLE_WORDS = 0.5
"""The words of a run that found nothing to do must be alike by this to what others did."""
PROBED = 200
"""So many runs tell how many pairs of all could be alike."""
PAIRS = 60_000
"""About so many pairs are compared at once."""
LEAST_RUNS = 3


class _Kind(Struct, eq=False):
    """Runs with the very same words, effects and resources."""

    text: str
    effects: str
    """A character for each."""
    tokens: frozenset[str]
    weight: float
    members: list[Profile]


class Rarity:
    """How much each token of these runs tells: one that all of them have tells little."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        count = max(1, len(profiles))
        held = Counter(token for one in profiles for token in one.resources)
        weights = {
            token: (HOW_SHARE if token.startswith("cmd:") else 1.0) * math.log(1 + count / runs)
            for token, runs in held.items()
        }
        self.weight = weights.__getitem__

    def total(self, tokens: Iterable[str]) -> float:
        """The weight of them all."""
        return sum(map(self.weight, tokens))


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

    def letters(self, effects: Iterable[str]) -> str:
        """The keys, a character for each: texts are compared much faster than numbers."""
        return "".join(chr(self._numbers[key]) for key in effects)


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
    return _Kind(one.text, keys.letters(one.effects), tokens, rarity.total(tokens), [one])


def _alike(one: _Kind, other: _Kind, rarity: Rarity) -> float:
    """The similarity."""
    if bool(one.effects) != bool(other.effects):
        return _idle(one, other, _words(one, other), rarity)
    if one.effects:
        return TEXT * _words(one, other) + _work(one, other, rarity)
    if one.tokens or other.tokens:
        text, work = _words(one, other), _resources(one, other, rarity)
        return (TEXT * text + RESOURCES * work) / (TEXT + RESOURCES)
    text = _words(one, other)
    return text if text >= SAME_WORDS else 0.0


def _most(one: _Kind, other: _Kind, rarity: Rarity) -> float:
    """What the similarity cannot exceed; words are not looked at where effects tell."""
    if one.effects and other.effects:
        return TEXT + _work(one, other, rarity)
    return _alike(one, other, rarity)


def _work(one: _Kind, other: _Kind, rarity: Rarity) -> float:
    """The part of the similarity that is not the words, of two kinds that changed something."""
    same = LCSseq.similarity(one.effects, other.effects)
    effects = 2 * same / (len(one.effects) + len(other.effects))
    return EFFECTS * effects + RESOURCES * _resources(one, other, rarity)


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
    for merged in _linked(kinds, rarity):
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


def _linked(kinds: Sequence[_Kind], rarity: Rarity) -> list[list[_Kind]]:
    """The kinds grouped; of too many that are alike only some are compared with each other."""
    few = spread(kinds, _affordable(kinds, rarity))
    linkage = Linkage(
        [len(kind.members) for kind in few],
        _near(few, rarity),
        lambda one, other: _alike(few[one], few[other], rarity),
    )
    groups = [[few[place] for place in places] for places in linkage.clusters()]
    if len(few) == len(kinds):
        return groups
    compared = set(map(id, few))
    late = [kind for kind in kinds if id(kind) not in compared]
    samples = [spread(group, SAMPLED) for group in groups]
    places = [_home(kind, samples, rarity) for kind in late]
    for kind, place in zip(late, places, strict=True):
        if place is not None:
            groups[place].append(kind)
    left = [kind for kind, place in zip(late, places, strict=True) if place is None]
    return groups + (_linked(left, rarity) if left else [])


def _affordable(kinds: Sequence[_Kind], rarity: Rarity) -> int:
    """How many of the kinds may be compared, by how many pairs of some of them could be alike."""
    if len(kinds) <= PROBED:
        return len(kinds)
    near = sum(1 for _ in _near(spread(kinds, PROBED), rarity))
    share = near / (PROBED * (PROBED - 1) / 2)
    return min(len(kinds), max(PROBED, int(math.sqrt(2 * PAIRS / share)))) if near else len(kinds)


def _near(kinds: Sequence[_Kind], rarity: Rarity) -> Iterator[tuple[int, int, float]]:
    """Pairs of places that could be alike by the threshold, and the most that each could be."""
    for one, other in candidates(kinds, rarity):
        most = _most(kinds[one], kinds[other], rarity)
        if most >= THRESHOLD:
            yield one, other, most


def _home(kind: _Kind, samples: Sequence[Sequence[_Kind]], rarity: Rarity) -> int | None:
    """The place of the group whose sample is most like the kind, None where none is enough."""
    best, value = None, 0.0
    for place, sample in enumerate(samples):
        weight = sum(len(other.members) for other in sample)
        most = sum(_most(kind, other, rarity) * len(other.members) for other in sample)
        if most < THRESHOLD * weight:
            continue
        mean = sum(_alike(kind, other, rarity) * len(other.members) for other in sample) / weight
        if mean >= THRESHOLD and mean > value:
            best, value = place, mean
    return best


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


def joined(late: Sequence[Profile], groups: Sequence[Sequence[Profile]]) -> list[list[Profile]]:
    """The groups with these runs, each in the group it is most like or the first of one of its own."""
    found = [list(group) for group in groups]
    every = [*late, *(member for group in groups for member in group)]
    folded = Folding(every).folded(every)
    rarity, keys = Rarity(list(folded.values())), Keys(folded.values())
    samples = [
        [_kind(folded[one.run], keys, rarity) for one in group[-SAMPLED:]] for group in found
    ]
    for one in late:
        kind = _kind(folded[one.run], keys, rarity)
        place = _home(kind, samples, rarity)
        if place is None:
            place = len(found)
            found.append([])
            samples.append([])
        found[place].append(one)
        samples[place] = [*samples[place], kind][-SAMPLED:]
    return found


def _moment(one: Profile) -> tuple[int, str]:
    return one.began, one.run
