"""What one answer told of its cost, and the bill when not all of it was told."""

import math

from cockpit.core.tokens import Tokens
from cockpit.gateway.wire.dialect import Asked, Metered
from cockpit.gateway.wire.untrusted import UNREADABLE

BYTES_PER_TOKEN = 3.5
MARGIN = 1.1
"""Over what was seen of the output, because bytes are a guess at tokens."""
UNSEEN = 256
"""Tokens of output that no answer shows, at least: generated but not sent, tokens of control."""

CHEAPER = frozenset({"batch", "flex"})
"""Tiers that count only when the answer says so; a dearer one counts until it says otherwise."""

UPPER_BOUND = "input: the request's upper bound"
AS_TOLD = "input: as the provider told"


class Answer:
    """One answer, read payload by payload; every wire has its own.

    `tokens` is what the provider told last, `final` whether that was its last word, `complete`
    whether the terminal event came. `shown`, `thought` and `veiled` are bytes of output seen: text
    and tool calls, thinking, and thinking in a form only the provider can read; `unveiled` is set
    once it is plain that no other thinking is hidden. `unread` are bytes of payloads that could not
    be read, `left` those that are no whole payload yet; `opaque` says that the whole answer, of
    `size` bytes, was none.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.message = self.failure = ""
        self.tier = "" if asked.tier in CHEAPER else asked.tier
        self.geo = asked.geo
        self.model = asked.model
        self.tokens = Tokens()
        self.input_told = self.final = self.complete = self.opaque = False
        self.size = self.read = self.unknown = self.unread = self.left = 0
        self.shown = self.thought = self.veiled = 0
        self.unveiled = False
        self.searches = 0
        self.lifetime_ms: int | None = None

    def take(self, payload: bytes) -> None:
        """Reads one payload; what cannot be read is counted as unknown."""
        try:
            self.read_payload(payload)
        except UNREADABLE:
            self.unknown += 1
            self.unread += len(payload)
        else:
            self.read += 1

    def read_payload(self, payload: bytes) -> None:
        """Takes over what a payload tells; may raise what `UNREADABLE` lists."""
        raise NotImplementedError

    def observed(self) -> Tokens:
        """Used so far: the input as told or as asked, the output as far as it can be seen."""
        seen = self._seen()
        if self.final:
            return self.tokens
        thought = min(seen, math.ceil((self.thought + self.veiled) / BYTES_PER_TOKEN))
        return self._with_output(max(self.tokens.output, seen), max(self.tokens.reasoning, thought))

    def _seen(self) -> int:
        """Output tokens seen; in an answer that is compressed, every byte may be one."""
        if self.opaque:
            return self.size
        unread = 0 if self.read else self.unread + self.left
        return math.ceil((self.shown + self.thought + self.veiled + unread) / BYTES_PER_TOKEN)

    def _with_output(self, output: int, reasoning: int) -> Tokens:
        side = self.tokens if self.input_told else Tokens(input=self.asked.prompt)
        return Tokens(
            side.input,
            side.cache_write_5m,
            side.cache_write_1h,
            side.cache_read,
            output,
            min(output, reasoning),
        )

    def bill(self, *, cut: bool) -> Metered:
        """The provider's own count, or an estimate that is never below what is known."""
        tokens, reason = (self.tokens, "") if self.final else self._estimate(cut)
        return Metered(
            message=self.message,
            model=self.model,
            tokens=tokens,
            mark="exact" if self.final else "estimated",
            reason=self.failure if self.final else reason,
            complete=self.complete and not self.failure,
            tier=self.tier,
            geo=self.geo,
            searches=self.searches,
            lifetime_ms=self.lifetime_ms,
        )

    def _estimate(self, cut: bool) -> tuple[Tokens, str]:
        seen = self.observed()
        if self.complete and self.tokens.output:
            return seen, f"{self._why(cut)}; {self._input_rule()}; output: as the provider told"
        hidden = 0 if self.unveiled else self.asked.unseen - seen.reasoning
        unseen = max(UNSEEN, hidden)
        guess = math.ceil(self._seen() * MARGIN) + unseen
        if self.asked.max_output is not None:
            guess = min(guess, self.asked.max_output)
        rule = f"{self._input_rule()}; output: bytes seen / {BYTES_PER_TOKEN} x {MARGIN} + {unseen} not seen"
        tokens = self._with_output(max(guess, self.tokens.output), seen.reasoning)
        return tokens, f"{self._why(cut)}; {rule}"

    def _input_rule(self) -> str:
        return AS_TOLD if self.input_told else UPPER_BOUND

    def _why(self, cut: bool) -> str:
        if self.failure:
            return f"the stream told an error ({self.failure})"
        if self.complete:
            return "the answer did not tell all usage"
        if self.opaque or (self.unknown and not self.read and not cut):
            return "the answer could not be read"
        return "broken off" if cut else "ended without its last event"


def lifetime_ms(asked: str) -> int | None:
    """Milliseconds of a lifetime as wires write it: `5m`, `1h`, `24h`."""
    unit = {"s": 1000, "m": 60_000, "h": 3_600_000}.get(asked[-1:])
    number = asked[:-1]
    return int(number) * unit if unit and number.isdecimal() and len(number) < 6 else None
