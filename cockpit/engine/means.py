"""What holds on this machine when a run must be stopped, in words."""

import os

from cockpit.engine import cgroups, kernel

Mean = tuple[str, bool, str]
"""A name, whether it is there, and what that means for the operator."""


def means() -> list[Mean]:
    """Every means of holding a tree of processes, the strongest first."""
    return [_groups(), _subreaper(), _handles(), _marks()]


def _groups() -> Mean:
    place = cgroups.base()
    if place is not None:
        return ("control groups", True, f"each run lives in one of its own below {place}")
    why = "the kernel lends us none here: no cgroup v2, or none that we may write"
    return ("control groups", False, f"{why}; the runner holds the tree without")


def _subreaper() -> Mean:
    if not kernel.LINUX:
        text = (
            "orphans leave the tree: they are found by session and environment, and a daemon with a"
            " session of its own that wiped its environment can hide"
        )
        return ("orphans", False, text)
    return (
        "orphans",
        True,
        "whatever leaves an agent's tree falls to its runner, or to the engine",
    )


def _handles() -> Mean:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return ("reused pids", False, "start times are compared right before every signal")
    return ("reused pids", True, "signals go through pidfd: they cannot reach another process")


def _marks() -> Mean:
    if kernel.LINUX:
        text = "a run whose runner and engine were both killed is found by its mark and last tree"
        return ("after a crash", True, text)
    text = "a run whose runner and engine were both killed is found by pid, session and mark"
    return ("after a crash", True, f"{text}, as far as the system shows environments")
