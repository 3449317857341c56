"""The door: who is let out, and what is held before.

Hold before spend: nothing leaves without a durable hold in every scope, or a reason why it costs
nothing. Nothing is ever sent twice by us, and no stream is cut for a budget.
"""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from aiohttp import web
from multidict import CIMultiDict

from cockpit.core import events as e
from cockpit.core.text import one_line
from cockpit.gateway import sentences
from cockpit.gateway.booking import Sent
from cockpit.gateway.credentials import Billing, billing, signed, wants_ours
from cockpit.gateway.errand import Errand
from cockpit.gateway.governed import Governed, Happened
from cockpit.gateway.keys import Keys, KeyStoreError
from cockpit.gateway.passage import (
    Passage,
    RefusedError,
    TooLargeError,
    TooLongError,
    answered,
    whole_body,
)
from cockpit.gateway.pricing import LEAST_OUTPUT, Worst, output_wanted, worst
from cockpit.gateway.recognise import guessed, recognised
from cockpit.gateway.upstream import Outside, outgoing
from cockpit.gateway.wire.registry import DIALECTS
from cockpit.journal.calls import Hold
from cockpit.journal.ledger import Granted, Ledger
from cockpit.journal.purse import Exhausted
from cockpit.prices.book import Book


class Door:
    """Takes one request after the other, for any run. `clock` gives milliseconds since the epoch.

    `book` may be exchanged at any time.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        book: Book,
        keys: Keys,
        outside: Outside,
        happened: Happened,
        clock: Callable[[], int],
    ) -> None:
        self.ledger = ledger
        self.book = book
        self.outside = outside
        self.happened = happened
        self.clock = clock
        self._keys = keys

    async def handle(
        self, governed: Governed, request: web.BaseRequest, path: str, query: str
    ) -> web.StreamResponse:
        """Answers a request of the run; `path` and `query` as the client wrote them."""
        guess = guessed(path, request.headers)
        try:
            body = await whole_body(request)
        except TooLargeError:
            return answered(DIALECTS[guess].refusal(sentences.TOO_LARGE, governed.agent))
        found = recognised(governed, guess, path, request.headers, body)
        if found is None:
            sentence = sentences.unknown_path(governed.run, request.method, path)
            return answered(DIALECTS[guess].refusal(sentence, governed.agent))
        passage = Passage(governed, request, *found, body)
        try:
            return await self._through(passage, path, query)
        except asyncio.CancelledError:
            if not passage.open.stopped:
                raise
            passage.open.task.uncancel()
            return await passage.refuse(passage.open.stopped)
        except Exception:
            if passage.answer is not None:  # nothing else may be written into an open answer
                passage.hang_up()
            raise
        finally:
            governed.leave(passage.open)

    async def _through(self, passage: Passage, path: str, query: str) -> web.StreamResponse:
        try:
            errand = Errand(self, passage, path, query, await self._headers(passage, query))
            if not passage.asked.paid:
                self._refused(passage)
                return await errand.free()
            sent = await self._admitted(passage)
        except RefusedError as refused:
            return await passage.refuse(str(refused))
        except TooLongError:
            paused = passage.governed.paused
            return await passage.put_off(sentences.PAUSED if paused else sentences.BUSY)
        return await errand.paid(sent)

    async def _headers(self, passage: Passage, query: str) -> CIMultiDict[str]:
        """The headers to send: our key where the agent shows the dummy, its own login untouched."""
        upstream, given = passage.upstream, passage.request.headers
        sent = outgoing(given)
        if not wants_ours(given, query):
            return sent
        provider = upstream.provider
        try:
            secret = await (passage.governed.keys or self._keys).find(provider)
        except KeyStoreError as error:
            raise RefusedError(f"cockpit: {error}") from None
        if secret is None and (provider.key is None or provider.key.kind != "none"):
            raise RefusedError(sentences.no_key(provider))
        return signed(sent, upstream.wire, provider.name, secret)

    async def _admitted(self, passage: Passage) -> Sent:
        """The call with its hold, durable in every scope.

        Raises:
            RefusedError: when it is not let out.
            TooLongError: when the client could wait no longer.
        """
        governed, asked, upstream = passage.governed, passage.asked, passage.upstream
        self._session_named(governed, asked.session)
        payer = governed.billing or billing(passage.request.headers, upstream.provider.name)
        price = self._price(passage, payer)
        wanted = output_wanted(self.book, upstream.provider, asked, self.clock())
        while True:
            await self._open_way(passage)
            decision = governed.next_decision
            outcome = await self._placed(passage, price, wanted, payer)
            if isinstance(outcome, Exhausted):
                await self._exhausted(passage, outcome, decision)
            elif governed.refused or governed.paused:
                self.ledger.release(outcome.call)
            else:
                return Sent(
                    governed=governed, asked=asked, upstream=upstream, billing=payer, worst=price,
                    wanted=wanted, granted=outcome, requested=self.clock(),
                )  # fmt: skip

    def _session_named(self, governed: Governed, session: str) -> None:
        """Told before anything is held: a session of an earlier task is paid from that one's purse."""
        if governed.is_new_session(session):
            name = one_line(session)
            self.happened(e.SessionNamed(run=governed.run, at=self.clock(), session=name))

    def _price(self, passage: Passage, payer: Billing) -> Worst:
        asked, provider = passage.asked, passage.upstream.provider
        price = worst(self.book, provider, asked, payer, self.clock())
        if price is not None:
            return price
        sentence = sentences.no_price(asked.model, provider)
        self._hold_refused(passage, "", "", sentence)
        raise RefusedError(sentence)

    async def _open_way(self, passage: Passage) -> None:
        governed = passage.governed
        while governed.paused and not governed.refused:
            await passage.patiently(governed.next_decision.wait())
        self._refused(passage)

    def _refused(self, passage: Passage) -> None:
        sentence = passage.governed.refused
        if sentence:
            self._hold_refused(passage, "", "", sentence)
            raise RefusedError(sentence)

    async def _placed(
        self, passage: Passage, price: Worst, wanted: int, payer: Billing
    ) -> Granted | Exhausted:
        governed, asked, provider = passage.governed, passage.asked, passage.upstream.provider
        hold = Hold(
            call=uuid4().hex, run=governed.run, scopes=governed.scopes, billing=payer,
            model=asked.model, provider=provider.prices or provider.name, dialect=asked.dialect,
            prompt=asked.prompt, requested=self.clock(),
        )  # fmt: skip
        placing = self.ledger.place(hold, price, wanted, LEAST_OUTPUT, governed.lane)
        return await passage.patiently(placing, self._given_back)

    def _given_back(self, outcome: Granted | Exhausted) -> None:
        """A hold that was granted when nobody waited for it any more."""
        if isinstance(outcome, Granted):
            self.ledger.release(outcome.call)

    async def _exhausted(
        self, passage: Passage, outcome: Exhausted, decision: asyncio.Event
    ) -> None:
        """Refuses; returns when the operator was asked and decided that the call may try again."""
        sentence = sentences.exhausted(outcome, self.ledger, passage.governed.run)
        self._hold_refused(passage, "", outcome.scope, outcome.sentence)
        if outcome.reason == "journal":
            raise TooLongError
        if passage.governed.at_cap != "ask" or outcome.reason not in ("cap", "soft"):
            raise RefusedError(sentence)
        await passage.patiently(decision.wait())

    def _hold_refused(self, passage: Passage, call: str, scope: str, reason: str) -> None:
        run = passage.governed.run
        self.happened(
            e.HoldRefused(run=run, at=self.clock(), call=call, scope=scope, reason=reason)
        )
