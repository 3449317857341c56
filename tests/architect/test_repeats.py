"""Which runs did the same: measured on real work of scripted agents, look-alikes and one-offs among it."""

import random
from collections import Counter
from itertools import combinations

import pytest
from msgspec.structs import replace

from cockpit.architect import candidates as bounds
from cockpit.architect.folding import Folding
from cockpit.architect.profile import Profile, profile, widened
from cockpit.architect.repeats import clusters, joined, similarity
from cockpit.core.trace import File, Step, Trace, Tree, World
from tests.families import frozen
from tests.families.blobs import Blobs
from tests.families.development import FAMILIES
from tests.families.family import record
from tests.families.web import Web


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """By family the profiles of its runs."""
    web = Web()
    base, blobs = tmp_path_factory.mktemp("families"), Blobs()
    found = {
        kind.name: [profile(trace) for trace in record(kind(), base, web, blobs, seed=1).traces]
        for kind in FAMILIES
    }
    web.close()
    return found


def f1(truth, groups):
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    right = sum(truth[one.run] == truth[other.run] for one, other in pairs)
    whole = sum(count * (count - 1) // 2 for count in Counter(truth.values()).values())
    precision, recall = right / len(pairs), right / whole
    return precision, recall, 2 * precision * recall / (precision + recall)


SAME = {"mostly-yesterday": "day-asked"}
"""One writes yesterday's digest and the other that of a day: the same task to whoever sees the runs."""


def mixed(recorded, seed=1):
    truth = {one.run: SAME.get(name, name) for name, group in recorded.items() for one in group}
    every = [one for group in recorded.values() for one in group]
    random.Random(seed).shuffle(every)
    return truth, every


def test_repeats_are_found_and_look_alikes_are_kept_apart(recorded):
    truth, every = mixed(recorded)
    precision, recall, score = f1(truth, clusters(every))
    assert precision >= 0.99
    assert score >= 0.95, (precision, recall, score)


def test_families_that_nobody_tuned_on_are_found_too(recorded, tmp_path):
    web, blobs = Web(), Blobs()
    more = {
        kind.name: [profile(trace) for trace in record(kind(), tmp_path, web, blobs, seed=2).traces]
        for kind in frozen.FAMILIES
    }
    web.close()
    truth, every = mixed(recorded | more)
    precision, recall, score = f1(truth, clusters(every))
    assert score >= 0.95, (precision, recall, score)


def test_one_after_the_other_comes_to_much_the_same(recorded):
    truth, every = mixed(recorded)
    groups: list[list[Profile]] = []
    for start in range(0, len(every), 7):
        groups = joined(every[start : start + 7], groups)
    assert f1(truth, groups)[2] >= 0.90


def test_the_order_of_the_runs_does_not_matter(recorded):
    ways = []
    for seed in (1, 2):
        _, every = mixed(recorded, seed)
        ways.append({frozenset(one.run for one in group) for group in clusters(every)})
    assert len(ways[0] ^ ways[1]) <= 2


def test_no_pair_that_is_alike_is_missed(recorded):
    """Looking up what is rare gives up nothing: held against every pair."""
    from cockpit.architect import repeats

    _, every = mixed(recorded)
    folded = Folding(every).folded(every)
    forms = list(folded.values())
    rarity, keys = repeats.Rarity(forms), repeats.Keys(forms)
    kinds = repeats._kinds(every, folded, keys, rarity)
    looked_up = set(bounds.candidates(kinds, rarity))
    alike = {
        (one, other)
        for one, other in combinations(range(len(kinds)), 2)
        if repeats._alike(kinds[one], kinds[other], rarity) >= bounds.THRESHOLD
    }
    assert len(alike) > 100
    assert alike <= looked_up
    assert len(looked_up) < len(kinds) * (len(kinds) - 1) / 6


def plain(run, **changes):
    told = {
        "agent": "codex",
        "began": int(run[1:]),
        "text": "write the weekly report",
        "effects": ("write reports/<D>.md",),
        "resources": ("ep:m.local/<D>", "host:m.local", "out:reports/<D>.md"),
        "outcome": "done",
    }
    return Profile(run=run, **{**told, **changes})


def test_a_week_with_nothing_to_do_belongs_to_its_task():
    busy = [plain(f"r{number}") for number in range(4)]
    idle = plain("r9", effects=(), resources=("ep:m.local/<D>", "host:m.local"))
    other = plain(
        "r8", effects=(), resources=("ep:m.local/<D>", "host:m.local"), text="how are we?"
    )
    groups = clusters([*busy, idle, other])
    assert {frozenset(one.run for one in group) for group in groups} == {
        frozenset({"r0", "r1", "r2", "r3", "r9"}),
        frozenset({"r8"}),
    }


def asked(run, text, subject, folder="sheets"):
    return plain(
        run, text=text.format(subject), effects=(f"write {folder}/{subject.upper()}.txt",),
        resources=(f"ep:s.local/{subject.upper()}", "host:s.local", f"out:{folder}/{subject.upper()}.txt"),
    )  # fmt: skip


def test_what_was_asked_for_makes_no_other_task():
    regions = ["emea", "apac", "amer", "latam"]
    runs = [asked(f"r{n}", "write the sheet of {}, please", word) for n, word in enumerate(regions)]
    reworded = asked("r8", "i need the numbers {} has, in a file", "emea")
    names = {
        name for one in Folding([*runs, reworded]).folded(runs).values() for name in one.effects
    }
    assert names == {"write sheets/<A>.txt"}
    assert [len(group) for group in clusters([*runs, reworded])] == [5]


def test_a_folder_that_was_asked_for_is_another_task():
    """Nothing is left of `<A>/<D>.txt` that would tell one task from the other."""
    runs = [
        plain(f"r{n}", text=f"{word} once more", effects=(f"write {word}/<D>.txt",))
        for n, word in enumerate(["levels", "queues", "matched", "levels"])
    ]
    folded = Folding(runs).folded(runs)
    assert {one.effects[0] for one in folded.values()} == {
        "write levels/<D>.txt", "write queues/*.txt", "write matched/*.txt",
    }  # fmt: skip


def test_talk_is_only_like_the_same_talk():
    silent = {"effects": (), "resources": ()}
    said = ["what is a monad", "what is a monad", "what is a comet", "tell me a joke"]
    groups = clusters([plain(f"r{n}", text=text, **silent) for n, text in enumerate(said)])
    assert sorted(len(group) for group in groups) == [1, 1, 2]


def test_a_task_that_several_projects_repeat_is_one_of_each():
    runs = [plain(f"r{n}", project="/a" if n % 2 else "/b") for n in range(6)]
    assert sorted(len(group) for group in clusters(runs)) == [3, 3]
    runs[0] = replace(runs[0], project="/c")
    assert [len(group) for group in clusters(runs[:5])] == [5]


def test_similarity_is_symmetric_and_of_itself_one(recorded):
    _, every = mixed(recorded)
    one, other = every[0], every[1]
    assert similarity(one, other, every) == pytest.approx(similarity(other, one, every))
    busy = next(each for each in every if each.effects)
    assert similarity(busy, replace(busy, run="copy"), every) == pytest.approx(1.0)


def test_no_runs_no_tasks():
    assert clusters([]) == []
    assert joined([], []) == []
    assert joined([plain("r1")], []) == [[plain("r1")]]


def test_names_of_files_are_widened_in_folders_only():
    assert widened("write talks/<D>-a-title.md") == "write talks/*.md"
    assert (
        widened("move inbox/a b.txt > archive/<D>/a b.txt")
        == "move inbox/*.txt > archive/<D>/*.txt"
    )
    assert widened("out:README.md") == "out:README.md"
    assert widened("host:a/b") == "host:a/b"


def test_a_profile_knows_what_nobody_said():
    """Files that changed without a call that tells so are effects too."""
    before = Tree({"a.txt": File("1" * 64, 1)})
    after = Tree({"a.txt": File("1" * 64, 1), "out/2026-11-22.csv": File("2" * 64, 1)})
    trace = Trace(
        run="r", agent="codex", began=1, ended=2, outcome="done", root="/w",
        prompts=("Make it for 2026-11-22", "yes", "but with a total row please"),
        steps=(Step(number=1, tool="exec_command", arguments={"cmd": "./make.sh"}),),
        world=World(root="/w", before=before, after=after),
    )  # fmt: skip
    found = profile(trace)
    assert found.text == "make it for <d>".replace("<d>", "<D>")
    assert found.effects[-1] == "write out/<D>.csv"
    assert "out:out/<D>.csv" in found.resources
    assert found.turns == 2
    assert found.succeeded
    assert not replace(found, distrusted="flagged").succeeded


def test_of_hundreds_that_are_all_alike_some_are_compared():
    """Two projects in which every run changes the same few files: they stay apart, whoever is compared."""
    from tests.bench.repeats import coding

    one, other = coding(450, 10), coding(450, 10, seed=2)
    moved = [_moved(replace(each, run=f"x{each.run}"), 1) for each in other]
    groups = clusters([*one, *moved])
    assert all(len({each.run[0] for each in group}) == 1 for group in groups)
    assert len(groups[0]) > 300
    assert sorted(each.run for group in groups for each in group) == sorted(
        each.run for each in [*one, *moved]
    )


def _moved(one, place):
    """The same work in another company."""

    def changed(told):
        told = told.replace(".local", f".{place}.local")
        for head in ("write ", "out:", "in:"):
            told = told.replace(head, f"{head}c{chr(97 + place)}/")
        return told

    return replace(
        one,
        run=f"{one.run}@{place}",
        effects=tuple(map(changed, one.effects)),
        resources=tuple(map(changed, one.resources)),
    )
