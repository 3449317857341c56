"""The shelf as the screen and the shell see it: scripts in every stage of their life, and what proves them.

These are the answers of the engine's requests `scripts` and `script`.
"""

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cockpit.core.script import GATES, Hole, Input, Refusal, Script, Stage, Trial

Kind = Literal["active", "shadow", "audit", "asked"]
"""Why a script ran: its schedule or the operator's word once adopted, beside the agent before that or
now and then after it, or a run that counts for nothing (`--dry-run`)."""
CostOf = Literal["synthesis", "shadow", "repair", "audit"]
Missed = Literal["skip", "once"]
Keeper = Literal["engine", "systemd", "cron"]
Decision = Literal["approve", "shadow", "refuse", "repair", "retire"]


class Life(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a script stands; `cockpit.architect.life` has the steps.

    `approved` is the content somebody said yes to, `home` the stage it came to quarantine from.
    `quarantines` and `repairs` are when (ms), the latest last, `since` is when it left that stage;
    `runs` counts those since adoption.
    """

    stage: Stage
    content: str
    approved: str = ""
    agreeing: int = 0
    unattended: bool = False
    home: Stage = "shadow"
    since: int = 0
    quarantines: tuple[int, ...] = ()
    repairs: tuple[int, ...] = ()
    runs: int = 0
    reason: str = ""


class Wish(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the agent is begun that does the task whenever the script does not; argv, no shell."""

    command: tuple[str, ...]
    cwd: str
    agent: str = ""
    project: str = ""
    name: str = ""
    upstreams: tuple[str, ...] = ()


class Output(Struct, frozen=True, omit_defaults=True):
    """A file that a script said it wrote, relative to its workspace."""

    path: str
    sha256: str = ""
    rows: int | None = None


Given = tuple[tuple[str, str], ...]
"""The values of a script's inputs, by name."""


class ScriptRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of a script. `agreed` is None where no agent's run was there to compare with.

    `beside` is that agent's run, or the one that did the task after the script had given up.
    `saved_nano` is the whole baseline where the run counts, before costs are taken off.
    """

    number: int = 0
    content: str
    kind: Kind
    began: int
    ended: int
    exit_code: int
    passed: bool
    reason: str = ""
    outputs: tuple[Output, ...] = ()
    skipped: str = ""
    beside: str = ""
    agreed: bool | None = None
    saved_nano: int = 0
    given: Given = ()


class Schedule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a script runs by itself. `zone` is an IANA name, empty for the machine's.

    `missed` says what happens when its time passed while nothing ran; `keeper` whose clock it is.
    `given` are the values for a script with inputs: each time it runs once for each of them.
    """

    cron: str
    zone: str = ""
    missed: Missed = "once"
    keeper: Keeper = "engine"
    given: tuple[Given, ...] = ()


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A script as the shelf keeps it. `fired` is the last time of its schedule that was acted on (ms).

    `evidence` are the agent's runs of the task, `paid` what those that did it cost (nano-dollars; they
    are known longer than the evidence). What is `superseded` is from before the world changed and
    proves nothing any more.
    """

    name: str
    task: str
    life: Life
    workspace: str
    wish: Wish | None = None
    schedule: Schedule | None = None
    fired: int = 0
    month_nano: int | None = None
    proposed: str = ""
    evidence: tuple[str, ...] = ()
    paid: dict[str, int] = {}
    superseded: tuple[str, ...] = ()
    changed: int = 0


class Cost(Struct, frozen=True):
    """Money that a script cost to make, to watch or to mend; `run` is the agent's run or the call."""

    at: int
    what: CostOf
    nano: int
    run: str = ""


class Savings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a script saved so far: `gross_nano` over `counted` runs, without what it cost itself.

    `baseline_nano` is what the agent used to cost for one run of it now, None while unpriced.
    """

    baseline_nano: int | None = None
    counted: int = 0
    gross_nano: int = 0
    costs: dict[str, int] = {}
    method: str = ""

    @property
    def net_nano(self) -> int:
        return self.gross_nano - sum(self.costs.values())


class Decided(Struct, frozen=True, omit_defaults=True):
    """What was decided about one content of a script, by whom and when."""

    content: str
    decision: Decision
    by: str
    at: int
    reason: str = ""


class ShelfRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A script on the shelf. `needs` says in words what it waits for, empty when it needs nothing.

    `agreeing` of `agreements` shadow runs have agreed in a row. `next` is when its schedule is due,
    0 without one. `sandbox` names what holds it, empty where nothing does: then it asks each time.
    `month_nano` is what a month of it saves net of everything, by its task's rhythm; `proposed` the
    cron line of that rhythm. `inputs` are what it has to be told beside the day.
    """

    name: str
    task: str
    purpose: str
    stage: Stage
    content: str
    tier: int = 0
    project: str = ""
    workspace: str = ""
    agent: str = ""
    reason: str = ""
    needs: str = ""
    agreeing: int = 0
    agreements: int = 3
    unattended: bool = False
    schedule: Schedule | None = None
    proposed: str = ""
    next: int = 0
    running: bool = False
    sandbox: str = ""
    last: ScriptRun | None = None
    savings: Savings = Savings()
    month_nano: int | None = None
    changed: int = 0
    inputs: tuple[Input, ...] = ()


