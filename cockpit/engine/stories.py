"""Whole stories of runs, with their sub-agents', read from their sources when somebody needs them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.engine.library import Library, Place
from cockpit.engine.traces import story_of

ANCESTORS_LIMIT = 16


class Family(Struct, frozen=True):
    """The sources that tell of a run and of its sub-agents; of a database `root` is its path."""

    root: str
    agent: str
    places: tuple[Place, ...]

    @property
    def signature(self) -> str:
        """Changes whenever one of the sources does."""
        told = (f"{each.source.path}:{each.size}:{each.modified_ns}" for each in self.places)
        return "\n".join(sorted(told))

    @property
    def changed(self) -> int:
        """When the newest of its sources was last written (ms)."""
        return max(each.modified_ns for each in self.places) // 1_000_000


def families(library: Library) -> dict[str, Family]:
    """Everything that can be read, by the run it begins with."""
    places = library.places()
    parents = {each.source.run: each.source.parent for each in places if each.source.parent}
    members: dict[str, list[Place]] = defaultdict(list)
    for each in places:
        source = each.source
        known = source.run or (f"{source.agent}/{source.session}" if source.session else "")
        members[_root(known or source.path, parents)].append(each)
    return {
        root: Family(root, found[0].adapter.name, tuple(found)) for root, found in members.items()
    }


def told(family: Family) -> dict[str, list[e.Event]]:
    """The stories of a family by its runs without a parent: one, or all that a database holds."""
    events: list[e.Event] = []
    for place in family.places:
        try:
            events += story_of(place)
        except OSError:
            continue
    return by_root(events)


def by_root(events: Iterable[e.Event]) -> dict[str, list[e.Event]]:
    """Events with those of sub-agents under the run that began it all."""
    every = list(events)
    parents = {
        event.run: event.parent for event in every if isinstance(event, e.RunSeen) and event.parent
    }
    found: dict[str, list[e.Event]] = defaultdict(list)
    for event in every:
        found[_root(event.run, parents)].append(event)
    return found


def _root(run: str, parents: Mapping[str, str | None]) -> str:
    for _ in range(ANCESTORS_LIMIT):
        above = parents.get(run)
        if not above:
            break
        run = above
    return run


def story(library: Library, found: Iterable[str]) -> tuple[list[e.Event], str, str] | None:
    """What the transcripts of one run tell: its events under one name, the name, and the agent's.

    An agent that was resumed may have written several; they are told as one run.
    """
    wanted = list(found)
    if not wanted:
        return None
    known = families(library)
    own = [known[run] for run in wanted if run in known]
    own = own or [family for family in known.values() if _is_of(family, wanted)]
    events = list(
        chain.from_iterable(
            story for family in own for run, story in told(family).items() if run in wanted
        )
    )
    if not events:
        return None
    name = wanted[-1]
    renamed = dict.fromkeys(wanted, name)
    return [_under(event, renamed) for event in events], name, own[0].agent


def _is_of(family: Family, wanted: list[str]) -> bool:
    """Whether a database of many runs may hold these."""
    return not family.places[0].source.run and any(
        run.startswith(f"{family.agent}/") for run in wanted
    )


def _under(event: e.Event, renamed: Mapping[str, str]) -> e.Event:
    name = renamed.get(event.run)
    return event if name is None or name == event.run else replace(event, run=name)
