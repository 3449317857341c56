"""The process table read for real; recognising and matching fed with tables."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cockpit.agents.adapter import Live, ProcessMark
from cockpit.core.fleet import Run
from cockpit.engine import processes as reading
from cockpit.engine.found import agents
from cockpit.engine.matching import match_runs, target
from cockpit.engine.processes import Process, created, open_files, snapshot
from cockpit.engine.tree import Target, Tree, lineage, signed
from tests.engine import hostile
from tests.engine.hostile import Hostile


@pytest.fixture
def nest():
    nest = Hostile()
    yield nest
    nest.clean_up()


# --- the table of this machine


def test_the_table_knows_this_process():
    me = snapshot()[os.getpid()]
    assert me.alive
    assert me.ppid == os.getppid()
    assert (me.pgid, me.sid, me.uid) == (os.getpgrp(), os.getsid(0), os.getuid())
    assert me.cwd == str(Path.cwd())
    assert me.argv[0] == psutil.Process().cmdline()[0]
    assert me.line[-1] == (os.getppid(), created(os.getppid()))
    assert abs(me.created - psutil.Process().create_time() * 1000) < 20


def test_it_agrees_with_psutil(nest):
    nest.start(hostile.WITH_CHILDREN)
    ours, theirs = snapshot(), {process.pid: process for process in psutil.process_iter()}
    for pid in nest.alive():
        row, process = ours[pid], theirs[pid]
        assert (row.ppid, row.name, row.cwd) == (process.ppid(), process.name(), process.cwd())


def test_what_is_known_is_not_read_again(nest, monkeypatch):
    process, _ = nest.start(hostile.PLAIN)
    monkeypatch.setattr(reading, "YOUNG_MS", -60_000)
    first = snapshot()
    monkeypatch.setattr(reading, "_arguments", lambda _: ("read", "again"))
    second = snapshot(first)
    assert second[process.pid] is first[process.pid]


def test_a_process_caught_before_exec_is_read_again(nest):
    process = subprocess.Popen(
        [sys.executable, "-c", "import os; os.read(0, 1); os.execlp('cat', 'cat')"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    nest.started.append(process)
    before = snapshot()
    process.stdin.write(b"x")
    process.stdin.flush()
    process.stdin.write(b"here\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"here\n"
    assert snapshot(before)[process.pid].argv == ("cat",)
    process.stdin.close()


def test_a_zombie_is_not_alive_and_a_stopped_process_is(nest):
    zombie, _ = nest.start(hostile.PLAIN)
    stopped, _ = nest.start(hostile.PLAIN)
    zombie.kill()
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    os.kill(stopped.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
    table = snapshot()
    assert not table[zombie.pid].alive
    assert (table[stopped.pid].alive, table[stopped.pid].state) == (True, "T")


def test_a_leader_that_left_its_threads_behind_is_alive(nest):
    process, _ = nest.start(hostile.LEADER_THREAD_GONE)
    for _ in range(200):
        if psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.01)
    assert snapshot()[process.pid].alive


def test_the_line_of_ancestors_outlives_them(nest):
    process, pids = nest.start(hostile.GRANDCHILD, pids=2)
    before = snapshot()
    os.kill(pids[0], signal.SIGKILL)
    after = snapshot(before)
    grandchild = after[pids[1]]
    assert (process.pid, created(process.pid)) in grandchild.line


def test_only_the_marks_of_an_environment_are_kept(nest):
    process, _ = nest.start(hostile.PLAIN, CLAUDE_PID="77", SECRET_KEY="sk-verysecret")
    row = snapshot()[process.pid]
    assert row.marks == (("CLAUDE_PID", "77"),)
    assert "verysecret" not in repr(row)


def test_arguments_are_cleaned_and_sized(nest):
    evil = "\x1b]52;c;aGVsbG8=\x07\u202e" + "x" * 100_000
    process, _ = nest.start(hostile.PLAIN, argument=evil)
    row = snapshot()[process.pid]
    assert all(len(argument) <= reading.ARGUMENT_LENGTH for argument in row.argv)
    assert not any("\x1b" in argument or "\u202e" in argument for argument in row.argv)


def test_the_reading_for_other_systems_agrees(nest):
    process, _ = nest.start(hostile.WITH_CHILDREN, CLAUDE_PID="77")
    native, other = snapshot()[process.pid], reading._anywhere({})[process.pid]
    for field in ("ppid", "pgid", "sid", "uid", "name", "alive", "argv", "cwd", "marks"):
        assert getattr(native, field) == getattr(other, field), field
    assert abs(native.created - other.created) <= 10
    again = reading._anywhere({process.pid: other})[process.pid]
    assert again.argv == other.argv


def test_open_files_are_those_kept_open(tmp_path):
    path = tmp_path / "rollout.jsonl"
    with path.open("w"):
        assert str(path.resolve()) in open_files(os.getpid())
    assert str(path.resolve()) not in open_files(os.getpid())
    assert open_files(2**22 + 1) == frozenset()


# --- tables


def row(pid, ppid=1, *argv, born=None, cwd="/x", **more):
    argv = argv or (f"program{pid}",)
    more = {"pgid": pid, "sid": pid, "uid": os.getuid(), **more}
    name = more.pop("name", argv[0].rpartition("/")[2][:15])
    return Process(
        pid, pid * 100_000 if born is None else born, ppid, argv=argv, cwd=cwd, name=name, **more
    )


def table(*rows):
    processes = {each.pid: each for each in (row(1, 0, "init", born=0), *rows)}
    for pid in [pid for pid in processes if pid > 1]:
        reading._trace_line(processes, pid)
    return processes


class Agent:
    def __init__(self, name, *names, scripts=(), leave=()):
        self.name = name
        self.process = ProcessMark(names, tuple(scripts), tuple(leave))


AGENTS = [
    Agent(
        "claude-code",
        "claude",
        "claude.exe",
        scripts=["/bin/claude"],
        leave=["daemon", "bg-pty-host"],
    ),
    Agent("codex", "codex", scripts=["/bin/codex"]),
    Agent("qwen", "qwen", scripts=["/bin/qwen", "/qwen-code/cli.js"]),
    Agent("copilot", "copilot", scripts=["/bin/copilot", "/copilot/index.js"]),
    Agent("cline", "cline", scripts=["/bin/cline"], leave=["--cline-hub-daemon"]),
    Agent("aider", "aider", scripts=["/bin/aider", "-m aider"]),
]


def found(*rows):
    return agents(table(*rows), AGENTS)


@pytest.mark.parametrize(
    ("argv", "agent"),
    [
        (("claude", "-p", "do it"), "claude-code"),
        (("/opt/claude-code/bin/claude.exe",), "claude-code"),
        (("node", "--max-old-space-size=4096", "/usr/bin/codex", "exec"), "codex"),
        (("node", "-r", "/hook.js", "/p/node_modules/.bin/qwen"), "qwen"),
        (("/usr/bin/python3.11", "/home/me/.local/bin/aider"), "aider"),
        (("python", "-m", "aider", "--yes"), "aider"),
        (("bun", "/usr/local/bin/claude"), "claude-code"),
        (("claude.exe", "daemon", "run"), None),
        (("claude", "bg-pty-host"), None),
        (("cline", "--cline-hub-daemon"), None),
        (("vim", "/usr/bin/codex"), None),
        (("tail", "-f", "/usr/bin/claude"), None),
        (("grep", "claude"), None),
        (("node", "/srv/app.js", "/usr/bin/codex"), None),
        (("bash", "-c", "claude -p x"), None),
        (("python", "/usr/bin/cockpit"), None),
        (("python", "-m", "cockpit", "engine"), None),
        ((), None),
    ],
)
def test_agents_are_recognised_and_look_alikes_are_not(argv, agent):
    listed = agents({9: Process(9, 9, 1, argv=argv, name="MainThread")}, AGENTS)
    assert [each.agent for each in listed] == ([agent] if agent else [])


def test_a_wrapper_and_its_agent_are_one():
    [each] = found(row(10, 1, "node", "/usr/bin/codex"), row(11, 10, "/lib/codex", cwd=""))
    assert each.process.pid == 11
    assert [wrapper.pid for wrapper in each.wrappers] == [10]
    assert each.roots == ((10, 1_000_000), (11, 1_100_000))
    assert each.cwd == "/x"


def test_three_nodes_of_qwen_are_one():
    script = "/lib/node_modules/@qwen-code/qwen-code/cli.js"
    [each] = found(
        row(10, 1, "node", "/usr/bin/qwen"),
        row(11, 10, "node", script),
        row(12, 11, "node", script),
        row(13, 12, "bash", "-c", "sleep 600"),
    )
    assert (each.process.pid, [row.pid for row in each.wrappers]) == (12, [10, 11])


def test_copilot_is_known_though_its_thread_is_named():
    [each] = found(
        row(10, 1, "node", "/usr/bin/copilot"),
        row(11, 10, "node", "/lib/@github/copilot/index.js", name="MainThread"),
    )
    assert (each.agent, each.process.pid) == ("copilot", 11)


def test_a_fork_that_is_not_yet_a_tool_is_no_agent_of_its_own():
    processes = table(row(10, 1, "claude"), row(11, 10, "claude"))
    assert 10 in [each.process.pid for each in agents(processes, AGENTS)]


def test_an_agent_in_an_agents_shell_is_a_run_of_its_own():
    listed = found(row(10, 1, "claude"), row(11, 10, "bash"), row(12, 11, "claude", "-p", "x"))
    assert [each.process.pid for each in listed] == [10, 12]


def test_the_dead_are_no_agents():
    assert found(row(10, 1, "claude", alive=False)) == []


def session(value):
    return (("CLAUDE_CODE_SESSION_ID", value),)


def test_sessions_are_read_off_the_children_but_not_what_was_inherited():
    outer, inner = found(
        row(10, 1, "claude"),
        row(11, 10, "bash", marks=session("a")),
        row(12, 11, "claude", marks=session("a")),
        row(13, 12, "node", "mcp.js", marks=session("a")),
        row(14, 12, "bash", marks=session("b")),
    )
    assert (outer.sessions, inner.sessions) == (("a",), ("b",))


# --- matching


def run(name, agent="claude-code", project="/x", started=2_000_000, **more):
    more = {"last_event": started, "session": f"session-{name}", **more}
    return Run(id=name, agent=agent, project=project, started=started, **more)


def pids(matches):
    return {name: match.found and match.found.process.pid for name, match in matches.items()}


def test_the_agents_own_list_decides():
    listed = found(row(10, 1, "claude"), row(11, 1, "claude"))
    lives = [Live(10, "session-b", created=1_000_000), Live(11, "session-a", created=1_100_500)]
    matches = match_runs(listed, [run("a"), run("b")], {"claude-code": lives})
    assert pids(matches) == {"a": 11, "b": 10}
    assert "list" in matches["a"].evidence


@pytest.mark.parametrize(
    "live", [Live(10, "session-a", created=500_000), Live(11, "session-a"), Live(99, "session-a")]
)
def test_a_stale_entry_of_that_list_is_not_believed(live):
    listed = found(row(10, 1, "claude", cwd="/elsewhere"), row(11, 1, "bash"))
    assert pids(match_runs(listed, [run("a")], {"claude-code": [live]})) == {}


def test_the_environment_of_tools_decides():
    listed = found(
        row(10, 1, "claude"), row(11, 1, "claude"), row(12, 11, "sh", marks=session("session-a"))
    )
    assert pids(match_runs(listed, [run("a")], {})) == {"a": 11}


def test_a_process_that_serves_several_sessions_is_not_given_to_one():
    listed = found(
        row(10, 1, "claude"),
        row(11, 10, "sh", marks=session("session-a")),
        row(12, 10, "sh", marks=session("session-b")),
    )
    matches = match_runs(listed, [run("a"), run("b")], {})
    assert pids(matches) == {"a": None, "b": None}
    assert "several" in matches["a"].evidence


def test_the_open_transcript_decides():
    listed = found(row(10, 1, "codex"), row(11, 1, "codex"))
    runs = [
        run("a", "codex", source="/h/rollout-a.jsonl"),
        run("b", "codex", source="/h/rollout-b.jsonl"),
    ]
    files = {10: ["/h/rollout-b.jsonl"], 11: ["/h/rollout-a.jsonl"]}
    assert pids(match_runs(listed, runs, {}, opened=files.get)) == {"a": 11, "b": 10}


def test_a_server_of_several_runs_is_given_to_the_only_one_that_works():
    listed = found(
        row(10, 1, "codex"), row(11, 10, "sh", marks=(("CODEX_THREAD_ID", "session-a"),))
    )

    def divided(*phases):
        runs = [
            run(name, "codex", source=f"/h/rollout-{name}.jsonl", phase=phase)
            for name, phase in zip("ab", phases, strict=True)
        ]
        files = ["/h/rollout-a.jsonl", "/h/rollout-b.jsonl"]
        return pids(match_runs(listed, runs, {}, opened=lambda _: files))

    assert divided("working", "waiting") == {"a": 10, "b": None}
    assert divided("working", "working") == {"a": None, "b": None}
    assert divided("waiting", "waiting") == {"a": None, "b": None}


def test_an_open_database_of_many_runs_decides_nothing():
    listed = found(row(10, 1, "codex"), row(11, 1, "codex"))
    runs = [run(name, "codex", source="/h/all.db") for name in "ab"]
    matches = match_runs(listed, runs, {}, opened=lambda _: ["/h/all.db"])
    assert pids(matches) == {"a": None, "b": None}


def test_the_command_line_decides_unless_it_forks():
    named = row(10, 1, "claude", "--resume", "session-a")
    other = row(11, 1, "claude")
    forked = row(12, 1, "claude", "--resume=session-b", "--fork-session")
    matches = match_runs(found(named, other, forked), [run("a"), run("b", started=0)], {})
    assert pids(matches) == {"a": 10}


def test_the_only_agent_in_a_directory_is_it():
    listed = found(row(10, 1, "claude"), row(11, 1, "claude", cwd="/y"), row(12, 1, "codex"))
    matches = match_runs(listed, [run("a")], {})
    assert pids(matches) == {"a": 10}
    assert "/x" in matches["a"].evidence


def test_two_candidates_are_none_and_the_evidence_names_them():
    listed = found(row(10, 1, "claude"), row(11, 1, "claude"))
    match = match_runs(listed, [run("a")], {})["a"]
    assert match.found is None
    assert "10, 11" in match.evidence
    assert "not guessed" in match.evidence


def test_two_runs_and_one_process_are_none():
    listed = found(row(10, 1, "claude"))
    matches = match_runs(listed, [run("a"), run("b")], {})
    assert pids(matches) == {"a": None, "b": None}


def test_two_pairs_seen_one_after_the_other_are_told_apart_if_no_one_sits_at_them():
    first, second = row(10, 1, "claude"), row(30, 1, "claude")
    runs = [run("a", started=1_500_000), run("b", started=3_200_000)]
    assert pids(match_runs(found(first, second), runs, {})) == {"a": None, "b": None}
    known = match_runs(found(first), runs[:1], {})
    assert pids(match_runs(found(first, second), runs, {}, known)) == {"a": 10, "b": 30}


def test_a_person_may_have_turned_a_terminal_to_another_run():
    first = row(10, 1, "claude", terminal=True)
    second = row(30, 1, "claude", terminal=True)
    runs = [run("a", started=1_500_000), run("b", started=3_200_000)]
    known = match_runs(found(first), runs[:1], {})
    assert pids(match_runs(found(first, second), runs, {}, known)) == {"a": 10, "b": None}


def test_a_process_younger_than_the_run_serves_it_only_if_it_resumed():
    old = {"started": 500_000, "last_event": 2_000_000}
    assert pids(match_runs(found(row(10, 1, "claude")), [run("a", **old)], {})) == {}
    resumed = found(row(10, 1, "claude", "--continue"))
    assert pids(match_runs(resumed, [run("a", **old)], {})) == {"a": 10}


def test_an_ended_run_and_a_sub_agent_have_no_process():
    listed = found(row(10, 1, "claude"))
    runs = [run("a", phase="ended"), run("b", parent="a")]
    assert pids(match_runs(listed, runs, {})) == {}


def test_a_match_stands_while_its_process_lives():
    rows = [row(10, 1, "claude")]
    first = match_runs(found(*rows), [run("a")], {})
    runs = [run("a"), run("b", started=2_500_000)]
    assert pids(match_runs(found(*rows), runs, {}, first))["a"] == 10
    reused = [row(10, 1, "claude", born=2_100_000)]
    assert pids(match_runs(found(*reused), [run("a", started=1_200_000)], {}, first)) == {}


def test_a_target_begins_at_the_wrapper():
    [each] = found(row(10, 1, "node", "/usr/bin/codex"), row(11, 10, "codex"))
    made = target(run("a", "codex"), each)
    assert made == Target("a", ((10, 1_000_000), (11, 1_100_000)), "codex", "session-a")


def test_a_daemon_below_an_agent_is_known_and_kept_apart():
    processes = table(
        row(10, 1, "cline", "do it", sid=9),
        row(11, 10, "cline", "--cline-hub-daemon"),
        row(12, 11, "sleep", sid=11),
        row(13, 10, "cline", "--cline-hub-daemon", sid=9),
    )
    [each] = agents(processes, AGENTS)
    assert (each.process.pid, each.daemons) == (10, (processes[11].identity,))
    made = Tree(target(run("a", "cline"), each), ())
    assert [member.pid for member in made.look(processes)] == [10, 13]


def test_of_a_daemons_children_those_signed_by_the_session_go():
    processes = table(
        row(10, 1, "codex", sid=9),
        row(11, 10, "codex", "daemon"),
        row(12, 11, "sh", marks=(("CODEX_THREAD_ID", "s"),)),
        row(13, 11, "sh", marks=(("CODEX_THREAD_ID", "t"),)),
    )
    goal = Target("run", (processes[10].identity,), "codex", "s", (processes[11].identity,))
    assert [member.pid for member in Tree(goal, ()).look(processes)] == [10, 12]


# --- trees


def tree(processes, root, *, spare=(), ours=(), agent="claude-code", name="s"):
    made = Tree(Target("run", (processes[root].identity,), agent, name), spare, ours)
    return [each.pid for each in made.look(processes)]


def test_the_users_own_session_is_never_swept():
    shell = row(10, 1, "bash", sid=10)
    agent = row(11, 10, "claude", sid=10)
    neighbour = row(12, 10, "vim", sid=10)
    tool = row(13, 11, "sh", sid=13, pgid=13)
    leftover = row(14, 1, "sleep", sid=13, pgid=13)
    assert tree(table(shell, agent, neighbour, tool, leftover), 11) == [11, 13, 14]


def test_an_orphan_in_the_agents_group_goes_and_the_end_of_its_pipe_stays():
    processes = table(
        row(10, 1, "bash", sid=10),
        row(11, 10, "claude", sid=10),
        row(12, 10, "tee", "log", sid=10, pgid=11),
        row(13, 1, "sleep", sid=10, pgid=11),
    )
    assert tree(processes, 11) == [11, 13]


def test_an_orphan_with_a_mark_does_not_bring_its_terminal_with_it():
    processes = table(
        row(9, 1, "claude", alive=False),
        row(10, 1, "bash", sid=10),
        row(11, 1, "sleep", sid=10, marks=session("s")),
        row(12, 10, "vim", sid=10),
    )
    assert tree(processes, 9) == [11]


def test_what_cockpit_started_is_not_the_agents_even_below_it():
    processes = table(
        row(10, 1, "claude"),
        row(11, 10, "cockpit", marks=session("s")),
        row(12, 11, "claude", marks=session("s")),
    )
    engine = processes[11].identity
    assert tree(processes, 10, spare=[engine], ours=[engine]) == [10]
    assert tree(processes, 12, spare=[engine], ours=[engine]) == [12]


def test_a_session_number_that_was_given_out_again_is_let_go():
    made = Tree(Target("run", ((10, 1_000_000),)), ())
    made.look(table(row(10, 1, "claude", sid=5), row(11, 10, "sh")))
    later = table(row(11, 1, "stranger", born=9_000_000), row(12, 11, "its child"))
    assert made.look(later) == []


def test_where_two_processes_have_a_session_open_the_pid_decides():
    first, second = row(10, 1, "claude"), row(20, 1, "claude")
    marks = (*session("s"), ("CLAUDE_PID", "20"))
    orphan = row(21, 1, "sleep", marks=marks)
    goal = Target("run", (first.identity,), "claude-code", "s")
    assert not signed(orphan, goal, table(first, second, orphan))
    assert signed(orphan, goal, table(first, orphan))


def test_a_lineage_ends_before_the_first_process():
    processes = table(row(10, 1, "a"), row(11, 10, "b"))
    assert [each.pid for each in lineage(processes, 11)] == [11, 10]
