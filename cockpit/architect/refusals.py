"""The ways of saying no: with the step that decided it and its value in some runs."""

import re
from collections.abc import Sequence

from cockpit.architect.commands import outside
from cockpit.architect.effects import Act
from cockpit.architect.evidence import Run
from cockpit.architect.filled import OpenHoleError
from cockpit.core.script import Refusal
from cockpit.core.trace import Trace

LEAST_RUNS = 3
SHOWN = 3
UNPLACED = "its prompt tells it, but in no place that is the same in every run"
HIDDEN = frozenset(("summarised", "truncated", "binary"))
_EMPTY_TURN = re.compile(
    r"\s*(?:yes|ok(?:ay)?|y|go on|go ahead|continue|thanks?(?: you)?|please|sure|do it|proceed|great|perfect)[\s.!]*",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"\{\{secret:|\b(?:sk-[A-Za-z0-9_-]{16,}|ghp_[A-Za-z0-9]{20,}|xox[abp]-[\w-]{10,}|AKIA[0-9A-Z]{16}"
    r"|glpat-[\w-]{16,}|eyJ[\w-]{20,}\.[\w-]{20,})|(?i:[?&](?:api_?key|token|access_token|secret|password)=[^&\s]{6,})"
)


class RefusedError(Exception):
    """Compiling came to a place where the answer is no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def before(traces: Sequence[Trace]) -> Refusal | None:
    """N1 and N2: too few runs, or a dialogue."""
    if len(traces) < LEAST_RUNS:
        return Refusal("N1", f"only {len(traces)} successful runs, {LEAST_RUNS} are needed")
    talked = [trace for trace in traces if _turns(trace) >= 2]
    if len(talked) * 2 > len(traces):
        shown = {trace.run: trace.prompts[1][:200] for trace in talked[:SHOWN]}
        return Refusal("N2", "the user says something on the way that matters", "", shown)
    return None


def _turns(trace: Trace) -> int:
    """Turns that carry information."""
    return sum(
        1
        for place, turn in enumerate(trace.prompts)
        if place == 0 or not _EMPTY_TURN.fullmatch(turn)
    )


def of_effects(runs: Sequence[Run]) -> Refusal | None:
    """N3, N8, N9, N11, N12: what the effects alone decide."""
    acting = [run for run in runs if run.acts]
    if (len(acting) * 2 < len(runs) and len(acting) < LEAST_RUNS) or not acting:
        return Refusal("N3", "most runs change nothing: the work is the answer in the chat")
    for check in (_reaching, _unknown, _secret):
        refusal = check(acting)
        if refusal is not None:
            return refusal
    if len({_flat(run.acts) for run in acting}) == 1:
        return Refusal("N12", "every run did exactly the same: nothing in it varies", _step(acting[0].acts[0]),
                       {run.name: _shown(run.acts[0]) for run in acting[:SHOWN]})  # fmt: skip
    return None


def _flat(acts: Sequence[Act]) -> tuple[object, ...]:
    return tuple((act.kind, act.words, act.text) for act in acts)


def _reaching(runs: Sequence[Run]) -> Refusal | None:
    """N8: effects beyond this machine, or that destroy what the run did not make."""
    found = {run.name: act for run in runs for act in run.acts if _reaches(act)}
    if not found:
        return None
    act = next(iter(found.values()))
    reason = f"{_shown(act)}: an effect that cannot be taken back needs a yes for each run"
    return Refusal(
        "N8", reason, _step(act), {run: _shown(one) for run, one in list(found.items())[:SHOWN]}
    )


def _reaches(act: Act) -> bool:
    if act.kind in ("post", "remove"):
        return True
    return act.kind == "command" and outside(act.words)


def _unknown(runs: Sequence[Run]) -> Refusal | None:
    """N9: a call that nobody can replay."""
    found = {run.name: act for run in runs for act in run.acts if act.kind == "unknown"}
    if not found or len(found) * 2 < len(runs):
        return None
    act = next(iter(found.values()))
    return Refusal("N9", f"{act.why or act.words[0]}: it cannot be done again without the agent", _step(act),
                   {run: _shown(one) for run, one in list(found.items())[:SHOWN]})  # fmt: skip


def _secret(runs: Sequence[Run]) -> Refusal | None:
    """N11: a secret that would stand in the script."""
    for run in runs:
        for act in run.acts:
            if any(_SECRET.search(word) for word in (*act.words, act.text or "")):
                return Refusal("N11", "a secret would be written into the script", _step(act))
        for one in run.operations:
            if one.kind == "get" and _SECRET.search(one.target):
                return Refusal("N11", "a secret stands in an address", f"step {one.step}")
    return None


def secret_in(source: str) -> bool:
    """Whether a script's text has something in it that looks like a secret."""
    return _SECRET.search(source) is not None


