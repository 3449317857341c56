"""Looks for secrets inside git's compressed objects, loose ones and packs."""

import zlib
from collections.abc import Iterator

from cockpit.core.redaction import Redactor

PLAIN_LIMIT = 8 * 1024 * 1024
PIECE = 64 * 1024
PACK_HEAD, PACK_TAIL = 12, 20
OFFSET_DELTA, NAMED_DELTA = 6, 7
NAME_BYTES = 20


def is_clean(content: bytes, redactor: Redactor) -> bool:
    """Whether the file, an object, a pack or one of their indexes, holds no secret.

    Of an object stored as a difference, what the difference adds is looked at. A pack that cannot
    be read to its end is not clean: nobody knows what is in it.
    """
    try:
        return all(redactor.data(plain) == plain for plain in _plain(content))
    except (zlib.error, IndexError):
        return False


def _plain(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"PACK"):
        yield from _of_pack(content)
    elif content[:1] == b"\x78":
        yield _inflated(content, 0)[0]
    else:
        yield content


def _of_pack(pack: bytes) -> Iterator[bytes]:
    place = PACK_HEAD
    while place < len(pack) - PACK_TAIL:
        place = _behind_header(pack, place)
        plain, place = _inflated(pack, place)
        yield plain


def _behind_header(pack: bytes, place: int) -> int:
    kind = pack[place] >> 4 & 7
    place = _behind_number(pack, place)
    if kind == OFFSET_DELTA:
        return _behind_number(pack, place)
    return place + NAME_BYTES if kind == NAMED_DELTA else place


def _behind_number(pack: bytes, place: int) -> int:
    while pack[place] & 0x80:
        place += 1
    return place + 1


def _inflated(data: bytes, place: int) -> tuple[bytes, int]:
    """What is compressed at a place, as far as it is looked at, and where it ends.

    Raises:
        zlib.error: when it does not end, or is none.
    """
    stream = zlib.decompressobj()
    plain = bytearray()
    while not stream.eof:
        if place >= len(data):
            raise zlib.error("an object without an end")
        piece = data[place : place + PIECE]
        told = stream.decompress(piece)
        place += len(piece) - len(stream.unused_data)
        if len(plain) < PLAIN_LIMIT:
            plain += told
    return bytes(plain), place
