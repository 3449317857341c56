"""How governed runs were begun, on disk: a later engine starts one again where it stopped.

A private file for each run, without a prompt and without a secret: of the command the form that goes
on with a session, of the environment what leads the agent to its own files.
"""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cockpit.agents.launch.recipe import Recipe
from cockpit.core.redaction import Redactor, known_secrets
from cockpit.engine.records import named
from cockpit.engine.wanted import Wanted
from cockpit.journal import paths

GO_ON = "Go on where you stopped: the budget was raised."
_SESSION = "{{session}}"
_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|TZ|TERM|COLORTERM|TMPDIR|VIRTUAL_ENV|CONDA_PREFIX"
    r"|(?:LC|XDG|CLAUDE|CODEX|OPENCODE|GEMINI|QWEN|COPILOT|CLINE|VIBE|PI|KIMI|AIDER|MSWEA)_\w+"
    r"|\w+_(?:BASE_URL|MODEL|HOST)"
)


class Beginning(Struct, frozen=True):
    """`session` is the agent's own, where we chose it."""

    wish: Wanted
    session: str = ""

    def again(self, session: str) -> Wanted:
        """The wish that goes on with a session."""
        words = tuple(word.replace(_SESSION, session) for word in self.wish.command)
        here = {**os.environ, **self.wish.environment}
        return replace(self.wish, command=words, environment=here)


def keep(run: str, wish: Wanted, maker: Recipe, session: str) -> None:
    """Writes down what `again` needs; nothing where the agent or its command does not allow it."""
    forget(run)
    words = maker.resume(wish.command, _SESSION, GO_ON)
    secrets = known_secrets(wish.environment)
    redactor = Redactor({**known_secrets(os.environ), **secrets})
    if words is None or redactor.value(list(words)) != list(words):
        return
    kept = replace(
        wish, command=words, agent=maker.agent, budget=None, input=False,
        environment=_environment(wish.environment, secrets, redactor),
    )  # fmt: skip
    paths.private(_place())
    path = _file(run)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(Beginning(kept, session)))


def _environment(
    given: Mapping[str, str], secrets: Collection[str], redactor: Redactor
) -> dict[str, str]:
    """Names that say what they are for, and values in which nothing looks like a secret."""
    return {
        name: value
        for name, value in given.items()
        if _KEPT.fullmatch(name) and name not in secrets and redactor.text(value) == value
    }


def read(run: str) -> Beginning | None:
    """How the run was begun; None where that was not kept."""
    try:
        return msgspec.json.decode(_file(run).read_bytes(), type=Beginning)
    except (OSError, ValueError):
        return None


def forget(run: str) -> None:
    """Nobody will start the run again."""
    _file(run).unlink(missing_ok=True)


def tidy(runs: Collection[str]) -> None:
    """Forgets all but these."""
    for path in _place().glob("*.json"):
        if path.stem not in runs:
            path.unlink(missing_ok=True)


def _place() -> Path:
    return paths.state() / "beginnings"


def _file(run: str) -> Path:
    return _place() / f"{named(run)}.json"
