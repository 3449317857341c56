"""What the gateway says when it lets nothing out: who, why, and what to do about it."""

from cockpit.core.money import NANO
from cockpit.core.text import one_line
from cockpit.gateway.providers import Provider
from cockpit.journal import paths
from cockpit.journal.ledger import Ledger
from cockpit.journal.purse import Exhausted

NO_RUN = (
    "cockpit: this address belongs to no live run. Nothing was sent. Start one: cockpit run -- …"
)
TOO_LARGE = "cockpit: the request is larger than any provider takes. Nothing was sent."
PAUSED = "cockpit: the run is paused. Nothing was sent. It goes on with: cockpit resume"
BUSY = "cockpit: other calls hold what is left of the budget. Nothing was sent; ask again."


def unknown_path(run: str, method: str, path: str) -> str:
    return (
        f"cockpit: {run} asked for {one_line(method, 12)} {one_line(path, 120)}, of which nobody"
        " can tell what it costs. Nothing was sent."
    )


def no_price(model: str, provider: Provider) -> str:
    return (
        f"cockpit: no price is known for {one_line(model, 80)!r} at {provider.prices or provider.name}."
        f" Nothing was sent. Set one in {paths.prices_file()} (see: cockpit prices --help)"
    )


def no_key(provider: Provider) -> str:
    variable = (provider.key.variable if provider.key else "") or provider.variable
    known = f"set {variable} or " if variable else ""
    return (
        f"cockpit: there is no key for {provider.name}. Nothing was sent."
        f" To give it one, {known}run: cockpit key set {provider.name}"
    )


def exhausted(outcome: Exhausted, ledger: Ledger, run: str) -> str:
    """Which cap is reached, and the command that raises it."""
    return f"cockpit: a cap is reached: {outcome.sentence}. Nothing was sent.{_raise(outcome, ledger, run)}"


def _raise(outcome: Exhausted, ledger: Ledger, run: str) -> str:
    cap = ledger.balance(outcome.scope).cap
    kind = outcome.scope.partition(":")[0]
    if cap is None or outcome.reason not in ("cap", "soft"):
        return ""
    if kind == "stage":
        return ""
    if kind != "run" and cap.nano is not None:
        scope = outcome.scope if kind == "project" else kind
        return f" Raise it: cockpit caps {scope} {max(1, cap.nano * 2 // NANO)}usd"
    if cap.nano is not None:
        return f" Raise it: cockpit budget {run} --money {max(1, cap.nano * 2 // NANO)}"
    return f" Raise it: cockpit budget {run} --tokens {(cap.tokens or 0) * 2}"


def unreachable(provider: Provider, error: Exception) -> str:
    """The kind of error only: its text may name a proxy with a password."""
    return f"cockpit: {provider.name} cannot be reached ({type(error).__name__})"


def lost(provider: Provider) -> str:
    return f"cockpit: {provider.name} closed the connection without an answer"


def broken_off(provider: Provider) -> str:
    return f"{provider.name} broke off its answer"
