"""What goes wrong on purpose: planned for coming requests, or asked for in the prompt.

A mark such as `[[fail:529x3]]`, `[[fail:cut@40]]` or `[[fail:slow@5000]]` in what the user said
plans the same once for its run: `@` is the number of output tokens after which a stream ends (or
milliseconds for `slow`), `x` how many requests it befalls.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cockpit.demo.conversation import Chunk, Conversation, canonical

Kind = Literal[
    "status",
    "html",
    "mislabelled",
    "slow",
    "stall",
    "cut",
    "truncate",
    "error",
    "no-usage",
    "late-usage",
]
ANY_RUN = "*"

_MARK = re.compile(r"\[\[fail:(\d{3}|[a-z-]+)(?:@(\d+))?(?:x(\d+))?\]\]")


class Mishap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Befalls `times` requests, after `skip` that go well.

    `status`: refused with it and `headers`, nothing billed. `html`: 200 and a page, nothing billed.
    `mislabelled`: the right answer as text/plain. `slow`: the first byte comes `ms` later. After
    `after` tokens of output: `stall` is silent for `ms`, `cut` closes the connection, `truncate`
    ends cleanly without the terminal event, `error` ends with an error event. `no-usage`: the
    answer tells none. `late-usage`: it comes behind the terminal event. `with_tools` spares
    requests that offer no tools: what agents ask beside their work.
    """

    kind: Kind
    times: int = 1
    skip: int = 0
    status: int = 529
    after: int = 8
    ms: int = 2_000
    headers: dict[str, str] = {}
    with_tools: bool = False


class Planned(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /_plan`: what is to befall the coming requests of a run, or of any run."""

    mishaps: list[Mishap]
    run: str = ANY_RUN


class Mishaps:
    """The mishaps that are still to come, run by run, each befalling requests in order."""

    def __init__(self) -> None:
        self._coming: dict[str, list[Mishap]] = {}
        self._marks: set[tuple[str, str]] = set()

    def plan(self, run: str, mishaps: Iterable[Mishap]) -> None:
        self._coming.setdefault(run, []).extend(mishaps)

    def next(self, run: str, conversation: Conversation) -> Mishap | None:
        """What befalls this request, if anything."""
        self._plan_marked(run, conversation.user_texts())
        for name in (run, ANY_RUN):
            coming = self._coming.get(name)
            if coming:
                return _taken(coming, conversation)
        return None

    def _plan_marked(self, run: str, texts: Iterable[str]) -> None:
        for match in (match for text in texts for match in _MARK.finditer(text)):
            if (run, match[0]) not in self._marks:
                self._marks.add((run, match[0]))
                self.plan(run, _marked(*match.groups()))


def _taken(coming: list[Mishap], conversation: Conversation) -> Mishap | None:
    first = coming[0]
    if first.with_tools and not conversation.tools:
        return None
    if first.skip:
        coming[0] = replace(first, skip=first.skip - 1)
        return None
    coming[:1] = [replace(first, times=first.times - 1)] if first.times > 1 else []
    return first


def _marked(name: str, at: str | None, times: str | None) -> list[Mishap]:
    plan: dict[str, Any] = {"kind": name, "times": int(times or 1)}
    if name.isdecimal():
        plan.update(kind="status", status=int(name))
    if at is not None:
        plan["ms" if name == "slow" else "after"] = int(at)
    try:
        return [msgspec.convert(plan, Mishap)]
    except msgspec.ValidationError:
        return []


def befallen(chunks: Iterator[Chunk], mishap: Mishap, broken: bytes) -> Iterator[Chunk]:
    """The chunks that are still sent; `broken` is the dialect's error event."""
    match mishap.kind:
        case "cut" | "truncate" | "error":
            sent = _until(chunks, mishap.after)
            yield from sent
            if mishap.kind == "error":
                yield Chunk(broken, sent[-1].output if sent else 0)
        case "no-usage":
            yield from map(_without_usage, chunks)
        case "late-usage":
            whole = list(chunks)
            silent = [_without_usage(chunk) for chunk in whole]
            yield from silent
            told = [c for c, bare in zip(whole, silent, strict=True) if c.data != bare.data]
            yield from told[-1:]
        case _:
            yield from chunks


def _until(chunks: Iterator[Chunk], tokens: int) -> list[Chunk]:
    """At least the last chunk is missing: it is the terminal event."""
    whole = list(chunks)
    return list(takewhile(lambda chunk: chunk.output <= tokens, whole[:-1]))


_USAGE = frozenset({"usage", "usageMetadata", "prompt_eval_count", "eval_count"})


def without_usage(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """JSON without the fields in which the dialects tell what a call used."""
    if isinstance(value, dict):
        return {name: without_usage(part) for name, part in value.items() if name not in _USAGE}
    return [without_usage(part) for part in value] if isinstance(value, list) else value


def _without_usage(chunk: Chunk) -> Chunk:
    return Chunk(_lines(chunk.data, without_usage), chunk.output)


def _lines(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """The JSON in a piece of SSE or NDJSON changed, everything else as it was."""
    changed = []
    for line in data.splitlines(keepends=True):
        text, _, value = line.partition(b"{")
        head = text if text in (b"data: ", b"") and value else None
        if head is None:
            changed.append(line)
            continue
        end = line[len(line.rstrip()) :]
        parsed = msgspec.json.decode(line[len(head) :])
        changed.append(head + canonical(change(parsed)).encode() + end)
    return b"".join(changed)
