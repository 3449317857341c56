"""One agent in its runner: birth, input and output, terminal, exit code, lease."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from cockpit.core.events import ProcessFound, RunEnded
from cockpit.engine import kernel, records
from cockpit.engine.processes import created
from cockpit.engine.reins import SpawnError
from tests.engine import hostile
from tests.engine.yard import Heard, Yard, script, until


@pytest.fixture
async def yard(monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", "")
    yard = Yard()
    await yard.runners.start()
    yield yard
    await yard.close()
    yard.clean_up()


async def test_the_agent_is_on_record_before_its_first_instruction(yard):
    seen = []
    mark = Path(yard.home) / "began"
    recorded = yard.record

    def record(event):
        if isinstance(event, ProcessFound):
            environment = Path(f"/proc/{event.pid}/cmdline").read_bytes()
            seen.append(
                (event.created == created(event.pid), mark.exists(), b"touch" in environment)
            )
        return recorded(event)

    yard.runners._record = record
    rein = await yard.spawn(["touch", str(mark)])
    ended = await yard.gone(rein.run)
    assert seen == [(True, False, False)]
    assert mark.exists()
    assert ended.code == 0


async def test_a_record_that_cannot_be_written_lets_nothing_begin(yard, monkeypatch):
    mark = Path(yard.home) / "began"

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "write", full)
    with pytest.raises(SpawnError, match="No space left"):
        await yard.spawn(["touch", str(mark)])
    assert not mark.exists()
    await until(lambda: not kernel.descendants(os.getpid()))
    assert list(records.directory().iterdir()) == []


async def test_output_and_errors_stay_apart_and_the_code_is_kept(yard):
    heard = Heard()
    rein = await yard.spawn(["sh", "-c", "echo out; echo err >&2; exit 7"], hear=heard)
    ended = await yard.gone(rein.run)
    assert (heard.output, heard.errors) == (b"out\n", b"err\n")
    assert ended.code == 7
    assert set(ended.tail.split()) == {"out", "err"}
    outcome = yard.of(RunEnded, rein.run)[0].outcome
    assert outcome.startswith("exit 7: ")


async def test_a_killed_agent_has_the_code_a_shell_would_give(yard):
    rein = await yard.spawn(["sh", "-c", "kill -9 $$"])
    assert (await yard.gone(rein.run)).code == 128 + signal.SIGKILL


async def test_a_program_that_is_not_there_is_named(yard):
    with pytest.raises(SpawnError, match="No such file or directory: no-such-agent"):
        await yard.spawn(["no-such-agent"], run="run-missing")
    assert yard.of(RunEnded, "run-missing") == []
    await until(lambda: not list(records.directory().iterdir()))


async def test_a_run_that_goes_on_under_its_old_name(yard):
    for code in (0, 1, 2):
        rein = await yard.spawn(["sh", "-c", f"exit {code}"], run="run-again")
        with pytest.raises(SpawnError, match="runs already"):
            await yard.spawn(["true"], run="run-again")
        assert (await yard.gone(rein.run)).code == code
        del yard.ends[rein.run]


async def test_input_and_its_end_reach_the_agent(yard):
    heard = Heard()
    rein = await yard.spawn(["cat"], hear=heard)
    rein.write(b"one\n" * 50_000)
    rein.end_input()
    await yard.gone(rein.run)
    assert heard.output == b"one\n" * 50_000


async def test_an_agent_without_input_sees_its_end(yard):
    rein = await yard.spawn(["cat"], stdin="null")
    assert (await yard.gone(rein.run)).code == 0


async def test_the_marker_the_directory_and_the_files(yard):
    heard = Heard()
    file = Path(yard.home) / "scratch" / "config.json"
    rein = await yard.spawn(
        ["sh", "-c", f'echo $COCKPIT_RUN; pwd; cat "{file}"; stat -c %a "{file}"; umask'],
        hear=heard,
        files={file: b'{"\xff"}\n'},
        umask=0o027,
    )
    await yard.gone(rein.run)
    expected = f"{rein.run}\n{os.path.realpath(yard.home)}\n".encode()
    assert heard.output == expected + b'{"\xff"}\n600\n0027\n'


async def test_nothing_of_the_spec_is_seen_in_the_process_list(yard):
    rein = await yard.spawn(["sleep", "600"], environment={"SECRET_KEY": "sesame-1234"})
    runner = rein.record.runner
    told = (
        Path(f"/proc/{runner}/cmdline").read_bytes() + Path(f"/proc/{runner}/environ").read_bytes()
    )
    kept = b"".join(path.read_bytes() for path in records.directory().glob("run-*.*[!k]"))
    assert b"sesame" not in told + kept
    assert (records.socket_of(rein.run).stat().st_mode & 0o777) == 0o600
    assert (records.directory().stat().st_mode & 0o777) == 0o700
    await yard.stop(rein.run)


async def test_a_terminal_of_its_own(yard):
    heard = Heard()
    rein = await yard.spawn(
        [
            "sh",
            "-c",
            "tty <&2; stty size; trap 'stty size; exit 5' WINCH; echo ready; while :; do sleep 0.01; done",
        ],
        hear=heard,
        size=(31, 97),
    )
    await heard.until(lambda said: b"ready" in said)
    rein.resize(42, 111)
    ended = await yard.gone(rein.run)
    lines = heard.output.split(b"\r\n")
    assert lines[0].startswith(b"/dev/")
    assert (lines[1], lines[3]) == (b"31 97", b"42 111")
    assert ended.code == 5


async def test_a_key_at_the_terminal_interrupts(yard):
    heard = Heard()
    rein = await yard.spawn(script(hostile.PLAIN), hear=heard, size=(24, 80))
    await heard.until(lambda said: b"ready" in said)
    rein.write(b"\x03")
    assert (await yard.gone(rein.run)).code == 128 + signal.SIGINT


async def test_an_agent_that_closes_its_terminal_and_opens_it_again(yard):
    heard = Heard()
    code = (
        "import os, time\n"
        "for fd in (0, 1, 2): os.close(fd)\n"
        "time.sleep(0.3)\n"
        "fd = os.open('/dev/tty', os.O_RDWR); os.write(fd, b'back'); os._exit(3)\n"
    )
    rein = await yard.spawn([sys.executable, "-SEc", code], hear=heard, size=(24, 80))
    before = _cpu(rein.record.runner)
    ended = await yard.gone(rein.run)
    assert ended.code == 3
    assert heard.output == b"back"
    assert before < 1.0


def _cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_who_keeps_the_pipe_open_holds_nobody_up(yard):
    heard = Heard()
    rein = await yard.spawn(
        ["sh", "-c", "setsid sleep 600 & echo done; exit 0"], hear=heard, leftovers="wait"
    )
    await heard.until(lambda said: b"done" in said)
    await until(lambda: kernel.row(rein.record.pid) is None, seconds=5)
    outcome, _ = await yard.stop(rein.run)
    assert outcome.__class__.__name__ == "RunStopped"
    assert (await yard.gone(rein.run)).code == 0


async def test_what_an_agent_leaves_running_is_ended_with_it(yard):
    rein = await yard.spawn(["sh", "-c", "setsid sleep 600 & exit 4"])
    assert (await yard.gone(rein.run)).code == 4
    assert yard.nest.alive() == []


async def test_fifty_megabytes_at_full_speed_for_nobody(yard):
    rein = await yard.spawn(["sh", "-c", "head -c 50000000 /dev/zero; echo end"])
    began = time.monotonic()
    ended = await yard.gone(rein.run)
    assert ended.code == 0
    assert ended.tail.endswith("end\n")
    assert time.monotonic() - began < 15


async def test_a_run_that_ended_leaves_no_file_and_no_process(yard):
    rein = await yard.spawn(["true"])
    runner = rein.record.runner
    await yard.gone(rein.run)
    await asyncio.wait_for(asyncio.shield(rein.left), 10)
    await until(lambda: not list(records.directory().iterdir()))
    await until(lambda: (row := kernel.row(runner)) is None or not row.alive)
