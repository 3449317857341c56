"""The ledger's rows: a call from its hold to its bill, and what each scope has spent.

A row is `open` (promised to somebody else), `dispatched` (its bytes may have left: a crash presumes
the worst), `settled` or `released`. A correction never changes a settled row: it is a row of its own
that `adjusts` the other and holds the difference.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from cockpit.core.call import Call
from cockpit.core.events import CallSettled
from cockpit.core.price import Mark, Rates
from cockpit.core.text import clean
from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.journal.owner import Owner
from cockpit.journal.purse import Amount, Billing, utf8
from cockpit.journal.store import Statement, Write, tables

State = Literal["open", "dispatched", "settled", "released"]
TOKEN_CLASSES = Tokens.__struct_fields__
TEXT_LIMIT = 400


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


calls = sa.Table(
    "calls",
    tables,
    sa.Column("call", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("allowance", sa.Text),
    sa.Column("billing", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("dialect", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("max_output", sa.BigInteger, nullable=False),
    sa.Column("hold_nano", sa.BigInteger, nullable=False),
    sa.Column("hold_tokens", sa.BigInteger, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in TOKEN_CLASSES),
    sa.Column("nano", sa.BigInteger),
    sa.Column("mark", sa.Text),
    _text("reason"),
    _text("message"),
    sa.Column("requested", sa.BigInteger, nullable=False),
    sa.Column("first_byte", sa.BigInteger),
    sa.Column("ended", sa.BigInteger),
    sa.Column("lifetime_ms", sa.BigInteger),
    sa.Column("window", sa.BigInteger),
    _text("tier"),
    _text("geo"),
    sa.Column("searches", sa.Integer, nullable=False, server_default="0"),
    sa.Column("rates", sa.Text),
    sa.Column("owner_pid", sa.BigInteger, nullable=False),
    sa.Column("owner_start", sa.BigInteger, nullable=False),
    sa.Column("owner_boot", sa.Text, nullable=False),
    sa.Column("checkpoint", sa.BigInteger),
    sa.Column("adjusts", sa.Text),
    sa.Column("seq", sa.BigInteger),
)
balances = sa.Table(
    "balances",
    tables,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("nano", sa.BigInteger, nullable=False),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("calls", sa.BigInteger, nullable=False),
)

_UNSETTLED = sa.text("state IN ('open', 'dispatched')")
_BILL = (
    *TOKEN_CLASSES, "nano", "mark", "reason", "message", "model", "first_byte", "ended",
    "lifetime_ms", "window", "tier", "geo", "searches", "rates", "seq",
)  # fmt: skip


def _update(*names: str) -> sa.Update:
    """An update of an unsettled row; its values are bound as `to_…`, the call as `which`."""
    values: dict[str, Any] = {name: sa.bindparam(f"to_{name}") for name in names}
    return sa.update(calls).where(calls.c.call == sa.bindparam("which"), _UNSETTLED).values(values)


HOLD = Write(1, sa.insert(calls))
DISPATCH = Write(2, _update().values(state="dispatched"))
CHECKPOINT = Write(3, _update(*TOKEN_CLASSES, "nano", "checkpoint"))
SETTLE = Write(4, _update(*_BILL).values(state="settled"))
RELEASE = Write(4, _update("ended").values(state="released"))
ADJUST = Write(5, sa.insert(calls))
BALANCE = Write(
    6,
    sa.text(
        "INSERT INTO balances (scope, nano, tokens, calls) VALUES (:scope, :nano, :tokens, :calls)"
        " ON CONFLICT (scope) DO UPDATE SET nano = balances.nano + excluded.nano,"
        " tokens = balances.tokens + excluded.tokens, calls = balances.calls + excluded.calls"
    ),
    total_by="scope",
)


class Hold(Struct, frozen=True, kw_only=True):
    """A call that asks to be let out.

    `scopes` go from the root to the leaf; whoever resumes or forks a run passes the first run's
    scopes, so that its counters go on. `prompt` is a token count that can only err high,
    `requested` milliseconds since the epoch.
    """

    call: str
    run: str
    scopes: tuple[str, ...]
    billing: Billing = "money"
    model: str = ""
    provider: str = ""
    dialect: str = ""
    prompt: int = 0
    requested: int = 0


class Settlement(Struct, frozen=True, kw_only=True):
    """A call's bill. `nano` is None when the real cost is unknown: the whole hold is presumed.

    `message` is the provider's id; an empty `model` is the one asked for. Times are milliseconds
    since the epoch.
    """

    tokens: Tokens = NO_TOKENS
    nano: int | None = None
    mark: Mark = "exact"
    reason: str = ""
    message: str = ""
    model: str = ""
    first_byte: int | None = None
    ended: int | None = None
    lifetime_ms: int | None = None
    window: int | None = None
    tier: str = ""
    geo: str = ""
    searches: int = 0
    rates: Rates | None = None


class Booked(Struct, frozen=True, kw_only=True):
    """A row of the books; `adjusts` names the call that it corrects by the difference it holds."""

    seq: int
    call: str
    run: str
    scopes: tuple[str, ...]
    billing: Billing
    provider: str
    dialect: str
    requested: int
    hold: Amount
    bill: Settlement
    adjusts: str = ""

    def event(self) -> CallSettled:
        """The row as the event that folds into its run."""
        bill = self.bill
        return CallSettled(
            run=self.run, at=bill.ended or self.requested, call=bill.message or self._origin,
            model=bill.model, tokens=bill.tokens, nano=bill.nano, mark=bill.mark,
            revision=bool(self.adjusts), context=0 if self.adjusts else bill.tokens.total,
            requested=self.requested, lifetime_ms=bill.lifetime_ms, rates=bill.rates,
            billing=self.billing,
            window=bill.window,
        )  # fmt: skip

    def told(self) -> Call:
        """The row as the usage index takes calls in; of an adjustment only the difference."""
        bill = self.bill
        return Call(
            bill.message or self._origin, self.run, bill.ended or self.requested, bill.model,
            bill.tokens, self.provider, bill.mark, bill.reason, self.requested, bill.lifetime_ms,
            bill.window, bill.tier, bill.geo, bill.searches, None,
        )  # fmt: skip

    @property
    def _origin(self) -> str:
        return self.adjusts or self.call


class Unsettled(Struct, frozen=True):
    """A hold as the rows remember it; `observed` is what its last checkpoint presumes."""

    hold: Hold
    state: State
    amount: Amount
    max_output: int
    owner: Owner
    observed: Settlement | None


def cleaned(hold: Hold) -> Hold:
    """The hold with each scope once, and its texts as the rows can keep them."""
    return replace(
        hold, scopes=tuple(dict.fromkeys(map(utf8, hold.scopes))), run=utf8(hold.run),
        model=clean(hold.model, TEXT_LIMIT), provider=clean(hold.provider, TEXT_LIMIT),
    )  # fmt: skip


def hold_row(hold: Hold, amount: Amount, output: int, owner: Owner) -> dict[str, Any]:
    """The row of a hold that goes straight to `dispatched`."""
    return {
        "call": hold.call, "run": hold.run, "scope": hold.scopes[-1],
        "scopes": msgspec.json.encode(hold.scopes).decode(), "allowance": None,
        "billing": hold.billing, "model": hold.model, "provider": hold.provider,
        "dialect": hold.dialect, "state": "dispatched", "max_output": output,
        "hold_nano": amount.nano, "hold_tokens": amount.tokens, "requested": hold.requested,
        "owner_pid": owner.pid, "owner_start": owner.start, "owner_boot": owner.boot,
    }  # fmt: skip


def bill_values(bill: Settlement, seq: int) -> dict[str, Any]:
    """The columns that a settlement fills in."""
    return {
        **bill.tokens.by_class(), "nano": bill.nano, "mark": bill.mark,
        "reason": clean(bill.reason, TEXT_LIMIT), "message": clean(bill.message, TEXT_LIMIT),
        "model": clean(bill.model, TEXT_LIMIT), "first_byte": bill.first_byte,
        "ended": bill.ended, "lifetime_ms": bill.lifetime_ms, "window": bill.window,
        "tier": clean(bill.tier, TEXT_LIMIT), "geo": clean(bill.geo, TEXT_LIMIT), "searches": bill.searches,
        "rates": msgspec.json.encode(bill.rates).decode() if bill.rates else None, "seq": seq,
    }  # fmt: skip


def adjustment(
    rows: Sequence[Booked], bill: Settlement, tokens: Tokens, nano: int, seq: int, owner: Owner
) -> Statement:
    """A row of its own that adds the difference to what `rows` say of one call."""
    first = rows[0]
    hold = Hold(
        call=f"{first.call}+{len(rows)}", run=first.run, scopes=first.scopes,
        billing=first.billing, provider=first.provider, dialect=first.dialect,
        requested=first.requested,
    )  # fmt: skip
    difference = replace(
        bill, tokens=tokens, nano=nano, message=bill.message or first.bill.message,
        model=bill.model or first.bill.model, ended=bill.ended or first.bill.ended,
    )  # fmt: skip
    return ADJUST, {
        **hold_row(hold, Amount(), 0, owner), **bill_values(difference, seq), "state": "settled",
        "adjusts": first.call,
    }  # fmt: skip


def update(write: Write, call: str, values: dict[str, Any]) -> Statement:
    """One row's part in an update."""
    return write, {"which": call, **{f"to_{name}": value for name, value in values.items()}}


