"""What plays on the stage sees what it declared and nothing else; what it did is told as it was."""

import hashlib

import pytest

from cockpit.architect import sandbox
from cockpit.architect.compare import Comparison, differences, same
from cockpit.architect.replay import judged, tell
from cockpit.architect.stage import Played, Scene, covered, play
from cockpit.core.script import Capabilities
from cockpit.core.trace import File, Trace, Tree, World
from tests.architect import handmade
from tests.families.blobs import Blobs

needs_sandbox = pytest.mark.skipif(sandbox.best() is None, reason=sandbox.why_none() or "-")


@pytest.fixture(scope="module")
def box():
    return sandbox.best() if sandbox._bubblewrap_missing() else sandbox.Bubblewrap()


def tree(blobs: Blobs, **files: str) -> Tree:
    told = {}
    for path, text in files.items():
        content = text.encode()
        told[path.replace("__", "/")] = File(blobs.put(content), len(content))
    return Tree(told)


def on(box, blobs, before: Tree, code: str, times: int = 1, **may) -> Played:
    script = handmade.script("def body(day):\n" + code, Capabilities(**may))
    scene = Scene(
        name="x",
        source=script.source,
        capabilities=script.capabilities,
        before=before,
        date="2026-03-02",
        times=times,
    )
    (played,) = play([scene], blobs, box)
    return played


@needs_sandbox
def test_only_what_is_declared_is_there(box):
    blobs = Blobs()
    before = tree(blobs, data__a="1", data__deep__b="2", private__key="3", notes="4")
    code = "    print(sorted(str(one) for one in Path('.').rglob('*') if one.is_file()))\n    write('out/x', 'y')\n"
    played = on(box, blobs, before, code, read=("data/*",), write=("out/*",))
    assert played.output.splitlines()[0] == "['data/a']"
    assert played.made == {"out/x": (b"y", 0o644)}
    assert played.report["outputs"][0]["sha256"] == hashlib.sha256(b"y").hexdigest()


@needs_sandbox
def test_only_declared_programs_can_be_started(box):
    code = "    command('touch', 'a')\n    command('cp', 'a', 'b')\n"
    played = on(box, Blobs(), Tree(), code, commands=("touch",), write=("*.txt",))
    assert played.code != 0
    assert set(played.made) == {"a"}
    absolute = "    subprocess.run(['/usr/bin/cp', 'a', 'b'])\n"
    assert on(box, Blobs(), Tree(), absolute, commands=("touch",)).code != 0


@needs_sandbox
def test_links_are_told_and_not_followed(box):
    played = on(
        box,
        Blobs(),
        Tree(),
        "    os.symlink('/etc/hostname', 'link')\n    os.symlink('/', 'root')\n",
    )
    assert played.made == {
        "link": (b"symbolic link to /etc/hostname", 0o120000),
        "root": (b"symbolic link to /", 0o120000),
    }


@needs_sandbox
def test_what_is_removed_and_what_becomes_executable_is_told(box):
    blobs = Blobs()
    before = tree(blobs, a="1", b="2")
    played = on(
        box, blobs, before, "    os.unlink('a')\n    os.chmod('b', 0o755)\n", write=("a", "b")
    )
    assert played.made == {"a": None, "b": (b"2", 0o755)}


@needs_sandbox
def test_a_hook_put_into_a_repository_is_a_difference(box, tmp_path):
    from datetime import UTC, datetime

    from tests.families.place import Day, Place

    blobs = Blobs()
    place = Place(tmp_path, "work", None, blobs)
    place.web = type("NoWeb", (), {"address": ""})()
    place.put("a.txt", "one\n")
    place.repository(datetime(2026, 3, 2, tzinfo=UTC))
    before = place.tree()
    trace = Trace(
        run="x", agent="claude-code", began=Day(0, datetime(2026, 3, 2, tzinfo=UTC)).at, ended=0,
        world=World(root=str(place.root), before=before, after=before),
    )  # fmt: skip
    told = tell([trace], blobs, box)["x"]
    may = {"commands": ("git status",), "write": ("a.txt",)}
    script = handmade.script("def body(day):\n    pass\n", Capabilities(**may))
    quiet = on(box, blobs, before, "    command('git', 'status')\n", **may)
    assert judged(script, quiet, told) == []
    code = "    Path('.git/hooks').mkdir()\n    Path('.git/hooks/pre-commit').write_text('#!/bin/sh\\nid')\n"
    hooked = on(box, blobs, before, code, **may)
    assert judged(script, hooked, told)[0].startswith("git: the settings differ")


