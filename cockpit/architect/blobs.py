"""Where the contents of evidence are: each under the SHA-256 of its bytes."""

from typing import Protocol


class Blobs(Protocol):
    """A store of contents."""

    def get(self, digest: str) -> bytes:
        """The content.

        Raises:
            KeyError: when it is not kept, or no longer.
        """
        ...

    def put(self, content: bytes) -> str:
        """Keeps the content; its digest in hexadecimal."""
        ...
