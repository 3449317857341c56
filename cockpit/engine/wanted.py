"""What `cockpit run` asks for, and how it must really be started."""

import os
import secrets
from base64 import b32encode
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cockpit.agents.launch.recipe import Door, Launch, Recipe
from cockpit.agents.launch.registry import recipe, recipe_for
from cockpit.core.budget import Budget
from cockpit.engine.reins import Spec
from cockpit.gateway.providers import Upstream, upstreams
from cockpit.gateway.wire.dialect import DialectName
from cockpit.journal import paths
from cockpit.journal.providers import KeySource, ProviderSettings

NAME_BYTES = 5


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The request `begin`.

    `environment` is the operator's whole one and stays in memory. `terminal` are rows and columns
    of a terminal that is about to attach, None for pipes; `input` tells whether something will be
    piped in. `upstreams` are URLs or names of providers by dialect.
    """

    command: tuple[str, ...]
    cwd: str
    environment: dict[str, str]
    project: str
    name: str = ""
    agent: str = ""
    budget: Budget | None = None
    upstreams: dict[str, str] = {}
    terminal: tuple[int, int] | None = None
    input: bool = False

    def check(self) -> None:
        """Raises ValueError for what cannot be started."""
        if not self.command or not self.command[0]:
            raise ValueError("name a command: cockpit run -- claude")
        if not Path(self.cwd).is_dir():
            raise ValueError(f"{self.cwd} is no directory")

    def recipe(self) -> Recipe:
        """How the agent is led through the gateway.

        Raises:
            ValueError: for an agent nobody knows.
        """
        try:
            return recipe(self.agent) if self.agent else recipe_for(self.command)
        except KeyError:
            raise ValueError(f"no agent is called {self.agent!r}") from None


def new_run() -> str:
    """A name for a run that nobody has yet."""
    return f"run-{b32encode(secrets.token_bytes(NAME_BYTES)).decode().lower()}"


def scratch_of(run: str) -> Path:
    """The run's private directory."""
    return paths.state() / "scratch" / run


def choices(wanted: Wanted, launched: Launch) -> tuple[str, ...]:
    """Where its wires go, as `DIALECT=URL`: as asked for, else where its own configuration led."""
    chosen = {str(wire): url for wire, url in launched.upstreams.items()}
    chosen.update(wanted.upstreams)
    return tuple(f"{wire}={place}" for wire, place in chosen.items())


def ways(
    wanted: Wanted, launched: Launch, known: Mapping[str, ProviderSettings]
) -> dict[DialectName, Upstream]:
    """The way out for every wire, with the operator's own key where that led there before.

    A place that was asked for with `--upstream` gets no key that was meant for another.

    Raises:
        ValueError: naming what is wrong with a choice.
    """
    found = upstreams(choices(wanted, launched), known, wanted.environment)
    for wire, variable in launched.keys.items():
        if wire in found and wire not in wanted.upstreams:
            found[wire] = _keyed(found[wire], variable, own=wire in launched.upstreams)
    return found


def _keyed(way: Upstream, variable: str, *, own: bool) -> Upstream:
    key = KeySource("env", variable) if own else way.provider.key
    return replace(way, provider=replace(way.provider, variable=variable, key=key))


def launch(wanted: Wanted, maker: Recipe, run: str, url: str, asks: tuple[str, ...]) -> Launch:
    """The command as it goes through the gateway.

    Raises:
        ValueError: when an argument of the operator's own points the agent elsewhere.
    """
    door = Door(url, paths.private(scratch_of(run)), asks)
    return maker.launch(wanted.command, door, wanted.environment)


def spec(wanted: Wanted, run: str, launched: Launch, argv: tuple[str, ...] | None = None) -> Spec:
    """What the runner is told. `argv` replaces the command of the launch."""
    return Spec(
        run=run,
        argv=argv or launched.argv,
        cwd=wanted.cwd,
        environment=_environment(wanted.environment, launched.environment, run),
        size=wanted.terminal,
        stdin="pipe" if wanted.terminal or wanted.input else "null",
        files=launched.files,
        awaited=wanted.terminal is not None or wanted.input,
    )


def _environment(
    operators: Mapping[str, str], laid: Mapping[str, str | None], run: str
) -> dict[str, str]:
    environment = {**operators, "COCKPIT_RUN": run}
    for name, value in laid.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    home = os.environ.get("COCKPIT_HOME")
    return {**environment, "COCKPIT_HOME": home} if home else environment
