"""What every control protocol can do: the `Channel` protocol, and what it tells whoever asks."""

import asyncio
import time
from typing import Protocol

from cockpit.agents.channels.plan import Kind

ACKNOWLEDGE_SECONDS = 5.0
"""An agent that did not take a word by then will not be waited for: the word goes another way."""


class ChannelError(Exception):
    """The agent did not do what it was asked; the text says why, the code is the agent's own."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class UnusableError(Exception):
    """The protocol cannot be spoken here, and no work has begun: the plain command must do it."""


Delivery = asyncio.Future[int]
"""Done when the model's history has the word, with that moment in milliseconds since the epoch; a
`ChannelError` when it never will."""


class Channel(Protocol):
    """One agent at work on one prompt."""

    name: Kind
    heeds_signals: bool
    """Whether the agent takes SIGINT as its headless command does."""

    @property
    def session(self) -> "asyncio.Future[str] | None":
        """The agent's own name for its session, to come; None where it is known from elsewhere."""
        ...

    async def work(self) -> int:
        """Works until the agent has ended; the exit code of its headless command.

        Raises:
            UnusableError: when the agent does not speak the protocol.
        """
        ...

    async def say(self, text: str) -> Delivery:
        """Hands the operator's word to the agent, which has taken it when this returns.

        Raises:
            ChannelError: when it did not take it.
        """
        ...

    async def interrupt(self) -> None:
        """Ends the turn and what it started; when this returns the agent has confirmed it, or was done.

        Raises:
            ChannelError: when it did not.
        """
        ...


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def delivery() -> Delivery:
    """A delivery to come; nobody needs to look at it."""
    future: Delivery = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


async def acknowledged(future: "asyncio.Future[object]") -> object:
    """What the agent answered.

    Raises:
        ChannelError: when it refused, or did not answer in time.
    """
    try:
        return await asyncio.wait_for(asyncio.shield(future), ACKNOWLEDGE_SECONDS)
    except TimeoutError:
        raise ChannelError("the agent does not answer") from None
