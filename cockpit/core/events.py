"""Everything that can happen to a run: one frozen struct a fact, past tense.

`at` is always milliseconds since the epoch (UTC), `run` the id of the run. Texts that came from
outside were cleaned and sized where they entered (`cockpit.core.text`). Adapters, the gateway, the
loops and the engine translate into these and add no fields of their own; `fold` reads them.
"""

import functools
import operator
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cockpit.core.budget import Budget
from cockpit.core.composition import Composition
from cockpit.core.price import Mark, Rates
from cockpit.core.script import Stage
from cockpit.core.tokens import NO_TOKENS, Tokens

Authority = Literal["wire", "process", "signal", "view"]
Rung = Literal["interrupt", "terminate", "kill", "census"]


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    """What all events share."""

    run: str
    at: int


# --- runs


class RunSeen(Event, frozen=True, tag="run_seen"):
    """A run exists. `parent` is the run that started it; `source` the file or database that tells of it."""

    agent: str
    session: str
    parent: str | None = None
    source: str = ""


class RunDescribed(Event, frozen=True, tag="run_described"):
    """Something was learned about a run; None leaves what was known.

    `name` is the task as one line: a title wins over a first prompt (`titled`).
    """

    name: str | None = None
    titled: bool = False
    model: str | None = None
    project: str | None = None
    branch: str | None = None
    window: int | None = None


class RunCaveat(Event, frozen=True, tag="run_caveat"):
    """Why a figure of this run cannot be exact, in one sentence."""

    reason: str


class LinesRejected(Event, frozen=True, tag="lines_rejected"):
    """Lines of the run's transcript that could not be read; they are counted, never fatal."""

    count: int
    source: str = ""


class ProcessFound(Event, frozen=True, tag="process_found"):
    """A live process belongs to the run. `created` pins the pid against reuse (ms, from the kernel)."""

    pid: int
    created: int
    authority: Authority
    evidence: str = ""


class ProcessEnded(Event, frozen=True, tag="process_ended"):
    """The pinned process is gone."""

    pid: int


class RunEnded(Event, frozen=True, tag="run_ended"):
    """The agent itself, or its runner, said that the run is over."""

    outcome: str = ""


class RunDropped(Event, frozen=True, tag="run_dropped"):
    """The run left the screen: too old to be of interest. Its books stay."""


class RunGoverned(Event, frozen=True, tag="run_governed"):
    """cockpit started the run itself: its calls go through the gateway and its tree has a runner.

    `token` is the SHA-256 of the token in its URL, in hex; the token itself is kept nowhere.
    `purse` is the ledger's scope that its calls are paid from. `upstreams` are the operator's
    choices of where its calls go, each `DIALECT=URL` or `DIALECT=PROVIDER`. `channel` is the agent's
    own protocol by which it is driven, empty where there are only signals and the gateway.
    """

    agent: str
    name: str
    project: str
    token: str
    purse: str
    upstreams: tuple[str, ...] = ()
    channel: str = ""


class SessionLinked(Event, frozen=True, tag="session_linked"):
    """The run with id `found`, seen in an agent's transcripts, is this governed one.

    Its calls from `at` on are in the wire's books and count there only.
    """

    found: str


class SessionNamed(Event, frozen=True, tag="session_named"):
    """A call at the gateway bore this session of the agent's own; said once for each."""

    session: str


# --- what was said


class PromptGiven(Event, frozen=True, tag="prompt_given"):
    """A user, or the agent that started this one, gave the run something to do."""

    text: str


class ReplyGiven(Event, frozen=True, tag="reply_given"):
    """The model said something."""

    text: str


class ThoughtGiven(Event, frozen=True, tag="thought_given"):
    """The model thought aloud; may be empty where the vendor hides it."""

    text: str = ""


class TurnEnded(Event, frozen=True, tag="turn_ended"):
    """The agent finished what it was asked and waits for the next prompt."""

    reason: str = ""


class QuestionAsked(Event, frozen=True, tag="question_asked"):
    """The run cannot go on without an answer or a permission."""

    text: str = ""


class RunInterrupted(Event, frozen=True, tag="run_interrupted"):
    """The transcript itself says that the turn was cut short by its user."""

    text: str = ""


# --- calls


class CallStarted(Event, frozen=True, tag="call_started"):
    """A request left for the provider."""

    call: str = ""
    model: str = ""


class CallSettled(Event, frozen=True, tag="call_settled"):
    """A call entered the books.

    `call` is the provider's message id. `tokens` and `nano` are what this event adds; where a
    transcript writes one call several times with growing figures, later events carry only the
    difference and `revision` is true. `nano` is None when the price is unknown. `context` is the
    whole prompt of the call plus its answer; `lifetime_ms` how long the provider keeps it warm,
    counted from `requested`. `rates` are the rates it was priced with. Where `billing` is by
    subscription, `nano` is what it would have cost: shown, never counted.
    """

    call: str
    model: str
    tokens: Tokens = NO_TOKENS
    nano: int | None = None
    mark: Mark = "exact"
    revision: bool = False
    context: int = 0
    requested: int = 0
    lifetime_ms: int | None = None
    rates: Rates | None = None
    window: int | None = None
    billing: Literal["money", "subscription"] = "money"


