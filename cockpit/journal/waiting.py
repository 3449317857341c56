"""Calls that wait for others to settle: first come, first served, woken and never polling."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from cockpit.journal.holds import Claim, Held, Holds
from cockpit.journal.purse import NOTHING, Amount, Busy, Exhausted

AGING_MS = 1_000
"""A call that has waited so long is no longer overtaken by smaller ones."""


def under_way(call: str) -> Exhausted:
    return Exhausted("", f"the call {call} is under way already", "twice")


class Waiter(Struct, eq=False):
    """One call that waits, and the scope that is in its way."""

    claim: Claim
    answer: "asyncio.Future[Held | Exhausted]"
    scope: str = ""


class Queue:
    """The waiting, oldest first."""

    def __init__(self, holds: Holds, now: Callable[[], int]) -> None:
        self._holds = holds
        self._now = now
        self._waking = False
        self.waiters: list[Waiter] = []

    async def wait(self, claim: Claim) -> Held | Exhausted:
        """The decision on a claim, once nobody who came before is in its way."""
        waiter = Waiter(claim, asyncio.get_running_loop().create_future())
        self.waiters.append(waiter)
        self.wake()
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    def wake(self) -> None:
        """Decides anew once this turn of the loop is over, however often it is asked to."""
        if self.waiters and not self._waking:
            self._waking = True
            self.waiters[0].answer.get_loop().call_soon(self._serve)

    def _withdraw(self, waiter: Waiter) -> None:
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        if waiter.answer.done() and not waiter.answer.cancelled():
            answer = waiter.answer.result()
            if isinstance(answer, Held):
                self._holds.drop(answer)
        self.wake()

    def _serve(self) -> None:
        self._waking = False
        waiting, queued = [], dict[str, Amount]()
        for waiter in self.waiters:
            if waiter.answer.done() or self._answered(waiter, queued):
                continue
            waiting.append(waiter)
            if self._now() - waiter.claim.since >= AGING_MS:
                needed = waiter.claim.amount(waiter.claim.least)
                queued[waiter.scope] = queued.get(waiter.scope, NOTHING) + needed
        self.waiters = waiting

    def _answered(self, waiter: Waiter, queued: dict[str, Amount]) -> bool:
        call = waiter.claim.hold.call
        try:
            answer = (
                under_way(call)
                if call in self._holds.held
                else self._holds.decide(waiter.claim, queued)
            )
        except Exception as error:  # a price that fails must fail its own call only
            waiter.answer.set_exception(error)
            return True
        if isinstance(answer, Busy):
            waiter.scope = answer.scope
            return False
        waiter.answer.set_result(answer)
        return True
