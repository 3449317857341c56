"""Who pays for a request: our key in the place of a dummy, or the agent's own login untouched."""

from collections.abc import Mapping
from typing import Literal

from multidict import CIMultiDict

DUMMY = "cockpit-dummy-"
"""What an agent is given for a key starts with this; the real one is put in its place at the door."""

Billing = Literal["money", "subscription"]

_HEADERS = ("x-api-key", "authorization", "x-goog-api-key", "api-key")


class Secret:
    """A key or a token; shows itself to nobody but `reveal`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


def wants_ours(headers: Mapping[str, str], query: str) -> bool:
    """Whether the agent holds our dummy, or nothing at all. Gemini's may write a key in the query."""
    shown = [_bare(headers[name]) for name in _HEADERS if name in headers]
    shown += [part[4:] for part in query.split("&") if part.startswith("key=")]
    return all(text.startswith(DUMMY) for text in shown)


def billing(headers: Mapping[str, str], provider: str) -> Billing:
    """`subscription` for an OAuth login of Claude, ChatGPT or Google, else money."""
    token = _bare(headers.get("authorization", ""))
    if token.startswith("sk-ant-oat") or provider == "chatgpt":
        return "subscription"
    if provider in ("openai", "anthropic") and token.startswith("eyJ"):
        return "subscription"
    return "subscription" if provider == "gemini" and token.startswith("ya29.") else "money"


def signed(
    headers: CIMultiDict[str], wire: str, provider: str, secret: Secret | None
) -> CIMultiDict[str]:
    """The headers without the dummy and with the real key, as the wire wants it.

    Other hosts of Anthropic's wire take the key in one of two places, so they get it in both.
    """
    for name in _HEADERS:
        headers.popall(name, None)
    if secret is None:
        return headers
    if wire == "gemini":
        headers["x-goog-api-key"] = secret.reveal()
    if wire == "anthropic":
        headers["x-api-key"] = secret.reveal()
    if wire not in ("gemini", "anthropic") or (wire == "anthropic" and provider != "anthropic"):
        headers["Authorization"] = f"Bearer {secret.reveal()}"
    return headers


def scrubbed(text: str, headers: Mapping[str, str]) -> str:
    """The text without the credentials in the headers: providers repeat bad keys in their errors."""
    for name in _HEADERS:
        if shown := _bare(headers.get(name, "")):
            text = text.replace(shown, "…")
    return text


def _bare(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value
