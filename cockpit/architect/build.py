"""A group of runs that did the same, explained effect by effect."""

import itertools
import json
from collections.abc import Sequence

from msgspec import Struct

from cockpit.architect.arithmetic import computed_texts
from cockpit.architect.assembly import assembled
from cockpit.architect.blobs import Blobs
from cockpit.architect.capabilities import pattern
from cockpit.architect.effects import Act
from cockpit.architect.evidence import Run, Source, hints, numbers, sources
from cockpit.architect.expressions import Openings, Pool, is_input, of_input, parts_of_years
from cockpit.architect.filled import Filled, OpenHoleError, fill, literal
from cockpit.architect.infer import Scene, document, written
from cockpit.architect.loops import Loop, loop, row_pool
from cockpit.architect.plan import Instead, Plan
from cockpit.architect.refusals import RefusedError
from cockpit.architect.selected_by import by_input, keyed
from cockpit.architect.sources import amounts, lists
from cockpit.core.script import Refusal, Script

BETWEEN = "\x1f"


class Column(Struct, frozen=True):
    """The effects of all runs at one place of the skeleton; several of one run are a foreach."""

    acts: tuple[tuple[Act, ...], ...]

    @property
    def single(self) -> bool:
        return all(len(each) == 1 for each in self.acts)

    @property
    def first(self) -> Act:
        return self.acts[0][0]


def columns(runs: Sequence[Run], *, coarse: bool) -> list[Column]:
    """The effects of the runs side by side."""
    each = [
        [
            tuple(acts)
            for _, acts in itertools.groupby(
                run.acts, lambda act: act.coarse if coarse else act.key
            )
        ]
        for run in runs
    ]
    return [Column(tuple(column)) for column in zip(*each, strict=True)]


class Built(Struct, frozen=True):
    """A script, and the lists it loops over: the names of their variables and their codes."""

    script: Script
    rows: dict[str, str]


def built(
    task_id: str,
    runs: Sequence[Run],
    blobs: Blobs,
    instead: Instead,
    openings: Openings | None = None,
    functions: Sequence[str] = (),
) -> Built:
    """The script of a group; with `openings`, what is not explained is a call of one of `functions`.

    Raises:
        OpenHoleError: where a value follows from nothing.
        RefusedError: where the answer is no whatever the values.
    """
    days = [run.day for run in runs]
    pool = Pool(days, parts_of_years(days))
    inputs = [of_input(name, [run.given[name] for run in runs]) for name in runs[0].given]
    pool.add(inputs)
    read = sources(runs, pool, blobs)
    words = hints(runs)
    tables = [rows for one in read for rows in lists(one.slot)]
    for one in read:
        pool.add(keyed(one.slot, inputs))
    for rows in tables:
        pool.add(amounts(rows, hints=words))
    for rows in list(tables):
        told, parts = by_input(rows, inputs)
        pool.add(told)
        tables += parts
    pool.more = lambda texts: computed_texts(pool, texts)
    scene = Scene(pool, tables, days, numbers(runs))
    pool.openings = openings
    plan = Plan([run.name for run in runs], instead)
    _told(runs, scene, plan)
    if openings is not None and openings.texts:
        _all_told(read, scene, plan, functions)
    script = assembled(task_id, runs, plan, read, scene)
    return Built(script, {name: own for own, name in plan.rows.items()})


def _all_told(read: Sequence[Source], scene: Scene, plan: Plan, functions: Sequence[str]) -> None:
    """Somebody else's functions may look at every source; the contract then covers all of it."""
    plan.functions = list(functions)
    names = [one.slot.name for one in read]
    names += [one.code for one in scene.pool.expressions if is_input(one)]
    plan.before.append("told = {" + ", ".join(f"{name!r}: {name}" for name in names) + "}")
    for one in scene.pool.expressions:
        if one.cost <= 3.2:
            plan.uses |= set(one.uses)
    for rows in scene.lists:
        if rows.place:
            plan.uses |= {(*rows.place, "", key) for key in rows.keys.values()}


def _told(runs: Sequence[Run], scene: Scene, plan: Plan) -> None:
    """Every effect as lines of the plan; files before what is done with them."""
    sides = columns(runs, coarse=len({tuple(act.key for act in run.acts) for run in runs}) > 1)
    commanded = False
    for column in sides:
        if column.first.kind == "command" and not commanded:
            commanded = True
            if any(one.first.kind == "write" for one in sides) and _only_git(sides):
                plan.steps.append("if not written():")
                plan.steps.append('    nothing("everything is as it should be")')
        if column.single:
            _one(tuple(each[0] for each in column.acts), scene, plan)
        else:
            _several(column, scene, plan)


def _only_git(sides: Sequence[Column]) -> bool:
    return all(one.first.words[:1] == ("git",) for one in sides if one.first.kind == "command")


# -- single effects ---------------------------------------------------------------------------


