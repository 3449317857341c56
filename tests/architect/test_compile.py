"""Runs become scripts that do the same, in memory and as real programs; what is not explained is refused."""

import ast
import json
import random
import subprocess
import sys
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from cockpit.architect import virtual
from cockpit.architect.compile import compile_task
from cockpit.architect.evidence import reading
from cockpit.architect.expressions import date_choices
from cockpit.core.script import EXIT_DONE, EXIT_DRIFT, Refusal, Script
from cockpit.core.trace import Step
from tests.architect.tail import TASKS
from tests.architect.worlds import Blobs, Little

BY_NAME = {task.name: task for task in TASKS}
OPEN = {"nested": "N6"}
"""What is honestly not understood yet."""


def compiled(task, blobs, count=8):
    script = compile_task(task.name, task.traces(blobs, count), blobs)
    assert isinstance(script, Script), script
    return script


def judged(script, trace, blobs):
    """exact, drift, or what is wrong."""
    run = reading(trace, blobs)
    outcome = virtual.played(virtual.body_of(script.source), run, blobs)
    if outcome.code != EXIT_DONE:
        return "drift"
    return virtual.difference(outcome, run) or "exact"


@pytest.mark.parametrize(
    "task", [task for task in TASKS if task.name not in OPEN], ids=lambda task: task.name
)
def test_the_long_tail_compiles_and_is_never_wrong_later(task):
    blobs = Blobs()
    traces = task.traces(blobs, 12)
    script = compile_task(task.name, traces[:8], blobs)
    assert isinstance(script, Script), script
    assert [judged(script, trace, blobs) for trace in traces[:8]] == ["exact"] * 8
    later = [judged(script, trace, blobs) for trace in traces[8:]]
    assert set(later) <= {"exact", "drift"}
    assert later.count("exact") >= 2
    first, last = script.body
    assert last - first <= 24


@pytest.mark.parametrize("name", OPEN)
def test_what_is_not_understood_is_refused(name):
    blobs = Blobs()
    refusal = compile_task(name, BY_NAME[name].traces(blobs), blobs)
    assert isinstance(refusal, Refusal)
    assert refusal.code == OPEN[name]
    assert refusal.examples


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("count", [3, 4])
def test_few_runs_may_drift_and_are_never_wrong(task, count):
    blobs = Blobs()
    traces = task.traces(blobs, 9)
    script = compile_task(task.name, traces[:count], blobs)
    if isinstance(script, Script):
        assert {judged(script, trace, blobs) for trace in traces[count:]} <= {"exact", "drift"}


def test_two_runs_are_too_few():
    blobs = Blobs()
    assert compile_task("t", TASKS[0].traces(blobs, 2), blobs).code == "N1"


def test_the_same_runs_give_the_same_script():
    blobs = Blobs()
    traces = BY_NAME["top"].traces(blobs)
    one, other = compile_task("t", traces, blobs), compile_task("t", traces[::-1], blobs)
    assert one == other


# -- as a real program ------------------------------------------------------------------------


def laid_out(trace, blobs, folder):
    work, cassette = folder / "work", folder / "cassette"
    work.mkdir(parents=True)
    cassette.mkdir()
    for path, file in trace.world.before.files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(blobs.get(file.content))
    index = {}
    for number, fetch in enumerate(trace.world.fetches):
        (cassette / str(number)).write_bytes(blobs.get(fetch.body))
        index[f"get {fetch.url}"] = {"status": 200, "body": str(number)}
    (cassette / "index.json").write_text(json.dumps(index))
    return work, cassette


def run(script, trace, blobs, folder, *more):
    work, _ = laid_out(trace, blobs, folder)
    day = reading(trace, blobs).day
    return again(script, day, folder, *more), work


