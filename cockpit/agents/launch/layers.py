"""Configuration laid over the operator's own: read, merged, never written back to where it was."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cockpit.agents.launch.recipe import DUMMY_KEY, Wire

LIMIT = 4 * 1024 * 1024
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
LOOPBACK = ("127.0.0.1", "localhost")

Table = dict[str, Any]


def home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or Path.home())


def read(path: Path) -> Table:
    """A JSON or TOML file as a table; empty when it is missing, too large or broken."""
    try:
        if path.stat().st_size > LIMIT:
            return {}
        data = path.read_bytes()
    except OSError:
        return {}
    return toml(data.decode(errors="replace")) if path.suffix == ".toml" else json(data)


def json(data: bytes | str) -> Table:
    """JSON as a table; comment lines and commas too many, which some agents allow, are forgiven."""
    try:
        table = msgspec.json.decode(data)
    except msgspec.DecodeError:
        text = data if isinstance(data, str) else data.decode(errors="replace")
        try:
            table = msgspec.json.decode(_strict(text))
        except msgspec.DecodeError:
            return {}
    return table if isinstance(table, dict) else {}


def _strict(text: str) -> str:
    """Without comments and trailing commas outside of strings."""
    kept: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == '"':
            end = at + 1
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            kept.append(text[at : end + 1])
            at = end + 1
        elif text.startswith("//", at):
            at = _found(text, "\n", at)
        elif text.startswith("/*", at):
            at = _found(text, "*/", at) + 2
        else:
            if text[at] in "]}":
                _drop_comma(kept)
            kept.append(text[at])
            at += 1
    return "".join(kept)


def _found(text: str, what: str, at: int) -> int:
    place = text.find(what, at)
    return len(text) if place < 0 else place


def _drop_comma(kept: list[str]) -> None:
    last = next((place for place in range(len(kept) - 1, -1, -1) if not kept[place].isspace()), -1)
    if last >= 0 and kept[last] == ",":
        del kept[last]


def toml(text: str) -> Table:
    """TOML as a table, empty when it is broken."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def table(value: object) -> Table:
    """The value when it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """The value when it is text, else empty."""
    return value if isinstance(value, str) else ""


class _Login(Struct, frozen=True):
    """A stored login; everything but its kind is skipped."""

    type: str = ""


def logins(stored: Path | str) -> dict[str, str]:
    """The kind of each login that an agent keeps by provider (`api`, `oauth`), and nothing else."""
    try:
        data = stored.encode() if isinstance(stored, str) else stored.read_bytes()
        known = msgspec.json.decode(data, type=dict[str, _Login])
    except (OSError, msgspec.MsgspecError):
        return {}
    return {name: login.type for name, login in known.items()}


def merged(below: Table, above: Table) -> Table:
    """Tables are merged key by key; of anything else the upper one wins."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            result[key] = merged(under, value)
        else:
            result[key] = value
    return result


def rebased(url: str, door: str, wire: Wire) -> tuple[str, str]:
    """What an agent gets in place of its base `url`, and the upstream to tell the gateway.

    OpenAI's and Anthropic's paths get their one version at the gateway; Gemini's stay as they are.
    """
    bare = url.rstrip("/")
    if wire == "gemini":
        version = "/v1beta" if bare.endswith("/v1beta") else ""
        return door + version, bare.removesuffix(version)
    if wire == "anthropic" and not bare.endswith("/v1"):
        return door, bare
    return f"{door}/v1", bare


def direct(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Keeps a proxy of the operator's from being asked for the gateway."""
    if not any(environment.get(name) for name in PROXIES):
        return {}
    known = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    hosts = [host for host in known.split(",") if host]
    value = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    return {"NO_PROXY": value, "no_proxy": value}


def first_set(environment: Mapping[str, str], *names: str) -> str:
    """The first of the variables that has a value, empty when none has."""
    return next((name for name in names if environment.get(name)), "")


def hidden(keys: Iterable[str]) -> dict[str, str | None]:
    """The dummy in variables that hold a key which the gateway will use."""
    return {name: DUMMY_KEY for name in keys if name}
