"""A run whose calls go through the gateway: what the operator decided about it, and its open calls.

Everything here lives in the engine's loop and is changed only from there.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from secrets import token_urlsafe
from typing import Literal

from msgspec import Struct

from cockpit.core.events import Event
from cockpit.gateway.credentials import Billing
from cockpit.gateway.keys import Keys
from cockpit.gateway.limits import Window
from cockpit.gateway.providers import Upstream
from cockpit.gateway.wire.dialect import DialectName
from cockpit.journal.purse import Lane

AtCap = Literal["defer", "halt", "ask"]
Happened = Callable[[Event], None]
"""Whoever is told what happened at the door; called in the loop and must not block."""

TOKEN_BYTES = 32
SESSIONS_LIMIT = 1_000


def new_token() -> tuple[str, str]:
    """A token for a run's URL and its SHA-256 in hex, the only form in which it is kept."""
    token = token_urlsafe(TOKEN_BYTES)
    return token, hashed(token)


def hashed(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()


class Note:
    """The operator's word on its way to the model.

    `delivered` becomes the moment (ms) at which a provider took the request with it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.delivered: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class Open(Struct, eq=False):
    """One request at the door. `cut` closes its provider's connection, when there is one."""

    task: "asyncio.Task[object]"
    cut: Callable[[], None] | None = None
    stopped: str = ""
    waits: bool = False


class Governed:
    """One run at the door.

    `scopes` are the ledger's, from the root to the leaf. `billing` None tells money from a
    subscription by the agent's own credentials. `patience_s` is how long the client bears a call
    without an answer; `keep_alives` whether it bears an opened stream without content after that.
    `keys` may hold what the operator's terminal had in its environment.
    """

    def __init__(
        self,
        *,
        run: str,
        agent: str,
        token_hash: str,
        upstreams: Mapping[DialectName, Upstream],
        scopes: Sequence[str],
        patience_s: float,
        at_cap: AtCap = "defer",
        billing: Billing | None = None,
        keep_alives: bool = True,
        keys: Keys | None = None,
    ) -> None:
        self.run = run
        self.agent = agent
        self.token_hash = token_hash
        self.upstreams = upstreams
        self.scopes = tuple(scopes)
        self.patience_s = patience_s
        self.at_cap = at_cap
        self.billing = billing
        self.keep_alives = keep_alives
        self.keys = keys
        self.lane: Lane = "work"
        self.paused = False
        self.refused = ""
        self._sessions: set[str] = set()
        self.offers_tools = False
        self.windows: dict[str, Window] = {}
        """Shares of a subscription's windows by name, as the provider last told them."""
        self.heard: Callable[[DialectName, bytes], None] | None = None
        """Hears every request that leaves; must not block."""
        self._notes: list[Note] = []
        self._open: set[Open] = set()
        self._changed = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests at the door: on their way, or held."""
        return len(self._open)

    @property
    def held(self) -> int:
        """Requests that wait at the door."""
        return sum(one.waits for one in self._open)

    def pause(self) -> None:
        """Holds every request from the next one on; streams go on to their end."""
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._wake()

    def refuse(self, sentence: str) -> None:
        """Refuses every request from now on, those that wait included, with this sentence."""
        self.refused = sentence
        self._wake()

    def admit_again(self) -> None:
        """Lets requests in after `refuse`, and those that wait for a cap to be raised try again."""
        self.refused = ""
        self._wake()

    def say(self, text: str) -> Note:
        """Puts a note behind the next request of the agent."""
        note = Note(text)
        self._notes.append(note)
        return note

    def take_notes(self, *, offers_tools: bool) -> list[Note]:
        """The notes for a request that is about to leave.

        An agent with tools also asks small questions without any (a title, a summary): a note
        would be lost there.
        """
        self.offers_tools |= offers_tools
        if self.offers_tools and not offers_tools:
            return []
        taken, self._notes = self._notes, []
        return [note for note in taken if not note.delivered.cancelled()]

    def give_back(self, notes: list[Note]) -> None:
        """The request with these notes did not arrive: they go with the next one."""
        self._notes = [*notes, *self._notes]

    def is_new_session(self, session: str) -> bool:
        """Whether a call bore this session of the agent's own for the first time."""
        if not session or session in self._sessions or len(self._sessions) >= SESSIONS_LIMIT:
            return False
        self._sessions.add(session)
        return True

    def close_streams(self, sentence: str) -> int:
        """Stops every open request, the providers' connections first; how many there were.

        A client gets its wire's error event with the sentence, or a refusal when nothing was sent
        to it yet. Whoever wants no next request either calls `refuse` before.
        """
        every = [one for one in self._open if not one.stopped]
        for one in every:
            one.stopped = sentence
            if one.cut is not None:
                one.cut()
        for one in every:
            one.task.cancel()
        return len(every)

    def enter(self) -> Open:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is handled in a task")
        entered = Open(task)
        self._open.add(entered)
        return entered

    def leave(self, one: Open) -> None:
        self._open.discard(one)

    @property
    def next_decision(self) -> asyncio.Event:
        """Set when the operator decides something about this run after now."""
        return self._changed

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
