"""The process table where there is no /proc: by `ps`, a fork for every look.

Start times come in whole seconds since the epoch. Orphans leave the tree here: they are still known by
the session they live in, if that was seen in the tree before.
"""

import os
import subprocess
import time

from cockpit.engine.kernel import Row

_COLUMNS = "pid=,ppid=,pgid=,stat=,lstart="
_seen: set[int] = set()
"""Sessions made in our tree."""
FRESH_SECONDS = 0.2
_last: tuple[float, dict[int, Row]] = (-1.0, {})


def row(pid: int) -> Row | None:
    """The process that had this pid a moment ago; None when there was none."""
    global _last
    if time.monotonic() - _last[0] > FRESH_SECONDS:
        _last = (time.monotonic(), table())
    return _last[1].get(pid)


def table() -> dict[int, Row]:
    """Every process by pid; empty when ps fails."""
    done = subprocess.run(
        ["ps", "-axo", _COLUMNS], capture_output=True, check=False, env={"LC_ALL": "C", **_path()}
    )
    rows = (_row(line.split(None, 4)) for line in done.stdout.decode().splitlines())
    return {row.pid: row for row in rows if row is not None}


def _path() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath)}


def _row(parts: list[str]) -> Row | None:
    try:
        pid, ppid, pgid = map(int, parts[:3])
        began = int(time.mktime(time.strptime(" ".join(parts[4].split()), "%a %b %d %H:%M:%S %Y")))
        return Row(pid, began, ppid, pgid, os.getsid(pid), "Z" not in parts[3], "T" in parts[3])
    except (ValueError, IndexError, OSError):
        return None


def descendants(pid: int, spare: frozenset[int]) -> list[Row]:
    """Everybody below a process, and who lives in a session that was ever made there."""
    global _last
    rows = table()
    _last = (time.monotonic(), rows)
    mine = os.getsid(pid)
    inside: dict[int, Row] = {}
    ahead = [pid]
    while ahead:
        parent = ahead.pop(0)
        for row in rows.values():
            if row.ppid == parent and row.pid not in spare and row.pid not in inside:
                inside[row.pid] = row
                ahead.append(row.pid)
    _seen.update(row.sid for row in inside.values() if row.sid != mine)
    for row in rows.values():
        if row.sid in _seen and row.pid not in spare:
            inside.setdefault(row.pid, row)
    return [row for row in inside.values() if row.alive and row.pid != pid]