def spent(scopes: Sequence[str], amount: Amount, number: int = 1) -> list[Statement]:
    """What a booked call adds to each scope."""
    return [
        (
            BALANCE,
            {"scope": scope, "nano": amount.nano, "tokens": amount.tokens, "calls": number},
        )
        for scope in scopes
    ]


def scopes_of(row: sa.Row[Any]) -> tuple[str, ...]:
    return msgspec.json.decode(row.scopes, type=tuple[str, ...])


def tokens_of(row: sa.Row[Any]) -> Tokens:
    return Tokens(*(getattr(row, name) for name in TOKEN_CLASSES))


def booked(row: sa.Row[Any]) -> Booked:
    """A settled row or an adjustment, read back."""
    bill = Settlement(
        tokens=tokens_of(row), nano=row.nano, mark=row.mark, reason=row.reason,
        message=row.message, model=row.model, first_byte=row.first_byte, ended=row.ended,
        lifetime_ms=row.lifetime_ms, window=row.window, tier=row.tier, geo=row.geo,
        searches=row.searches,
        rates=msgspec.json.decode(row.rates, type=Rates) if row.rates else None,
    )  # fmt: skip
    return Booked(
        seq=row.seq, call=row.call, run=row.run, scopes=scopes_of(row), billing=row.billing,
        provider=row.provider, dialect=row.dialect, requested=row.requested,
        hold=Amount(row.hold_nano, row.hold_tokens), bill=bill, adjusts=row.adjusts or "",
    )  # fmt: skip


