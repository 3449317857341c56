"""Control groups: where the kernel lends us one, nobody born in it can leave it, and one write kills all.

Needs cgroup v2 and a directory of our own that we may write: root has it, and a session under a
systemd user manager. Where it does not work nothing is lost but this means.
"""

import functools
import os
import time
from pathlib import Path

NAME = "cockpit"
YOUNG_SECONDS = 60.0


@functools.cache
def base() -> Path | None:
    """The group under which runs get theirs, made and tried once; None where that is impossible."""
    mount, own = _mount(), _own()
    if mount is None or own is None:
        return None
    place = mount / own.lstrip("/") / f"{NAME}-{os.getuid()}"
    try:
        place.mkdir(exist_ok=True)
        usable = os.access(place / "cgroup.kill", os.W_OK) and _may_move(mount / own.lstrip("/"))
    except OSError:
        return None
    return place if usable else None


def _mount() -> Path | None:
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        left, _, right = line.partition(" - ")
        if right.startswith("cgroup2 "):
            return Path(left.split()[4])
    return None


def _own() -> str | None:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    return next((line[3:] for line in lines if line.startswith("0::")), None)


def _may_move(common: Path) -> bool:
    """The kernel asks for the right to write in the group above both ends of a move."""
    return os.access(common / "cgroup.procs", os.W_OK)


def make(run: str) -> str:
    """A new group for a run; empty where there is none to be had."""
    place = base()
    if place is None:
        return ""
    try:
        (place / run).mkdir(exist_ok=True)
    except OSError:
        return ""
    return str(place / run)


def members(group: str) -> list[int]:
    """Pids of everybody inside, zombies included; empty when there is no such group."""
    if not group:
        return []
    try:
        found = [int(line) for line in (Path(group) / "cgroup.procs").read_text().split()]
        for below in Path(group).iterdir():
            if below.is_dir():
                found += members(str(below))
    except OSError:
        return []
    return found


def remove(group: str) -> None:
    """Removes an empty group and what was made below it."""
    if not group:
        return
    for place, _, _ in os.walk(group, topdown=False):
        try:
            Path(place).rmdir()
        except OSError:
            return


def tidy() -> None:
    """Removes empty groups that an engine did not live to remove; a young one may be about to be used."""
    place = base()
    if place is None:
        return
    for group in place.iterdir():
        try:
            if group.is_dir() and time.time() - group.stat().st_mtime > YOUNG_SECONDS:
                remove(str(group))
        except OSError:
            continue


def kill(group: str) -> None:
    """Kills everybody inside at one instant; silent where there is no such group."""
    switch = Path(group) / "cgroup.kill"
    if not group or not switch.exists():
        return
    try:
        switch.write_text("1")
    except OSError:
        return
