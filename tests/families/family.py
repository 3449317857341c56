"""A family: a world that goes on, a task that comes back, and the runs that did it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from cockpit.core.trace import Fetch, Trace, Tree, World
from tests.families.blobs import Blobs
from tests.families.hands import QUIET, CutOffError, Hands, Noise
from tests.families.place import Day, Place
from tests.families.voices import CLAUDE, VOICES, Voice
from tests.families.web import Page, Web

Group = Literal["compile", "synthesize", "refuse", "trap", "alike", "once"]
Dates = Callable[[], Iterator[datetime]]


def every(first: str, days: int = 1, *, weekdays: str = "0123456") -> Dates:
    """Local times from `first`, a step of `days`, only on the weekdays named (Monday is 0)."""

    def told() -> Iterator[datetime]:
        now = datetime.fromisoformat(first)
        while True:
            if str(now.weekday()) in weekdays:
                yield now
            now += timedelta(days=days)

    return told


def monthly(first: str) -> Dates:
    def told() -> Iterator[datetime]:
        now = datetime.fromisoformat(first)
        while True:
            yield now
            following = now.replace(day=1) + timedelta(days=32)
            now = following.replace(day=now.day)

    return told


class Family:
    """One repeated task. A subclass furnishes the world and does the work; see `development`.

    `expects` is what a fair judge would accept: "compiled", "synthesized" or refusal codes.
    """

    name: ClassVar[str]
    group: ClassVar[Group]
    expects: ClassVar[tuple[str, ...]] = ("compiled",)
    prompts: ClassVar[tuple[str, ...]]
    dates: ClassVar[Dates] = staticmethod(every("2026-03-02T08:10", weekdays="01234"))
    runs: ClassVar[int] = 8
    zone: ClassVar[str] = "UTC"
    folder: ClassVar[str] = "project"
    agents: ClassVar[tuple[Voice, ...]] = VOICES
    alike: ClassVar[str] = ""
    """Families with the same word here look alike and are not."""

    def begin(self, place: Place, chance: random.Random) -> None:
        """What is there before the first run."""

    def prepare(self, place: Place, day: Day, chance: random.Random) -> None:
        """What the world did since the run before."""

    def work(self, hands: Hands, day: Day) -> None:
        """The task, by somebody who knows how."""
        raise NotImplementedError

    def prompt(self, day: Day, chance: random.Random) -> str:
        return chance.choice(self.prompts).format(date=day, day=day)

    def turns(self, day: Day, chance: random.Random) -> tuple[str, ...]:
        return (self.prompt(day, chance),)

    def days(self, count: int) -> list[Day]:
        zone = ZoneInfo(self.zone)
        told = self.dates()
        return [Day(number, next(told).replace(tzinfo=zone)) for number in range(count)]


@dataclass
class Occasion:
    """One run of a family, and the world it met: `pages` is the whole web of that day."""

    family: Family
    day: Day
    trace: Trace
    pages: dict[str, Page]
    held_back: bool = False


@dataclass
class Recorded:
    family: Family
    seed: int
    place: Place
    occasions: list[Occasion] = field(default_factory=list)
    abandoned: list[Trace] = field(default_factory=list)

    @property
    def traces(self) -> list[Trace]:
        return [one.trace for one in self.occasions if not one.held_back]

    @property
    def later(self) -> list[Occasion]:
        return [one for one in self.occasions if one.held_back]


def record(
    family: Family, base: Path, web: Web, blobs: Blobs, seed: int = 1, later: int = 0
) -> Recorded:
    """Live through the family's days; the last `later` of them are kept from whoever compiles."""
    place = Place(base / f"{family.name}-{seed}", family.folder, web, blobs)
    recorded = Recorded(family, seed, place)
    count = family.runs + (later if family.runs > 1 else 0)
    days = family.days(count)
    web.pages.clear()
    family.begin(place, random.Random(f"begin {family.name} {seed}"))
    main_agent = random.Random(f"agent {family.name} {seed}").choice(family.agents)
    for day in days:
        chance = random.Random(f"world {family.name} {seed} {day.number}")
        place.clock(day.now)
        family.prepare(place, day, chance)
        occasion = _live(family, place, day, seed, main_agent, recorded)
        occasion.held_back = day.number >= family.runs
        recorded.occasions.append(occasion)
    return recorded


def _live(
    family: Family, place: Place, day: Day, seed: int, main: Voice, recorded: Recorded
) -> Occasion:
    chance = random.Random(f"run {family.name} {seed} {day.number}")
    before = place.tree()
    if family.runs > 1 and chance.random() < 0.08:
        patience = chance.randint(1, 3)
        recorded.abandoned.append(_run(family, place, day, seed, main, chance, before, patience))
        place.restore(before)
    voice = main if chance.random() < 0.7 else chance.choice(family.agents)
    trace = _run(family, place, day, seed, voice, chance, before, 10_000)
    return Occasion(family, day, trace, dict(place.web.pages))


def _run(
    family: Family,
    place: Place,
    day: Day,
    seed: int,
    voice: Voice,
    chance: random.Random,
    before: Tree,
    patience: int,
) -> Trace:
    hands = Hands(place, day, voice, chance, Noise(), patience=patience)
    place.web.seen.clear()
    outcome = "done"
    try:
        family.work(hands, day)
    except CutOffError:
        outcome = "stopped"
    after = place.tree()
    fetches: tuple[Fetch, ...] = place.fetched(place.web.seen, day.at)
    return Trace(
        run=f"{family.name}-{seed}-{day.number}" + ("" if outcome == "done" else "-stopped"),
        agent=voice.agent,
        began=day.at,
        ended=day.at + 60_000 + 1000 * len(hands.steps),
        zone=family.zone,
        root=str(place.root),
        project=family.folder,
        model="scripted",
        prompts=family.turns(day, chance),
        outcome=outcome,
        steps=tuple(hands.steps),
        tokens=40_000 + 1500 * len(hands.steps),
        nano=120_000_000 + 4_000_000 * len(hands.steps),
        world=World(
            root=str(place.root),
            before=before,
            after=after,
            fetches=fetches,
            environment={"LANG": "C.UTF-8", "TZ": "UTC"},
        ),
    )


def truth(family: Family, place: Place, day: Day) -> Tree:
    """What a tidy agent leaves in the world as it now is. Its errors say that the task cannot be done."""
    place.clock(day.now)
    hands = Hands(place, day, CLAUDE, random.Random(0), QUIET)
    family.work(hands, day)
    return place.tree()
