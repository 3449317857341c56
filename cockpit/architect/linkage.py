"""Average linkage over pairs that could be alike: nobody asks how alike the others are.

Two clusters merge where their members are alike by `THRESHOLD` on average, the nearest first (a chain
of nearest neighbours finds them). A mean is no higher than the higher of the means it is made of: what
once fell below the threshold stays there, and a pair that was never near counts with no more than that.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

THRESHOLD = 0.60
SAMPLED = 12
"""So many members of a large cluster speak for it."""

Thing = TypeVar("Thing")


class Linkage:
    """Things by their place: `weights` says how often each is there, `alike` how alike two of them are.

    `near` are the pairs that could reach the threshold, each with what it cannot exceed.
    """

    def __init__(
        self,
        weights: Sequence[int],
        near: Iterable[tuple[int, int, float]],
        alike: Callable[[int, int], float],
    ) -> None:
        self._alike = alike
        self._seen: dict[tuple[int, int], float] = {}
        self._weights = weights
        self._sizes = dict(enumerate(weights))
        self._members = {place: [place] for place in self._sizes}
        self._rows: dict[int, dict[int, float]] = defaultdict(dict)
        self._sure: dict[int, set[int]] = defaultdict(set)
        for one, other, most in near:
            self._rows[one][other] = self._rows[other][one] = most

    def clusters(self) -> list[list[int]]:
        """The places that belong together, every place in one of the lists."""
        open_ = dict.fromkeys(place for place in self._sizes if self._rows.get(place))
        chain: list[int] = []
        while open_:
            if not chain:
                chain.append(next(iter(open_)))
            here = chain[-1]
            before = chain[-2] if len(chain) > 1 else -1
            nearest = self._nearest(here, before)
            if nearest < 0:
                chain.clear()
                del open_[here]
            elif nearest == before:
                self._merge(here, before)
                del open_[here]
                del chain[-2:]
            else:
                chain.append(nearest)
        return list(self._members.values())

    def _nearest(self, here: int, before: int) -> int:
        """The most similar, none is -1; where two are equally so, the one we came from."""
        row = self._rows[here]
        best, value = -1, THRESHOLD
        for other in sorted(row, key=row.__getitem__, reverse=True):
            if row[other] < value:
                break
            mean = self._mean(here, other)
            if mean > value or (mean == value and (best < 0 or other == before)):
                best, value = other, mean
        return best

    def _mean(self, one: int, other: int) -> float:
        """How alike two clusters are; a pair of them that is too far apart is forgotten."""
        if other in self._sure[one]:
            return self._rows[one][other]
        first, second = spread(self._members[one], SAMPLED), spread(self._members[other], SAMPLED)
        whole, total = 0.0, 0
        for here in first:
            for there in second:
                weight = self._weights[here] * self._weights[there]
                whole += weight * self._pair(here, there)
                total += weight
        mean = whole / total
        if mean < THRESHOLD:
            self._forget(one, other)
        else:
            self._put(one, other, mean, is_sure=True)
        return mean

    def _pair(self, one: int, other: int) -> float:
        pair = (one, other) if one < other else (other, one)
        found = self._seen.get(pair)
        if found is None:
            found = self._seen[pair] = self._alike(*pair)
        return found

    def _merge(self, gone: int, kept: int) -> None:
        """The row of the kept one becomes the average over both."""
        lost, row = self._rows.pop(gone), self._rows[kept]
        known, sure = self._sure.pop(gone, set()), self._sure[kept]
        part, share = self._sizes[gone], self._sizes[kept]
        for other in (lost.keys() | row.keys()) - {gone, kept}:
            whole = row.get(other, THRESHOLD) * share + lost.get(other, THRESHOLD) * part
            is_sure = other in known and other in sure
            self._forget(gone, other)
            self._forget(kept, other)
            if whole >= THRESHOLD * (share + part):
                self._put(kept, other, whole / (share + part), is_sure)
        self._forget(gone, kept)
        self._sizes[kept] = share + part
        self._members[kept] += self._members.pop(gone)

    def _put(self, one: int, other: int, mean: float, is_sure: bool) -> None:
        for here, there in ((one, other), (other, one)):
            self._rows[here][there] = mean
            if is_sure:
                self._sure[here].add(there)

    def _forget(self, one: int, other: int) -> None:
        for here, there in ((one, other), (other, one)):
            if here in self._rows:
                self._rows[here].pop(there, None)
                self._sure[here].discard(there)


def spread(things: Sequence[Thing], count: int) -> Sequence[Thing]:
    """So many of the things, evenly spread from the first to the last."""
    if len(things) <= count:
        return things
    step = (len(things) - 1) / max(1, count - 1)
    return [things[round(place * step)] for place in range(count)]
