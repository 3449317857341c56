"""The ledger when disks, locks and processes fail: nothing leaves without a durable hold."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys

import pytest

from cockpit.core.events import NoticeGiven
from cockpit.core.tokens import Tokens
from cockpit.journal import store
from cockpit.journal.ledger import Amount, Cap, Exhausted, Granted
from cockpit.journal.owner import LedgerOwnedError, Owner, is_alive, this_process
from tests.journal.books import FLEET, Clock, bill, hold, opened, price


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.05)


def child(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


# --- one owner


def test_a_ledger_has_one_owner(path):
    with opened(path), pytest.raises(LedgerOwnedError), opened(path):
        pass
    with opened(path):
        pass


OWN = """
import sys
from pathlib import Path
from tests.journal.books import opened
with opened(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_another_process_gets_it_only_once_the_owner_is_dead(path):
    owner = child(OWN, path, stdin=subprocess.PIPE)
    assert owner.stdout.readline() == "mine\n"
    with pytest.raises(LedgerOwnedError), opened(path):
        pass
    owner.kill()
    owner.wait()
    with opened(path):
        pass


def test_a_reused_pid_is_not_its_owner():
    mine = this_process()
    assert is_alive(mine)
    assert not is_alive(Owner(mine.pid, mine.start + 1, mine.boot))
    assert not is_alive(Owner(mine.pid, mine.start, "another boot"))
    gone = child("pass")
    gone.wait()
    assert not is_alive(Owner(gone.pid, mine.start, mine.boot))


# --- recovery


async def lived(path, act):
    """What a ledger leaves when its engine dies while `act` is done."""
    with opened(path) as ledger:
        await act(ledger)
        await asyncio.wrap_future(ledger._journal.append())


async def test_recovery_presumes_the_worst_once(path):
    async def act(ledger):
        await ledger.place(hold("dispatched"), price, 300, 10)
        await ledger.place(hold("seen"), price, 3_000, 10)
        ledger.checkpoint("seen", Tokens(input=100, output=50), 2_250)
        await ledger.place(hold("almost"), price, 300, 10)
        ledger.checkpoint("almost", Tokens(input=100, output=299), 8_475)
        await ledger.place(hold("more"), price, 300, 10)
        ledger.checkpoint("more", Tokens(input=100, output=400), 11_000)
        assert ledger.balance(FLEET).held.nano == 8_500 + 76_000 + 8_500 + 11_000
        await ledger.allow(hold("promised"), Amount(9_000), "stage:r/s")
        await ledger.allow(hold("used"), Amount(7_000, 70))
        await ledger.dispatch("used")
        await ledger.place(hold("settled"), price, 300, 10)
        ledger.settle("settled", bill(10))

    await lived(path, act)
    with opened(path) as ledger:
        assert len(ledger.open_holds()) == 6
        ended = {each.call: (each.mark, each.amount) for each in ledger.recover()}
        assert ended == {
            "dispatched": ("presumed", Amount(8_500, 400)),
            "seen": ("estimated", Amount(2_250 + 1_024 * 25, 150 + 1_024)),
            "almost": ("estimated", Amount(8_500, 400)),
            "more": ("estimated", Amount(11_000, 500)),
            "promised": (None, Amount(9_000)),
            "used": ("presumed", Amount(7_000, 70)),
        }
        spent = ledger.balance(FLEET)
        assert spent.settled.nano == 8_500 + 27_850 + 8_500 + 11_000 + 7_000 + 1_250
        assert spent.held == Amount()
        assert ledger.recover() == []
        assert not ledger.settle("dispatched", bill(1)).first
    with opened(path) as ledger:
        assert ledger.recover() == []
        assert ledger.balance(FLEET) == spent
        marks = {row.call: (row.bill.mark, row.bill.tokens.total) for row in ledger.books_of("r")}
        assert marks["seen"] == ("estimated", 1_174)
        assert marks["dispatched"] == ("presumed", 400)
        assert await ledger.adjust("dispatched", bill(1))
        assert ledger.balance(FLEET).settled.nano == spent.settled.nano - 7_475


async def test_the_living_keep_their_holds(path):
    await lived(path, lambda ledger: ledger.place(hold("c"), price, 300, 10))
    other = child("import sys; sys.stdin.read()", stdin=subprocess.PIPE)
    try:
        from cockpit.journal.owner import _start

        with sqlite3.connect(path) as database:
            database.execute(
                "UPDATE calls SET owner_pid = ?, owner_start = ?", (other.pid, _start(other.pid))
            )
        with opened(path) as ledger:
            assert ledger.recover() == []
            assert ledger.balance(FLEET).held.nano == 8_500
            other.communicate("")
            assert [each.mark for each in ledger.recover()] == ["presumed"]
    finally:
        other.kill()
        other.wait()


SPEND = """
import asyncio, random, sys
from pathlib import Path
from cockpit.core.tokens import Tokens
from cockpit.journal.ledger import Cap, Granted
from tests.journal.books import bill, hold, opened, price

async def one(ledger, name, chance, truth):
    for number in range(10**6):
        call = f"{name}-{number}"
        granted = await ledger.place(hold(call, name), price, 300, 10)
        if not isinstance(granted, Granted):
            return
        output = chance.randrange(granted.max_output + 1)
        for seen in range(0, output, 100):
            truth.write(b"%d\\n" % (2_500 if seen else 1_000))
            ledger.checkpoint(call, Tokens(input=100, output=seen), 1_000 + 25 * seen)
            await asyncio.sleep(chance.random() * 0.002)
        if chance.random() < 0.1:
            ledger.release(call) if not output else ledger.settle(call, bill(output))
        else:
            ledger.settle(call, bill(output))

async def main():
    chance = random.Random(int(sys.argv[3]))
    with opened(Path(sys.argv[1])) as ledger, open(sys.argv[2], "ab", buffering=0) as truth:
        ledger.recover()
        assert ledger.open_holds() == ()
        ledger.cap("fleet", Cap(40_000_000))
        print("spending", flush=True)
        await asyncio.gather(*(one(ledger, f"{sys.argv[3]}-{n}", chance, truth) for n in range(20)))

asyncio.run(main())
"""


def test_kill_9_of_the_owner_never_loses_what_was_served(path, tmp_path):
    truth = tmp_path / "truth"
    chance = random.Random(5)
    for life in range(5):
        owner = child(SPEND, path, truth, life)
        assert owner.stdout.readline() == "spending\n"
        with pytest.raises(subprocess.TimeoutExpired):
            owner.wait(chance.uniform(0.02, 0.2))
        os.kill(owner.pid, signal.SIGKILL)
        owner.communicate()
    with opened(path) as ledger:
        recovered = ledger.recover()
        assert ledger.open_holds() == ()
        booked = ledger.balance(FLEET).settled.nano
        rows = ledger.settled_since(0)
        assert sum(row.bill.nano for row in rows) <= booked
    served = sum(map(int, truth.read_bytes().split()))
    assert recovered
    assert 0 < served <= booked <= 40_000_000


# --- disks and locks


async def test_a_locked_journal_grants_nothing_and_recovers(path, impatient):
    with opened(path) as ledger:
        await ledger.place(hold("before"), price, 300, 10)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused = await ledger.place(hold("c"), price, 300, 10)
        assert refused.reason == "journal"
        assert "locked" in refused.sentence
        assert {each.call for each in ledger.open_holds()} == {"before"}
        settled = ledger.settle("before", bill(10)).durable
        told = ledger._journal.append(NoticeGiven(run="", at=1, text="x"))
        refused = await ledger.place(hold("d"), price, 300, 10)
        assert refused.reason == "journal"
        assert not settled.done()
        other.execute("ROLLBACK")
        assert await asyncio.wrap_future(told) == 1
        assert isinstance(await ledger.place(hold("c"), price, 300, 10), Granted)
        assert ledger.balance(FLEET).held.nano == 8_500
    with opened(path) as ledger:
        assert ledger.balance(FLEET).settled.nano == 1_250
        assert [each.call for each in ledger.open_holds()] == ["c"]
        other.close()


async def test_no_hold_waits_behind_events_that_cannot_be_written(path, impatient, monkeypatch):
    monkeypatch.setattr(store, "GROUP_LIMIT", 3)
    with opened(path) as ledger:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        told = [ledger._journal.append(NoticeGiven(run="", at=n, text="x")) for n in range(20)]
        refused = await asyncio.wait_for(ledger.place(hold(), price, 300, 10), 10)
        assert refused.reason == "journal"
        other.execute("ROLLBACK")
        await asyncio.gather(*map(asyncio.wrap_future, told))
        assert [event.at for _, event in ledger._journal.replay()] == list(range(20))
        other.close()


async def test_a_row_that_is_wrong_spares_its_neighbours(path, impatient):
    with opened(path) as ledger:
        await ledger.place(hold("c"), price, 300, 10)
        ledger.settle("c", bill(10))
        outcomes = await asyncio.gather(
            *(ledger.place(hold("c" if n == 7 else f"n{n}"), price, 300, 10) for n in range(20))
        )
        assert [n for n, each in enumerate(outcomes) if isinstance(each, Exhausted)] == [7]
        assert ledger.balance(FLEET).held.nano == 19 * 8_500


FILL = """
import asyncio, resource, sys
from pathlib import Path
from cockpit.journal import store
from cockpit.journal.ledger import Exhausted, Granted
from tests.journal.books import bill, hold, opened, price

store.RETRY_SECONDS = 0.01

async def main():
    path = Path(sys.argv[1])
    with opened(path) as ledger:
        ledger._journal.on_trouble = lambda text: None
        await ledger.place(hold("kept"), price, 300, 10)
        size = max(path.stat().st_size, Path(f"{path}-wal").stat().st_size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, resource.RLIM_INFINITY))
        granted = 0
        while isinstance(answer := await ledger.place(hold(), price, 300, 10), Granted):
            granted += 1
            assert granted < 1_000
        assert answer.reason == "journal", answer
        assert len(ledger.open_holds()) == granted + 1
        settled = ledger.settle("kept", bill(10)).durable
        assert (await ledger.place(hold(), price, 300, 10)).reason == "journal"
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await asyncio.wrap_future(settled)
        assert isinstance(await ledger.place(hold("after"), price, 300, 10), Granted)
        print(granted + 1, ledger.balance("fleet").held.nano, flush=True)

asyncio.run(main())
"""


def test_a_full_disk_grants_nothing_and_goes_on_when_there_is_room(path):
    filling = child(FILL, path)
    answer, _ = filling.communicate(timeout=60)
    assert filling.returncode == 0
    holds, held = map(int, answer.split())
    assert holds > 1
    with opened(path) as ledger:
        assert len(ledger.open_holds()) == holds
        assert ledger.balance(FLEET).held.nano == held == holds * 8_500
        assert ledger.balance(FLEET).settled.nano == 1_250


# --- many at once


async def test_300_runs_of_random_cost_stay_under_100_dollars(path):
    cap, chance, served = 100 * 10**9, random.Random(1), 0

    def worst(output):
        return Amount(3_000 * 1_000 + 15_000 * output, 1_000 + output)

    async def run(ledger, name):
        nonlocal served
        while True:
            call = f"{name}-{chance.random()}"
            answer = await ledger.place(hold(call, name), worst, 100_000, 1_000)
            if isinstance(answer, Exhausted):
                return answer.reason
            await asyncio.sleep(0)
            cost = chance.randrange(answer.amount.nano + 1)
            served += cost
            ledger.settle(call, bill(nano=cost))

    with opened(path, Clock()) as ledger:
        ledger.cap(FLEET, Cap(cap))
        reasons = await asyncio.gather(*(run(ledger, f"r{n}") for n in range(300)))
        assert set(reasons) == {"soft"}
        assert 0.95 * cap <= served <= cap
        assert ledger.balance(FLEET).settled.nano == served
        assert ledger.balance(FLEET).held == Amount()
        assert ledger.waiting() == ()
