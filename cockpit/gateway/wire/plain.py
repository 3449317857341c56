"""Answers that come compressed although nobody asked for it."""

import zlib

_GZIP = b"\x1f\x8b"
_HEAD = 64
_BINARY = bytes(code for code in range(0x20) if code not in b"\t\n\r") + b"\x7f"
LARGEST = 64 * 1024 * 1024
"""Bytes that one batch may unpack to; more is no answer of a model."""


class Plain:
    """The bytes of an answer as they are without compression: gzip is undone.

    `opaque` is true for what cannot be undone here (Brotli, Zstandard, damage).
    """

    def __init__(self) -> None:
        self._head = b""
        self._inflate: zlib._Decompress | None = None
        self._damaged = False

    def feed(self, data: bytes) -> bytes:
        """The plain bytes of the next part; the first part must have two bytes at least."""
        if not self._head and data.startswith(_GZIP):
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        if len(self._head) < _HEAD:
            self._head = (self._head + data)[:_HEAD]
        return data if self._inflate is None else self._inflated(data, self._inflate)

    def _inflated(self, data: bytes, inflate: "zlib._Decompress") -> bytes:
        if self._damaged:
            return b""
        try:
            plain = inflate.decompress(data, LARGEST)
        except zlib.error:
            self._damaged = True
            return b""
        self._damaged = bool(inflate.unconsumed_tail)
        return plain

    @property
    def opaque(self) -> bool:
        if self._inflate is not None:
            return self._damaged
        return len(self._head.translate(None, _BINARY)) < len(self._head)
