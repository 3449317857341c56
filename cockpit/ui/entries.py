"""The story of a run as the entries of a transcript: pure, fed with events at either end."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.core.feed import notice_of
from cockpit.core.price import Mark
from cockpit.core.text import BODY_LIMIT
from cockpit.core.tokens import NO_TOKENS, Tokens

Kind = Literal[
    "prompt", "reply", "thought", "tool", "call", "question", "failure", "warning", "mark"
]
ToolState = Literal["", "running", "ok", "failed"]

TALK = ("reply", "thought", "tool")
"""What a call produces, and what its cost is written beside."""
NEAR = 64
"""How far back the words of a settled call are looked for."""

_EXIT = re.compile(
    r"\A\s*(?:(?:error|process|command)\W+)?(?:(?:exited|failed|finished) with |exit)"
    r"(?: ?exit)?(?: ?code| ?status)?:? (\d{1,3})\b",
    re.IGNORECASE,
)


class Cost(Struct, frozen=True, gc=False):
    """What the call behind an entry cost. `took_ms` is 0 when its start is unknown; `nano` None unpriced."""

    call: str
    at: int = 0
    model: str = ""
    tokens: Tokens = NO_TOKENS
    nano: int | None = None
    mark: Mark = "exact"
    took_ms: int = 0


class Entry(Struct, frozen=True, gc=False):
    """One thing that happened. `text` is what was said; of a tool the request in one line.

    `ended` is when a tool answered, 0 while it works; `exit` its exit code where it told one.
    """

    kind: Kind
    at: int
    text: str = ""
    tool: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""
    diff: str = ""
    state: ToolState = ""
    ended: int = 0
    exit: int | None = None
    cost: Cost | None = None

    @property
    def size(self) -> int:
        """Characters held."""
        return len(self.text) + len(self.arguments) + len(self.output) + len(self.diff)


class Story:
    """Entries in order, under keys that stay: an entry's key is its place plus `first`, which may be negative.

    `complete` means that the first entry is the beginning of the run. Answers and costs whose entry
    is not loaded wait in `orphans` until the page before brings it.
    """

    def __init__(self, *, complete: bool = False) -> None:
        self.entries: list[Entry] = []
        self.first = 0
        self.complete = complete
        self.orphans: list[e.Event] = []
        self.size = 0
        self._tools: dict[str, int] = {}
        self._calls: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._notes: dict[str, int] = {}
        self._turn: int | None = None

    @property
    def end(self) -> int:
        """The key that the next entry will have."""
        return self.first + len(self.entries)

    def __getitem__(self, key: int) -> Entry:
        return self.entries[key - self.first]

    def costs(self, count: int) -> list[Cost]:
        """What the last calls cost, the newest last."""
        found = (entry.cost for entry in reversed(self.entries) if entry.cost is not None)
        return list(islice(found, count))[::-1]

    # --- growing

    def extend(self, events: Iterable[e.Event]) -> set[int]:
        """Add what happened after; the keys of entries that are new or changed."""
        touched: set[int] = set()
        for event in events:
            key = self._add(event)
            if key is not None:
                touched.add(key)
        return touched

    def extend_before(self, events: Iterable[e.Event], *, complete: bool) -> int:
        """Add the page before; how many entries it made."""
        older = Story(complete=complete)
        older.extend([*events, *self.orphans])
        self.orphans = older.orphans
        for said in older._notes.keys() & self._notes.keys():
            key, later = older._notes[said], self[self._notes[said]]
            older._set(key, replace(older[key], name=later.name, ended=later.ended))
        self.first -= len(older.entries)
        self.entries[:0] = older.entries
        self.size += older.size
        self.complete = complete
        self._tools = {id_: key + self.first for id_, key in older._tools.items()} | self._tools
        self._calls = {id_: key + self.first for id_, key in older._calls.items()} | self._calls
        self._asked = {id_: key + self.first for id_, key in older._asked.items()} | self._asked
        self._notes = {said: key + self.first for said, key in older._notes.items()} | self._notes
        return len(older.entries)

    def drop_after(self, key: int) -> None:
        """Forget the entries from `key` on."""
        gone = self.entries[key - self.first :]
        del self.entries[key - self.first :]
        self.size -= sum(entry.size for entry in gone)
        self._tools = {id_: place for id_, place in self._tools.items() if place < key}
        self._calls = {id_: place for id_, place in self._calls.items() if place < key}
        self._asked = {id_: place for id_, place in self._asked.items() if place < key}
        self._notes = {said: place for said, place in self._notes.items() if place < key}
        self._turn = None

    # --- one event

    def _add(self, event: e.Event) -> int | None:
        match event:
            case e.ToolStarted():
                return self._tool_started(event)
            case e.ToolEnded():
                return self._tool_ended(event)
            case e.CallSettled():
                return self._settled(event)
            case e.ApprovalAsked():
                return self._approval_asked(event)
            case e.ApprovalAnswered():
                return self._approval_answered(event)
            case e.RunSteered():
                return self._steered(event)
        entry = entry_of(event)
        if entry is None:
            return None
        return self._put(entry)

    def _put(self, entry: Entry) -> int:
        entry = _sized(entry)
        key = self.end
        self.entries.append(entry)
        self.size += entry.size
        if entry.kind in TALK:
            self._turn = key if self._turn is None else self._turn
        elif entry.kind == "prompt":
            self._turn = None
        return key

    def _set(self, key: int, entry: Entry) -> int:
        entry = _sized(entry)
        self.size += entry.size - self[key].size
        self.entries[key - self.first] = entry
        return key

    def _tool_started(self, event: e.ToolStarted) -> int | None:
        if event.tool in self._tools:
            return None
        entry = Entry(
            "tool",
            event.at,
            event.summary,
            tool=event.tool,
            name=event.name,
            arguments=event.arguments,
            state="running",
        )
        self._tools[event.tool] = self._put(entry)
        return self._tools[event.tool]

    def _tool_ended(self, event: e.ToolEnded) -> int | None:
        key = self._tools.get(event.tool)
        if key is None and not self.complete:
            self.orphans.append(event)
            return None
        if key is None:
            begun = Entry("tool", event.at, tool=event.tool, name="answer")
            key = self._tools[event.tool] = self._put(begun)
        self._turn = None
        return self._set(key, _answered(self[key], event))

    # --- what the operator decides and says

    def _approval_asked(self, event: e.ApprovalAsked) -> int:
        said = f"{event.rule}: {event.text}"
        key = self._put(Entry("question", event.at, said, tool=event.tool, name="waits for you"))
        self._asked[event.tool] = key
        return key

    def _approval_answered(self, event: e.ApprovalAnswered) -> int | None:
        """The answer stands at its question; alone only where that is unknown."""
        key = self._asked.get(event.tool)
        if key is None and not self.complete:
            self.orphans.append(event)
            return None
        name = f"{'allowed' if event.allowed else 'denied'} by {event.by}"
        if key is None:
            return self._put(Entry("mark", event.at, name))
        return self._set(key, replace(self[key], name=name, ended=max(event.at, self[key].at)))

    def _steered(self, event: e.RunSteered) -> int | None:
        """A note is one entry: first it waits, then it says when the model was told."""
        key = self._notes.get(event.text)
        name = f"{'told by' if event.delivered else 'said, waits for'} {event.channel}"
        if key is None or not event.delivered:
            key = self._put(Entry("prompt", event.at, event.text, name=name))
        else:
            self._set(key, replace(self[key], name=name, ended=event.delivered))
        self._notes[event.text] = key
        return key

    def _settled(self, event: e.CallSettled) -> int | None:
        key = self._calls.get(event.call)
        if key is None:
            key = self._spoken()
        if key is None:
            key = self._put(Entry("call", event.at))
        elif key < self.first:
            self.orphans.append(event)
            return None
        self._turn = None
        self._calls[event.call] = key
        return self._set(key, replace(self[key], cost=_cost(self[key].cost, event)))

    def _spoken(self) -> int | None:
        """The entry that the call now settling began with: the first words nobody paid for yet.

        A key below `first` when those words are on the page before.
        """
        if self._turn is not None and self[self._turn].cost is None:
            return self._turn
        for key in range(self.end - 1, max(self.first, self.end - NEAR) - 1, -1):
            entry = self[key]
            if entry.kind == "prompt" or entry.cost is not None:
                return None
            if entry.kind in TALK:
                return key
        return self.first - 1 if len(self.entries) < NEAR and not self.complete else None


def _sized(entry: Entry) -> Entry:
    """No text longer than can be shown; one character more is kept, so that drawing it tells of the cut."""
    if entry.size <= BODY_LIMIT:
        return entry
    told = ("text", "arguments", "output", "diff")
    return replace(entry, **{field: getattr(entry, field)[: BODY_LIMIT + 1] for field in told})


def _cost(known: Cost | None, event: e.CallSettled) -> Cost:
    """What a call cost by now: later events of the same call add to it."""
    took = event.at - event.requested if event.requested else 0
    if known is None or known.call != event.call:
        return Cost(
            event.call, event.at, event.model, event.tokens, event.nano, event.mark, max(0, took)
        )
    nano = event.nano if known.nano is None else known.nano + (event.nano or 0)
    return replace(
        known,
        at=event.at,
        tokens=known.tokens + event.tokens,
        nano=nano,
        took_ms=max(known.took_ms, took),
    )


def _answered(entry: Entry, event: e.ToolEnded) -> Entry:
    code = _EXIT.match(event.output)
    return replace(
        entry,
        output=event.output,
        diff=event.diff,
        state="ok" if event.ok else "failed",
        ended=max(event.at, entry.at),
        exit=int(code[1]) if code else None,
    )


def entry_of(event: e.Event) -> Entry | None:  # noqa: C901 (one case an event)
    """The entry of an event that stands for itself, None for what shows elsewhere or not at all."""
    match event:
        case e.PromptGiven(at=at, text=text):
            return Entry("prompt", at, text)
        case e.ReplyGiven(at=at, text=text):
            return Entry("reply", at, text)
        case e.ThoughtGiven(at=at, text=text):
            return Entry("thought", at, text)
        case e.QuestionAsked(at=at, text=text):
            return Entry("question", at, text or "waits for an answer")
        case e.CallFailed(at=at, status=status, message=message):
            return Entry(
                "failure", at, f"provider error {status or ''} {message}".replace("  ", " ")
            )
        case e.ContextCompacted(at=at, before=before):
            return Entry(
                "mark",
                at,
                f"context compacted, was {before:,} tokens" if before else "context compacted",
            )
        case e.RunInterrupted(at=at):
            return Entry("warning", at, "interrupted by its user")
        case e.TurnEnded(at=at, reason=reason):
            return Entry("mark", at, f"turn over: {reason}") if reason else None
        case e.RunPaused(at=at, channel=channel):
            return Entry("mark", at, f"paused: {channel}")
        case e.RunResumed(at=at):
            return Entry("mark", at, "goes on")
        case e.RunDeferred(at=at, reason=reason) | e.RunHalted(at=at, reason=reason):
            return Entry("warning", at, reason)
        case e.IterationStarted(at=at, number=number):
            return Entry("mark", at, f"iteration {number}")
        case e.GatePassed(at=at, gate=gate, checks=checks):
            return Entry("mark", at, f"gate {gate} passed, {checks} checks")
        case e.GateFailed(at=at, gate=gate, failing=failing):
            return Entry("failure", at, f"gate {gate} refused: {', '.join(failing)}")
        case e.GateTampered(at=at, gate=gate, paths=paths):
            return Entry("failure", at, f"gate {gate} was tampered with: {', '.join(paths)}")
        case e.FlagRaised(at=at, detector=detector, text=text):
            return Entry("warning", at, f"{detector}: {text}")
    return _noticed(event)


_LEVELS: dict[str, Kind] = {"information": "mark", "warning": "warning", "error": "failure"}


def _noticed(event: e.Event) -> Entry | None:
    """What the event feed says of an event is a mark in the transcript too."""
    notice = notice_of(event)
    if notice is None:
        return None
    return Entry(_LEVELS[notice.level], notice.at, notice.text)