def _one(acts: tuple[Act, ...], scene: Scene, plan: Plan) -> None:
    match acts[0].kind:
        case "write":
            _write(acts, scene, plan)
        case "copy" | "move":
            paths = [
                fill(column, scene.pool)
                for column in zip(*(act.words for act in acts), strict=True)
            ]
            told = [plan.text(path, f"{acts[0].kind} path", "name") for path in paths]
            plan.steps.append(f"{acts[0].kind}({', '.join(told)})")
        case "command":
            _command(acts, scene, plan)
        case _:
            raise RefusedError(
                Refusal("N8", f"{acts[0].kind} {acts[0].words[0]}", f"step {acts[0].step}")
            )


def _command(acts: tuple[Act, ...], scene: Scene, plan: Plan) -> None:
    if len({len(act.words) for act in acts}) != 1:
        texts = [" ".join(act.words) for act in acts]
        raise OpenHoleError(texts, acts[0].words[0])
    told: list[str] = []
    for place, column in enumerate(zip(*(act.words for act in acts), strict=True)):
        filled = fill(column, scene.pool, " ".join(acts[0].words[:2]))
        if place < 1 and filled.choices:
            raise OpenHoleError(column, "the program")
        option = filled.choices and not filled.constant and not column[0].startswith("-")
        told.append(
            plan.text(
                filled, f"{acts[0].words[0]} word", "word" if option and _bare(filled) else ""
            )
        )
    plan.steps.append(f"command({', '.join(told)})")


def _bare(filled: Filled) -> bool:
    """A word that is nothing but a value, which could begin with a dash."""
    return len(filled.parts) == 1 and filled.choices[0].expression.label != "date"


def _write(acts: tuple[Act, ...], scene: Scene, plan: Plan) -> None:
    if any(act.text is None for act in acts):
        why = next(act for act in acts if act.text is None)
        raise RefusedError(Refusal("N9", f"{why.words[0]}: {why.why}", f"step {why.step}"))
    path = fill(tuple(act.words[0] for act in acts), scene.pool)
    where = plan.text(path, "path", "name")
    texts = [act.text or "" for act in acts]
    about = pattern(path)
    if all(act.before is not None for act in acts):
        _same_keys([act.before or "" for act in acts], where, about, plan)
        line = _changed(acts, texts, where, about, scene, plan)
        if line is not None:
            plan.steps.append(line)
            return
        words = f"{about} is there, as it always was"
        plan.guard(f"check(read({where}) is not None, {words!r})", words)
    plan.steps.append(f"write({where}, {_content(texts, about, scene, plan, acts[0].words[0])})")


def _same_keys(old: Sequence[str], where: str, about: str, plan: Plan) -> None:
    """A guard for an object that is written anew: a key that it never had would be lost."""
    try:
        found = [json.loads(text) for text in old]
    except ValueError:
        return
    if all(isinstance(one, dict) for one in found) and len({tuple(one) for one in found}) == 1:
        words = f"{about} has the keys that it always had"
        plan.guard(f"check(list(data(read({where}))) == {list(found[0])!r}, {words!r})", words)


def _content(texts: Sequence[str], about: str, scene: Scene, plan: Plan, path: str) -> str:
    """The code of a whole file."""
    whole = scene.pool.solve(tuple(texts)) if len(set(texts)) > 1 else None
    if whole is not None and whole.expression.uses[:1] and whole.expression.uses[0][-1] == "*text":
        return plan.text(Filled((whole,), (tuple(texts),)), about)
    try:
        tree = written(texts, scene)
        if tree is not None and len(set(texts)) > 1:
            return plan.json(tree, about)
        return plan.document(document(texts, scene), about, _wrap(path))
    except OpenHoleError:
        if scene.pool.openings is None:
            raise
        hole = scene.pool.openings.open(texts, about)
        return plan.text(Filled((hole,), (tuple(texts),)), about)


def _wrap(path: str) -> str:
    return "cell" if path.endswith((".csv", ".tsv")) else ""


# -- changes of files that were there ---------------------------------------------------------


def _changed(
    acts: tuple[Act, ...], texts: Sequence[str], where: str, about: str, scene: Scene, plan: Plan
) -> str | None:
    """The line for a file that was added to or changed in one line; None where it was written anew."""
    old = [act.before or "" for act in acts]
    if all(text.startswith(before) and before for text, before in zip(texts, old, strict=True)):
        added = [text[len(before) :] for text, before in zip(texts, old, strict=True)]
        told = plan.document(document(added, scene), about, _wrap(acts[0].words[0]))
        return f"append({where}, {told})"
    if len(set(old)) == 1 and len(old[0]) < 400:
        return None
    return _inserted(old, texts, where, about, scene, plan) or _edited(
        old, texts, where, about, scene, plan
    )


