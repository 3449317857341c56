"""Which runs did the same: measured on real work of scripted agents, look-alikes and one-offs among it."""

import random
from collections import Counter
from itertools import combinations

import pytest
from msgspec.structs import replace

from cockpit.architect import candidates as bounds
from cockpit.architect.profile import Profile, profile, widened
from cockpit.architect.repeats import clusters, joins, similarity
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


def mixed(recorded, seed=1):
    truth = {one.run: name for name, group in recorded.items() for one in group}
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
    for one in every:
        place = joins(one, groups)
        groups.append([one]) if place is None else groups[place].append(one)
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
    folded = repeats.Folding(every).folded(every)
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
    assert joins(plain("r1"), []) is None


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


def test_two_thousand_runs_take_seconds(recorded):
    import time

    rows = [
        _moved(one, place) for place in range(10) for group in recorded.values() for one in group
    ]
    random.Random(1).shuffle(rows)
    began = time.process_time()
    groups = clusters(rows[:2_000])
    assert time.process_time() - began < 10
    assert len(groups) > 100


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
