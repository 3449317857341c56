"""Secrets in text and in files, replaced by `{{secret:NAME}}` before anything of them is kept.

Known values go first, then what looks like a key, a token or a password. A pattern is only tried
where one of its hints stands, so that text without secrets costs little more than a search.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

LEAST_SECRET = 8
"""Shorter known values would be found in innocent text."""
PIECE = 64 * 1024
"""A search holds the interpreter: what is larger is searched in pieces that end with a line."""
LEAST_BITS = 2.8
"""A guessed value with less entropy for each character is a word, not a secret."""

_NAMED = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|PAT)(?:_|$)"
)
_NOT_NAMED = re.compile(r"_(?:FILE|PATH|DIR|SOCK|URL|ID|NAME)$|^(?:OLD)?PWD$|^COCKPIT_")
_HARMLESS = frozenset(("none", "null", "true", "false", "undefined", "changeme", "disabled"))


class _Pattern:
    """`name` is what a finding is called, a group `value` what of it is replaced."""

    def __init__(self, name: str, hints: tuple[bytes, ...], text: bytes) -> None:
        self.name = name
        self.hints = hints
        self.found = re.compile(text)


_PATTERNS = (
    _Pattern("ANTHROPIC_KEY", (b"sk-ant-",), rb"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    _Pattern("API_KEY", (b"sk-",), rb"\bsk-(?!ant-)(?:proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    _Pattern("STRIPE_KEY", (b"k_live_", b"k_test_"), rb"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _Pattern("GITHUB_TOKEN", (b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_", b"github_pat_"), rb"\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{30,})"),
    _Pattern("GITLAB_TOKEN", (b"glpat-",), rb"\bglpat-[A-Za-z0-9_-]{16,}"),
    _Pattern("SLACK_TOKEN", (b"xox",), rb"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
    _Pattern("SLACK_HOOK", (b"hooks.slack.com",), rb"hooks\.slack\.com/services/(?P<value>[\w/]{20,})"),
    _Pattern("AWS_KEY_ID", (b"AKIA", b"ASIA"), rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    _Pattern("GOOGLE_KEY", (b"AIza",), rb"\bAIza[0-9A-Za-z_-]{30,}"),
    _Pattern("GOOGLE_TOKEN", (b"ya29.",), rb"\bya29\.[0-9A-Za-z_-]{20,}"),
    _Pattern("HUGGINGFACE_TOKEN", (b"hf_",), rb"\bhf_[A-Za-z0-9]{30,}"),
    _Pattern("NPM_TOKEN", (b"npm_",), rb"\bnpm_[A-Za-z0-9]{30,}"),
    _Pattern("PYPI_TOKEN", (b"pypi-",), rb"\bpypi-[A-Za-z0-9_-]{50,}"),
    _Pattern("SENDGRID_KEY", (b"SG.",), rb"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    _Pattern("JWT", (b"eyJ",), rb"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    _Pattern("RUN_TOKEN", (b"/run/",), rb"/run/(?P<value>[A-Za-z0-9_-]{40,})"),
    _Pattern("URL_PASSWORD", (b"://",), rb"://[^\s/:@\"']{0,64}:(?P<value>[^\s/@\"']{3,128})@"),
    _Pattern(
        "URL_TOKEN",
        (b"key=", b"token=", b"sig=", b"signature=", b"secret=", b"password="),
        rb"[?&](?:[a-z_-]*(?:api_?key|token|secret|password|signature)|key|sig)=(?P<value>[^&\s\"'#]{8,})",
    ),
    _Pattern(
        "AUTHORIZATION",
        (b"earer ", b"asic ", b"oken "),
        rb"[Aa](?:uthorization|UTHORIZATION)\\?[\"']?\s*[:=]\s*\\?[\"']?(?:[Bb]earer|[Bb]asic|[Tt]oken)\s+(?P<value>[\w.~+/=-]{8,})",
    ),
)  # fmt: skip
_PRIVATE_KEY = _Pattern(
    "PRIVATE_KEY",
    (b"PRIVATE KEY-----",),
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
)
_WORDS = (b"key", b"token", b"secret", b"passw")
_ASSIGNED = re.compile(
    rb"(?:key|token|secret|passw(?:or)?d)"
    rb"\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?P<value>[^\s\"'\\,;)}\]<>]{8,200})"
)
_BEFORE_KEY = re.compile(rb"(?:api|access|private|secret|auth|encryption|signing|master)[_-]?\Z")
_NAME = re.compile(rb"[a-z0-9_-]{0,40}\Z")
_SHAPE = re.compile(rb"[A-Za-z0-9+/=_.~!@#$%^&*-]+")


def known_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that hold secrets, by their names."""
    return {
        name: value
        for name, value in environment.items()
        if _NAMED.search(name.upper())
        and not _NOT_NAMED.search(name.upper())
        and len(value.strip()) >= LEAST_SECRET
        and value.strip().lower() not in _HARMLESS
    }


