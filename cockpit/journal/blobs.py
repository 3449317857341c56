"""Contents of evidence on disk, each once, in a file named by the SHA-256 of its bytes."""

import contextlib
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from cockpit.journal import paths

BLOB_LIMIT = 32 * 1024 * 1024
YOUNG_SECONDS = 3_600
"""So long a content may be without a trace that names it: that one is still being written."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """A directory of contents, 0700, its files 0600. Threads and processes may share it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.added = 0
        """Bytes written by this store object, contents that were known not counted."""

    def put(self, content: bytes) -> str:
        """Keeps the content; its digest in hexadecimal.

        Raises:
            ValueError: when it is larger than any evidence may be.
            OSError: when it cannot be written.
        """
        if len(content) > BLOB_LIMIT:
            raise ValueError(f"{len(content)} bytes are more than one piece of evidence may have")
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        try:
            os.utime(path)
        except FileNotFoundError:
            self._write(path, content)
            self.added += len(content)
        return digest

    def get(self, digest: str) -> bytes:
        """The content.

        Raises:
            KeyError: when it is not kept, or its file was damaged.
        """
        if not _DIGEST.fullmatch(digest):
            raise KeyError(digest)
        try:
            content = self._path(digest).read_bytes()
        except OSError:
            raise KeyError(digest) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise KeyError(digest)
        return content

    def size(self) -> int:
        """Bytes of all contents."""
        return sum(size for _, size, _ in self._every())

    def sweep(self, kept: set[str], now: float | None = None) -> int:
        """Removes what is neither in `kept` nor young; the bytes that this freed."""
        before = (time.time() if now is None else now) - YOUNG_SECONDS
        freed = 0
        for path, size, modified in self._every():
            if path.parent.name + path.name not in kept and modified < before:
                with contextlib.suppress(OSError):
                    path.unlink()
                    freed += size
        return freed

    def _every(self) -> Iterator[tuple[Path, int, float]]:
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(OSError):
                    status = path.stat()
                    yield path, status.st_size, status.st_mtime

    def _path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest[2:]

    def _write(self, path: Path, content: bytes) -> None:
        paths.private(self.root)
        paths.private(path.parent)
        fresh = path.with_name(f".{secrets.token_hex(8)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
