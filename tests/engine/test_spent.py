"""What the machine spent, with governed runs in it: the header's day and `cockpit spend` agree."""

import asyncio
import json

import pytest

from cockpit.core.spending import CHOICES, as_builtins
from cockpit.journal.store import Journal
from cockpit.journal.wire_books import WireBooks
from cockpit.journal.wired import SLACK_MS
from tests.engine.live import Watched, now_ms, prompt, reply
from tests.engine.machine import Machine
from tests.journal.test_wire_books import RUN, began, ended, governed, linked, settled

HOUR = 3_600_000


def write(path, *happened):
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path)
    journal.append(*(each for each in happened if not isinstance(each, tuple))).result(20)
    journal.write([each for each in happened if isinstance(each, tuple)]).result(20)
    journal.close()


def lived(at):
    """A governed run of half an hour, whose transcript is the session `s`."""
    return governed(at, name="port"), began(at), linked(at), ended(at + HOUR // 2)


def session(at):
    """Two calls while it was governed, one of its user's own afterwards."""
    after = at + HOUR // 2 + SLACK_MS
    return prompt(0, at=at) + b"".join(reply(n, at=at + n) for n in (1, 2)) + reply(3, at=after)


def test_the_day_is_right_at_once_and_after_a_restart(tmp_path):
    """The transcript was read before the link was known, and is read no second time."""
    at, journal = now_ms() - HOUR, tmp_path / "journal.db"
    write(journal, governed(at), began(at), settled(at + 5, 700, message="msg_1"))
    wire = WireBooks.open(journal)
    watched = Watched(tmp_path, spans=wire.spans, messages=wire.messages)
    watched.transcript().write_bytes(session(at))
    watched.start()
    _, second, third = (run[1] for run in _calls(watched))
    watched.until(lambda fleet: sum(fleet.spent.values()) == second + third)
    write(journal, *lived(at)[2:], settled(at + 6, 50, seq=2))
    watched.restart()
    watched.until(lambda fleet: sum(fleet.spent.values()) == third)
    watched.close()
    wire.close()


def _calls(watched):
    """Each call of the session by itself, as a scan from nothing has it."""
    lines = watched.transcript().read_bytes().splitlines(keepends=True)
    alone = Watched(watched.root / "alone")
    for number, line in enumerate(lines[1:]):
        alone.transcript(f"s{number}").write_bytes(line)
    books = alone.cold()
    alone.watcher._index.close()
    return [books[f"claude-code/s{number}"] for number in range(3)]


@pytest.fixture(scope="module")
def machine():
    machine = Machine()
    at = now_ms() - HOUR
    write(
        machine.cockpit_home / "data" / "journal.db", *lived(at),
        settled(at + 5, 700), settled(at + 6, 9, seq=2, mark="presumed"),
        settled(at + 7, 80, seq=3, billing="subscription"),
    )  # fmt: skip
    machine.transcript("s").write_bytes(session(at))
    yield machine
    machine.end()


async def test_the_shell_says_the_same_with_and_without_an_engine(machine):
    alone = {by: _told(machine, by) for by in CHOICES}
    rows = {row["key"]: row for row in alone["run"]["rows"]}
    assert set(rows) == {RUN, "claude-code/s"}
    assert (rows[RUN]["name"], rows[RUN]["calls"], rows[RUN]["usd"]) == ("port", 3, "0.000000709")
    assert (rows[RUN]["estimated_usd"], rows[RUN]["subscription_usd"]) == (
        "0.000000009", "0.00000008",
    )  # fmt: skip
    assert rows["claude-code/s"]["calls"] == 1
    assert "paid by a subscription" in machine.run("spend").stdout
    machine.start()
    client = await machine.client()
    for by in CHOICES:
        assert _told(machine, by) == alone[by]
        assert as_builtins(await asyncio.wait_for(client.spend(by, tz="UTC"), 30)) == alone[by]
    await client.close()


def _told(machine, by):
    return json.loads(machine.run("spend", "--by", by, "--tz", "UTC", "--json").stdout)
