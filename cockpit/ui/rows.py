"""Which runs the table shows and in which order: pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from cockpit.core.fleet import LIVE, Claim, Fleet, Run, burn_per_hour, claim, clock_of

Sort = Literal["attention", "left", "spent", "burn", "name", "age"]
SORTS: tuple[Sort, ...] = ("attention", "left", "spent", "burn", "name", "age")

RANKS = {
    "stop failed": 0,
    "asks": 1,
    "halted": 2,
    "deferred": 2,
    "stuck": 3,
    "stopping": 4,
    "running": 5,
    "held": 5,
    "waiting": 6,
    "idle": 7,
    "stopped": 8,
    "ended": 9,
}
"""What needs a person comes first."""

_NEVER = 1 << 62
_Key = tuple[int | str, ...]


class Row(Struct, frozen=True):
    """A line of the table; `tree` is the glyph that hangs a sub-agent under its parent."""

    run: Run
    claim: Claim
    tree: str = ""


class Term(Struct, frozen=True):
    """One word of a filter; `field` is empty for words that may stand anywhere."""

    field: str
    text: str
    wanted: bool = True


FIELDS = ("name", "agent", "model", "project", "branch", "state")


def terms(query: str) -> list[Term]:
    """The words of a filter: `text`, `state:stuck`, `-agent:codex`; all must hold."""
    found = []
    for word in query.casefold().split():
        wanted = not word.startswith("-") or word == "-"
        field, colon, text = (word if wanted else word[1:]).partition(":")
        if colon and field in FIELDS:
            found.append(Term(field, text, wanted))
        else:
            found.append(Term("", word if wanted else word[1:], wanted))
    return found


def matches(run: Run, state: str, wanted: Sequence[Term]) -> bool:
    """Whether a run passes every term."""
    if not wanted:
        return True
    said = {
        "name": run.name.casefold(),
        "agent": run.agent.casefold(),
        "model": run.model.casefold(),
        "project": run.project.casefold(),
        "branch": run.branch.casefold(),
        "state": state,
    }
    everything = "\n".join(said.values())
    return all((term.text in said.get(term.field, everything)) == term.wanted for term in wanted)


def arrange(
    fleet: Fleet, now: int, *, sort: Sort = "attention", query: str = "", held: Sequence[str] = ()
) -> list[Row]:
    """The rows of the table, sub-agents under their parents.

    With `held` (run ids of the rows as they stand) known rows keep their places and new ones come
    last: nothing moves under the operator's finger while a stop is pending.
    """
    claims = {id_: claim(run, now) for id_, run in fleet.runs.items()}
    wanted = terms(query)
    shown = {id_: run for id_, run in fleet.runs.items() if matches(run, claims[id_].state, wanted)}
    below: dict[str, list[str]] = {}
    tops: list[str] = []
    for id_, run in shown.items():
        if run.parent in shown and not _own_ancestor(run, shown):
            below.setdefault(run.parent or "", []).append(id_)
        else:
            tops.append(id_)
    places = {id_: place for place, id_ in enumerate(held)}

    def key(id_: str) -> _Key:
        own = _key(shown[id_], claims[id_], now, sort)
        if places:
            return (places.get(id_, _NEVER), *own)
        return min([own, *(key(child) for child in below.get(id_, ()))]) if below else own

    rows: list[Row] = []
    _hang(tops, "", key, below, rows, shown, claims)
    return rows


def _own_ancestor(run: Run, shown: Mapping[str, Run]) -> bool:
    """Whether following parents from here never ends: such runs are shown flat."""
    seen = {run.id}
    while run.parent is not None and run.parent in shown:
        if run.parent in seen:
            return True
        seen.add(run.parent)
        run = shown[run.parent]
    return False


def _hang(
    ids: list[str],
    stem: str,
    key: Callable[[str], _Key],
    below: Mapping[str, list[str]],
    rows: list[Row],
    shown: Mapping[str, Run],
    claims: Mapping[str, Claim],
    depth: int = 0,
) -> None:
    ids.sort(key=key)
    for place, id_ in enumerate(ids):
        last = place == len(ids) - 1
        tree = "" if not depth else stem + ("└ " if last else "├ ")
        rows.append(Row(shown[id_], claims[id_], tree))
        if id_ in below:
            under = "" if not depth else stem + ("  " if last else "│ ")
            _hang(below[id_], under, key, below, rows, shown, claims, depth + 1)


def _key(run: Run, said: Claim, now: int, sort: Sort) -> _Key:
    """Sort key of one run; ties go to the younger one, so that rows do not dance."""
    tie = (-run.started, run.id)
    rank = RANKS[said.state]
    match sort:
        case "attention":
            return (rank, *tie)
        case "left":
            left = clock_of(run, now).left_ms
            return (0 if said.state in LIVE else 1, _NEVER if left is None else left, *tie)
        case "spent":
            return (-run.nano, *tie)
        case "burn":
            return (-burn_per_hour(run, now), *tie)
        case "name":
            return (run.name.casefold(), *tie)
        case "age":
            return tie
