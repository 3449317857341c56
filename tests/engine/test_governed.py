"""Governed runs, end to end: a real agent process, a real engine, a provider that knows the truth."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from tests.engine.governed import AGENT, Governed
from tests.engine.machine import alive

FOREVER = """
while True:
    print(call("go on " * 600), flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def machine():
    machine = Governed()
    yield machine
    machine.end()


def is_state(state):
    return lambda row: row["state"] == state


def told(row):
    return {kind: amount for kind, amount in row["tokens"].items() if amount}


def test_the_books_are_the_providers_own(machine):
    run = machine.agent('for n in range(3): print(call(f"say {n}"))')
    row = machine.until_row(run, is_state("ended"))
    assert told(row) == machine.served_tokens()
    assert row["turns"] == 3
    assert row["mark"] == "exact"
    assert row["authority"] == "wire"
    spent = json.loads(machine.run("spend", "--json", "--by", "run").stdout)
    assert spent["total"]["usd"] == row["usd"]
    assert Decimal(row["usd"]) > 0


def test_output_input_and_exit_code_pass_through(machine):
    program = 'print(sys.stdin.read().upper(), end=""); print("bad", file=sys.stderr); sys.exit(7)'
    done = subprocess.run(
        [sys.executable, "-m", "cockpit", "run", "--", sys.executable, "-c", f"import sys\n{program}"],
        env=machine.environment, input="some words", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("SOME WORDS", "bad\n", 7)


def test_attach_takes_a_name_and_of_two_the_live_one(machine):
    ended = machine.agent("pass")
    machine.until_row(ended, is_state("ended"))
    machine.agent('sys.stdin.close(); time.sleep(3); print("well done")')
    done = machine.run("attach", "a")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "well done"), done.stderr
    done = machine.run("attach", ended)
    assert done.returncode == 1
    assert f"{ended} has ended" in done.stderr


def test_a_cap_is_never_crossed_and_raising_it_lets_the_run_go_on(machine):
    run = machine.agent(FOREVER, "--budget", "0.02usd")
    row = machine.until_row(run, is_state("deferred"))
    before = len(machine.served())
    assert Decimal(row["usd"]) <= Decimal("0.02")
    assert told(row) == machine.served_tokens()
    assert machine.run("budget", run, "--money", "0.04").returncode == 0
    machine.until(lambda: len(machine.served()) > before)
    row = machine.until_row(run, is_state("deferred"))
    assert Decimal("0.02") < Decimal(row["usd"]) <= Decimal("0.04")
    assert machine.run("stop", run).returncode == 0


def test_a_cap_on_turns_is_met_exactly(machine):
    run = machine.agent(FOREVER, "--turns", "4")
    machine.until_row(run, is_state("deferred"))
    assert len(machine.served()) == 4
    (deferred,) = machine.happened(run, "run_deferred")
    assert deferred["scope"] == f"run:{run}"
    machine.run("stop", run)


def test_runs_within_their_budgets_and_together_beyond_the_day(machine):
    settings = machine.cockpit_home / "config" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('day_cap = "0.05usd"\n')
    first = machine.agent("time.sleep(600)", "--budget", "0.04usd")
    second = machine.agent(FOREVER, "--budget", "0.5usd", name="b")
    scopes = json.loads(machine.run("caps", "--json").stdout)
    day = next(scope for scope in scopes if scope["scope"].startswith("day:"))
    assert day["crowded"]
    assert {claimant["id"] for claimant in day["runs"]} == {first, second}
    row = machine.until_row(second, is_state("deferred"))
    assert Decimal(row["usd"]) <= Decimal("0.05")
    refused = machine.run("run", "--detach", "--", "true")
    assert refused.returncode != 0
    assert "no new run begins" in refused.stderr
    machine.run("panic")


def test_a_halt_ends_the_tree(machine):
    run = machine.agent(FOREVER, "--turns", "2", "--at-zero", "halt")
    row = machine.until_row(run, lambda row: row["governed"]["halted"] and not row["pid"])
    assert "turns" in row["governed"]["halted"]
    assert len(machine.served()) == 2


def test_asking_at_a_cap_holds_the_call_until_the_answer(machine):
    run = machine.agent(FOREVER, "--budget", "0.02usd", "--at-zero", "ask")
    machine.until_row(run, is_state("asks"))
    before = len(machine.served())
    assert machine.run("answer", run, "yes").returncode == 0
    machine.until(lambda: len(machine.served()) > before)
    assert machine.row(run)["budget"]["usd"] == "0.04"
    machine.until_row(run, is_state("asks"))
    assert machine.run("answer", run, "no").returncode == 0
    machine.until_row(run, is_state("deferred"))
    machine.run("stop", run)


def test_who_runs_it_by_pipes_is_told_why_it_stands_still(machine):
    asks = ("--budget", "0.02usd", "--at-zero", "ask")
    upstream = ("--upstream", f"anthropic={machine.upstream}/run/a")
    with subprocess.Popen(
        [sys.executable, "-m", "cockpit", "run", *asks, *upstream, "--", sys.executable, "-c", AGENT + FOREVER],
        env=machine.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        question = started.stderr.readline()
        assert question.startswith("cockpit: asks (cap): "), question
        answer = question.strip().partition("— cockpit ")[2].removesuffix(", or no")
        assert machine.run(*answer.split()).returncode == 0
        assert started.stderr.readline() == "cockpit: allowed by operator\n"
        machine.run("panic")


def day(machine):
    rows = json.loads(machine.run("caps", "--json").stdout)
    return next(row for row in rows if row["scope"].startswith("day:"))


def test_a_days_cap_set_while_runs_work_holds_them_and_lets_them_go_on(machine):
    assert machine.run("caps", "day", "0.03usd").returncode == 0
    run = machine.agent(FOREVER, "--budget", "5usd")
    row = machine.until_row(run, is_state("deferred"))
    assert Decimal(row["usd"]) <= Decimal("0.03")
    before = len(machine.served())
    assert machine.run("caps", "day", "0.06usd").returncode == 0
    machine.until(lambda: len(machine.served()) > before)
    machine.until_row(run, is_state("deferred"))
    assert Decimal(day(machine)["spent_usd"]) <= Decimal("0.06")
    machine.run("stop", run)
    machine.run("engine", "stop")
    machine.run("engine", "start")
    assert day(machine)["cap_usd"] == "0.06"


def test_a_yes_at_a_shared_cap_raises_that_cap(machine):
    machine.run("caps", "day", "0.02usd")
    run = machine.agent(FOREVER, "--budget", "5usd", "--at-zero", "ask")
    machine.until_row(run, is_state("asks"))
    before = len(machine.served())
    assert machine.run("answer", run, "yes").returncode == 0
    machine.until(lambda: len(machine.served()) > before)
    assert day(machine)["cap_usd"] == "0.04"
    assert machine.row(run)["budget"]["usd"] == "5.00"
    machine.run("stop", run)


def test_a_cap_of_nothing_known_is_refused(machine):
    machine.run("engine", "start")
    done = machine.run("caps", "dya", "3usd")
    assert (done.returncode, "day, month, fleet" in done.stderr) == (1, True)
    assert machine.run("caps", "day").returncode == 1
    assert machine.run("caps", "day", "many").returncode == 1


def test_a_pause_holds_the_next_call_and_bills_it_once(machine):
    run = machine.agent(FOREVER)
    machine.until(lambda: len(machine.served()) > 2)
    assert machine.run("pause", run).returncode == 0
    machine.until_row(run, is_state("held"))
    during = len(machine.served())
    assert machine.row(run)["clock"]["frozen"]
    assert len(machine.served()) <= during + 1
    assert machine.run("resume", run).returncode == 0
    machine.until(lambda: len(machine.served()) > during + 2)
    machine.run("stop", run)
    row = machine.row(run)
    assert row["mark"] in ("exact", "estimated")


def test_the_operators_word_reaches_the_model(machine):
    run = machine.agent(FOREVER)
    machine.until(lambda: len(machine.served()) > 1)
    assert machine.run("say", run, "use", "uv").returncode == 0
    machine.until(lambda: any("use uv" in one.get("heard", "") for one in machine.served()))
    row = machine.until_row(run, lambda row: row["governed"]["notes"][-1]["delivered"])
    assert row["governed"]["notes"][-1]["channel"] == "gateway"
    assert sum("use uv" in one.get("heard", "") for one in machine.served()) == 1
    machine.run("stop", run)


def test_a_stop_closes_the_stream_and_books_what_was_seen(machine):
    run = machine.agent('print(call("[[slow]] tell me all", stream=True)); time.sleep(600)')
    machine.until_row(run, lambda row: row["pid"])
    urllib.request.urlopen(f"{machine.upstream}/_served?begun=1", timeout=30).read()
    done = machine.run("stop", run, "--json")
    assert done.returncode == 0, done.stdout
    machine.until(lambda: machine.served())
    (one,) = machine.served()
    assert one["cancelled"]
    row = machine.row(run)
    assert row["mark"] == "estimated"
    truth = one["tokens"]
    assert row["tokens"]["cache_write_5m"] + row["tokens"]["input"] >= truth.get("input", 0)
    assert row["tokens"]["output"] >= truth.get("output", 0)


def test_the_engine_dies_and_the_run_goes_on_with_the_next_one(machine):
    run = machine.agent(
        'while True:\n    try: print(call("go on"), flush=True)\n'
        "    except OSError: pass\n    time.sleep(0.05)"
    )
    machine.until(lambda: len(machine.served()) > 2)
    agent = machine.row(run)["pid"]
    machine.kill()
    assert alive(agent)
    machine.start()
    before = len(machine.served())
    machine.until(lambda: len(machine.served()) > before + 3)
    assert machine.row(run)["pid"] == agent
    assert machine.run("stop", run).returncode == 0
    assert not alive(agent)
    row = machine.row(run)
    for kind, amount in machine.served_tokens().items():
        assert row["tokens"][kind] >= amount


def test_of_a_run_that_a_crash_took_nothing_is_kept_and_its_token_is_dead(machine):
    run = machine.agent("time.sleep(600)")
    agent = machine.until_row(run, lambda row: row["pid"])["pid"]
    environment = Path(f"/proc/{agent}/environ").read_bytes()
    url = environment.partition(b"ANTHROPIC_BASE_URL=")[2].partition(b"\0")[0].decode()
    record = machine.state / "runners" / f"{run}.json"
    runner = json.loads(record.read_bytes())["runner"]
    machine.kill()
    for pid in (runner, agent):
        os.kill(pid, 9)
    record.unlink()
    (machine.state / "scratch" / "run-unheard-of").mkdir()
    machine.start()
    assert machine.row(run)["state"] == "ended"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/v1/models", timeout=10)
    assert refused.value.code == 403
    assert list((machine.state / "runners").iterdir()) == []
    assert list((machine.state / "scratch").iterdir()) == []


def test_a_wrong_token_opens_nothing(machine):
    machine.agent('print(call("hello"))')
    port = (machine.state / "gateway.port").read_text().strip()
    before = len(machine.served())
    for token in ("wrong", "..", "%2e", "-"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(
                urllib.request.Request(
                    f"http://127.0.0.1:{port}/run/{token}/v1/messages", b"{}", method="POST"
                ),
                timeout=10,
            )
        assert refused.value.code in (403, 404)
    assert len(machine.served()) <= before + 1


SECRET_WORDS = "Ichneumon the prompt that nobody may keep"


def test_no_key_token_or_prompt_is_written_anywhere(machine):
    program = f"""
print(os.environ["ANTHROPIC_BASE_URL"], flush=True)
print(call({SECRET_WORDS!r}))
print(open("/proc/self/cmdline").read().count("sk-the"))
"""
    place = machine.root / "work"  # what it works on is evidence; the program itself is not there
    place.mkdir()
    path = machine.root / "agent.py"
    path.write_text(AGENT + program)
    done = subprocess.run(
        [
            sys.executable, "-m", "cockpit", "run", "--upstream", f"anthropic={machine.upstream}",
            "--", sys.executable, str(path),
        ],
        env=machine.environment, cwd=place, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    url = next(line for line in done.stdout.splitlines() if line.startswith("http"))
    token = url.rpartition("/")[2]
    assert len(token) > 30
    machine.run("engine", "stop")
    path.unlink()
    written = [each for each in machine.root.rglob("*") if each.is_file()]
    assert len(written) > 4
    for each in written:
        data = each.read_bytes()
        for secret in ("sk-the-real-key-9137", token, SECRET_WORDS):
            assert secret.encode() not in data, f"{secret} in {each}"


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_another_user_can_neither_read_nor_spend(machine):
    run = machine.agent(FOREVER)
    machine.until(lambda: machine.served())
    environment = Path(f"/proc/{machine.row(run)['pid']}/environ").read_bytes()
    url = next(
        part.partition(b"=")[2].decode()
        for part in environment.split(b"\0")
        if part.startswith(b"ANTHROPIC_BASE_URL=")
    )
    machine.root.chmod(0o755)
    program = f"""
import os, socket, urllib.request, urllib.error
import encodings.idna
os.setgid(65534); os.setuid(65534)
refused = 0
for path in ({str(machine.socket)!r},):
    try: socket.socket(socket.AF_UNIX).connect(path)
    except PermissionError: refused += 1
for path in ({str(machine.cockpit_home / "data" / "journal.db")!r},):
    try: open(path).read()
    except PermissionError: refused += 1
try: urllib.request.urlopen(urllib.request.Request({url!r} + "/v1/messages", b"{{}}", method="POST"), timeout=10)
except urllib.error.HTTPError as error: refused += error.code == 403
print(refused)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.strip() == "3", done.stderr
    machine.run("stop", run)
