"""A shelf with everything real but the agent, the compiler and the clock, which the test plays."""

import asyncio
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from cockpit.architect.repair import REPAIR
from cockpit.core.events import ScriptChanged, ScriptRan
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all
from cockpit.core.script import GATES, Capabilities, Refusal, Script, Task, Trial
from cockpit.core.shelf import Wish
from cockpit.core.trace import File, Trace, Tree, World
from cockpit.engine.making import Made, Making
from cockpit.engine.occurrences import Occurrences
from cockpit.engine.script_orders import ScriptOrders
from cockpit.engine.scripts import Scripts
from cockpit.engine.workbench import Workbench
from cockpit.journal.shelf import Shelf
from cockpit.journal.store import Journal
from tests.families.blobs import Blobs

CENT = 10_000_000
DAY = 86_400_000
MAY = Capabilities(read=("data/*",), write=("reports/*.md",))
BEGAN = int(datetime(2026, 11, 23, 6, 30, tzinfo=UTC).timestamp() * 1000)

SOURCE = """
import hashlib, json, pathlib, sys
def end(code, reason="", outputs=()):
    print(json.dumps({"status": "done", "reason": reason, "outputs": list(outputs), "skipped": []}))
    sys.exit(code)
visits = pathlib.Path("data/visits.txt").read_text().strip()
day = sys.argv[sys.argv.index("--date") + 1]
if visits.startswith("exit"):
    end(int(visits.split()[1]), visits)
if not visits.isdigit():
    end(3, f"visits is {visits!r}, no number")
text = f"{day}: {visits}\\n"
place = pathlib.Path(f"reports/{day}.md")
place.parent.mkdir(exist_ok=True)
place.write_text(text)
end(0, "", [{"path": str(place), "sha256": hashlib.sha256(text.encode()).hexdigest()}])
"""
WIDER = SOURCE.replace("if not visits.isdigit():", "if not visits.replace('k', '').isdigit():")


def script(source=SOURCE, may=MAY, **more):
    return Script(task="t1", purpose="Writes the report", source=source, capabilities=may, **more)


