"""Tasks that repeat, and the scripts that replace them: what is known of both."""

from typing import Literal

import msgspec
from msgspec import Struct

Stage = Literal[
    "compiled", "verified", "approved", "shadow", "active", "quarantined", "repairing", "retired"
]
GATES = ("V0", "V1", "V2", "V3", "V4", "V5", "V6")
"""Static, replay, held-out runs, repeatability, input mutation, script mutation, capability trace."""

EXIT_DONE, EXIT_BUG, EXIT_DRIFT, EXIT_UNAVAILABLE, EXIT_DENIED = 0, 1, 3, 4, 5


class Refusal(Struct, frozen=True, omit_defaults=True):
    """Why a task is no work for a script: `code` is N1 to N12.

    `step` is the tool call that decided it, `examples` its value in some runs, by run.
    """

    code: str
    reason: str
    step: str = ""
    examples: dict[str, str] = {}


class Hole(Struct, frozen=True, omit_defaults=True):
    """A place that differs between runs: where its value comes from, and what it was in each run."""

    name: str
    source: str
    values: dict[str, str] = {}


class Capabilities(Struct, frozen=True, omit_defaults=True):
    """All that a script may touch; paths are patterns relative to its workspace."""

    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def within(self, other: "Capabilities") -> bool:
        """Whether nothing here goes beyond the other."""
        return all(
            set(getattr(self, name)) <= set(getattr(other, name)) for name in self.__struct_fields__
        )


class Clause(Struct, frozen=True, omit_defaults=True):
    """One promise of a contract, in words, and the check in the script that holds it."""

    about: str
    words: str
    check: str = ""


class Input(Struct, frozen=True, omit_defaults=True):
    """A value that is told with the task, for `--name`: `pattern` is the form that it had in every run.

    `words` say that form, `values` are what it was, by run.
    """

    name: str
    pattern: str
    words: str = ""
    values: dict[str, str] = {}

    @property
    def option(self) -> str:
        """The name as an option of the script."""
        return "--" + self.name.strip("_").replace("_", "-")


class Place(Struct, frozen=True, omit_defaults=True):
    """A place of a phrase: an input, the day as `form` (strftime) of the code `day`, or one of the `seen`."""

    input: str = ""
    day: str = ""
    form: str = ""
    seen: tuple[str, ...] = ()


class Phrase(Struct, frozen=True):
    """How a task is asked for: what is always said, and places in it."""

    parts: tuple[str | Place, ...]


class Script(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A program that replaces a task. `tier` 0 was compiled without a model, 1 with one call to one."""

    task: str
    purpose: str
    source: str
    capabilities: Capabilities
    tier: int = 0
    body: tuple[int, int] = (0, 0)
    """First and last line of what a person has to read."""
    holes: tuple[Hole, ...] = ()
    guards: tuple[str, ...] = ()
    contract: tuple[Clause, ...] = ()
    trained: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    """How its task was asked for: what tells the inputs of a run. They are no part of the program."""

    @property
    def content(self) -> str:
        """The hash an approval is bound to: the program and all that it may touch."""
        import hashlib  # loads OpenSSL: 8 ms of every start, which few need

        told = msgspec.json.encode([self.source, self.capabilities, self.contract])
        return hashlib.sha256(told).hexdigest()


class Trial(Struct, frozen=True, omit_defaults=True):
    """The result of one gate on one run; `run` is empty where a gate looks at the script alone.

    `unproven`: not passed, for there was nothing to try it on. That refutes nothing.
    """

    gate: str
    run: str
    passed: bool
    detail: str = ""
    unproven: bool = False


class Task(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Runs that did the same thing. `verdict` is `candidate`, `wait` or `no` (with its refusal)."""

    id: str
    name: str
    runs: tuple[str, ...]
    agents: tuple[str, ...] = ()
    project: str = ""
    first: int = 0
    last: int = 0
    every_ms: int | None = None
    cron: str = ""
    cost_nano: int | None = None
    """Median of the last five runs."""
    month_nano: int | None = None
    """What a script would save a month, net of everything."""
    break_even: int | None = None
    """Runs after which its making is paid."""
    determinism: float = 0.0
    outline: tuple[str, ...] = ()
    """What a run of it does, an operation a line, in the words of one of its runs."""
    verdict: Literal["candidate", "wait", "no"] = "wait"
    refusal: Refusal | None = None
