"""Model calls in Codex rollouts, of every version in one rule.

Newer versions write a `token_usage_record` for each response; its id makes copies of it one call.
All versions write `token_count` events with totals since the thread began, repeated on abort, retry
and compaction: only what a total adds to the last known one is a call, and a record moves that
total too. A fork begins at its parent's total, so its first event counts by `last_token_usage`.
Totals are told apart by the thread that made them: replayed history names it in its own
`session_meta`. `input_tokens` includes what was read from and written to the cache.
"""

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from cockpit.agents import loose
from cockpit.agents.adapter import Books, Call, Source
from cockpit.agents.loose import Table
from cockpit.core.tokens import NO_TOKENS, Tokens

_HEAD = re.compile(
    rb'\{"timestamp":"([^"]*)",(?:"ordinal":\d+,)?"type":"(\w+)","payload":\{(?:"type":"(\w+)")?'
).match
_NAME = re.compile(rb'"name":"([^"\\]*)"').search
NAME_WITHIN = 2_000

ENTRIES = frozenset({b"session_meta", b"turn_context", b"token_usage_record"})
EVENTS = frozenset({b"token_count", b"task_started", b"thread_settings_applied"})
TOOL_CALLS = frozenset({b"function_call", b"custom_tool_call", b"local_shell_call", b"web_search_call", b"tool_search_call"})  # fmt: skip
GIVEN = frozenset({b"function_call_output", b"custom_tool_call_output", b"user_message"})

ABORTED = b"aborted by user"
"""How the answer of a tool ends that was stopped with its turn: no request followed it."""


class Memory(Struct, array_like=True):
    """What is known of a rollout from the blocks before.

    `total` is the last known total of the thread, `thread` the one that made the totals, `asked`
    since when the model owes an answer (0 when it does not), `tools` what it asked for since the
    last call.
    """

    model: str = ""
    window: int = 0
    thread: str = ""
    total: Tokens | None = None
    asked: int = 0
    tools: tuple[str, ...] = ()


def books(block: bytes, source: Source, memory: bytes) -> Books:
    """The calls in a block of lines."""
    reading = _Reading(source, loose.unpack(memory, Memory))
    calls = [call for line in block.split(b"\n") for call in reading.line(line)]
    return Books(calls, reading.bad_lines, loose.pack(reading.memory))


class _Reading:
    def __init__(self, source: Source, memory: Memory) -> None:
        self.memory = memory
        self.bad_lines = 0
        self._source = source

    def line(self, raw: bytes) -> Iterator[Call]:
        """What one line adds. A line that cannot matter is not decoded."""
        line = raw.strip().removeprefix(b"\xef\xbb\xbf")
        if not line:
            return
        head = _HEAD(line)
        if head and not self._matters(head, line):
            self.bad_lines += not loose.is_object(line)
            return
        entry = loose.decode(line)
        if not isinstance(entry, dict):
            self.bad_lines += 1
            return
        try:
            yield from self._entry(entry)
        except ValueError:
            self.bad_lines += 1

    def _matters(self, head: re.Match[bytes], line: bytes) -> bool:
        at, kind, item = head.groups()
        if kind in ENTRIES or item in EVENTS:
            return True
        if item in TOOL_CALLS:
            name = _NAME(line, 0, NAME_WITHIN)
            self._asks_for(name[1].decode("utf-8", "replace") if name else item.decode())
        elif item in GIVEN:
            self.memory.asked = (
                0 if ABORTED in line else loose.instant(at.decode("utf-8", "replace"))
            )
        return item is None and kind in (b"event_msg", b"response_item")

    def _asks_for(self, tool: str) -> None:
        name = loose.name(tool)
        if name not in self.memory.tools:
            self.memory.tools += (name,)

    def _entry(self, entry: Table) -> Iterator[Call]:
        at, payload = loose.instant(entry.get("timestamp")), loose.table(entry.get("payload"))
        kind = entry.get("type")
        match payload.get("type") if kind == "event_msg" else kind:
            case "session_meta":
                self.memory.thread = loose.name(payload.get("id")) or self.memory.thread
            case "turn_context":
                self._turn(payload, at)
            case "thread_settings_applied":
                self._turn(loose.table(payload.get("thread_settings")), 0)
            case "task_started":
                self._widen(payload)
                self.memory.asked = at
            case "token_usage_record":
                yield from self._record(payload, at)
            case "token_count":
                yield from self._count(loose.table(payload.get("info")), at)

    def _turn(self, settings: Table, at: int) -> None:
        self.memory.model = loose.name(settings.get("model")) or self.memory.model
        self.memory.asked = at or self.memory.asked

    def _widen(self, table: Table) -> None:
        self.memory.window = loose.count(table.get("model_context_window")) or self.memory.window

    def _record(self, payload: Table, at: int) -> Iterator[Call]:
        tokens = tokens_of(payload.get("usage"))
        total = payload.get("thread_token_usage")
        known = self.memory.total or NO_TOKENS
        self.memory.total = tokens_of(total) if total else known + tokens
        response = loose.text(payload.get("response_id"))
        call = self._call(response or self._id(self.memory.total), tokens, at)
        asked, self.memory.asked = self.memory.asked, 0
        yield replace(call, requested=asked if asked <= at else 0)

    def _count(self, info: Table, at: int) -> Iterator[Call]:
        self._widen(info)
        self.memory.model = loose.name(info.get("model")) or self.memory.model
        if not info.get("total_token_usage") and not info.get("last_token_usage"):
            return
        last = tokens_of(info.get("last_token_usage"))
        known = self.memory.total
        total = tokens_of(info["total_token_usage"]) if info.get("total_token_usage") else None
        if total is None:
            total = (known or NO_TOKENS) + last
        self.memory.total = total
        added = _added(known, total, last)
        if added != NO_TOKENS:
            yield self._call(self._id(total), added, at)

    def _id(self, total: Tokens) -> str:
        thread = self.memory.thread or self._source.session
        return f"codex:{thread}:{total.prompt}:{total.cache_read}:{total.output}"

    def _call(self, id_: str, tokens: Tokens, at: int) -> Call:
        tools, self.memory.tools = self.memory.tools, ()
        return Call(
            id=id_,
            run=self._source.run,
            at=at,
            model=self.memory.model,
            tokens=tokens,
            window=self.memory.window or None,
            tools=tools,
        )


def _added(known: Tokens | None, total: Tokens, last: Tokens) -> Tokens:
    """What a total adds: to the last known one, or, where that is not its beginning, `last`."""
    if known is None:
        return last if last != NO_TOKENS else total
    added = total - known
    if min(added.input, added.cache_read, added.cache_write_5m, added.output) < 0:
        return last
    return added


def tokens_of(value: object) -> Tokens:
    """Usage as Codex writes it.

    Raises:
        ValueError: when a figure is none.
    """
    usage = loose.table(value)
    whole = loose.figure(usage.get("input_tokens"))
    read = min(whole, loose.figure(usage.get("cached_input_tokens")))
    written = min(whole - read, loose.figure(usage.get("cache_write_input_tokens")))
    return Tokens(
        input=whole - read - written,
        cache_write_5m=written,
        cache_read=read,
        output=loose.figure(usage.get("output_tokens")),
        reasoning=loose.figure(usage.get("reasoning_output_tokens")),
    )
