"""The table of the fair test.

    python -m tests.soak.families [--set development|frozen|both] [--seeds 3] [--show-frozen] [NAME...]

Per family: what became of it; every run held out in turn (the script made of the others plays in that run's
whole world, live); three later runs that nobody saw; the gates; and the world changes. Frozen families are
told as totals only, unless asked for by name of the option: whoever writes the compiler does not look.
"""

import argparse
import ast
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from msgspec.structs import replace

from cockpit.architect.broker import Answer, Request, denied, refused
from cockpit.architect.compile import arguments, compile_task
from cockpit.architect.profile import Profile, profile
from cockpit.architect.repeats import clusters
from cockpit.architect.replay import Told, judged, last_line, scene, tell
from cockpit.architect.sandbox import Bubblewrap, Sandbox, best
from cockpit.architect.stage import Played, covered, play
from cockpit.architect.verify import verify
from cockpit.core.script import Refusal, Script
from tests.families import development, frozen
from tests.families.blobs import Blobs
from tests.families.changes import changed, truth_of
from tests.families.family import Family, Occasion, Recorded, record
from tests.families.web import Page, Web

SAME = {"mostly-yesterday": "day-asked"}
"""One writes yesterday's digest and the other that of a day: the same task to whoever sees the runs."""
SETS = {"development": development.FAMILIES, "frozen": frozen.FAMILIES}
SAID = {3: "drift", 4: "unavailable", 5: "denied", 1: "bug"}


class Whole:
    """The whole web of a day, within the capabilities: what a live broker would say."""

    def __init__(self, pages: dict[str, Page], script: Script) -> None:
        self.pages = pages
        self.script = script

    def __call__(self, request: Request) -> Answer:
        if why := denied(request.method, request.url, self.script.capabilities):
            return refused("denied", why)
        page = self.pages.get(f"{request.method} {request.url}", Page(b"not found", 404))
        return Answer(page.status, page.body, page.kind)


@dataclass
class Row:
    """What became of one family."""

    name: str
    group: str
    expects: tuple[str, ...]
    seed: int
    verdict: str = ""
    folds: Counter = field(default_factory=Counter)
    later: Counter = field(default_factory=Counter)
    gates: str = ""
    with_contract: Counter = field(default_factory=Counter)
    without_contract: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    profiles: list[Profile] = field(default_factory=list)

    @property
    def as_expected(self) -> bool:
        return self.verdict in self.expects or (
            self.verdict == "compiled" and "compiled" in self.expects
        )


def live(script: Script, occasion: Occasion, blobs: Blobs, **changes):
    given = arguments(script, occasion.trace)
    one = scene(script, occasion.trace, blobs, given or ())
    return replace(one, answer=Whole(changes.pop("pages", occasion.pages), script), **changes)


def readable(script: Script, occasion: Occasion) -> bool:
    """Whether the prompt of the run tells the script what it has to know."""
    return arguments(script, occasion.trace) is not None


def outcome(script: Script, played: Played, told: Told) -> str:
    """exact, WRONG (it said that all is well), or how it said that it is not."""
    wrong = judged(script, played, told)
    if not wrong:
        return "exact"
    if played.code == 0:
        return "WRONG: " + "; ".join(wrong)[:300]
    return SAID.get(played.code, "bug")


def judge(
    recorded: Recorded, blobs: Blobs, sandbox: Sandbox
) -> tuple[Row, Script | None, dict[str, Told]]:
    family = recorded.family
    row = Row(family.name, family.group, family.expects, recorded.seed)
    traces = recorded.traces
    row.profiles = [profile(trace) for trace in traces]
    made = compile_task(family.name, traces, blobs)
    row.verdict = made.code if isinstance(made, Refusal) else "compiled"
    told = tell([one.trace for one in recorded.occasions], blobs, sandbox)
    if len(traces) > 3:
        folds(row, recorded, told, blobs, sandbox)
    if isinstance(made, Refusal):
        return row, None, told
    scenes = [live(made, one, blobs) for one in recorded.later if readable(made, one)]
    row.later += Counter(refused=len(recorded.later) - len(scenes))
    for one in play(scenes, blobs, sandbox):
        note(row, row.later, made, one, told[one.name], "later")
    trials = gates(family.name, made, traces, blobs, sandbox)
    failing = [one for one in trials if not one.passed]
    row.gates = (
        "; ".join(f"{one.gate} {one.run}: {one.detail}"[:160] for one in failing[:2]) or "all"
    )
    return row, made if not failing else None, told