class Redactor:
    """Replaces secrets; `known` are values by name, to be found wherever they stand."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = _longest_first(known or {})

    def data(self, data: bytes) -> bytes:
        """The bytes without secrets; the same object where none was found."""
        for value, name in self._known:
            if value in data:
                data = data.replace(value, _mark(name))
        data = _without(_PRIVATE_KEY, data)
        if len(data) <= PIECE:
            return _searched(data)
        pieces = list(_pieces(data))
        safe = [_searched(piece) for piece in pieces]
        return data if safe == pieces else b"".join(safe)

    def text(self, text: str) -> str:
        """As `data`, for text."""
        given = text.encode("utf-8", "surrogatepass")
        found = self.data(given)
        return text if found is given or found == given else found.decode("utf-8", "replace")

    def value(self, value: Any) -> Any:  # noqa: ANN401 (whatever JSON holds)
        """As `text`, for every string in a value as JSON has them, keys included."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(part) for part in value]
            case dict():
                return {self.text(str(key)): self._member(key, part) for key, part in value.items()}
        return value

    def _member(self, key: object, value: object) -> object:
        """A member with a telling name is a secret whatever it looks like."""
        named = isinstance(key, str) and isinstance(value, str) and known_secrets({key: value})
        if named and isinstance(value, str) and _is_guessed(value.encode("utf-8", "replace")):
            return _mark(str(key)).decode()
        return self.value(value)


def _pieces(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + PIECE) + 1 if start + PIECE < len(data) else 0
        end = min(end or len(data), start + 4 * PIECE)
        yield data[start:end]
        start = end


def _searched(data: bytes) -> bytes:
    for pattern in _PATTERNS:
        data = _without(pattern, data)
    return _without_assigned(data)


def _without(pattern: _Pattern, data: bytes) -> bytes:
    if any(hint in data for hint in pattern.hints):
        return pattern.found.sub(_replacing(pattern.name), data)
    return data


def _longest_first(known: Mapping[str, str]) -> list[tuple[bytes, str]]:
    """Values with their names, each also as it stands in JSON and in a URL."""
    from urllib.parse import quote

    found: dict[bytes, str] = {}
    for name, value in known.items():
        plain = value.strip()
        if len(plain) >= LEAST_SECRET:
            for form in (plain, quote(plain, safe="")):
                found.setdefault(form.encode("utf-8", "replace"), name)
    return sorted(found.items(), key=lambda pair: -len(pair[0]))


def _mark(name: str) -> bytes:
    return b"{{secret:" + re.sub(r"\W+", "_", name).upper().encode("ascii", "replace") + b"}}"


def _replacing(name: str) -> "Callable[[re.Match[bytes]], bytes]":
    def replace(match: "re.Match[bytes]") -> bytes:
        whole = match[0]
        value = match.groupdict().get("value")
        if value is None:
            return _mark(name)
        return whole if value.startswith(b"{{secret:") else whole.replace(value, _mark(name))

    return replace


def _without_assigned(data: bytes) -> bytes:
    """Without what is given to a telling name: `api_key = "…"`, `TOKEN: …`."""
    folded = data.lower()
    found = sorted({place for word in _WORDS for place in _assigned(folded, word)}, reverse=True)
    for start, end, name in found:
        if _is_guessed(data[start:end]):
            data = data[:start] + _mark(name) + data[end:]
    return data


def _assigned(folded: bytes, word: bytes) -> Iterator[tuple[int, int, str]]:
    """Where a value begins and ends, and what it was given to. Searching for the word is quick."""
    place = folded.find(word)
    while place >= 0:
        match = _ASSIGNED.match(folded, place)
        before = folded[max(0, place - 40) : place]
        if match and (word != b"key" or _BEFORE_KEY.search(before)):
            told = _NAME.search(before)
            name = (told[0] if told else b"") + folded[place : place + 12].split(b"=")[0]
            yield match.start("value"), match.end("value"), _word_of(name)
        place = folded.find(word, place + len(word))


def _word_of(name: bytes) -> str:
    found = re.match(rb"[a-z0-9_-]+", name)
    return found[0].decode() if found else "SECRET"


def _is_guessed(value: bytes) -> bool:
    """Whether a value behind a telling name is one, and no word, variable, path or placeholder."""
    if value.startswith((b"{{secret:", b"$", b"<", b"/", b"./", b"~/")) or b"(" in value:
        return False
    if value.lower().decode("ascii", "replace") in _HARMLESS or not _SHAPE.fullmatch(value):
        return False
    mixed = re.search(rb"[0-9]", value) and re.search(rb"[A-Za-z]", value)
    return bool(mixed) and _bits(value) >= LEAST_BITS


def _bits(value: bytes) -> float:
    """Shannon entropy for each byte."""
    counts: Iterator[int] = iter(Counter(value).values())
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
