"""An agent that goes on with its latest session by itself: one task, one purse, whatever the run is called."""

import sys
from decimal import Decimal

import pytest

from tests.engine.governed import AGENT, WithClaude

CLAUDE = (
    f"#!{sys.executable}\n"
    + AGENT
    + """
os.environ["ANTHROPIC_API_KEY"] = os.environ["ANTHROPIC_AUTH_TOKEN"]
if "--session-id" in sys.argv:
    with open("session", "w") as file:
        file.write(sys.argv[sys.argv.index("--session-id") + 1])
opener = urllib.request.build_opener()
opener.addheaders = [("x-claude-code-session-id", open("session").read())]
urllib.request.install_opener(opener)
for _ in range(int(os.environ.get("CALLS", "1000"))):
    if call("go on")[0] != 200 and "stay" not in sys.argv:
        break
    time.sleep(0.05)
"""
)


class House(WithClaude):
    """`claude` on the PATH is a little agent that names its session on the wire."""

    def __init__(self):
        super().__init__(CLAUDE)
        self.calls = "3"

    @property
    def environment(self):
        return {**super().environment, "CALLS": self.calls}

    def claude(self, *options, words=()):
        done = self.run(
            "run", "--detach", "--no-channel", "--upstream", f"anthropic={self.upstream}/run/a",
            *options, "--", "claude", "-p", "x", *words,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def first(self, *options):
        run = self.claude(*options)
        self.until_row(run, is_over)
        return run


def is_over(row):
    return row["pid"] is None and row["state"] in ("ended", "deferred")


@pytest.fixture
def house():
    house = House()
    yield house
    house.end()


def test_what_was_used_before_counts(house):
    first = house.first("--turns", "5")
    house.calls = "1000"
    again = house.claude(words=["--continue"])
    assert again != first
    row = house.until_row(again, is_over)
    assert (row["turns"], len(house.served())) == (2, 5)
    assert row["budget"]["turns"] == 5
    assert row["ruling"]["used"] == 5
    (told,) = house.happened(again, "run_continued")
    assert (told["task"], told["purse"], told["turns"]) == (first, f"run:{first}", 3)


def test_money_comes_out_of_the_same_purse_also_after_a_restart(house):
    first = house.first("--budget", "0.006usd")
    house.run("engine", "stop")
    house.run("engine", "start")
    house.calls = "1000"
    again = house.claude(words=["--continue"])
    house.until_row(again, is_over)
    spent = Decimal(house.row(first)["usd"]) + Decimal(house.row(again)["usd"])
    assert Decimal(house.row(first)["usd"]) < spent <= Decimal("0.006")
    before = len(house.served())
    house.run("engine", "stop")
    house.run("engine", "start")
    assert house.run("budget", again, "--money", "0.012").returncode == 0
    house.until(lambda: len(house.served()) > before)
    house.run("stop", again)


def test_another_budget_that_was_asked_for_is_the_tasks_from_now_on(house):
    house.first("--turns", "3")
    again = house.claude("--turns", "5", words=["--continue"])
    row = house.until_row(again, is_over)
    assert (row["turns"], row["budget"]["turns"]) == (2, 5)


def test_who_raises_the_first_ones_budget_raises_the_tasks(house):
    first = house.first("--turns", "4")
    house.calls = "1000"
    again = house.claude(words=["--continue", "stay"])
    house.until_row(again, lambda row: row["state"] == "deferred")
    assert len(house.served()) == 4
    house.run("budget", first, "--turns", "6")
    house.until(lambda: len(house.served()) == 6)
    assert house.row(again)["budget"]["turns"] == 6
    assert house.row(first)["pid"] is None
    house.run("stop", again)
