"""What passes between a demo agent's model, its tools and its transcript."""

from typing import Any, Protocol

from msgspec import Struct


class Asked(Struct, frozen=True):
    """A tool call the model asked for."""

    id: str
    name: str
    arguments: dict[str, Any]


class Turn(Struct, frozen=True):
    """One answer. `usage` is what the provider returned, untouched; times are milliseconds.

    `complete` is False when the agent was interrupted while the answer was still coming.
    """

    id: str
    model: str
    text: str
    calls: tuple[Asked, ...]
    usage: dict[str, Any]
    started: int
    first_byte: int
    ended: int
    complete: bool = True


class Outcome(Struct, frozen=True):
    """What a tool call came to; `code` is the exit code of the command."""

    call: Asked
    code: int
    output: str
    started: int
    ended: int

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def with_code(self) -> str:
        """The output in the frame that Codex puts around it."""
        took = (self.ended - self.started) / 1000
        head = f"Wall time: {took:.4f} seconds\nProcess exited with code {self.code}\n"
        return f"{head}Output:\n{self.output}"


class RefusedError(Exception):
    """The model will not answer; what the agent tells its user."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"API Error: {status} {message}")
        self.status = status


class Client(Protocol):
    """A conversation with a model."""

    partial: Turn | None
    """What had arrived of the answer under way when the agent was interrupted."""

    def hear(self, text: str) -> None: ...

    def report(self, outcomes: list[Outcome]) -> None: ...

    def ask(self) -> Turn: ...

    def prompt_tokens(self, turn: Turn) -> int:
        """The context this turn was answered from."""
        ...

    def forget(self, text: str) -> None:
        """Compact: the conversation starts over with `text`."""
        ...


class Transcript(Protocol):
    """A session file in the format of an agent that cockpit can read."""

    def prompt(self, text: str) -> None: ...

    def turn(self, turn: Turn) -> None: ...

    def outcomes(self, outcomes: list[Outcome]) -> None: ...

    def idle(self, turn: Turn) -> None:
        """The agent's turn is over; it waits."""
        ...

    def compacted(self, before: int) -> None: ...

    def interrupted(self, partial: Turn | None) -> None: ...

    def close(self) -> None: ...