def again(script, day, folder, *more):
    program = folder / "script.py"
    program.write_text(script.source)
    return subprocess.run(
        [sys.executable, "-I", program, "--date", str(day), "--cassette", folder / "cassette", *more],
        cwd=folder / "work", capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def files(work):
    return {
        path.relative_to(work).as_posix(): path.read_bytes()
        for path in work.rglob("*")
        if path.is_file()
    }


REAL = ["levels", "join", "each-a-file", "json-list", "changelog", "ledger", "statistics", "delta"]


@pytest.mark.parametrize("name", REAL)
def test_the_script_as_a_program_leaves_the_agents_files(name, tmp_path):
    blobs = Blobs()
    traces = BY_NAME[name].traces(blobs, 9)
    script = compile_task(name, traces[:8], blobs)
    done, work = run(script, traces[0], blobs, tmp_path)
    assert done.returncode == 0, done.stderr
    wanted = {path: blobs.get(file.content) for path, file in traces[0].world.after.files.items()}
    assert files(work) == wanted
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == "done"
    assert told["sources"]
    assert {one["path"] for one in told["outputs"]} <= set(wanted)


@pytest.mark.parametrize("name", ["levels", "ledger", "each-a-file", "changelog"])
def test_a_second_run_in_place_changes_nothing(name, tmp_path):
    blobs = Blobs()
    traces = BY_NAME[name].traces(blobs, 8)
    script = compile_task(name, traces, blobs)
    _, work = run(script, traces[0], blobs, tmp_path)
    before = files(work)
    again(script, reading(traces[0], blobs).day, tmp_path)
    assert files(work) == before


def test_a_dry_run_changes_nothing(tmp_path):
    blobs = Blobs()
    traces = BY_NAME["levels"].traces(blobs, 8)
    done, work = run(compile_task("t", traces, blobs), traces[0], blobs, tmp_path, "--dry-run")
    assert done.returncode == 0
    assert set(files(work)) == set(traces[0].world.before.files)


def test_without_a_broker_nothing_is_fetched(tmp_path):
    blobs = Blobs()
    traces = BY_NAME["top"].traces(blobs, 8)
    script = compile_task("t", traces, blobs)
    program = tmp_path / "script.py"
    program.write_text(script.source)
    done = subprocess.run(
        [sys.executable, "-I", program, "--date", "2026-03-02"],
        cwd=tmp_path, capture_output=True, text=True, env={}, timeout=30,
    )  # fmt: skip
    assert done.returncode == 5
    assert json.loads(done.stdout)["status"] == "denied"


def test_what_the_cassette_does_not_have_is_drift(tmp_path):
    blobs = Blobs()
    traces = BY_NAME["top"].traces(blobs, 8)
    script = compile_task("t", traces, blobs)
    bare = structs.replace(traces[0], world=structs.replace(traces[0].world, fetches=()))
    done, _ = run(script, bare, blobs, tmp_path)
    assert done.returncode == EXIT_DRIFT
    assert "not in the cassette" in json.loads(done.stdout)["reason"]


# -- hostile values ---------------------------------------------------------------------------

HOSTILE = [
    "; rm -rf ~",
    "$(touch owned)",
    "`id`",
    "../../etc/passwd",
    "a\nb",
    "--force",
    "'; x",
    '"',
    "{0}",
    "\\",
]


def committing(value):
    """A name in a file, in its path and in the words of a command."""

    def world(day, chance):
        told = (
            value
            if day == date(2026, 3, 20)
            else f"name-{chance.choice('abcdefgh')}{chance.randint(10, 99)}"
        )
        return {"http://h.local/who": {"name": told}}, {}

    def work(hands):
        name = hands.get("http://h.local/who")["name"]
        hands.write(f"who/{name}.txt", f"Today {name}\n")
        hands.run(f"git add who/{name}.txt && git commit -m 'Note {name}'")

    return Little("hostile", world, work)


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_stay_values(value):
    blobs = Blobs()
    task = committing(value)
    script = compiled(task, blobs)
    trace = task.trace(blobs, date(2026, 3, 20), "hostile now")
    outcome = virtual.played(virtual.body_of(script.source), reading(trace, blobs), blobs)
    if outcome.code == EXIT_DONE:
        assert list(outcome.files) == [f"who/{value}.txt"]
        assert outcome.commands[1] == ("git", "commit", "-q", "-m", f"Note {value}")
    else:
        assert outcome.code == EXIT_DRIFT
        assert not outcome.commands
        assert not outcome.files
    if "/" in value or "\n" in value:
        assert outcome.code == EXIT_DRIFT


def test_scripts_start_programs_with_words_never_with_a_line():
    blobs = Blobs()
    source = compiled(committing("x"), blobs).source
    assert "shell=True" not in source
    assert "os.system" not in source
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    (started,) = [call for call in calls if ast.unparse(call.func) == "subprocess.run"]
    assert ast.unparse(started.args[0]) == "argv"


# -- no ---------------------------------------------------------------------------------------


def page(day, chance):
    return {
        "http://h.local/d": {
            "day": str(day),
            "n": chance.randint(100, 999),
            "m": chance.randint(100, 999),
        }
    }, {}


def refusal_of(work, world=page, change=lambda trace: trace, count=8, **more):
    blobs = Blobs()
    traces = [change(trace) for trace in Little("no", world, work, **more).traces(blobs, count)]
    refusal = compile_task("no", traces, blobs)
    assert isinstance(refusal, Refusal), refusal
    return refusal


def writing(make):
    def work(hands):
        told = hands.get("http://h.local/d")
        hands.write(f"out/{hands.day}.txt", make(told, random.Random(str(hands.day))))

    return work


def test_n2_a_dialogue():
    def change(trace):
        return structs.replace(trace, prompts=("Do it", "No, for the other customer"))

    assert refusal_of(writing(lambda told, chance: f"{told['n']}\n"), change=change).code == "N2"


def test_a_yes_on_the_way_is_no_dialogue():
    blobs = Blobs()
    traces = [
        structs.replace(trace, prompts=("Do it", "ok", "thanks!"))
        for trace in Little("t", page, writing(lambda told, chance: f"{told['n']}\n")).traces(blobs)
    ]
    assert isinstance(compile_task("t", traces, blobs), Script)


def test_n3_only_an_answer():
    assert refusal_of(lambda hands: hands.get("http://h.local/d")).code == "N3"


def test_n4_prose():
    words = ["calm", "rough", "mixed", "quiet", "odd", "merry", "slow", "grand", "brave", "loud"]

    def prose(told, chance):
        return " ".join(chance.choice(words) for _ in range(9)) + "\n"

    found = refusal_of(writing(prose))
    assert found.code == "N4"
    assert len(found.examples) >= 3


def test_initials_are_no_prose():
    def initials(told, chance):
        return " ".join("".join(chance.choices("ABCDEGHK", k=2)) for _ in range(5)) + "\n"

    assert refusal_of(writing(initials)).code == "N6"


def test_n5_a_choice_by_no_rule():
    def world(day, chance):
        return {
            "http://h.local/d": {
                "people": [
                    {"name": name, "load": chance.randint(1, 9)}
                    for name in chance.sample(["ada", "bob", "eve", "joe", "kim", "lea"], 6)
                ]
            }
        }, {}

    found = refusal_of(
        writing(lambda told, chance: f"{chance.choice(told['people'])['name']}\n"), world
    )
    assert found.code == "N5"


def test_n6_a_number_from_nowhere():
    assert refusal_of(writing(lambda told, chance: f"{chance.randint(1000, 9999)}\n")).code == "N6"


def test_n7_a_branch_without_a_reason():
    def work(hands):
        told = hands.get("http://h.local/d")
        odd = random.Random(str(hands.day)).random() < 0.4
        hands.write(f"{'b' if odd else 'a'}/{hands.day}.txt", f"{told['n']}\n")

    assert refusal_of(work, count=10).code == "N7"


@pytest.mark.parametrize(
    "command",
    [
        "git push",
        "curl -X POST -d x http://h.local/d",
        "gh release create v1",
        "mail -s x a@b < out",
        "npm publish",
    ],
)
def test_n8_what_cannot_be_taken_back(command):
    def work(hands):
        told = hands.get("http://h.local/d")
        hands.write(f"out/{hands.day}.txt", f"{told['n']}\n")
        hands.run(command)

    assert refusal_of(work).code == "N8"


def test_n9_an_unknown_tool():
    def work(hands):
        told = hands.get("http://h.local/d")
        hands.write(f"out/{hands.day}.txt", f"{told['n']}\n")
        hands.call("mcp__board__publish", {"text": str(told["n"])})

    assert refusal_of(work).code == "N9"


def test_n9_a_source_that_a_model_wrote():
    def work(hands):
        told = hands.pages["http://h.local/d"]["n"]
        step = Step(number=0, tool="WebFetch", arguments={"url": "http://h.local/d", "prompt": "?"},
                    output=f"It says {told}.", opaque="summarised")  # fmt: skip
        hands.steps.append(step)
        hands.write(f"out/{hands.day}.txt", f"{told}\n")

    assert refusal_of(work).code == "N9"


def test_n11_a_secret():
    def work(hands):
        told = hands.get("http://h.local/d")
        hands.write(f"out/{hands.day}.txt", f"{told['n']} sk-abcdefghijklmnopqrstuvwx\n")

    assert refusal_of(work).code == "N11"


def test_n12_always_the_same():
    assert refusal_of(lambda hands: hands.write("out.txt", "hello\n")).code == "N12"


def test_poisoned_runs_do_not_train():
    blobs = Blobs()
    traces = [structs.replace(trace, distrusted="flagged") for trace in TASKS[0].traces(blobs)]
    assert compile_task("t", traces, blobs).code == "N1"


# -- guards -----------------------------------------------------------------------------------


def guarded(fields, make, later):
    """A task over one page of `fields(day, chance)`; how it does on a later day with other fields."""
    blobs = Blobs()

    def world(day, chance):
        return {"http://h.local/d": fields(day, chance) if day < date(2026, 3, 20) else later}, {}

    task = Little("g", world, writing(lambda told, chance: make(told)))
    script = compiled(task, blobs)
    return judged(script, task.trace(blobs, date(2026, 3, 20), "later"), blobs), script


def test_g1_twin_fields():
    def fields(day, chance):
        one = chance.choice(["ada", "bob", "eve", "joe", "kim", "lea"])
        return {"on_call": one, "last": one}

    told, script = guarded(
        fields, lambda told: f"{told['on_call']}\n", {"on_call": "ada", "last": "bob"}
    )
    assert told == "drift"
    assert any("last" in words for words in script.guards)


def test_g2_twin_formats():
    told, _ = guarded(
        lambda day, chance: {"total": chance.randint(1000, 9999) / 100 + 0.001},
        lambda told: f"{told['total']:.2f}\n",
        {"total": 44.1},
    )
    assert told in ("exact", "drift")
    told, _ = guarded(
        lambda day, chance: {"views": chance.randint(100, 999)},
        lambda told: f"{told['views']:,}\n",
        {"views": 1234},
    )
    assert told == "drift"


def test_g3_a_month_that_was_always_the_same():
    blobs = Blobs()

    def work(hands):
        told = hands.get("http://h.local/d")
        hands.write(f"filed/{hands.day:%Y/%m}/{told['n']}.txt", f"{told['m']}\n")

    task = Little("month", page, work)
    script = compiled(task, blobs)
    assert judged(script, task.trace(blobs, date(2026, 4, 1), "april"), blobs) == "drift"


def test_g3_a_label_of_the_half_year_or_the_season():
    def filed(label):
        def work(hands):
            told = hands.get("http://h.local/d")
            hands.write(f"filed/{label}/{hands.day}.txt", f"{told['m']} kWh\n")

        return work

    for label, later in (
        ("H1-2026", date(2026, 7, 2)),
        ("Q1", date(2026, 4, 2)),
        ("spring", date(2026, 6, 3)),
    ):
        blobs = Blobs()
        task = Little("label", page, filed(label))
        script = compiled(task, blobs)
        assert judged(script, task.trace(blobs, date(2026, 3, 29), "soon"), blobs) == "exact"
        assert judged(script, task.trace(blobs, later, "later"), blobs) == "drift"


def test_one_and_none_are_special_until_they_were_seen():
    def fields(day, chance):
        return {"open": chance.randint(2, 30), "day": str(day)}

    def make(told):
        return f"{told['open']} reviews are open\n"

    assert guarded(fields, make, {"open": 7, "day": "2026-03-20"})[0] == "exact"
    assert guarded(fields, make, {"open": 1, "day": "2026-03-20"})[0] == "drift"
    assert guarded(fields, make, {"open": 0, "day": "2026-03-20"})[0] == "drift"


def test_the_year_of_a_week_is_not_that_of_its_sunday():
    days = [date(2025, 12, 22), date(2025, 12, 29), date(2026, 1, 5)]
    found = list(date_choices(("2025", "2026", "2026"), days))
    cheapest, form = min(found, key=lambda pair: pair[0].cost + pair[1].cost)
    assert (cheapest.code, form.name) == ("day", "%G")
    assert len({expression.code for expression, _ in found}) > 1


def test_one_and_none_are_special_in_rows_too():
    def fields(day, chance):
        return {"items": [{"sku": f"s{at}", "left": chance.randint(2, 40)} for at in range(4)]}

    def make(told):
        return "".join(f"{row['sku']}: {row['left']}\n" for row in told["items"])

    def later(left):
        return {"items": [{"sku": f"s{at}", "left": left if at else 9} for at in range(4)]}

    assert guarded(fields, make, later(5))[0] == "exact"
    assert guarded(fields, make, later(1))[0] == "drift"
    assert guarded(fields, make, later(0))[0] == "drift"


def test_a_file_that_was_always_there_to_be_replaced_has_to_be_there():
    blobs = Blobs()

    def world(day, chance):
        files = {"VERSION": "1.0\n"} if day < date(2026, 3, 20) else {}
        return {"http://h.local/v": {"version": f"2.{day.day}.{chance.randint(10, 99)}"}}, files

    def work(hands):
        new = hands.get("http://h.local/v")["version"]
        hands.write("VERSION", f"version {new}\n")

    task = Little("replace", world, work)
    script = compiled(task, blobs)
    assert judged(script, task.trace(blobs, date(2026, 3, 19), "there"), blobs) == "exact"
    assert judged(script, task.trace(blobs, date(2026, 3, 20), "gone"), blobs) == "drift"


def test_g4_the_contract():
    def fields(day, chance):
        return {"status": "ok", "day": str(day), "n": chance.randint(100, 999)}

    def make(told):
        return f"{told['n']}\n"

    good = {"status": "ok", "day": "2026-03-20", "n": 500}
    assert guarded(fields, make, good)[0] == "exact"
    for change in (
        {"status": "degraded"},
        {"day": "2026-03-19"},
        {"n": "500"},
        {"n": None},
        {"n": 500_000},
    ):
        assert guarded(fields, make, good | change)[0] == "drift", change


def test_g5_weeks_without_anything_to_do():
    blobs = Blobs()

    def world(day, chance):
        old = f"1.{day.day}.0"
        new = old if day.day % 3 == 0 else f"1.{day.day}.{chance.randint(1, 9)}"
        return {"http://h.local/v": {"version": new}}, {"VERSION": old + "\n"}

    def work(hands):
        new, old = hands.get("http://h.local/v")["version"], hands.read("VERSION").strip()
        if new != old:
            hands.write("VERSION", new + "\n")
            hands.run(f"git add VERSION && git commit -m 'Bump to {new}'")

    task = Little("bump", world, work)
    script = compiled(task, blobs, 12)
    assert judged(script, task.trace(blobs, date(2026, 3, 21), "quiet"), blobs) == "exact"


def test_a_threshold_stops_between_what_was_taken_and_what_was_not():
    def fields(day, chance):
        return {
            "hosts": [
                {"name": f"h{at}", "load": chance.choice((20, 35, 50, 90, 95, 99))}
                for at in range(7)
            ]
        }

    def make(told):
        return "load\n" + "".join(f"{one['name']}\n" for one in told["hosts"] if one["load"] > 80)

    later = {
        "hosts": [
            {"name": f"h{at}", "load": load} for at, load in enumerate((20, 35, 70, 90, 95, 99, 99))
        ]
    }
    assert guarded(fields, make, later)[0] == "drift"


# -- a property over worlds -------------------------------------------------------------------

KEYS = ["alpha", "beta", "gamma", "delta"]


@st.composite
def little_worlds(draw):
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True))
    form = draw(st.sampled_from(["{}", "{:,}", "{:05d}"]))
    rows = draw(st.booleans())
    order = draw(st.sampled_from(["as it is", "name", "views"]))

    def world(day, chance):
        told = {key: chance.randint(1000, 99999) for key in keys}
        if rows:
            names = chance.sample(
                ["ada", "bob", "eve", "joe", "kim", "lea", "max", "ned"], chance.randint(3, 6)
            )
            told["rows"] = [{"name": name, "views": chance.randint(1, 10**6)} for name in names]
        return {f"http://h.local/{day}": told}, {}

    def work(hands):
        told = hands.get(f"http://h.local/{hands.day}")
        lines = [f"# {hands.day}", *(f"{key}: {form.format(told[key])}" for key in keys)]
        some = told.get("rows", [])
        if order != "as it is":
            some = sorted(some, key=lambda row: row[order])
        lines += [f"- {row['name']} ({row['views']})" for row in some]
        hands.write(f"out/{hands.day}.md", "\n".join(lines) + "\n")

    return Little("some", world, work), draw(st.integers(0, 10**6))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(little_worlds(), st.integers(3, 6))
def test_a_script_does_what_its_runs_did_and_never_anything_else(drawn, count):
    task, seed = drawn
    blobs = Blobs()
    traces = task.traces(blobs, count + 3, seed)
    script = compile_task("t", traces[:count], blobs)
    if isinstance(script, Script):
        assert {judged(script, trace, blobs) for trace in traces[:count]} == {"exact"}
        assert {judged(script, trace, blobs) for trace in traces[count:]} <= {"exact", "drift"}
