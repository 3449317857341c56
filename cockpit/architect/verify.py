"""The gates that a script must pass, all of them, before anybody is asked whether it may run.

    V0 static · V1 replay · V2 held-out runs · V3 repeatability · V4 input mutation · V5 script mutation ·
    V6 capability trace

A gate that was not reached has no trial: what fails V0 or V1 is not tried any further.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date

from msgspec.structs import replace

from cockpit.architect import input_mutation, script_mutation, static
from cockpit.architect.blobs import Blobs
from cockpit.architect.broker import denied
from cockpit.architect.compare import Comparison
from cockpit.architect.overlay import Overlay
from cockpit.architect.replay import (
    Arguments,
    Told,
    judged,
    last_line,
    local_date,
    no_arguments,
    scene,
    tell,
    unplayable,
)
from cockpit.architect.sandbox import Sandbox
from cockpit.architect.stage import GIT, Played, Scene, covered, play, uses_git
from cockpit.core.script import (
    EXIT_BUG,
    EXIT_DENIED,
    EXIT_DONE,
    EXIT_DRIFT,
    EXIT_UNAVAILABLE,
    Refusal,
    Script,
    Trial,
)
from cockpit.core.trace import Trace

Recompile = Callable[[Sequence[Trace]], Script | Refusal]

CAUGHT = 0.9
"""The share of mutants that the replays must notice (facts §3d)."""
MOST_INPUTS = 90
FEWEST_EXACT = 2
"""Runs that must come out exactly, beside those that a script leaves to the agent."""
FEWEST_WORLDS = 3
"""Runs with a world that must be there where others have none."""
REPEATED = 3
"""So many runs are repeated under another hash seed and in place."""
LOUD = frozenset({EXIT_DRIFT, EXIT_UNAVAILABLE, EXIT_DENIED})
SEEDS = (1, 4242)
INDEX = 1
"""The place of `git status` in what a repository says."""
UNTOLD = "its prompt does not tell the inputs"
HOSTILE = ("; rm -rf ~", "../../outside", "$(id)", "-rf", "a\nb", "/etc/passwd", "", "x" * 10_000)
"""Values that nobody means; only where the runs had such a one may it pass."""


class _Trying:
    """One verification: the script, the runs that can be replayed, and the truth about them."""

    def __init__(
        self,
        script: Script,
        traces: Sequence[Trace],
        blobs: Blobs,
        sandbox: Sandbox,
        arguments: Arguments,
        comparisons: tuple[Comparison, ...],
    ) -> None:
        self.script = script
        self.blobs = Overlay(blobs)
        self.known = [one for one in traces if not one.distrusted]
        self.unseen = {one.run: why for one in self.known if (why := unplayable(one, blobs))}
        self.traces = [one for one in self.known if one.run not in self.unseen]
        self.sandbox = sandbox
        self.arguments = arguments
        self.comparisons = comparisons
        self.told: dict[str, Told] = {}
        self.first: dict[str, Played] = {}
        self.exact: list[Trace] = []

    def scene(self, script: Script, trace: Trace, *, times: int = 1) -> Scene:
        given = self.arguments(script, trace) or ()
        return scene(script, trace, self.blobs, given, times)

    def play(self, scenes: Sequence[Scene], *, seed: int = 0) -> list[Played]:
        return play(scenes, self.blobs, self.sandbox, hash_seed=seed)

    def wrong(self, script: Script, played: Played) -> list[str]:
        return judged(script, played, self.told[played.name], self.comparisons)


def verify(
    script: Script,
    traces: Sequence[Trace],
    blobs: Blobs,
    sandbox: Sandbox,
    recompile: Recompile,
    *,
    arguments: Arguments = no_arguments,
    comparisons: tuple[Comparison, ...] = (),
) -> tuple[Trial, ...]:
    """Try the script at every gate, on every run.

    `recompile` makes a script of other runs, for V2; of a script with hidden runs (tier 1) it is not asked.
    """
    trying = _Trying(script, traces, blobs, sandbox, arguments, comparisons)
    trials = _static(trying)
    if not trials[0].passed:
        return tuple(trials)
    trials += _replay(trying)
    if any(not one.passed and not (one.unproven and one.run) for one in trials):
        return tuple(trials)
    trials += _held_out(trying, recompile)
    trials += _repeated(trying)
    trials += _inputs(trying)
    trials += _told(trying)
    trials += _mutants(trying)
    trials += _capabilities(trying)
    return tuple(trials)


def _static(trying: _Trying) -> list[Trial]:
    found = static.findings(trying.script, trying.known)
    return [Trial("V0", "", not found, "; ".join(found[:4]))]


def _replay(trying: _Trying) -> list[Trial]:
    """V1: in the world of every run that has one the script makes what the agent made."""
    if not trying.known:
        return [Trial("V1", "", False, "there is no run to replay")]
    unseen = [_unproven(run, why) for run, why in trying.unseen.items()]
    if unseen and len(trying.traces) < FEWEST_WORLDS:
        unseen.append(_unproven("", _too_few(len(trying.traces), len(trying.known))))
    return [*unseen, *(_played_again(trying) if trying.traces else [])]


def _unproven(run: str, why: str) -> Trial:
    return Trial("V1", run, False, why, unproven=True)


def _too_few(recorded: int, every: int) -> str:
    return (
        f"too few workspaces were recorded: {recorded} of {every} runs can be replayed and"
        f" {FEWEST_WORLDS} must; until runs under cockpit have left as many, it may only run"
        " beside the agent"
    )


def _played_again(trying: _Trying) -> list[Trial]:
    untold = [one.run for one in trying.traces if trying.arguments(trying.script, one) is None]
    learned = trying.script.trained
    trials = [Trial("V1", run, False, UNTOLD) for run in untold if not learned or run in learned]
    if trials:
        return trials
    trying.traces = [one for one in trying.traces if one.run not in untold]
    trying.told = tell(trying.traces, trying.blobs, trying.sandbox)
    played = trying.play([trying.scene(trying.script, trace) for trace in trying.traces])
    trying.first = {one.name: one for one in played}
    trials = [_first(trying, one) for one in played]
    trials += [Trial("V1", run, True, f"left to the agent: {UNTOLD}") for run in untold]
    trying.exact = [one for one in trying.traces if Trial("V1", one.run, True) in trials]
    least = min(FEWEST_EXACT, len(trying.traces)) if trying.unseen else FEWEST_EXACT
    if len(trying.exact) < least:
        trials.append(
            Trial("V1", "", False, f"fewer than {FEWEST_EXACT} runs come out as they were")
        )
    return trials


def _first(trying: _Trying, played: Played) -> Trial:
    """A run that it was not made from may also end in its saying that it cannot."""
    wrong = trying.wrong(trying.script, played)
    trained = trying.script.trained
    if wrong and trained and played.name not in trained and played.code in LOUD:
        return Trial("V1", played.name, True, f"left to the agent: {last_line(played.errors)}")
    return _trial("V1", played.name, wrong)


def _trial(gate: str, run: str, wrong: Sequence[str]) -> Trial:
    return Trial(gate, run, not wrong, "; ".join(wrong[:3]))


# V2.


def _held_out(trying: _Trying, recompile: Recompile) -> list[Trial]:
    """V2: made without a run, a script does that run right, or says that it cannot."""
    hidden = set(trying.script.held_out)
    if hidden:
        shown = [one for one in trying.traces if one.run in hidden]
        return [
            _trial("V2", one.run, trying.wrong(trying.script, trying.first[one.run]))
            for one in shown
        ] or [Trial("V2", "", False, "the hidden runs are not there")]
    trials: list[Trial] = []
    scenes: list[Scene] = []
    scripts: dict[str, Script] = {}
    for trace in trying.traces:
        made = recompile([other for other in trying.known if other.run != trace.run])
        if isinstance(made, Refusal):
            trials.append(Trial("V2", trace.run, True, f"refused: {made.code} {made.reason}"))
        elif trying.arguments(made, trace) is None:
            trials.append(Trial("V2", trace.run, True, f"refused: {UNTOLD}"))
        else:
            scripts[trace.run] = made
            scenes.append(trying.scene(made, trace))
    played = trying.play(scenes)
    trials += [_fold(one, trying.wrong(scripts[one.name], one)) for one in played]
    if not any(one.passed and one.detail == "exact" for one in trials):
        trials.append(Trial("V2", "", False, "no run that was held out came out right"))
    return trials


def _fold(played: Played, wrong: Sequence[str]) -> Trial:
    if not wrong:
        return Trial("V2", played.name, True, "exact")
    if played.code in LOUD:
        return Trial("V2", played.name, True, f"drift: {last_line(played.errors)}")
    return Trial("V2", played.name, False, "WRONG: " + "; ".join(wrong[:3]))


# V3.


def _repeated(trying: _Trying) -> list[Trial]:
    """V3: again, under another hash seed, and again in the same place."""
    chosen = _spread(trying.exact, REPEATED)
    trials = []
    for seed, times in ((SEEDS[0], 1), (SEEDS[1], 2)):
        scenes = [trying.scene(trying.script, trace, times=times) for trace in chosen]
        for one in trying.play(scenes, seed=seed):
            first = trying.first[one.name]
            wrong = (
                [] if (one.made, one.git) == (first.made, first.git) else ["it made something else"]
            )
            if one.code != first.code:
                wrong.append(f"exit {one.code}, before {first.code}")
            if times > 1 and wrong:
                wrong = [f"run twice in the same place: {wrong[0]}"]
            if times > 1 and EXIT_BUG in one.codes:
                wrong.append("its second run in the same place has a bug")
            trials.append(_trial("V3", one.name, wrong))
    return trials


def _spread(traces: Sequence[Trace], count: int) -> list[Trace]:
    """The first, the last and some between."""
    if len(traces) <= count:
        return list(traces)
    return [traces[round(place * (len(traces) - 1) / (count - 1))] for place in range(count)]


# V4.


def _inputs(trying: _Trying) -> list[Trial]:
    """V4: in a world that went wrong the script does not say that all is well."""
    days = [date.fromisoformat(local_date(trace)) for trace in trying.traces]
    known = input_mutation.known(trying.traces, days, trying.blobs)
    trace = max(trying.exact, key=lambda one: (len(trying.first[one.run].made), one.began))
    first = trying.first[trace.run]
    if trace.world is None:
        return []
    day = date.fromisoformat(local_date(trace))
    asked = {one.url for one in first.asked}
    changed = list(
        input_mutation.mutations(
            trace.world, day, trying.script.capabilities, asked, known, trying.blobs
        )
    )[:MOST_INPUTS]
    worlds = [
        replace(trace, run=str(number), world=one.world) for number, one in enumerate(changed)
    ]
    arguments = trying.arguments(trying.script, trace) or ()
    played = trying.play([scene(trying.script, one, trying.blobs, arguments) for one in worlds])
    silent = [
        one.name
        for one, result, world in zip(changed, played, worlds, strict=True)
        if result.code == EXIT_DONE
        and (one.strict or not _same(first, result, trace, world, trying))
    ]
    if not changed:
        return [Trial("V4", trace.run, True, "it has no inputs")]
    words = f"{len(changed)} worlds that went wrong"
    return [
        Trial(
            "V4",
            trace.run,
            not silent,
            "said that all is well: " + "; ".join(silent[:5]) if silent else words,
        )
    ]


def _told(trying: _Trying) -> list[Trial]:
    """V4: a value that no run was told, and that is none, does nothing."""
    script = trying.script
    if not script.inputs:
        return []
    trace = trying.exact[-1]
    scenes = [
        replace(
            scene(script, trace, trying.blobs, _with(trying, trace, one.option, value)),
            name=f"{one.option} {value[:20]!r}",
        )
        for one in script.inputs
        for value in HOSTILE
        if re.fullmatch(one.pattern, value) is None
    ]
    silent = [
        one.name for one in trying.play(scenes) if one.code not in LOUD or one.made or one.asked
    ]
    words = f"{len(scenes)} values that are none"
    if silent:
        words = "took what is no value: " + "; ".join(silent[:5])
    return [Trial("V4", "", not silent, words)]


def _with(trying: _Trying, trace: Trace, option: str, value: str) -> tuple[str, ...]:
    """The run's inputs with another value for one of them."""
    given = trying.arguments(trying.script, trace) or ()
    return tuple(f"{option}={value}" if word.startswith(f"{option}=") else word for word in given)


