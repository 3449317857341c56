"""Contents that are only thought of: what mutated worlds consist of is never stored."""

import hashlib

from cockpit.architect.blobs import Blobs


class Overlay:
    """A store on top of another: it reads through, and keeps what is put in memory."""

    def __init__(self, below: Blobs) -> None:
        self._below = below
        self._held: dict[str, bytes] = {}

    def get(self, digest: str) -> bytes:
        held = self._held.get(digest)
        return held if held is not None else self._below.get(digest)

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self._held[digest] = content
        return digest