def branch(runs: Sequence[Run], training: Sequence[Run]) -> Refusal:
    """N7: the runs do not do the same."""
    rest = [run for run in runs if run not in training]
    given = {run.name: word for run in runs for word in [_word_asked(run, runs)] if word}
    if len(given) == len(runs):
        reason = f"what was done it for: {UNPLACED}"
        return Refusal("N5", reason, "", dict(list(given.items())[:SHOWN]))
    shown = {run.name: _told(run) for run in (*training[:1], *rest[: SHOWN - 1])}
    return Refusal(
        "N7",
        f"only {len(training)} of {len(runs)} runs do the same and nothing says when",
        "",
        shown,
    )


def open_hole(error: OpenHoleError, training: Sequence[Run]) -> Refusal:
    """N4, N5, N6 or N9: a value that follows from nothing."""
    shown = {run.name: text[:200] for run, text in zip(training, error.texts, strict=False)}
    values = [text.strip() for text in error.texts if text.strip()]
    code, reason = _open_code(training, values)
    return Refusal(code, f"{error.context}: {reason}", error.context, shown)


def _open_code(training: Sequence[Run], values: Sequence[str]) -> tuple[str, str]:
    if values and all(_asked(run, value) for run, value in zip(training, values, strict=False)):
        return "N5", UNPLACED
    if _opaque(training, values):
        return "N9", "its source was cut short or written by a model"
    pairs = list(zip(training, values, strict=False))
    if pairs and all(_occurs(run, value) for run, value in pairs):
        return "N5", "chosen by no rule that fits every run"
    if is_prose(values):
        if all(_occurs(run, word) for run, value in pairs for word in _words(value)):
            return "N5", "chosen by no rule that fits every run"
        return "N4", "free text that the model wrote"
    return "N6", "no output contains it, the model worked it out"


def _word_asked(run: Run, runs: Sequence[Run]) -> str:
    """A word of what the run changed that only its own prompt and few others have; empty without one."""
    others = [_named(other) for other in runs if other is not run]
    for word in sorted(_named(run), key=len, reverse=True):
        rare = sum(word in words for words in others) * 2 < len(others)
        if rare and len(word) > 2 and _asked(run, word):
            return word
    return ""


def _named(run: Run) -> set[str]:
    """The words of the paths and commands that the run changed things with."""
    return {
        word for act in run.acts for text in act.words for word in re.findall(r"[^\W\d_]+", text)
    }


def _asked(run: Run, value: str) -> bool:
    """Whether the run was told the value, by somebody who was asked for nothing else that varies."""
    words = rf"(?i)(?<![\w.]){re.escape(value)}(?![\w])"
    return len(value) > 1 and re.search(words, run.trace.task) is not None


def is_prose(values: Sequence[str]) -> bool:
    """Whether most of the texts have four words or more; initials and codes are no words."""
    counts = [sum(not word.isupper() for word in _words(value)) for value in values]
    return sum(count >= 4 for count in counts) * 2 > len(values)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{2,}", text)


def _occurs(run: Run, value: str) -> bool:
    """Whether the value stands in something that the run read."""
    pattern = re.compile(rf"(?<![\w.]){re.escape(value)}(?![\w])")
    return any(pattern.search(text) for text in read_texts(run))


def read_texts(run: Run) -> list[str]:
    return [
        one.output
        for one in run.operations
        if one.output and not one.is_effect and one.opaque not in HIDDEN
    ]


def _opaque(runs: Sequence[Run], values: Sequence[str]) -> bool:
    """Whether in most runs the value can only have come from something that may be no source."""
    hits = 0
    for run, value in zip(runs, values, strict=False):
        hidden = [one.output for one in run.operations if one.opaque in HIDDEN]
        clear = [one.output for one in run.operations if not one.opaque]
        told = re.findall(r"[^\W_]{2,}", value) or [value]
        there, here = (any(all(part in text for part in told) for text in texts)
                       for texts in (hidden, clear))  # fmt: skip
        hits += there and not here
    return hits * 2 > len(runs)


def _step(act: Act) -> str:
    return f"step {act.step}: {_shown(act)}"


def _shown(act: Act) -> str:
    return f"{act.kind} {' '.join(act.words)}"[:200]


def _told(run: Run) -> str:
    return "; ".join(_shown(act)[:60] for act in run.acts[:6]) or "nothing"