def _same(first: Played, result: Played, before: Trace, after: Trace, trying: _Trying) -> bool:
    """Whether the mutation did not matter: the same files, the same lines added, or a copy of the other file."""
    if result.made.keys() != first.made.keys():
        return False
    mutated = _mutated_paths(before, after)
    if uses_git(trying.script.capabilities) and _said(result, mutated) != _said(first, mutated):
        return False
    copies = _mutated_files(before, after, trying)
    return all(
        result.made[path] == content
        or (content, result.made[path]) in copies
        or _added(path, first, before, trying) == _added(path, result, after, trying) != b""
        for path, content in first.made.items()
    )


def _mutated_paths(before: Trace, after: Trace) -> frozenset[str]:
    if before.world is None or after.world is None:
        return frozenset()
    old, new = before.world.before.files, after.world.before.files
    return frozenset(path for path in old if old[path] != new.get(path))


def _said(played: Played, mutated: frozenset[str]) -> tuple[object, ...]:
    """What the repository says, but for what was done to files that are not in its index otherwise."""
    if len(played.git) <= INDEX:
        return played.git
    code, _, told = played.git[INDEX].partition(" ")
    entries = [one for one in told.split("\0") if not (one.startswith(" ") and one[3:] in mutated)]
    return (*played.git[:INDEX], code, *entries, *played.git[INDEX + 1 :])


