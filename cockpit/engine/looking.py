"""`python -m cockpit.engine.looking NOW [anew]`: a look for repeated tasks, in a process of its own.

Histories are read here and not in the engine: whoever holds the interpreter there keeps a gateway waiting.
"""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from cockpit.core.script import Task

NICE = 10
LOOK_SECONDS = 1_800.0
SETTLED_MS = 30_000

_tasks = msgspec.json.Decoder(list[Task])


class LookError(Exception):
    """The look came to no end; the text says why."""


def look(now: int, *, anew: bool = False) -> list[Task]:
    """The tasks at the moment `now` (ms).

    Raises:
        LookError: when the process fails.
    """
    words = [sys.executable, "-m", "cockpit.engine.looking", str(now), *(["anew"] if anew else [])]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LOOK_SECONDS, check=False
        )
        return _tasks.decode(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookError(str(error)) from error
    except msgspec.MsgspecError as error:
        raise LookError(done.stderr.decode(errors="replace")[-2_000:]) from error


def main(words: list[str]) -> None:
    """Prints the tasks as JSON."""
    from cockpit.agents.registry import chosen
    from cockpit.engine.library import Library
    from cockpit.engine.ruling import zone_of
    from cockpit.engine.tasks import Tasks
    from cockpit.engine.testimony import zone_name
    from cockpit.journal import paths, settings

    os.nice(NICE)
    options = settings.load(paths.settings_file())
    library = Library(chosen(options.agents), Path.home(), os.environ, options.roots)
    tasks = Tasks(library, zone_name(zone_of(options)), settled_ms=SETTLED_MS)
    found = tasks.all(int(words[0]), anew="anew" in words[1:])
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(sys.argv[1:])
