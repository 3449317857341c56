"""What was told already, for files that are written anew or repeat themselves."""

import zlib

from msgspec import Struct

from cockpit.agents import loose

LIMIT = 20_000


class Told(Struct):
    """Checksums of what was told; small enough to be kept with the cursor."""

    marks: list[int] = []


def mark(*parts: object) -> int:
    """The checksum that stands for a message, a tool call, or a part of one."""
    return zlib.crc32("\0".join(map(str, parts)).encode("utf-8", "replace"))


def recall(memory: bytes) -> set[int]:
    """What `keep` kept."""
    return set(loose.unpack(memory, Told).marks)


def keep(memory: bytes, marks: list[int]) -> bytes:
    """The memory with more marks; the oldest are forgotten."""
    known = dict.fromkeys([*loose.unpack(memory, Told).marks, *marks])
    return loose.pack(Told(list(known)[-LIMIT:]))