def _mutated_files(before: Trace, after: Trace, trying: _Trying) -> list[tuple[object, object]]:
    """Contents that became others: who copies a file copies it whatever is in it."""
    if before.world is None or after.world is None:
        return []
    old, new = before.world.before.files, after.world.before.files
    return [
        ((trying.blobs.get(old[path].content), mode), (trying.blobs.get(new[path].content), mode))
        for path in old.keys() & new.keys()
        if old[path] != new[path]
        for mode in (0o644, 0o755)
    ]


def _added(path: str, played: Played, trace: Trace, trying: _Trying) -> bytes:
    """What was put at the end of a file, or into a new one; nothing where it was changed otherwise."""
    content = played.made[path]
    if content is None:
        return b""
    file = trace.world.before.files.get(path) if trace.world else None
    old = trying.blobs.get(file.content) if file else b""
    return content[0].removeprefix(old) if content[0].startswith(old) else b""


# V5.


def _mutants(trying: _Trying) -> list[Trial]:
    """V5: nearly every wrong version of the script is noticed by the replays."""
    alive = {one.words: one for one in script_mutation.mutants(trying.script)}
    count = len(alive)
    order = sorted(trying.exact, key=lambda one: -len(trying.first[one.run].made))
    for trace in [*_spread(order, 4)]:
        if not alive:
            break
        scenes = [
            replace(trying.scene(one.script, trace), name=words) for words, one in alive.items()
        ]
        for one in trying.play(scenes):
            told = trying.told[trace.run]
            if judged(alive[one.name].script, one, told, trying.comparisons):
                del alive[one.name]
    caught = count - len(alive)
    words = f"{caught} of {count} wrong versions were noticed"
    if alive:
        words += ", not: " + "; ".join(list(alive)[:4])
    return [Trial("V5", "", count > 0 and caught >= CAUGHT * count, words)]


# V6.


def _capabilities(trying: _Trying) -> list[Trial]:
    """V6: what it asked and wrote in the replays is what it declared."""
    return [
        _trial("V6", one.run, outside(trying.script, trying.first[one.run])) for one in trying.exact
    ]


def outside(script: Script, played: Played) -> list[str]:
    """What a performance did beyond the declared."""
    may = script.capabilities
    wrong = [
        f"asked {one.method} {one.url}"
        for one in played.asked
        if one.word or denied(one.method, one.url, may)
    ]
    return wrong + [
        f"changed {path}"
        for path in played.made
        if not covered(path, may.write) and not (path.startswith(GIT) and uses_git(may))
    ]
