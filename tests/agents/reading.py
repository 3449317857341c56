"""Reads an agent's home the way the engine does, for the tests of every adapter."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cockpit.agents.adapter import Adapter, Call, Source
from cockpit.core.events import Event
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all
from cockpit.core.tokens import NO_TOKENS, Tokens

FIXTURES = Path(__file__).parent.parent / "fixtures"


def home(agent: str, case: str) -> Path:
    return FIXTURES / agent / case / "home"


def truth(agent: str, case: str, key: str = "totals_completed") -> dict[str, int]:
    return json.loads((FIXTURES / agent / case / "truth.json").read_text())[key]


def sources(adapter: Any, base: Path, environment: dict[str, str] | None = None) -> list[Source]:
    roots = adapter.roots(base, environment or {})
    return [source for root in roots for source in adapter.sources(root)]


def read_block(adapter: Adapter, source: Source, block: bytes, memory: bytes = b""):
    return adapter.calls(block, source, memory), adapter.story(block, source, memory)


def read_all(adapter: Any, base: Path) -> tuple[list[Call], list[Event], int]:
    """Calls as they were told (not merged), the story and the bad lines of all sources."""
    calls: list[Call] = []
    events: list[Event] = []
    bad = 0
    for source in sources(adapter, base):
        if source.form == "database":
            books, told = adapter.read(Path(source.path), b"", since=0)
        else:
            books, told = read_block(adapter, source, Path(source.path).read_bytes())
        calls += books.calls
        events += told
        bad += books.bad_lines
    return calls, sorted(events, key=lambda event: event.at), bad


def merged(calls: Iterable[Call]) -> dict[str, Call]:
    """What the index keeps: one call an id, the largest figure of each class."""
    kept: dict[str, Call] = {}
    for call in calls:
        known = kept.get(call.id)
        tokens = call.tokens.largest(known.tokens) if known else call.tokens
        kept[call.id] = replace(known or call, tokens=tokens)
    return kept


def total(calls: Iterable[Call]) -> Tokens:
    result = NO_TOKENS
    for call in merged(calls).values():
        result = result + call.tokens
    return result


def as_truth(calls: Iterable[Call]) -> dict[str, int]:
    """Totals in the classes of `truth.json`."""
    tokens = total(calls)
    return {
        "input": tokens.input,
        "cache_read": tokens.cache_read,
        "cache_write": tokens.cache_write_5m + tokens.cache_write_1h,
        "output": tokens.output,
        "reasoning": tokens.reasoning,
    }


def writes_as_input(figures: dict[str, int]) -> dict[str, int]:
    """The truth as an agent sees it whose provider does not tell cache writes apart."""
    return figures | {"input": figures["input"] + figures["cache_write"], "cache_write": 0}


def split_anywhere(adapter: Adapter, source: Source, data: bytes, cuts: Iterable[int]):
    """Calls and story of the same bytes, read in blocks that end at the line ends behind `cuts`."""
    calls: list[Call] = []
    events: list[Event] = []
    memory, start, bad = b"", 0, 0
    for cut in [*sorted(cuts), len(data)]:
        end = len(data) if cut >= len(data) else data.rfind(b"\n", 0, cut) + 1
        if end <= start:
            continue
        books, told = read_block(adapter, source, data[start:end], memory)
        calls += books.calls
        events += told
        bad += books.bad_lines
        memory, start = books.memory, end
    return calls, events, bad


def folded(events: Iterable[Event]) -> Fleet:
    return fold_all(Fleet(), events)
