"""A workspace as evidence: its regular files, within limits, without secrets and without what is made anew."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

from msgspec import Struct

from cockpit.core.redaction import Redactor
from cockpit.core.trace import File, Tree
from cockpit.engine.git_objects import is_clean
from cockpit.journal import paths
from cockpit.journal.blobs import BlobStore

FILES_LIMIT = 4_000
BYTES_LIMIT = 64 * 1024 * 1024
FILE_LIMIT = 8 * 1024 * 1024
GIT_LIMIT = 8 * 1024 * 1024
LOOKED_AT_LIMIT = 20_000
"""Entries after which a walk gives up: a workspace of that size is no evidence anyway."""
NAMED_LIMIT = 20
MEMORY_LIMIT = 200_000
RACY_NS = 2_000_000_000
"""A file that was changed so shortly before it was read may have changed again within one tick."""

CHANGED = "changed while the run began"
UNKNOWN = "nothing of the workspace was kept"

MADE_ANEW = frozenset((
    "node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox", ".cache", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", ".hypothesis", ".gradle", ".next", ".nuxt", ".turbo",
    ".terraform", ".direnv", ".eggs", "site-packages",
))  # fmt: skip
SECRET_FILES = frozenset((
    ".netrc", ".npmrc", ".pypirc", ".git-credentials", ".credentials.json", "credentials.json",
    "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa", ".htpasswd", "kubeconfig",
))  # fmt: skip
SECRET_ENDS = (".pem", ".key", ".p12", ".pfx", ".keystore", ".jks", ".kdbx", ".ppk")
SECRET_FOLDERS = frozenset((".ssh", ".gnupg", ".aws"))
_SYSTEM = frozenset(
    Path("/", *name)
    for name in (
        (), ("tmp",), ("var",), ("var", "tmp"), ("usr",), ("etc",), ("opt",), ("home",), ("root",),
        ("dev",), ("proc",), ("sys",), ("mnt",), ("media",), ("srv",),
    )
)  # fmt: skip
_MB = 1024 * 1024


class _Found(Struct, frozen=True):
    """A regular file, before it is read."""

    path: str
    place: str
    size: int
    status: os.stat_result


class Workspaces:
    """Takes trees; remembers what it has read, so that a second look costs a `stat` a file.

    May be used from several threads.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._known: dict[tuple[int, int, int, int, int], tuple[str, int]] = {}
        self._lock = Lock()

    def take(self, root: str, redactor: Redactor, *, began: int = 0) -> Tree:
        """The tree below `root` as it is now; what was not taken stands in `left_out` with its reason.

        Of a workspace beyond the limits nothing is taken. What was changed after `began` (ns) is
        named there too (`CHANGED`).
        """
        refusal = refused(root)
        if refusal:
            return Tree(left_out=(refusal,))
        found, left_out = _walked(str(Path(root).resolve()))
        if began:
            left_out[:0] = _changed(str(Path(root).resolve()), found, began)
        reason = _too_much(found)
        if reason:
            return Tree(left_out=(reason,))
        files: dict[str, File] = {}
        for one in found:
            taken = self._read(one, redactor)
            if isinstance(taken, str):
                left_out.append(f"{one.path}: {taken}")
            else:
                files[one.path] = taken
        return Tree(_without_broken_git(files, left_out), _few(left_out))

    def _read(self, one: _Found, redactor: Redactor) -> File | str:
        """The file, its content kept; or why it was not taken."""
        status = one.status
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        with self._lock:
            known = self._known.get(key)
        mode = stat.S_IMODE(status.st_mode)
        if known is not None:
            return File(*known, mode)
        try:
            content = _content(one.place)
        except OSError as error:
            return error.strerror or "cannot be read"
        if len(content) > FILE_LIMIT:
            return "grew while it was looked at"
        safe = _safe(one.path, content, redactor)
        if safe is None:
            return "holds a secret"
        digest = self._blobs.put(safe)
        self._remember(key, digest, len(safe))
        return File(digest, len(safe), mode)

    def _remember(self, key: tuple[int, int, int, int, int], digest: str, size: int) -> None:
        if time.time_ns() - key[3] < RACY_NS or time.time_ns() - key[4] < RACY_NS:
            return
        with self._lock:
            if len(self._known) > MEMORY_LIMIT:
                self._known.clear()
            self._known[key] = (digest, size)


def is_known(tree: Tree) -> bool:
    """Whether the workspace was looked at: of one that was not, an absent file means nothing."""
    return not any(told.endswith(UNKNOWN) for told in tree.left_out)


def refused(root: str) -> str:
    """Why no tree of this directory is taken at all; empty when one is."""
    place, home = Path(root).resolve(), Path.home().resolve()
    if not place.is_dir():
        return f"{root} is no directory: {UNKNOWN}"
    if place == home or place in home.parents:
        return f"{root} holds a home directory: {UNKNOWN}"
    if place in _SYSTEM:
        return f"{root} is the system's: {UNKNOWN}"
    return ""