class WindowMeasured(Event, frozen=True, tag="window_measured"):
    """A provider told how much of a subscription's window is used, by the run or anybody else.

    `resets` is when it starts anew, 0 when that was not told.
    """

    window: str
    percent: float
    resets: int = 0


class ContextMeasured(Event, frozen=True, tag="context_measured"):
    """What filled the context of a call that went through the gateway."""

    call: str
    composition: Composition


class CallFailed(Event, frozen=True, tag="call_failed"):
    """The provider refused or broke off a call. `status` is HTTP's, 0 where there was none."""

    status: int = 0
    message: str = ""


class ContextCompacted(Event, frozen=True, tag="context_compacted"):
    """The agent replaced its context by a summary. `before` counts tokens, 0 when unknown."""

    before: int = 0


# --- tools


class ToolStarted(Event, frozen=True, tag="tool_started"):
    """The model asked for a tool. `summary` is one line, `arguments` the whole request as text."""

    tool: str
    name: str
    summary: str = ""
    arguments: str = ""


class ToolEnded(Event, frozen=True, tag="tool_ended"):
    """A tool answered. `tool` is the id of the `ToolStarted` it belongs to."""

    tool: str
    ok: bool = True
    output: str = ""
    diff: str = ""


# --- budget, clock and books


class BudgetSet(Event, frozen=True, tag="budget_set"):
    """The operator, the settings or a plan capped the run; None takes the budget away."""

    budget: Budget | None
    by: str = "operator"


class ScopeCapped(Event, frozen=True, tag="scope_capped"):
    """The operator capped what many runs share (`run` is empty), in place of the settings' cap; None takes it away.

    `scope` is `day:2026-11-22`, `month:2026-11`, `project:` with its path, or `fleet`.
    """

    scope: str
    nano: int | None
    by: str = "operator"


class ClockWarned(Event, frozen=True, tag="clock_warned"):
    """The clock passed a share (percent) of the cap that rules."""

    share: int
    ruling: str


class ClockExpired(Event, frozen=True, tag="clock_expired"):
    """The cap named by `ruling` was reached; `action` is in words what that led to: `deferred`, `interrupted`."""

    ruling: str
    action: str


class SpendCounted(Event, frozen=True, tag="spend_counted"):
    """The books were counted: what the whole machine spent, shown on the screen or not.

    `quarters` maps quarters of an hour since the epoch to nano-dollars; one that is not named is
    too old to matter.
    """

    quarters: dict[int, int]


class HoldPlaced(Event, frozen=True, tag="hold_placed"):
    """Money was reserved before a call left, in `scope` and every scope above it."""

    call: str
    scope: str
    nano: int
    tokens: int = 0


class HoldRefused(Event, frozen=True, tag="hold_refused"):
    """A call was not let out: `scope` could not bear it, or (empty) it was refused for another `reason`."""

    call: str
    scope: str
    reason: str


class CallDispatched(Event, frozen=True, tag="call_dispatched"):
    """The held call's bytes are about to leave; from here on a crash presumes the whole hold."""

    call: str


class HoldReleased(Event, frozen=True, tag="hold_released"):
    """A hold was replaced by what the call really cost, or given back."""

    call: str
    nano: int
    mark: Mark = "exact"


class OverrunBooked(Event, frozen=True, tag="overrun_booked"):
    """A call cost more than its hold; the whole is in the books."""

    call: str
    nano: int


class RunDeferred(Event, frozen=True, tag="run_deferred"):
    """The run stopped at a safe point, kept everything, and waits for an answer.

    `scope` is the one whose cap was in the way: the run's own, or one that many share.
    """

    reason: str
    scope: str = ""


class RunHalted(Event, frozen=True, tag="run_halted"):
    """The run was frozen because going on was dangerous."""

    reason: str
    case: str = ""


# --- stopping and steering


class StopRequested(Event, frozen=True, tag="stop_requested"):
    """Someone wants the run stopped; `mode` is `stop` (the ladder) or `panic` (kill at once)."""

    by: str
    mode: Literal["stop", "panic"] = "stop"
    pids: tuple[int, ...] = ()


class StopClimbed(Event, frozen=True, tag="stop_climbed"):
    """The stop went a rung up the ladder; `channel` when the agent's own protocol did it, no signal."""

    rung: Rung
    pids: tuple[int, ...] = ()
    channel: str = ""


class RunStopped(Event, frozen=True, tag="run_stopped"):
    """A census found no survivor. `took_ms` counts from the request."""

    took_ms: int
    processes: int = 0