def folds(
    row: Row, recorded: Recorded, told: dict[str, Told], blobs: Blobs, sandbox: Sandbox
) -> None:
    occasions = [one for one in recorded.occasions if not one.held_back]
    scenes, scripts = [], {}
    for held in occasions:
        made = compile_task(row.name, [one.trace for one in occasions if one is not held], blobs)
        if isinstance(made, Refusal) or arguments(made, held.trace) is None:
            row.folds["refused"] += 1
        else:
            scripts[held.trace.run] = made
            scenes.append(live(made, held, blobs))
    traces = recorded.traces
    for one in play(scenes, blobs, sandbox):
        script = scripts[one.name]
        note(row, row.folds, script, one, told[one.name], "fold")
        if outcome(script, one, told[one.name]).startswith("WRONG"):
            gated(row, script, [trace for trace in traces if trace.run != one.name], blobs, sandbox)


def gated(row: Row, script: Script, traces: list, blobs: Blobs, sandbox: Sandbox) -> None:
    """Whether a script that is wrong in a fold would have been adopted: that is what counts."""
    failing = [one for one in gates(row.name, script, traces, blobs, sandbox) if not one.passed]
    row.folds["WRONG"] -= 1
    row.folds["WRONG" if not failing else "caught by a gate"] += 1
    row.wrong += [f"  {one.gate} {one.run}: {one.detail}"[:200] for one in failing[:2]]


def gates(name: str, script: Script, traces: list, blobs: Blobs, sandbox: Sandbox):
    def again(some):
        return compile_task(name, some, blobs)

    return verify(script, traces, blobs, sandbox, again, arguments=arguments)


def note(
    row: Row, counter: Counter, script: Script, played: Played, told: Told, where: str
) -> None:
    said = outcome(script, played, told)
    counter[said.partition(":")[0]] += 1
    if said.startswith("WRONG"):
        row.wrong.append(f"{where} {played.name}: {said}")
    if said in ("drift", "bug", "denied", "unavailable"):
        row.wrong.append(f"({where} {played.name}: {said}: {last_line(played.errors)})")