@needs_sandbox
def test_a_run_away_ends_and_the_next_one_plays(box, monkeypatch):
    monkeypatch.setattr("cockpit.architect.stage.JOB_SECONDS", 1.0)
    script = handmade.script("def body(day):\n    while True: pass\n", Capabilities())
    quick = handmade.script("def body(day):\n    write('a', 'b')\n", Capabilities(write=("a",)))
    scenes = [
        Scene(
            name=name,
            source=one.source,
            capabilities=one.capabilities,
            before=Tree(),
            date="2026-03-02",
        )
        for name, one in (("slow", script), ("quick", quick))
    ]
    slow, fast = play(scenes, Blobs(), box)
    assert (slow.code, fast.code) == (-2, 0)


def test_a_tree_that_leads_out_is_not_laid_out(tmp_path):
    from cockpit.architect.stage import lay_out

    blobs = Blobs()
    with pytest.raises(ValueError, match="leads out"):
        lay_out(tree(blobs, **{"..__x": "1"}), blobs, tmp_path / "root")
    with pytest.raises(ValueError, match="leads out"):
        lay_out(Tree({"/etc/x": File(blobs.put(b"1"), 1)}), blobs, tmp_path / "root")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "pattern", "yes"),
    [
        ("a/b.txt", "a/*.txt", True),
        ("a/b/c.txt", "a/*.txt", False),
        ("a/b/c.txt", "a/**", True),
        ("c.txt", "**/*.txt", True),
        ("a/b/c.txt", "**/*.txt", True),
        ("a[1].txt", "a[1].txt", True),
        ("a1.txt", "a[1].txt", False),
        ("ab", "a?", True),
        ("a/", "a?", False),
        ("a.txt\n", "a.txt", False),
    ],
)
def test_patterns(path, pattern, yes):
    assert covered(path, (pattern,)) is yes


@pytest.mark.parametrize(
    ("one", "other", "how", "yes"),
    [
        (b"a\n", b"a\r\n", Comparison("*"), False),
        (b"a \nb\n", b"a\r\nb", Comparison("*", "text"), True),
        (b"a\nb\n", b"b\na\n", Comparison("*", "text"), False),
        (b'{"a": 1, "b": 2}', b'{"b":2,"a":1.0}', Comparison("*", "json"), True),
        (b'{"a": 1}', b'{"a": true}', Comparison("*", "json"), False),
        (b'{"a": "1"}', b'{"a": 1}', Comparison("*", "json"), False),
        (b"[1, 2]", b"[2, 1]", Comparison("*", "json"), False),
        (b'{"x": [1, 2]}', b'{"x": [2, 1]}', Comparison("*", "json", unordered=("x",)), True),
        (b"[1.00]", b"[1.01]", Comparison("*", "tolerance", tolerance=0.02), True),
        (b"[1.00]", b"[1.10]", Comparison("*", "tolerance", tolerance=0.02), False),
        (b"no json", b"{}", Comparison("*", "json"), False),
    ],
)
def test_comparisons(one, other, how, yes):
    assert same(one, other, how) is yes


def test_every_difference_has_a_sentence():
    played = Played(
        name="x",
        made={
            "new": (b"1", 0o644),
            "mode": (b"1", 0o755),
            "text": (b"a\nc\n", 0o644),
            "gone": (b"1", 0o644),
        },
    )
    wanted = {"old": (b"1", 0o644), "mode": (b"1", 0o644), "text": (b"a\nb\n", 0o644), "gone": None}
    assert differences(wanted, played, ()) == [
        "gone is gone in one of them only",
        "mode has another mode",
        "new was written by the script only",
        "old was written by the agent only",
        "text: missing: 'b'",
    ]
