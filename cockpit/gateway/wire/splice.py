"""Changes to a JSON body that leave every byte of the untouched parts as it was.

Only the objects on the way to the change are opened, their members stay raw: the order of keys, the
text of numbers and all white space inside of members are kept.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from cockpit.gateway.wire.untrusted import UNREADABLE

Members = dict[str, Raw]

_members = msgspec.json.Decoder(Members).decode
_elements = msgspec.json.Decoder(list[Raw]).decode
_any = msgspec.json.Decoder().decode


def members(raw: bytes | Raw) -> Members:
    """An object's members; raises `msgspec.MsgspecError` for anything else."""
    return _members(raw)


def elements(raw: bytes | Raw) -> list[Raw]:
    """An array's elements; raises `msgspec.MsgspecError` for anything else."""
    return _elements(raw)


def changed(body: bytes, change: Callable[[Members], Members]) -> bytes:
    """The body with the members that `change` gives for it.

    The same object where there is nothing to change, or where it cannot be read.
    """
    try:
        given = members(body)
        changes = change(given)
    except UNREADABLE:
        return body
    return msgspec.json.encode({**given, **changes}) if changes else body


def with_last(given: Raw | None, change: Callable[[Members], Members], otherwise: object) -> Raw:
    """The array with its last object changed for which `change` gives members.

    `otherwise` is put behind where there is none.
    """
    items = [] if given is None else elements(given)
    for at in range(len(items) - 1, -1, -1):
        item = members(items[at])
        if changes := change(item):
            return raw([*items[:at], item | changes, *items[at + 1 :]])
    return raw([*items, otherwise])


def value(raw: bytes | Raw | None) -> Any:  # noqa: ANN401 - any JSON value
    """The value, None when there is none."""
    return None if raw is None else _any(raw)


def raw(new: object) -> Raw:
    """A value of ours as JSON."""
    return Raw(msgspec.json.encode(new))


def is_text(given: Raw | None) -> bool:
    """Whether this is a JSON string."""
    return given is not None and bytes(given).lstrip().startswith(b'"')


def is_array(given: Raw | None) -> bool:
    """Whether this is a JSON array."""
    return given is not None and bytes(given).lstrip().startswith(b"[")


def is_empty(given: Raw | None) -> bool:
    """Whether there is nothing in it: a missing, null or empty text or array."""
    return given is None or bytes(given).strip() in {b"null", b'""', b"[]"}


def joined(text: Raw, note: str) -> Raw:
    """A JSON string with the note in a paragraph of its own behind it."""
    return raw(f"{value(text)}\n\n{note}")


def block(text: str, kind: str = "text") -> Raw:
    """A content block of text."""
    return raw({"type": kind, "text": text})


def with_block(content: Raw | None, note: str, kind: str = "text") -> Raw:
    """Content with the note as its last block; a plain text becomes the block before it."""
    note_block = block(note, kind)
    if is_array(content):
        assert content is not None
        return raw([*elements(content), note_block])
    if content is None or not is_text(content):
        return raw([note_block])
    return raw([{"type": kind, "text": content}, note_block])


def lowered(given: Any, granted: int | None, answers: int = 1) -> int | None:  # noqa: ANN401 - any JSON value
    """The limit of output to write instead of the client's; None to leave it.

    What was granted is shared by all the answers asked for. Zero is left: it asks for a warm cache
    and no output.
    """
    granted = granted if granted is None else max(1, granted // answers)
    if granted is None or (given == 0 and given is not None):
        return None
    usable = isinstance(given, int | float) and 0 < given <= granted
    return None if usable else granted


def framed(note: str) -> str:
    """The operator's note as the model gets it."""
    return f"[Note from the operator] {note}"
