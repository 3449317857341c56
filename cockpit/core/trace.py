"""What one run did, as evidence: every tool call with its whole output, and the world before and after.

A trace is all that the architect ever sees of a run. It says where it is incomplete: an output that was cut
short, or written by a model, is `opaque` and may not be the source of anything.
"""

from typing import Any, Literal

from msgspec import Struct

Outcome = Literal["done", "failed", "stopped", "unknown"]
Opaque = Literal["", "truncated", "summarised", "missing", "binary"]


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tool call: `arguments` as the model gave them, `output` as the model saw it."""

    number: int
    tool: str
    arguments: dict[str, Any] = {}
    output: str = ""
    ok: bool = True
    opaque: Opaque = ""
    at: int = 0
    took_ms: int = 0


class Fetch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One HTTP exchange of the run; `body` names a blob."""

    method: str
    url: str
    status: int
    body: str
    kind: str = ""
    at: int = 0


class File(Struct, frozen=True):
    """A file of a tree: `content` names the blob (SHA-256, hexadecimal) that holds its bytes."""

    content: str
    size: int
    mode: int = 0o644


class Tree(Struct, frozen=True, omit_defaults=True):
    """Files by their path relative to the root, with `/`. `left_out` says what was not taken and why."""

    files: dict[str, File] = {}
    left_out: tuple[str, ...] = ()


class World(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The workspace around a run."""

    root: str
    before: Tree
    after: Tree | None = None
    fetches: tuple[Fetch, ...] = ()
    environment: dict[str, str] = {}

    def changed(self) -> dict[str, File | None]:
        """The files that the run made or changed; None for what it removed."""
        if self.after is None:
            return {}
        before, after = self.before.files, self.after.files
        made: dict[str, File | None] = {
            path: file for path, file in after.items() if before.get(path) != file
        }
        return made | {path: None for path in before if path not in after}


class Trace(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finished run. `prompts` are what its user said, the task first.

    `zone` is the name of the time zone in which its dates were meant, `nano` is None while unpriced.
    """

    run: str
    agent: str
    began: int
    ended: int
    zone: str = "UTC"
    root: str = ""
    project: str = ""
    model: str = ""
    prompts: tuple[str, ...] = ()
    outcome: Outcome = "unknown"
    steps: tuple[Step, ...] = ()
    tokens: int = 0
    nano: int | None = None
    mark: str = "exact"
    world: World | None = None
    distrusted: str = ""
    """Why this run may never train a script: flagged by a policy or by the operator."""

    @property
    def task(self) -> str:
        return self.prompts[0] if self.prompts else ""
