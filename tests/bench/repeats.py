"""Repeats among runs of one project, all alike and not: `python -m tests.bench.repeats [RUNS]`.

Three corpora: changes to any of many files, to a few dozen, and to so few that nearly every pair is alike.
The baseline compares the words of every pair of some hundred runs and is counted up to all pairs.
"""

import random
import sys
import time
from itertools import combinations

from rapidfuzz import fuzz

from cockpit.architect.profile import Profile
from cockpit.architect.repeats import clusters, joined

WORDS = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "report",
    "build",
    "test",
    "fix",
    "page",
    "user",
    "login",
)
HABITS = {"cmd:rg", "cmd:sed <N>,<N>p", "in:.", "in:README.md", "fx:git commit"}
COMMANDS = ("git commit -m <T>", "pytest -q", "ruff format", "git push")
BASELINE_RUNS = 200
JOINING = 50


def main(runs):
    """Prints for each corpus the time, its share of the baseline, the growth from half as many."""
    for files in (1_000, 40, 10):
        every = coding(runs, files)
        half, whole = timed(clusters, every[: runs // 2]), timed(clusters, every)
        pairs = timed(words_of_pairs, every[:BASELINE_RUNS]) * (runs / BASELINE_RUNS) ** 2
        groups = clusters(every[JOINING:])
        joining = timed(joined, every[:JOINING], groups)
        print(
            f"{runs} runs on {files} files: {whole:.2f} s, {whole / pairs:.2f} of all pairs' words,"
            f" {whole / half:.1f} x half of them; {len(groups)} groups; {JOINING} more join in {joining:.2f} s"
        )


def coding(runs, files, seed=1):
    """Profiles of coding runs in one project of so many files."""
    chance = random.Random(seed)
    names = [f"src/{WORDS[n % 11]}/{WORDS[n // 11 % 11]}{n // 121}.py" for n in range(files)]
    return [coded(f"r{number}", number, names, chance) for number in range(runs)]


def coded(run, began, names, chance):
    changed = chance.choices(names, k=chance.randint(3, 25))
    read = chance.choices(names, k=chance.randint(5, 30))
    effects = []
    for name in changed:
        effects += [f"write {name}"]
        effects += [f"command {chance.choice(COMMANDS)}"] if chance.random() < 0.4 else []
    told = {f"out:{name}" for name in changed} | {f"in:{name}" for name in read} | HABITS
    text = " ".join(chance.choices(WORDS, k=chance.randint(10, 80)))
    return Profile(
        run=run, agent="a", began=began, text=text, effects=tuple(effects[:60]),
        resources=tuple(sorted(told)), outcome="done",
    )  # fmt: skip


def words_of_pairs(every):
    for one, other in combinations(every, 2):
        fuzz.token_set_ratio(one.text, other.text)


def timed(work, *arguments):
    began = time.process_time()
    work(*arguments)
    return time.process_time() - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 2_000)