def _walked(root: str) -> tuple[list[_Found], list[str]]:
    found: list[_Found] = []
    left_out: list[str] = []
    own = {str(each().resolve()) for each in (paths.data, paths.cache, paths.state, paths.config)}
    for looked_at, (entry, inside) in enumerate(_entries(root, left_out, own)):
        if looked_at > LOOKED_AT_LIMIT:
            return [], [f"more than {LOOKED_AT_LIMIT:,} entries: {UNKNOWN}"]
        reason = _unwanted(entry)
        if reason:
            left_out.append(f"{inside}: {reason}")
            continue
        with suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            if status.st_size > FILE_LIMIT:
                left_out.append(f"{inside}: larger than {FILE_LIMIT // _MB} MB")
            else:
                found.append(_Found(inside, entry.path, status.st_size, status))
    git = sum(one.size for one in found if one.path.startswith(".git/"))
    if git > GIT_LIMIT:
        left_out.append(f".git: larger than {GIT_LIMIT // _MB} MB")
        found = [one for one in found if not one.path.startswith(".git/")]
    return found, left_out


def _entries(
    root: str, left_out: list[str], own: set[str], inside: str = ""
) -> "Iterator[tuple[os.DirEntry[str], str]]":
    """Everything but folders, each with its path inside the workspace, in the order of names."""
    try:
        with os.scandir(root) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        left_out.append(f"{inside or '.'}: {error.strerror}")
        return
    for entry in entries:
        path = f"{inside}{entry.name}"
        if not _is_text(path):
            left_out.append(f"{path!a}: its name is no text")
        elif not entry.is_dir(follow_symlinks=False):
            yield entry, path
        elif entry.name in MADE_ANEW or entry.name in SECRET_FOLDERS or entry.path in own:
            left_out.append(f"{path}/: not evidence")
        else:
            yield from _entries(entry.path, left_out, own, f"{path}/")


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unwanted(entry: "os.DirEntry[str]") -> str:
    name = entry.name
    if entry.is_symlink():
        return "a link"
    if not entry.is_file(follow_symlinks=False):
        return "no regular file"
    if name in SECRET_FILES or name == ".env" or name.startswith(".env."):
        return "may hold secrets"
    if name.endswith(SECRET_ENDS):
        return "may hold a key"
    return ""


def _changed(root: str, found: list[_Found], began: int) -> list[str]:
    """Files that changed since a moment, and folders in which something came or went."""
    folders = {folder for one in found for folder in _above(one.path)} | {""}
    told = [one.path for one in found if one.status.st_ctime_ns > began]
    for folder in folders:
        with suppress(OSError):
            if (Path(root) / folder).stat().st_mtime_ns > began:
                told.append(f"{folder}/")
    return [f"{path}: {CHANGED}" for path in sorted(told)[:NAMED_LIMIT]]


def _above(path: str) -> Iterator[str]:
    """Every folder of a path, without the root."""
    while path := path.rpartition("/")[0]:
        yield path


def _too_much(found: list[_Found]) -> str:
    if len(found) > FILES_LIMIT:
        return f"{len(found):,} files are more than {FILES_LIMIT:,}: {UNKNOWN}"
    size = sum(one.size for one in found)
    if size > BYTES_LIMIT:
        return f"{size // _MB:,} MB are more than {BYTES_LIMIT // _MB}: {UNKNOWN}"
    return ""


def _content(place: str) -> bytes:
    """The whole file, never through a link, never waiting for a pipe.

    Raises:
        OSError: when it cannot be read, or is no regular file any more.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "no regular file any more")
        return file.read(FILE_LIMIT + 1)


def _safe(path: str, content: bytes, redactor: Redactor) -> bytes | None:
    """The content without secrets; None where taking them out would break the file."""
    if path.startswith(".git/") and "/objects/" in f"/{path}":
        return content if is_clean(content, redactor) else None
    safe = redactor.data(content)
    if safe == content:
        return content
    return None if b"\0" in content[:8_192] else safe


def _without_broken_git(files: dict[str, File], left_out: list[str]) -> dict[str, File]:
    """A repository of which an object is missing is none: it is left out as a whole."""
    broken = {
        told.partition(".git/objects/")[0] + ".git/"
        for told in left_out
        if ".git/objects/" in told.partition(": ")[0]
    }
    left_out += [f"{repository}: an object of it cannot be kept" for repository in sorted(broken)]
    if not broken:
        return files
    return {path: file for path, file in files.items() if not path.startswith(tuple(broken))}


def _few(left_out: list[str]) -> tuple[str, ...]:
    kept = 2 * NAMED_LIMIT
    more = len(left_out) - kept
    return (*left_out[:kept], *([f"and {more:,} more"] if more > 0 else []))
