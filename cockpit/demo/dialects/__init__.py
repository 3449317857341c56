"""The wires the simulated provider speaks, one module each."""

from collections.abc import Iterator
from typing import Any, Protocol

from cockpit.core.tokens import Tokens
from cockpit.demo.account import Account
from cockpit.demo.conversation import Chunk, Conversation, Reply

Body = dict[str, Any]


class Dialect(Protocol):
    """A vendor's wire: how a request is read and billed, and how an answer is written."""

    @property
    def CONTENT_TYPE(self) -> str: ...  # noqa: N802 - a constant of the module

    def read(self, body: Body) -> Conversation: ...

    def bill(self, body: Body, account: Account, now: int, first_byte: int) -> Tokens:
        """Tokens of the prompt by class; what the request marks is stored on the way."""
        ...

    def new_id(self) -> str: ...

    def new_call_id(self) -> str: ...

    def whole(self, body: Body, reply: Reply) -> Body: ...

    def stream(self, body: Body, reply: Reply) -> Iterator[Chunk]: ...

    def error(self, status: int, message: str) -> Body: ...

    def broken(self, status: int, message: str) -> bytes:
        """The event that breaks off an open stream."""
        ...
