"""Where an agent's output goes: a ring of the newest, and a bounded queue for each reader."""

from collections import deque

from cockpit.engine import frames

RING_BYTES = 1024 * 1024
SEND_BYTES = 256 * 1024


class Ring:
    """The newest output in the order it came, at most `limit` bytes. In memory only.

    `count` is how many bytes ever came, `wrapped` whether some of them are gone.
    """

    def __init__(self, limit: int = RING_BYTES) -> None:
        self.chunks: deque[frames.Frame] = deque()
        self.wrapped = False
        self.count = 0
        self._limit = limit
        self._size = 0

    def add(self, kind: bytes, data: bytes) -> None:
        """Takes in output of one kind."""
        self.chunks.append((kind, data))
        self.count += len(data)
        self._size += len(data)
        while self._size > self._limit:
            kind, oldest = self.chunks.popleft()
            self._size -= len(oldest)
            self.wrapped = True

    def tail(self, size: int) -> bytes:
        """The last bytes of all kinds."""
        parts: list[bytes] = []
        for _, data in reversed(self.chunks):
            if size <= 0:
                break
            parts.append(data[-size:])
            size -= len(data)
        return b"".join(reversed(parts))


class Outbox:
    """What waits to be sent to one reader.

    Output beyond `limit` bytes is dropped from its oldest end, and the reader is told how much; other
    frames are always kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = b""
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._dropped = 0

    def __bool__(self) -> bool:
        return bool(self._head or self._waiting or self._dropped)

    @property
    def is_behind(self) -> bool:
        """Whether half of what it may hold waits."""
        return self._size > self._limit // 2

    def put(self, frame: bytes) -> None:
        """Takes a frame that must arrive."""
        self._waiting.append((0, frame))

    def put_output(self, kind: bytes, data: bytes) -> None:
        """Takes output, at the price of older output when the reader does not read."""
        self._waiting.append((len(data), frames.frame(kind, data)))
        self._size += len(data)
        if self._size > self._limit:
            self._drop()

    def _drop(self) -> None:
        kept: deque[tuple[int, bytes]] = deque()
        while self._waiting and self._size > self._limit:
            size, frame = self._waiting.popleft()
            if size:
                self._size -= size
                self._dropped += size
            else:
                kept.append((0, frame))
        self._waiting.extendleft(reversed(kept))

    def head(self) -> bytes:
        """What to send next; tell `sent` how much of it went."""
        if not self._head:
            parts = []
            size = 0
            if self._dropped:
                parts.append(frames.said(frames.DROPPED, bytes=self._dropped))
                self._dropped = 0
            while self._waiting and size < SEND_BYTES:
                length, frame = self._waiting.popleft()
                self._size -= length
                size += len(frame)
                parts.append(frame)
            self._head = b"".join(parts)
        return self._head

    def sent(self, count: int) -> None:
        """So many bytes of `head` are gone."""
        self._head = self._head[count:]
