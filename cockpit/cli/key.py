"""`cockpit key set|list|test`: provider keys, never printed."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from cockpit.cli.output import fail, table
from cockpit.gateway.credentials import Secret
from cockpit.gateway.keys import (
    FOLDER,
    LONGEST_KEY,
    Keys,
    KeyStoreError,
    forget_file,
    key_file,
    write_file,
)
from cockpit.gateway.providers import Provider, providers
from cockpit.journal import paths
from cockpit.journal.settings import SettingsError, load

Result = TypeVar("Result")


@click.group()
def key() -> None:
    """Keys of model providers. Agents never see them: the gateway puts them in at the door."""


@key.command("set")
@click.argument("name")
@click.option("--file", "to_file", is_flag=True, help="In a private file, not in the keyring.")
def set_key(name: str, to_file: bool) -> None:
    """Keep the key of provider NAME: asked for without echo, or read from standard input."""
    _provider(name)
    secret = _asked(name)
    try:
        if to_file:
            click.echo(f"kept in {write_file(_folder(), name, secret)} (0600)")
        else:
            _done(_keys().keep(name, secret))
            forget_file(_folder(), name)
            click.echo("kept in the keyring")
    except (KeyStoreError, ValueError, OSError) as error:
        fail(str(error))


def _asked(name: str) -> Secret:
    if sys.stdin.isatty():
        text = click.prompt(f"Key for {name}", hide_input=True, default="", show_default=False)
    else:
        text = sys.stdin.read(LONGEST_KEY)
    text = text.strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        fail("that is no key: nothing was kept")
    return Secret(text)


@key.command("list")
def list_keys() -> None:
    """Every provider, and where its key was found."""
    keys = _keys()
    rows: list[tuple[str, ...]] = [
        (name, _place(keys, one), one.variable) for name, one in sorted(_all().items())
    ]
    click.echo(table(("provider", "key", "variable"), rows, left=3))


def _place(keys: Keys, provider: Provider) -> str:
    if provider.key is not None and provider.key.kind == "none":
        return "needs none"
    try:
        return _done(keys.locate(provider))[1] or "—"
    except KeyStoreError as error:
        return str(error)


@key.command("test")
@click.argument("name")
def test_key(name: str) -> None:
    """Ask provider NAME for its list of models, which costs nothing."""
    from cockpit.gateway.probe import ProbeError, probe

    provider = _provider(name)
    try:
        secret, place = _done(_keys().locate(provider))
        told = _done(probe(provider, secret))
    except (KeyStoreError, ProbeError) as error:
        fail(f"{name}: {error}")
    click.echo(f"{name}: {told} (key: {place or 'none'})")


def _keys() -> Keys:
    return Keys(paths.config(), os.environ)


def _folder() -> Path:
    return paths.config() / FOLDER


def _all() -> dict[str, Provider]:
    try:
        return providers(load(paths.settings_file()).providers, os.environ)
    except (SettingsError, ValueError) as error:
        fail(str(error))


def _provider(name: str) -> Provider:
    known = _all()
    if name not in known:
        fail(f"no provider {name!r}: {', '.join(sorted(known))}")
    key_file(_folder(), name)
    return known[name]


def _done(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)
