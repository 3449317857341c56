"""When two failing results are the same failure."""

import re

from cockpit.core.blake import blake2b
from cockpit.core.text import one_line

COMPARED = 4_000

_VARYING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"  # moments
    r"|\b\d\d:\d\d:\d\d(?:\.\d+)?\b"
    r"|\b\d+(?:\.\d+)?\s?(?:ns|[uµm]s|s|secs?|seconds?|mins?|minutes?)\b"  # durations
    r"|\b(?:pid|PID|process)[ =:]+\d+\b"
    r"|/(?:tmp|var/folders)/[^\s'\":,)]+"  # temporary paths
    r"|\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b"  # addresses, hashes, ids
)


def signature(tool: str, output: str) -> str:
    """A short key that is equal for the same failure of the same call.

    Moments, durations, process ids, temporary paths and hashes are masked. Other numbers are not:
    seven failing tests after nine are progress.
    """
    masked = _VARYING.sub("#", output[-COMPARED:])
    return blake2b(f"{tool}\0{masked}".encode(errors="replace"), digest_size=8).hexdigest()


def sentence(tool: str, output: str) -> str:
    """The failure as one line: the call and the last line of what it said."""
    lines = [line for line in output[-COMPARED:].splitlines() if line.strip()]
    return one_line(f"{tool}: {lines[-1].strip()}" if lines else tool, 120)
