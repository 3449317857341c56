"""What of a run decides whether another one did the same: its words, its effects, what it touched."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from cockpit.architect.operations import Operation, masked, operations
from cockpit.core.trace import Outcome, Trace

TEXT_LIMIT = 600
KEY_LIMIT = 160
KEYS_LIMIT = 60
TOKENS_LIMIT = 120
LEAST_WORDS = 3
END_LIMIT = 8
_ON_FILES = ("in:", "out:", "write ", "append ", "remove ", "move ", "copy ")
_SAYS_NOTHING = frozenset(
    ("yes", "ok", "okay", "go", "go on", "continue", "proceed", "thanks", "thank you", "y", "do it")
)


class Profile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run, small enough that thousands are compared at once.

    `text` is the masked task, `effects` are the keys of what was changed, in order, `resources`
    the tokens of all that was touched. `turns` counts what its user said that carried information.
    """

    run: str
    agent: str
    project: str = ""
    began: int = 0
    ended: int = 0
    zone: str = "UTC"
    outcome: Outcome = "unknown"
    distrusted: str = ""
    name: str = ""
    text: str = ""
    effects: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    turns: int = 0
    steps: int = 0
    tokens: int = 0
    nano: int | None = None
    mark: str = "exact"
    world: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the run may teach anything."""
        return self.outcome == "done" and not self.distrusted


def profile(trace: Trace) -> Profile:
    """The profile of a run; a run whose steps cannot be read has only its words."""
    try:
        done = operations(trace)
    except (ValueError, RecursionError, IndexError, KeyError):
        done = ()
    effects, resources = _traced(trace, done)
    first = trace.task.strip()
    return Profile(
        run=trace.run,
        agent=trace.agent,
        project=trace.project,
        began=trace.began,
        ended=trace.ended,
        zone=trace.zone,
        outcome=trace.outcome,
        distrusted=trace.distrusted,
        name=" ".join(first.split())[:TEXT_LIMIT],
        text=" ".join(masked(first[: 2 * TEXT_LIMIT].lower()).split())[:TEXT_LIMIT],
        effects=tuple(effects[:KEYS_LIMIT]),
        resources=tuple(sorted(resources)[:TOKENS_LIMIT]),
        turns=sum(_informs(prompt) for prompt in trace.prompts),
        steps=len(trace.steps),
        tokens=trace.tokens,
        nano=trace.nano,
        mark=trace.mark,
        world=trace.world is not None and trace.world.after is not None,
    )


def _traced(trace: Trace, done: Iterable[Operation]) -> tuple[list[str], set[str]]:
    """Keys of effects and tokens of resources; files that changed by nobody's word count as written."""
    effects: list[str] = []
    resources: set[str] = set()
    written: set[str] = set()
    operations_ = list(done)
    loops = _loops(operations_)
    for one in operations_:
        looped = widened(one.key) in loops and one.is_effect
        resources |= {widened(token) if looped else token for token in one.resources}
        if one.is_effect:
            key = widened(one.key) if looped else one.key
            if not looped or key[:KEY_LIMIT] not in effects[-1:]:
                effects.append(key[:KEY_LIMIT])
            written |= {one.target, one.destination}
    if trace.world is not None:
        changed = sorted(set(trace.world.changed()) - written)
        unsaid = [masked(path) for path in changed if ".git/" not in f"{path}"]
        effects += [f"write {path}"[:KEY_LIMIT] for path in unsaid[:KEYS_LIMIT]]
        resources |= {f"out:{path}" for path in unsaid[:KEYS_LIMIT]}
    return effects, resources


def _loops(done: Iterable[Operation]) -> frozenset[str]:
    """Widened keys of effects that the run had on several files of one folder: a loop over a list."""
    keys = {one.key for one in done if one.is_effect}
    counts = Counter(widened(key) for key in keys if widened(key) != key)
    return frozenset(key for key, count in counts.items() if count > 1)


def widened(told: str) -> str:
    """A key or a token with `*` for the names of files in folders: `write talks/*.md`."""
    for head in _ON_FILES:
        if told.startswith(head):
            return head + " > ".join(_star(path) for path in told[len(head) :].split(" > "))
    return told


def _star(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    _, dot, end = name.rpartition(".")
    if not slash:
        return path
    return f"{folder}/*.{end}" if dot and len(end) <= END_LIMIT else f"{folder}/*"


def _informs(prompt: str) -> bool:
    """Whether a turn of the user told the agent anything it had to know."""
    said = prompt.strip().lower().rstrip(".!")
    if not said or said in _SAYS_NOTHING or said.startswith("/"):
        return False
    return len(said.split()) >= LEAST_WORDS