class Line(Struct, frozen=True, omit_defaults=True):
    """A line of a script's body, and the names of the holes whose values come into it."""

    number: int
    text: str
    holes: tuple[str, ...] = ()


class MatrixRow(Struct, frozen=True, omit_defaults=True):
    """One run's results by gate, or the script's own (`run` empty)."""

    run: str
    role: Literal["", "trained", "held out"] = ""
    trials: dict[str, Trial] = {}


class Sheet(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A script as it is reviewed. `difference` is against what was approved last, empty when equal."""

    row: ShelfRow
    script: Script
    body: tuple[Line, ...] = ()
    matrix: tuple[MatrixRow, ...] = ()
    approved: str = ""
    difference: str = ""
    decisions: tuple[Decided, ...] = ()
    runs: tuple[ScriptRun, ...] = ()
    costs: tuple[Cost, ...] = ()


class Built(Struct, frozen=True, omit_defaults=True):
    """What became of a task: a script by its name on the shelf, or why there is none."""

    name: str = ""
    refusal: Refusal | None = None


def body_of(script: Script) -> tuple[Line, ...]:
    """The lines a person has to read, each with the holes that it uses."""
    lines = script.source.splitlines()
    first, last = script.body if script.body != (0, 0) else (1, len(lines))
    return tuple(
        Line(number, lines[number - 1], holes_in(lines[number - 1], script.holes))
        for number in range(max(1, first), min(last, len(lines)) + 1)
    )


def holes_in(text: str, holes: Sequence[Hole]) -> tuple[str, ...]:
    """The names of the holes whose values come into a line of the program."""
    if text.lstrip().startswith(("def ", "promises(")):
        return ()
    return tuple(hole.name for hole in holes if _stands_in(hole.source, text))


def _stands_in(source: str, text: str) -> bool:
    return bool(places_of(source, text))


def places_of(source: str, text: str) -> tuple[tuple[int, int], ...]:
    """Where an expression stands in a line; a form such as `, %d.%m.` may follow its code."""
    code = source
    while code:
        found = re.finditer(rf"(?<![\w.]){re.escape(code)}(?!\w)", text)
        if places := tuple(each.span() for each in found):
            return places
        code = code.rpartition(", ")[0]
    return ()


def distinct(holes: Sequence[Hole]) -> tuple[Hole, ...]:
    """The holes with a name of its own each."""
    seen: Counter[str] = Counter()
    found = []
    for hole in holes:
        seen[hole.name] += 1
        count = seen[hole.name]
        found.append(replace(hole, name=f"{hole.name} ({count})") if count > 1 else hole)
    return tuple(found)


def matrix_of(script: Script, trials: Sequence[Trial]) -> tuple[MatrixRow, ...]:
    """Runs by gates: the script's own row first, then what it was trained on, then the others."""
    by_run: dict[str, dict[str, Trial]] = {}
    for trial in sorted(trials, key=lambda trial: GATES.index(trial.gate)):
        known = by_run.setdefault(trial.run, {})
        if trial.gate not in known or known[trial.gate].passed:
            known[trial.gate] = trial
    order = ["", *script.trained, *script.held_out]
    runs = [run for run in order if run in by_run] + [run for run in by_run if run not in order]
    return tuple(MatrixRow(run, _role(script, run), by_run[run]) for run in runs)


def _role(script: Script, run: str) -> Literal["", "trained", "held out"]:
    if run in script.trained:
        return "trained"
    return "held out" if run in script.held_out else ""


def difference(before: Script, after: Script) -> str:
    """A unified diff of the bodies, and of all that the scripts may touch; empty when equal."""
    return "\n".join(
        difflib.unified_diff(
            _told(before), _told(after), before.content[:12], after.content[:12], lineterm="", n=2
        )
    )


def _told(script: Script) -> list[str]:
    may = script.capabilities
    return [
        *(f"may {name}: {', '.join(getattr(may, name))}" for name in may.__struct_fields__),
        *(f"promises {clause.about}: {clause.words}" for clause in script.contract),
        *script.source.splitlines(),
    ]
