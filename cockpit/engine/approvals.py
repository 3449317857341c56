"""Tool calls that cannot be undone wait here for the operator's yes or no."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from cockpit.core.events import ApprovalAnswered, ApprovalAsked, Event
from cockpit.core.fleet import Run
from cockpit.core.text import clean
from cockpit.journal.approval import ApproveSettings

TEXT_LIMIT = 16_000
Matched = Callable[[str, object, str, str], tuple[str, str] | None]
"""Rule and text of a tool call that must wait, by its name, its input, the directory it runs in and the
run's own; None for others."""


class Decision(Struct, frozen=True):
    """`allow` is None where no rule asks: the agent's own rules decide then."""

    allow: bool | None
    reason: str = ""


class Approvals:
    """Asks and waits; what nobody answered in time is denied, or as the settings say."""

    def __init__(
        self,
        matched: Matched,
        settings: ApproveSettings,
        record: Callable[..., object],
        now: Callable[[], int],
    ) -> None:
        self._matched = matched
        self._seconds = settings.timeout_s()
        self._default = settings.default == "allow"
        self._record: Callable[[Event], object] = record
        self._now = now
        self._waiting: dict[tuple[str, str], asyncio.Future[tuple[bool, str]]] = {}

    async def decide(
        self, run: Run, tool: str, name: str, arguments: object, directory: str
    ) -> Decision:
        """What is to happen to a tool call; returns at once where no rule matches."""
        found = self._matched(name, arguments, directory, run.project)
        if found is None:
            return Decision(None)
        return await self.ask(run.id, tool, *found)

    async def ask(self, run: str, tool: str, rule: str, text: str) -> Decision:
        """The operator's yes or no; no when it does not come in time.

        A caller that goes away takes the question back: nobody is left to hear the answer.
        """
        key = (run, tool)
        if key in self._waiting:
            return Decision(False, f"cockpit: {tool} asks twice")
        answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        told = clean(text, TEXT_LIMIT)
        self._record(ApprovalAsked(run=run, at=self._now(), tool=tool, rule=rule, text=told))
        allowed, by = False, "nobody: the agent went away"
        try:
            allowed, by = await asyncio.wait_for(answer, self._seconds)
        except TimeoutError:
            allowed, by = self._default, f"the time-out ({self._seconds:.0f} s)"
        finally:
            del self._waiting[key]
            self._record(
                ApprovalAnswered(run=run, at=self._now(), tool=tool, allowed=allowed, by=by)
            )
        word = "allowed" if allowed else "denied"
        return Decision(allowed, f"cockpit: {word} by {by} (rule: {rule})")

    def answer(self, run: str, tool: str, *, allowed: bool, by: str) -> bool:
        """Whether somebody still waited for this answer."""
        waiting = self._waiting.get((run, tool))
        if waiting is None or waiting.done():
            return False
        waiting.set_result((allowed, by))
        return True

    def deny_all(self, run: str, by: str) -> None:
        """A run that is being stopped is allowed nothing more."""
        for asked, tool in list(self._waiting):
            if asked == run:
                self.answer(run, tool, allowed=False, by=by)
