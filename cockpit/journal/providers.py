"""A provider as the operator's settings name it: `[providers.NAME]`."""

import re
from typing import Literal, get_args

from msgspec import Struct

Wire = Literal["anthropic", "chat", "responses", "gemini", "ollama"]
WIRES: tuple[str, ...] = get_args(Wire)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"env\s+([A-Za-z_][A-Za-z0-9_]*)")


class KeySource(Struct, frozen=True):
    """Where a key is kept; `variable` is the environment variable that holds it."""

    kind: Literal["env", "keyring", "file", "none"]
    variable: str = ""


class ProviderSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One provider; what is empty stays as cockpit knows it.

    `dialect` is the wire that `base_url` speaks, `key` one of `env NAME`, `keyring`, `file` and
    `none`, `prices` the provider's name in the price book.
    """

    dialect: Wire | None = None
    base_url: str = ""
    key: str = ""
    prices: str = ""

    def check(self) -> None:
        """Raises ValueError naming what is wrong with it."""
        if self.base_url:
            checked_url(self.base_url)
        if self.key:
            key_source(self.key)


def checked_url(url: str) -> str:
    """The URL without a slash at its end.

    Raises:
        ValueError: when it is no plain http or https URL, or has a password in it.
    """
    from urllib.parse import urlsplit  # a start without providers does without

    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("write it like https://api.example.com/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "no password, query or fragment belongs into it: keys have their own place"
        )
    return url.rstrip("/")


def key_source(text: str) -> KeySource:
    """What a `key` setting says.

    Raises:
        ValueError: naming what is accepted; the text itself is never repeated, it may be a key.
    """
    match text.strip():
        case "keyring" | "file" | "none" as kind:
            return KeySource(kind)
        case other if named := _VARIABLE.fullmatch(other):
            return KeySource("env", named[1])
        case _:
            raise ValueError(
                'the key itself never stands here: write "env NAME", "keyring", "file" or "none"'
            )