class House:
    """`now` is the clock, `asked` the agents that were begun, `made` what the compiler comes to."""

    def __init__(self, root, sandbox=None):
        self.now = BEGAN
        self.root = root
        self.workspace = root / "project"
        (self.workspace / "data").mkdir(parents=True, exist_ok=True)
        self.journal = Journal(root / "journal.db")
        self.blobs = Blobs()
        self.traces = {}
        self.asked = []
        self.made = [script()]
        self.trials = tuple(Trial(gate, "", True) for gate in GATES)
        self.proven = []
        self.events = []
        self.paused = []
        self.no_agent = ""
        self.command = ("agent", "report")
        self.wishes = []
        self.scripts = Scripts(
            store=Shelf(self.journal.engine), book=self.journal, publish=self.events.extend,
            now=lambda: self.now,
        )  # fmt: skip
        self.making = Making(
            scripts=self.scripts, evidence=self, maker=self, wish=self.wish, now=lambda: self.now
        )
        self.bench = Workbench(self.blobs) if sandbox is None else Workbench(self.blobs, sandbox)
        self.occurrences = Occurrences(
            scripts=self.scripts, making=self.making, evidence=self, bench=self.bench,
            begin=self.begin, script_of=self.script_of,
            alive=lambda run: run in self.asked and run not in self.traces, now=lambda: self.now, pause=self.pause,
        )  # fmt: skip
        orders = ScriptOrders(
            scripts=self.scripts, making=self.making, occurrences=self.occurrences,
            held=lambda: self.bench.held, now=lambda: self.now,
        )  # fmt: skip
        self.answers = orders.answers()

    # the compiler

    def make(self, task, traces, most):
        found = self.made[0] if len(self.made) == 1 else self.made.pop(0)
        if isinstance(found, Refusal):
            return Made(refusal=found)
        return Made(found, nano=2 * CENT if most == REPAIR else 5 * CENT)

    def prove(self, wanted, traces):
        self.proven.append((wanted.content, [trace.run for trace in traces]))
        return (*self.trials, *(Trial("V1", trace.run, True) for trace in traces))

    # the evidence

    def task(self, named):
        if named != "report":
            return None
        return Task(id="t1", name="Morning report", runs=tuple(self.traces), verdict="candidate")

    def trace(self, run):
        return self.traces.get(run)

    def wish(self, trace):
        return Wish(command=self.command, cwd=str(self.workspace), agent="claude-code")

    async def script_of(self, run):
        return "morning-report" if run in self.traces else ""

    # the agent

    async def begin(self, wish):
        if self.no_agent:
            raise ValueError(self.no_agent)
        self.wishes.append(wish.command)
        self.asked.append(f"run-{len(self.asked) + 1}")
        return self.asked[-1]

    def worked(
        self,
        run,
        visits,
        *,
        said=None,
        cents=7,
        outcome="done",
        prompt="",
        where="reports/{day}.md",
    ):
        """The agent's run is over: what it found, what it wrote and where, what it cost."""
        day = datetime.fromtimestamp(self.now / 1000, UTC).date().isoformat()
        before = {"data/visits.txt": f"{visits}\n"}
        after = {**before, where.format(day=day): f"{day}: {said or visits}\n"}
        self.traces[run] = Trace(
            run=run, agent="claude-code", began=self.now, ended=self.now + 60_000, outcome=outcome,
            nano=cents * CENT, root=str(self.workspace), prompts=(prompt,) if prompt else (),
            world=World(root=str(self.workspace), before=self.tree(before), after=self.tree(after)),
        )  # fmt: skip
        return run

    def tree(self, files):
        return Tree(
            {path: File(self.blobs.put(text.encode()), len(text)) for path, text in files.items()}
        )

    # the world

    async def pause(self, seconds):
        self.paused.append(seconds)

    def visits(self, text):
        (self.workspace / "data" / "visits.txt").write_text(f"{text}\n")

    def report(self):
        found = sorted((self.workspace / "reports").glob("*.md"))
        return found[-1].read_text() if found else None

    # the operator

    async def ask(self, action, **words):
        told = await self.answers["script"]({"action": action, "name": "morning-report", **words})
        return msgspec.json.decode(told)

    async def adopted(self):
        """Three mornings, a script, three mornings beside the agent."""
        for number in range(3):
            self.worked(f"old-{number}", 100 + number)
            self.now += DAY
        await self.ask("build", task="report")
        row = (await self.ask("show"))["row"]
        await self.ask("approve", content=row["content"])
        for number in range(3):
            await self.beside(f"beside-{number}", 200 + number)
        return self.entry

    async def seasoned(self, runs):
        """The script has done this many runs before."""
        life = replace(self.entry.life, runs=runs)
        await self.scripts.put(replace(self.entry, life=life))

    async def beside(self, run, visits, **more):
        self.worked(run, visits, **more)
        await self.heard(run)
        self.now += DAY

    async def heard(self, run):
        self.occurrences.witnessed(run)
        await self.quiet()

    async def quiet(self):
        while self.occurrences._tasks:
            await asyncio.gather(*self.occurrences._tasks)

    @property
    def entry(self):
        return self.scripts.entry("morning-report")

    @property
    def stage(self):
        return self.entry.life.stage

    def runs(self, kind=None):
        found = self.scripts.store.runs("morning-report")
        return [run for run in found if kind in (None, run.kind)]

    def folded(self):
        return fold_all(Fleet(), self.events)

    def said(self):
        return [notice.text for notice in self.folded().feed]

    def told(self):
        return [event for event in self.events if isinstance(event, (ScriptChanged, ScriptRan))]

    def close(self):
        self.journal.close()


def tampered(house, content, source):
    """Somebody who can write the journal's file changes a script on the shelf."""
    stored = house.scripts.store.script(content)
    body = msgspec.json.encode(replace(stored, source=source)).decode()
    with house.journal.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE script_contents SET body = :body, source = :source WHERE content = :c"),
            {"body": body, "source": source, "c": content},
        )