class Stripped(ast.NodeTransformer):
    """A script without the contract: nothing that is only checked is checked."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        match node.value:
            case ast.Call(func=ast.Name(id="check" | "expect")):
                return ast.copy_location(ast.Pass(), node)
        return node


def without_contract(script: Script) -> Script:
    tree = Stripped().visit(ast.parse(script.source))
    return replace(script, source=ast.unparse(ast.fix_missing_locations(tree)))


def read_by(script: Script, occasion: Occasion, blobs: Blobs, sandbox: Sandbox) -> set[str]:
    """The files that the script says it reads, and two others that it may: changes elsewhere prove nothing."""
    [played] = play([live(script, occasion, blobs)], blobs, sandbox)
    said = {one.get("id") for one in (played.report or {}).get("sources", ())}
    files = occasion.trace.world.before.files
    may = [path for path in sorted(files) if covered(path, script.capabilities.read)]
    others = [path for path in may if path not in said]
    return said.intersection(files) | set(others[:1] + others[-1:])


def world_changes(
    row: Row,
    script: Script,
    recorded: Recorded,
    base: Path,
    web: Web,
    blobs: Blobs,
    sandbox: Sandbox,
) -> None:
    occasion = next(one for one in recorded.later if readable(script, one))
    used = frozenset(one.url for one in occasion.trace.world.fetches if one.status < 400)
    chance = random.Random(f"changes {row.name} {recorded.seed}")
    reads = read_by(script, occasion, blobs, sandbox)
    worlds = list(changed(occasion, used, reads.__contains__, chance, blobs))
    before = occasion.trace.world
    runs, traces = [], []
    for number, (name, pages, files) in enumerate(worlds):
        after = truth_of(occasion, base / f"{row.name}-{recorded.seed}", web, pages, files, blobs)
        runs.append((name, pages, files, after))
        traces.append(
            replace(
                occasion.trace,
                run=str(number),
                world=replace(before, before=files, after=after or files),
            )
        )
    told = tell(traces, blobs, sandbox)
    for which, counter in (
        (script, row.with_contract),
        (without_contract(script), row.without_contract),
    ):
        scenes = [
            replace(live(which, occasion, blobs, pages=pages), name=str(number), before=files)
            for number, (_, pages, files, _) in enumerate(runs)
        ]
        for one, (name, _, _, after) in zip(play(scenes, blobs, sandbox), runs, strict=True):
            wrong = judged(which, one, told[one.name]) or (
                ["the agent could not do it"] if after is None else []
            )
            kind = "right" if not wrong else "silent" if one.code == 0 else "loud"
            counter[kind] += 1
            counter["needless"] += kind == "loud" and after is not None
            if kind == "silent" and which is script:
                row.wrong.append(f"SILENT {name}: {'; '.join(wrong)[:200]}")


def table(
    kinds: Iterable[type[Family]],
    seeds: int,
    names: list[str],
    *,
    changes: bool = True,
    first: int = 1,
    tell_row: Callable[[Row], None] = lambda _: None,
    sandbox: Sandbox | None = None,
) -> list[Row]:
    sandbox = sandbox or best()
    if sandbox is None:
        raise SystemExit("no sandbox here")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        web = Web()
        for seed in range(first, first + seeds):
            for kind in kinds:
                if names and kind.name not in names:
                    continue
                blobs, began = Blobs(), time.monotonic()
                recorded = record(kind(), place / "recorded", web, blobs, seed, later=3)
                row, adopted, _ = judge(recorded, blobs, sandbox)
                told = adopted and any(readable(adopted, one) for one in recorded.later)
                if adopted is not None and changes and told:
                    world_changes(row, adopted, recorded, place / "changed", web, blobs, sandbox)
                row.seconds = time.monotonic() - began
                rows.append(row)
                tell_row(row)
        web.close()
    return rows


def line(row: Row) -> str:
    mark = "  " if row.as_expected else "! "
    counts = [
        f"{key}={count}" for counter in (row.folds,) for key, count in sorted(counter.items())
    ]
    later = [f"{key}={count}" for key, count in sorted(row.later.items())]
    with_it = " ".join(
        f"{key}={row.with_contract[key]}"
        for key in ("loud", "right", "silent", "needless")
        if row.with_contract
    )
    without = " ".join(
        f"{key}={row.without_contract[key]}"
        for key in ("loud", "right", "silent")
        if row.without_contract
    )
    return f"{mark}{row.name:16} {row.seed} {row.group:10} {row.verdict:9} folds[{' '.join(counts)}] later[{' '.join(later)}] gates[{row.gates}] changes[{with_it}] without[{without}] {row.seconds:.1f}s"


def totals(rows: list[Row]) -> str:
    folds, later, verdicts = Counter(), Counter(), Counter()
    with_it, without, adopted = Counter(), Counter(), Counter()
    for row in rows:
        folds += row.folds
        later += row.later
        with_it += row.with_contract
        without += row.without_contract
        verdicts[
            f"{row.group}: {'compiled' if row.verdict == 'compiled' else 'refused'}{'' if row.as_expected else ' (not as expected)'}"
        ] += 1
        if row.verdict == "compiled":
            adopted["verified" if row.gates == "all" else "compiled, not verified"] += 1
    seeds = dict.fromkeys(row.seed for row in rows)
    found = "\n".join(
        f"  clustering: {clustering([row for row in rows if row.seed == seed])}" for seed in seeds
    )
    names = ("verdicts", "folds", "later runs", "adoption", "world changes", "without contract")
    told = (verdicts, folds, later, adopted, with_it, without)
    lines = (
        f"  {name}: {dict(sorted(counter.items()))}"
        for name, counter in zip(names, told, strict=True)
    )
    return "\n".join([*lines, found])


def clustering(rows: list[Row]) -> str:
    """Precision, recall and F1 over pairs of runs of one seed."""
    truth = {one.run: SAME.get(row.name, row.name) for row in rows for one in row.profiles}
    groups = clusters([one for row in rows for one in row.profiles])
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    right = sum(truth[one.run] == truth[other.run] for one, other in pairs)
    whole = sum(count * (count - 1) // 2 for count in Counter(truth.values()).values())
    precision, recall = right / max(1, len(pairs)), right / max(1, whole)
    score = 2 * precision * recall / max(0.001, precision + recall)
    return f"{len(truth)} runs, {len(groups)} groups, precision {precision:.3f}, recall {recall:.3f}, F1 {score:.3f}"


def show(row: Row) -> None:
    print(line(row), *row.wrong, sep="\n      ", flush=True)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("names", nargs="*")
    options.add_argument("--set", choices=["development", "frozen", "both"], default="development")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--first", type=int, default=1, help="the first seed")
    options.add_argument("--show-frozen", action="store_true")
    options.add_argument("--no-changes", action="store_true")
    options.add_argument(
        "--bubblewrap", action="store_true", help="lighter where sandlock is the best"
    )
    told = options.parse_args()
    wrong = 0
    for name in ("development", "frozen") if told.set == "both" else (told.set,):
        shown = name == "development" or told.show_frozen
        print(f"## {name}", flush=True)
        rows = table(
            SETS[name],
            told.seeds,
            told.names,
            changes=not told.no_changes,
            first=told.first,
            sandbox=Bubblewrap() if told.bubblewrap else None,
            tell_row=show if shown else lambda _: None,
        )
        wrong += sum(row.folds["WRONG"] + row.later["WRONG"] for row in rows)
        print(totals(rows), flush=True)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
