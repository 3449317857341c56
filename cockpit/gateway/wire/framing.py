"""How the parts of an answer lie in its bytes: server-sent events, lines, an array, one object.

Each framing takes the bytes that are there, `last` when no more will come, and gives the payloads
that are whole, and the rest to be given again with the bytes that follow. The payloads are the same
however the bytes were cut.
"""

import re
from collections.abc import Callable

Framing = Callable[[bytes, bool], tuple[list[bytes], bytes]]

_NEW_LINE = ord("\n")
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}]', re.DOTALL)
"""A string (the last one may be cut) or a brace: all that matters to find whole objects."""


def events(data: bytes, last: bool) -> tuple[list[bytes], bytes]:
    """The data of every server-sent event; comments and other fields are left out."""
    data, held = _with_line_feeds(data, last)
    end = len(data) if last else data.rfind(b"\n\n")
    if end < 0:
        return [], data + held
    payloads = [payload for event in data[:end].split(b"\n\n") if (payload := _data_of(event))]
    if last and not payloads and _is_json(data):
        payloads = [data]
    return payloads, data[end + 2 :] + held


def _with_line_feeds(data: bytes, last: bool) -> tuple[bytes, bytes]:
    """Every line ending as a line feed, and a carriage return whose line feed may yet come."""
    if b"\r" not in data:
        return data, b""
    held = b"\r" if data.endswith(b"\r") and not last else b""
    whole = data[: len(data) - len(held)]
    return whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), held


def _data_of(event: bytes) -> bytes:
    at = event.find(b"data:")
    if at < 0:
        return b""
    if event.find(b"\n", at) < 0 and (at == 0 or event[at - 1] == _NEW_LINE):
        return event[at + 5 :]
    lines = [line for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def lines(data: bytes, last: bool) -> tuple[list[bytes], bytes]:
    """One JSON value a line."""
    end = len(data) if last else data.rfind(b"\n") + 1
    return [line for line in data[:end].split(b"\n") if line.strip()], data[end:]


def array(data: bytes, last: bool) -> tuple[list[bytes], bytes]:  # noqa: ARG001 - a framing
    """The objects of a JSON array that arrives piece by piece, or one object alone."""
    found, depth, start, done = [], 0, 0, 0
    for token in _STRUCTURE.finditer(data):
        match data[token.start()]:
            case 0x7B:
                start = token.start() if depth == 0 else start
                depth += 1
            case 0x7D if depth:
                depth -= 1
                if depth == 0:
                    done = token.end()
                    found.append(data[start:done])
    return found, data[done:]


def whole(data: bytes, last: bool) -> tuple[list[bytes], bytes]:
    """One JSON value; events all the same where a host calls its stream JSON."""
    if not last:
        return [], data
    return ([data], b"") if _is_json(data) else events(data, last)


def _is_json(data: bytes) -> bool:
    return data.lstrip()[:1] in {b"{", b"["}


def framing_of(content_type: str, *, stream: bool, json_stream: Framing = whole) -> Framing:
    """The framing of an answer; `json_stream` is how this wire streams as plain JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if "event-stream" in kind:
        return events
    if "ndjson" in kind or "jsonl" in kind:
        return lines
    if "json" in kind:
        return json_stream if stream else whole
    return events if stream and json_stream is not lines else json_stream
