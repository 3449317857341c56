"""Provider keys: the environment, then the keyring, then a private file that was asked for.

A key is held as a `Secret` and goes into no log, event, error or process list.
"""

import asyncio
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cockpit.gateway.credentials import Secret
from cockpit.gateway.providers import Provider
from cockpit.journal.paths import private
from cockpit.journal.providers import NAME

SERVICE = "cockpit"
FOLDER = "keys"
KEYRING_LIMIT_S = 2.0
REMEMBERED_S = 30.0
LONGEST_KEY = 16_384

_SAFE_BACKENDS = frozenset(
    f"keyring.backends.{name}" for name in ("macOS", "SecretService", "kwallet", "libsecret")
)


class KeyStoreError(Exception):
    """A place for keys that cannot be used, in a sentence that never holds a key."""


class Keys:
    """Finds keys and remembers them for half a minute.

    `folder` is the operator's configuration; files with keys are in its `keys`. `backend` gives the keyring to ask, None where there is no safe one; it is called in a thread.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        backend: Callable[[], Any] | None = None,
    ) -> None:
        self._folder = folder / FOLDER
        self._environment = environment
        self._backend = backend or safe_backend
        self._remembered: dict[str, tuple[float, Secret | None]] = {}

    async def find(self, provider: Provider) -> Secret | None:
        """The provider's key; None when it has none.

        Raises:
            KeyStoreError: for a key file that others can read.
        """
        until, secret = self._remembered.get(provider.name, (0.0, None))
        if time.monotonic() > until:
            secret, _ = await self.locate(provider)
            self._remembered[provider.name] = (time.monotonic() + REMEMBERED_S, secret)
        return secret

    def known(self) -> dict[str, str]:
        """The keys that were found so far, by provider: what nothing may be written with."""
        return {
            name: key.reveal() for name, (_, key) in self._remembered.items() if key is not None
        }

    async def locate(self, provider: Provider) -> tuple[Secret | None, str]:
        """The key and where it was: `env NAME`, `keyring`, `file`, or empty."""
        kind = provider.key.kind if provider.key else "any"
        variable = (provider.key.variable if provider.key else "") or provider.variable
        if kind in ("env", "any") and (text := self._environment.get(variable, "").strip()):
            return Secret(text), f"env {variable}"
        if kind in ("keyring", "any") and (text := await self._from_keyring(provider.name)):
            return Secret(text), "keyring"
        if kind in ("file", "any") and (text := read_file(self._folder, provider.name)):
            return Secret(text), "file"
        return None, ""

    async def keep(self, name: str, secret: Secret) -> None:
        """Puts a key into the keyring.

        Raises:
            KeyStoreError: where there is no safe keyring, or it does not answer.
        """

        def put() -> str:
            backend = self._backend()
            if backend is None:
                raise KeyStoreError("no safe keyring on this machine; --file keeps it in a file")
            backend.set_password(SERVICE, name, secret.reveal())
            return ""

        try:
            await in_thread(put)
        except KeyStoreError:
            raise
        except Exception as error:
            raise KeyStoreError(f"the keyring refused ({type(error).__name__})") from None
        self._remembered.pop(name, None)

    async def _from_keyring(self, name: str) -> str:
        def get() -> str:
            backend = self._backend()
            return (backend.get_password(SERVICE, name) or "") if backend else ""

        with suppress(Exception):  # a locked, broken or absent keyring is no key
            return await in_thread(get)
        return ""


def safe_backend() -> Any:  # noqa: ANN401 - keyring has no types
    """The keyring in use when it is a real one: none that forgets, prompts or writes plain files."""
    import keyring  # 80 ms, and it may ask the session bus

    backend = keyring.get_keyring()
    chained = type(backend).__module__ == "keyring.backends.chainer"
    every: list[Any] = list(getattr(backend, "backends", ())) if chained else [backend]
    safe = [one for one in every if type(one).__module__ in _SAFE_BACKENDS]
    return safe[0] if safe else None


async def in_thread(call: Callable[[], str]) -> str:
    """What the call returns; a thread that hangs is left behind and keeps nobody from leaving.

    Raises:
        TimeoutError: when it takes longer.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def tell(set_it: Callable[[Any], None], value: object) -> None:
        if not answer.done():
            set_it(value)

    def work() -> None:
        try:
            result = call()
        except Exception as error:
            outcome: tuple[Callable[[Any], None], object] = (answer.set_exception, error)
        else:
            outcome = (answer.set_result, result)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, *outcome)

    threading.Thread(target=work, daemon=True, name="keyring").start()
    async with asyncio.timeout(KEYRING_LIMIT_S):
        return await answer


def key_file(folder: Path, name: str) -> Path:
    """Raises ValueError for a name that could lead out of the folder."""
    if not NAME.fullmatch(name):
        raise ValueError("a provider's name is letters, digits, dots, - and _")
    return folder / name


def read_file(folder: Path, name: str) -> str:
    """The key in the provider's file, empty without one.

    Raises:
        KeyStoreError: when the file is not ours alone.
    """
    path = key_file(folder, name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        held = os.fstat(descriptor)
        if not stat.S_ISREG(held.st_mode) or held.st_uid != os.geteuid() or held.st_mode & 0o077:
            raise KeyStoreError(f"{path} can be read by others: chmod 600 it, or remove it")
        return file.read(LONGEST_KEY).decode(errors="replace").strip()


def write_file(folder: Path, name: str, secret: Secret) -> Path:
    """Keeps the key in a file that only its owner can read; replaces one that is there."""
    path = key_file(private(folder), name)
    fresh = path.with_name(f".{name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret.reveal() + "\n")
    fresh.replace(path)
    return path


def forget_file(folder: Path, name: str) -> None:
    """Removes the provider's key file, if there is one."""
    key_file(folder, name).unlink(missing_ok=True)