def _inserted(
    old: Sequence[str], texts: Sequence[str], where: str, about: str, scene: Scene, plan: Plan
) -> str | None:
    """Lines put in behind the first lines, which never change."""
    for count in range(1, 5):
        heads = {"".join(one.splitlines(keepends=True)[:count]) for one in old}
        if len(heads) != 1:
            return None
        head = heads.pop()
        if all(text.startswith(head) and text.endswith(before[len(head) :]) and len(text) > len(before)
               and len(before) > len(head) for text, before in zip(texts, old, strict=True)):  # fmt: skip
            added = [text[len(head) : len(text) - len(before) + len(head)]
                     for text, before in zip(texts, old, strict=True)]  # fmt: skip
            if not all(one.endswith("\n") for one in added):
                continue
            told = plan.document(document(added, scene), about)
            return f"write({where}, after_lines(read({where}), {literal(head)}, {told}))"
    return None


def _edited(
    old: Sequence[str], texts: Sequence[str], where: str, about: str, scene: Scene, plan: Plan
) -> str | None:
    """The same lines in the same places of all runs replaced, each found by how it begins."""
    pairs = [
        (before.split("\n"), text.split("\n")) for before, text in zip(old, texts, strict=True)
    ]
    if (
        any(len(before) != len(after) for before, after in pairs)
        or max(len(one) for one, _ in pairs) < 4
    ):
        return None
    places = {
        tuple(at for at, (a, b) in enumerate(zip(*pair, strict=True)) if a != b) for pair in pairs
    }
    if len(places) != 1 or not 0 < len(changed := places.pop()) <= 4:
        return None
    told = f"read({where})"
    for at in changed:
        line = fill(tuple(after[at] for _, after in pairs), scene.pool, about)
        begin = line.parts[0] if line.parts and isinstance(line.parts[0], str) else ""
        if len(begin.strip()) < 3 or any(
            sum(one.startswith(begin) for one in before) != 1 for before, _ in pairs
        ):
            return None
        told = f"with_line({told}, {literal(begin)}, {plan.text(line, about)})"
    _ends(old, changed, where, about, plan)
    return f"write({where}, {told})"


def _ends(old: Sequence[str], changed: Sequence[int], where: str, about: str, plan: Plan) -> None:
    """A guard that the file is whole: it ends as it always did, or has as many lines."""
    split = [before.split("\n") for before in old]
    last = max((at for at, line in enumerate(split[0]) if line.strip()), default=0)
    told = f"read({where})"
    if all(before.endswith("\n") for before in old):
        told = f"lines({told})"
        if last not in changed and len({lines[last] for lines in split}) == 1:
            words = f"{about} ends as it always did"
            plan.guard(f"check({told}[-1] == {literal(split[0][last])}, {words!r})", words)
            return
    counts = {len([line for line in lines if line]) for lines in split}
    if len(counts) == 1:
        words = f"{about} has {counts.copy().pop()} lines, as always"
        told = (
            told if told.startswith("lines(") else f"[line for line in {told}.split('\\n') if line]"
        )
        plan.guard(f"check(len({told}) == {counts.pop()}, {words!r})", words)


# -- one effect for each row ------------------------------------------------------------------


def _several(column: Column, scene: Scene, plan: Plan) -> None:
    """A foreach: the paths lead to the list."""
    kind = column.first.kind
    if kind not in ("write", "copy", "move") or any(not each for each in column.acts):
        texts = [" ".join(act.words[0] for act in each) for each in column.acts]
        raise OpenHoleError(texts, f"{kind} several times")
    lines = [[BETWEEN.join(act.words) for act in each] for each in column.acts]
    found = _ordered_loop(lines, scene)
    flat = [act for each in column.acts for act in each]
    inner = row_pool(found.rows, found.taken, scene.pool, scene.days, scene.lists)
    words = [fill(told, inner) for told in zip(*(act.words for act in flat), strict=True)]
    paths = [plan.line(found, one, f"{kind} path", "name") for one in words]
    name = plan.named(found)
    if kind == "write":
        if any(act.text is None for act in flat):
            raise RefusedError(
                Refusal("N9", f"{flat[0].words[0]}: {flat[0].why}", f"step {flat[0].step}")
            )
        days = [scene.days[run] for run, each in enumerate(column.acts) for _ in each]
        told = document([act.text or "" for act in flat], Scene(inner, [], days, scene.numbers))
        parts = [
            plan.line(found, part, "content") for part in told.parts if isinstance(part, Filled)
        ]
        inside = "".join(f"\n        {part}," for part in parts)
        content = f"text({inside}\n    )" + ("" if told.ended else "[:-1]")
        paths.append(content)
    plan.steps.append(f"for row in {name}:")
    plan.steps.append(f"    {kind}({', '.join(paths)})")


def _ordered_loop(lines: list[list[str]], scene: Scene) -> Loop:
    """The order of files does not matter: that of the list is taken."""
    if sum(map(len, lines)) < 4:
        raise OpenHoleError([" ".join(each) for each in lines], "several files")
    return loop(lines, scene.lists, scene.pool, scene.days, scene.numbers)
