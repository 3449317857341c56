"""Calls of different agents become the same operations."""

import pytest
from msgspec import structs

from cockpit.architect.operations import operations
from cockpit.core.trace import File, Step, Trace, Tree, World

BEGAN = 1_784_106_000_000  # 2026-07-15 09:00 UTC


def trace(*calls, files=None, root="/w"):
    steps = tuple(
        Step(number=place, tool=tool, arguments=arguments, output=(more or [""])[0])
        for place, (tool, arguments, *more) in enumerate(calls, 1)
    )
    world = None
    if files is not None:
        world = World(root=root, before=Tree({path: File("0" * 64, 1) for path in files}))
    return Trace(run="r", agent="a", began=BEGAN, ended=BEGAN, root=root, steps=steps, world=world)


def told(*calls, **more):
    return [(one.kind, one.target) for one in operations(trace(*calls, **more))]


def bash(command, output=""):
    return ("Bash", {"command": command}, output)


WRITES = [
    ("Write", {"file_path": "/w/out.md", "content": "hi\n"}),
    ("write", {"filePath": "out.md", "content": "hi\n"}),
    ("write_file", {"file_path": "/w/out.md", "content": "hi\n"}),
    ("apply_patch", {"input": "*** Begin Patch\n*** Add File: out.md\n+hi\n*** End Patch"}),
    ("shell", {"command": ["bash", "-lc", "echo hi > out.md"]}),
    ("exec_command", {"cmd": "cat > out.md <<'EOF'\nhi\nEOF"}),
    ("run_shell_command", {"command": "cd /w && printf 'hi\\n' > out.md"}),
    ("Bash", {"command": "tee out.md <<EOF\nhi\nEOF"}),
    ("Bash", {"command": "cat <<'EOF' > /w/out.md\nhi\nEOF\n"}),
    ("Bash", {"command": 'bash -c "echo hi > out.md"'}),
]


@pytest.mark.parametrize("call", WRITES, ids=lambda call: call[0])
def test_one_write_in_every_agents_words(call):
    (one,) = operations(trace(call))
    assert (one.kind, one.target, one.text) == ("write", "out.md", "hi\n")


READS = [
    ("Read", {"file_path": "/w/a.csv"}, "     1→x,y\n     2→1,2\n"),
    ("read_file", {"absolute_path": "/w/a.csv"}, "x,y\n1,2\n"),
    ("Bash", {"command": "cat a.csv"}, "x,y\n1,2\n"),
    ("shell", {"command": ["cat", "a.csv"]}, "x,y\n1,2\n"),
    ("bash", {"command": "cd /w && cat ./a.csv 2>/dev/null"}, "x,y\n1,2\n"),
]


@pytest.mark.parametrize("call", READS, ids=lambda call: call[0])
def test_one_read_in_every_agents_words(call):
    (one,) = operations(trace(call))
    assert (one.kind, one.target, one.output) == ("read", "a.csv", "x,y\n1,2\n")


@pytest.mark.parametrize(
    "command",
    ["curl -s https://h/x", "curl -sS --max-time 5 'https://h/x'", "wget -qO- https://h/x"],
)
def test_a_fetch(command):
    (one,) = operations(trace(bash(command, "{}")))
    assert (one.kind, one.target, one.output) == ("get", "https://h/x", "{}")
    assert one.resources == {"host:h", "ep:h/x"}


def test_a_filtered_fetch_is_still_the_fetch_but_its_body_is_missing():
    get, query = operations(trace(bash("curl -s https://h/x | jq -r .n", "7\n")))
    assert (get.kind, get.opaque) == ("get", "missing")
    assert (query.kind, query.output) == ("query", "7\n")


def test_what_sends_is_no_fetch():
    assert told(bash("curl -X POST https://h/x -d a=1")) == [("post", "https://h/x")]
    assert told(bash("curl --json '{}' https://h/x")) == [("post", "https://h/x")]


def test_failed_calls_and_dead_stores_are_dropped():
    steps = trace(bash("echo a > o"), bash("cat x"), bash("cat x"), bash("echo b > o")).steps
    failed = Step(number=9, tool="Bash", arguments={"command": "rm -rf /"}, ok=False)
    found = operations(structs.replace(trace(), steps=(*steps, failed)))
    assert [(one.kind, one.target, one.text) for one in found] == [
        ("read", "x", None), ("write", "o", "b\n")
    ]  # fmt: skip


def test_a_draft_that_is_moved_is_a_write():
    found = told(bash("echo a > draft.md && mv draft.md out.md"), files=["in"])
    assert found == [("write", "out.md")]


def test_patterns_are_matched_against_the_files():
    files = ["inbox/a b.csv", "inbox/c.csv", "done/z.csv"]
    (one, two) = operations(trace(bash("mv inbox/*.csv done/"), files=files))
    assert (one.kind, one.target, one.destination) == ("move", "inbox/a b.csv", "done/a b.csv")
    assert two.target == "inbox/c.csv"


def test_commands_are_effects_unless_they_are_known_to_read():
    assert told(bash("git add -A && git commit -m 'Report 2026-07-15'")) == [
        ("command", "git add -A"), ("command", "git commit -m 'Report 2026-07-15'")
    ]  # fmt: skip
    assert [one.kind for one in operations(trace(bash("git log --oneline -3", "a b\n")))] == [
        "query"
    ]
    assert [one.kind for one in operations(trace(bash("frobnicate --all")))] == ["command"]


def test_keys_mask_what_differs_between_runs():
    (one,) = operations(trace(bash("git commit -m 'Report 2026-07-15 no 12 at 9f8e7d6'")))
    assert one.key == "command git commit -m 'Report <D> no <N> at <H>'"


def test_dates_in_a_command_are_told():
    found = told(
        bash('git commit -m "Report $(date +%F)"'),
        bash("D=$(date -d yesterday +%F); echo x > $D.md"),
    )
    assert found == [("command", "git commit -m 'Report 2026-07-15'"), ("write", "2026-07-14.md")]


@pytest.mark.parametrize(
    "command",
    [
        "for f in *; do curl -X POST h -d @$f; done",
        "python3 -c 'import os; os.system(\"x\")'",
        "python3 -c 'import urllib.request'",
        "git commit -F /tmp/message",
        "echo $SECRET_THAT_NOBODY_KNOWS | sendit",
    ],
)
def test_what_cannot_be_told_apart_is_unknown_never_left_out(command):
    assert "unknown" in [one.kind for one in operations(trace(bash(command)))]


def test_an_unknown_tool_is_unknown():
    assert [one.kind for one in operations(trace(("mcp__mail__send", {"to": "x"})))] == ["unknown"]


def test_harmless_programs_of_the_agent_only_read_and_compute():
    code = "python3 - <<'EOF'\nimport json\nprint(len(json.load(open('a.json'))))\nEOF"
    assert told(bash(code, "3\n"), files=["a.json"]) == [("read", "a.json"), ("compute", "")]
    loop = "for f in logs/*.log; do grep -c ERROR $f; done"
    assert told(bash(loop, "3\n"), files=["logs/a.log"])[-1] == ("compute", "")