class StopFailed(Event, frozen=True, tag="stop_failed"):
    """Processes survived the whole ladder, or the run could not be signalled at all (no pids)."""

    pids: tuple[int, ...] = ()
    reason: str = ""


class RunPaused(Event, frozen=True, tag="run_paused"):
    """The run's next request is held; `channel` says where."""

    channel: str


class RunResumed(Event, frozen=True, tag="run_resumed"):
    """The run goes on."""

    channel: str = ""


class RunContinued(Event, frozen=True, tag="run_continued"):
    """The run goes on with a session of another one, `task`: both are paid from one `purse`.

    The figures are what was used there before, in the units of a budget; its clock counts from them.
    """

    task: str
    purse: str
    money: int = 0
    tokens: int = 0
    time_ms: int = 0
    turns: int = 0


class RunSteered(Event, frozen=True, tag="run_steered"):
    """The operator said a word to a live run; `delivered` is 0 until the channel confirms."""

    text: str
    channel: str
    delivered: int = 0


class ApprovalAsked(Event, frozen=True, tag="approval_asked"):
    """A tool call that cannot be undone waits for the operator."""

    tool: str
    rule: str
    text: str


class ApprovalAnswered(Event, frozen=True, tag="approval_answered"):
    """The operator, or the time-out, decided on a held tool call."""

    tool: str
    allowed: bool
    by: str


# --- loops, gates, flags


class IterationStarted(Event, frozen=True, tag="iteration_started"):
    """A loop began another pass with a fresh session."""

    number: int


class IterationEnded(Event, frozen=True, tag="iteration_ended"):
    """A pass ended. `diff` is the hash of what it changed, empty when nothing did."""

    number: int
    diff: str = ""
    progress: int = 0


class GatePassed(Event, frozen=True, tag="gate_passed"):
    """The deterministic verifier accepted the work."""

    gate: str
    checks: int = 0


class GateFailed(Event, frozen=True, tag="gate_failed"):
    """The verifier refused; `failing` names the checks."""

    gate: str
    failing: tuple[str, ...] = ()


class GateTampered(Event, frozen=True, tag="gate_tampered"):
    """Something the gate protects was changed by the work it judges."""

    gate: str
    paths: tuple[str, ...] = ()


class FlagRaised(Event, frozen=True, tag="flag_raised"):
    """A detector saw something; `evidence` holds the sequence numbers of the events that prove it."""

    flag: str
    detector: str
    text: str
    evidence: tuple[int, ...] = ()


class CaseDecided(Event, frozen=True, tag="case_decided"):
    """A flag was matched to a case, or the operator decided; the decision becomes a case."""

    flag: str
    case: str
    action: str
    by: str


class ConstraintChanged(Event, frozen=True, tag="constraint_changed"):
    """A rule was proposed, adopted or retired, with the incident that taught it."""

    constraint: str
    change: Literal["proposed", "adopted", "retired"]
    text: str
    incident: str = ""


# --- scripts


class ScriptChanged(Event, frozen=True, tag="script_changed"):
    """A script went to another stage of its life; `content` is the hash of what it is then.

    `run` is empty: a script is no run. `by` is the operator, or what decided in the operator's name.
    """

    script: str
    stage: Stage
    content: str = ""
    reason: str = ""
    by: str = ""


class ScriptRan(Event, frozen=True, tag="script_ran"):
    """A script ran; `saved_nano` is what the agent used to cost for it, 0 where it does not count.

    `kind` says why it ran, `beside` names the agent's run that it was compared with, or that did the
    task after it had given up; `passed` that its contract was kept and its outputs are there.
    """

    script: str
    exit_code: int
    saved_nano: int = 0
    content: str = ""
    kind: str = "active"
    passed: bool = False
    reason: str = ""
    beside: str = ""


# --- the machine


class ClockJumped(Event, frozen=True, tag="clock_jumped"):
    """Wall time moved against monotonic time, or the machine slept, by `gap_ms`."""

    gap_ms: int


class NoticeGiven(Event, frozen=True, tag="notice_given"):
    """Something the operator should read; `run` is empty when it concerns no run."""

    text: str
    level: Literal["information", "warning", "error"] = "information"


KINDS: tuple[type[Event], ...] = tuple(Event.__subclasses__())
union: Any = functools.reduce(operator.or_, KINDS)
"""The type to decode where any event may stand."""

_encoder = msgspec.json.Encoder()
_decoder: "msgspec.json.Decoder[Event]" = msgspec.json.Decoder(union)


def encode(event: Event) -> bytes:
    """One event as JSON, its kind in the field `event`."""
    return _encoder.encode(event)


def decode(data: bytes | str) -> Event:
    """The event that `encode` wrote.

    Raises:
        msgspec.ValidationError: for an event this version does not know.
    """
    return _decoder.decode(data)
