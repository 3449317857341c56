"""`cockpit doctor`: what is there, what works here, and the fix for what does not."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click
from msgspec import Struct, to_builtins

from cockpit.cli.options import json_option
from cockpit.journal import paths, settings

KEYRING_SECONDS = 2.0


class Finding(Struct, frozen=True):
    """One thing looked at; `fix` is empty when nothing needs doing."""

    about: str
    state: Literal["ok", "limited", "missing", "broken"]
    text: str
    fix: str = ""


GLYPHS = {"ok": "✔", "limited": "◆", "missing": "·", "broken": "✖"}


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """What was found, what cockpit can and cannot do here, and the fix. Ends with 1 if something is broken."""
    looks: list[Callable[[], list[Finding]]] = [
        _settings, _engine, _gateway, _agents, _prices, _notices, _processes, _means, _scripts,
        _keyring, _terminal,
    ]  # fmt: skip
    findings = [finding for look in looks for finding in look()]
    if as_json:
        click.echo(json.dumps([to_builtins(finding) for finding in findings], indent=2))
    else:
        width = max(len(finding.about) for finding in findings)
        for finding in findings:
            click.echo(f"{GLYPHS[finding.state]} {finding.about.ljust(width)}  {finding.text}")
            if finding.fix:
                click.echo(f"  {' ' * width}  → {finding.fix}")
    if any(finding.state == "broken" for finding in findings):
        raise SystemExit(1)


def _settings() -> list[Finding]:
    path = paths.settings_file()
    try:
        settings.load(path)
    except settings.SettingsError as error:
        return [Finding("settings", "broken", str(error), f"edit {path}")]
    return [Finding("settings", "ok", f"{path}{'' if path.exists() else ' (none: all defaults)'}")]


def _engine() -> list[Finding]:
    from cockpit.engine import service

    pid = service.running()
    if pid is None:
        return [
            Finding(
                "engine", "missing", "not running", "cockpit starts it; or: cockpit engine start"
            )
        ]
    return [Finding("engine", "ok", f"pid {pid}, socket {paths.engine_socket()}")]


def _gateway() -> list[Finding]:
    """Every wire that `cockpit run` can lead somewhere, and whether there is a key for it."""
    import asyncio

    from cockpit.gateway.keys import Keys, KeyStoreError
    from cockpit.gateway.providers import upstreams

    try:
        ways = upstreams((), settings.load(paths.settings_file()).providers, os.environ)
    except (settings.SettingsError, ValueError) as error:
        return [Finding("gateway", "broken", str(error), f"edit {paths.settings_file()}")]
    keys, findings = Keys(paths.config(), os.environ), []
    for wire, way in ways.items():
        name, text = f"gateway {wire}", f"{way.provider.name}, {way.base}"
        try:
            secret, place = asyncio.run(keys.locate(way.provider))
        except KeyStoreError as error:
            findings.append(Finding(name, "broken", str(error), "chmod 600 the key's file"))
            continue
        if secret is not None or (way.provider.key and way.provider.key.kind == "none"):
            findings.append(Finding(name, "ok", f"{text}, key: {place or 'none needed'}"))
        else:
            fix = f"cockpit key set {way.provider.name}; an agent's own login needs none"
            findings.append(Finding(name, "missing", f"{text}, no key", fix))
    return findings


def _means() -> list[Finding]:
    from cockpit.engine.means import means

    return [Finding(name, "ok" if there else "limited", text) for name, there, text in means()]


def _scripts() -> list[Finding]:
    from cockpit.architect.sandbox import best, why_none

    sandbox = best()
    if sandbox is not None:
        return [
            Finding("scripts", "ok", f"held by {sandbox.kind}: no network, only declared files")
        ]
    text = f"{why_none()} None can be proven, and one that is adopted asks before each run"
    return [Finding("scripts", "limited", text, "install bubblewrap (Linux)")]


def _agents() -> list[Finding]:
    from cockpit.agents.channels.plan import BY_AGENT
    from cockpit.agents.registry import chosen

    findings = []
    for adapter in chosen():
        roots = adapter.roots(Path.home(), os.environ)
        there = [root for root in roots if root.exists()]
        if there:
            count = sum(1 for root in there for _ in adapter.sources(root))
            places = ", ".join(map(str, there))
            driven = f"; headless by {BY_AGENT[adapter.name]}" if adapter.name in BY_AGENT else ""
            text = f"{count:,} transcripts in {places}{driven}"
            findings.append(Finding(adapter.name, "ok", text))
        else:
            places = ", ".join(map(str, roots))
            findings.append(
                Finding(
                    adapter.name,
                    "missing",
                    f"nothing in {places}" if places else "it has no fixed place to look in",
                    f'elsewhere? roots."{adapter.name}" in the settings',
                )
            )
    return findings


def _prices() -> list[Finding]:
    from cockpit.prices.book import Book
    from cockpit.prices.overlay import OverlayError

    try:
        book = Book.load(paths.prices_file(), paths.cache())
    except OverlayError as error:
        return [Finding("prices", "broken", str(error), f"edit {paths.prices_file()}")]
    yours = f", yours from {paths.prices_file()}" if paths.prices_file().exists() else ""
    return [Finding("prices", "ok", f"genai-prices {book.genai_prices} and our overlay{yours}")]


def _notices() -> list[Finding]:
    if sys.platform != "linux":
        return [Finding("file notices", "ok", "by the system's own means")]
    limit = _number("/proc/sys/fs/inotify/max_user_watches")
    if limit < 8192:
        fix = "sysctl fs.inotify.max_user_watches=524288; until then directories are polled"
        return [Finding("file notices", "limited", f"inotify allows {limit:,} directories", fix)]
    return [Finding("file notices", "ok", f"inotify allows {limit:,} directories")]


def _number(path: str) -> int:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return 0


def _processes() -> list[Finding]:
    if hasattr(os, "pidfd_open") and Path("/proc/self/stat").exists():
        return [
            Finding("stopping", "ok", "process table and pidfd: no signal can reach a reused pid")
        ]
    text = (
        "start times are compared before every signal; a daemon that wiped its environment can hide"
    )
    return [Finding("stopping", "limited", text, "none on this system")]


def _keyring() -> list[Finding]:
    """Asked in a thread with a time limit: a locked secret service hangs."""
    import threading

    answer: list[str] = []

    def ask() -> None:
        import keyring

        backend = type(keyring.get_keyring())
        answer.append(f"{backend.__module__}.{backend.__name__}")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(KEYRING_SECONDS)
    if not answer:
        return [
            Finding(
                "keyring",
                "limited",
                "does not answer",
                "unlock it, or keep keys in the environment",
            )
        ]
    if ".fail." in answer[0] or ".null." in answer[0]:
        fix = "keep keys in the environment, or install a secret service"
        return [Finding("keyring", "limited", "no safe place for keys here", fix)]
    return [Finding("keyring", "ok", answer[0])]


def _terminal() -> list[Finding]:
    if not sys.stdout.isatty():
        return [
            Finding(
                "terminal",
                "limited",
                "standard output is no terminal",
                "run it in one for the screen",
            )
        ]
    size = os.get_terminal_size()
    colors = os.environ.get("COLORTERM", "") in ("truecolor", "24bit")
    text = f"{os.environ.get('TERM', '?')}, {size.columns}x{size.lines}, {'true color' if colors else '256 colors or fewer'}"
    if size.columns < 80 or size.lines < 24:
        return [Finding("terminal", "limited", text, "at least 80x24")]
    if "utf" not in (sys.stdout.encoding or "").lower():
        return [
            Finding(
                "terminal", "limited", f"{text}, {sys.stdout.encoding}", "export LC_ALL=C.UTF-8"
            )
        ]
    return [Finding("terminal", "ok", text)]