def settled_since(connection: sa.Connection, seq: int, limit: int = 10_000) -> list[Booked]:
    """What was booked after the row `seq`, in order: settled calls and adjustments."""
    asked = sa.select(calls).where(calls.c.seq > seq).order_by(calls.c.seq).limit(limit)
    return [booked(row) for row in connection.execute(asked)]


def books_of(connection: sa.Connection, run: str) -> list[Booked]:
    """Everything that was ever booked for a run, in order."""
    asked = sa.select(calls).where(calls.c.run == run, calls.c.seq.is_not(None))
    return [booked(row) for row in connection.execute(asked.order_by(calls.c.seq))]


def balances_of(connection: sa.Connection) -> dict[str, tuple[Amount, int]]:
    """What every scope has settled, and in how many calls."""
    return {
        row.scope: (Amount(row.nano, row.tokens), row.calls)
        for row in connection.execute(sa.select(balances))
    }


def booked_for(connection: sa.Connection, call: str) -> list[Booked]:
    """A settled call and its adjustments; empty when it was never settled."""
    asked = sa.select(calls).where(
        sa.or_(calls.c.call == call, calls.c.adjusts == call), calls.c.seq.is_not(None)
    )
    return [booked(row) for row in connection.execute(asked.order_by(calls.c.seq))]


def unsettled(connection: sa.Connection) -> list[Unsettled]:
    """The holds that nobody has settled or released."""
    asked = sa.select(calls).where(_UNSETTLED).order_by(calls.c.requested)
    return [_unsettled(row) for row in connection.execute(asked)]


def _unsettled(row: sa.Row[Any]) -> Unsettled:
    hold = Hold(
        call=row.call, run=row.run, scopes=scopes_of(row), billing=row.billing, model=row.model,
        provider=row.provider, dialect=row.dialect, requested=row.requested,
    )  # fmt: skip
    seen = None
    if row.checkpoint is not None:
        seen = Settlement(
            tokens=tokens_of(row), nano=row.nano, mark="estimated", ended=row.checkpoint,
            reason="by its last checkpoint: the engine died",
        )  # fmt: skip
    return Unsettled(
        hold, row.state, Amount(row.hold_nano, row.hold_tokens), row.max_output,
        Owner(row.owner_pid, row.owner_start, row.owner_boot), seen,
    )  # fmt: skip


def last_seq(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(calls.c.seq))).scalar() or 0)
