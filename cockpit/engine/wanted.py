"""What `cockpit run` asks for, and how it must really be started."""

import os
import secrets
import shutil
import sys
from base64 import b32encode
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cockpit.agents.channels.plan import Plan
from cockpit.agents.launch.recipe import Door, Launch, Recipe
from cockpit.agents.launch.registry import recipe, recipe_for
from cockpit.core.budget import Budget
from cockpit.engine import records
from cockpit.engine.reins import Spec
from cockpit.gateway.providers import Upstream, upstreams
from cockpit.gateway.wire.dialect import DialectName
from cockpit.journal import paths
from cockpit.journal.providers import KeySource, ProviderSettings

NAME_BYTES = 5
DRIVER = (sys.executable, "-P", "-m", "cockpit.agents.channels")


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The request `begin`.

    `environment` is the operator's whole one and stays in memory. `terminal` are rows and columns
    of a terminal that is about to attach, None for pipes; `input` tells whether something will be
    piped in. `upstreams` are URLs or names of providers by dialect. `channel` asks for the agent's own
    control protocol in the place of its headless command, or forbids it; None leaves it to the recipe.
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
    channel: bool | None = None

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


def channel(wanted: Wanted, launched: Launch) -> Plan | None:
    """How the agent is driven over its own protocol; None for its command as it stands."""
    plan = launched.channel
    if plan is None or wanted.channel is False or (plan.on_request and not wanted.channel):
        return None
    if wanted.input and not plan.piped:
        return None
    place = Path(wanted.cwd) / plan.argv[0] if "/" in plan.argv[0] else plan.argv[0]
    found = shutil.which(place, path=wanted.environment.get("PATH", os.defpath))
    return plan if found else None  # who is not there says so best itself


def spec(wanted: Wanted, run: str, launched: Launch) -> Spec:
    """What the runner is told."""
    argv, files = launched.argv, dict(launched.files)
    plan = channel(wanted, launched)
    if plan is not None:
        path = scratch_of(run) / "channel.json"
        piped = plan.piped if wanted.input else ""
        plan = replace(plan, socket=str(records.channel_of(run)), piped=piped)
        files[path] = msgspec.json.encode(plan)
        argv = (*DRIVER, str(path))
    return Spec(
        run=run,
        argv=argv,
        cwd=wanted.cwd,
        environment=_environment(wanted.environment, launched.environment, run),
        size=wanted.terminal,
        stdin="pipe" if wanted.terminal or wanted.input else "null",
        files=files,
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
