"""The providers cockpit knows, and where one run's calls go."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from cockpit.gateway.wire.dialect import DialectName
from cockpit.journal.providers import (
    WIRES,
    KeySource,
    ProviderSettings,
    checked_url,
    key_source,
)

OLLAMA = "http://127.0.0.1:11434"


class Provider(Struct, frozen=True):
    """Somebody who sells model calls, or a server of the operator's own.

    `urls` holds a base URL for each wire spoken. `prices` is its name in the price book; a `local`
    provider costs no money where the book knows no price. `variable` is the environment variable
    its key is commonly in; `key`, when set, is the only place to look.
    """

    name: str
    urls: Mapping[str, str]
    prices: str = ""
    variable: str = ""
    key: KeySource | None = None
    local: bool = False


class Upstream(Struct, frozen=True):
    """Where one wire of one run goes. `base` has no slash at its end."""

    wire: DialectName
    base: str
    provider: Provider


def _hosted(name: str, variable: str, prices: str = "", **urls: str) -> Provider:
    return Provider(name, urls, prices or name, variable)


def _local(name: str, root: str, prices: str = "") -> Provider:
    urls = {"anthropic": root, "chat": f"{root}/v1", "responses": f"{root}/v1"}
    return Provider(name, urls, prices, key=KeySource("none"), local=True)


KNOWN: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (
        _hosted("anthropic", "ANTHROPIC_API_KEY", anthropic="https://api.anthropic.com"),
        _hosted(
            "openai",
            "OPENAI_API_KEY",
            chat="https://api.openai.com/v1",
            responses="https://api.openai.com/v1",
        ),
        Provider(  # where Codex goes with a ChatGPT login, which it brings itself
            "chatgpt",
            {"responses": "https://chatgpt.com/backend-api/codex"},
            "openai",
            key=KeySource("none"),
        ),
        _hosted(
            "gemini",
            "GEMINI_API_KEY",
            "google",
            gemini="https://generativelanguage.googleapis.com",
            chat="https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        _hosted(
            "openrouter",
            "OPENROUTER_API_KEY",
            anthropic="https://openrouter.ai/api",
            chat="https://openrouter.ai/api/v1",
            responses="https://openrouter.ai/api/v1",
        ),
        _hosted(
            "deepseek",
            "DEEPSEEK_API_KEY",
            anthropic="https://api.deepseek.com/anthropic",
            chat="https://api.deepseek.com",
            responses="https://api.deepseek.com",
        ),
        _hosted(
            "glm",
            "ZAI_API_KEY",
            "zai",
            anthropic="https://api.z.ai/api/anthropic",
            chat="https://api.z.ai/api/paas/v4",
        ),
        _hosted(
            "kimi",
            "MOONSHOT_API_KEY",
            "moonshotai",
            anthropic="https://api.moonshot.ai/anthropic",
            chat="https://api.moonshot.ai/v1",
            responses="https://api.moonshot.ai/v1",
        ),
        _local("vllm", "http://127.0.0.1:8000"),
        _local("llama.cpp", "http://127.0.0.1:8080", "llama.cpp"),
        _local("lmstudio", "http://127.0.0.1:1234", "lmstudio"),
        Provider(
            "ollama",
            {
                "ollama": OLLAMA,
                "chat": f"{OLLAMA}/v1",
                "responses": f"{OLLAMA}/v1",
                "anthropic": OLLAMA,
            },
            "ollama",
            key=KeySource("none"),
        ),
    )
}

_USUAL = {
    "anthropic": "anthropic",
    "chat": "openai",
    "responses": "openai",
    "gemini": "gemini",
    "ollama": "ollama",
}


def providers(
    settings: Mapping[str, ProviderSettings], environment: Mapping[str, str]
) -> dict[str, Provider]:
    """Every provider by name: the known ones as the operator changed them, and the operator's own.

    Raises:
        ValueError: for one of the operator's own without a dialect or a base URL.
    """
    found = dict(KNOWN)
    if host := environment.get("OLLAMA_HOST", ""):
        found["ollama"] = _moved(found["ollama"], _ollama_url(host))
    for name, given in settings.items():
        found[name] = _given(name, given, found.get(name))
    return found


def upstreams(
    chosen: Iterable[str],
    settings: Mapping[str, ProviderSettings],
    environment: Mapping[str, str],
) -> dict[DialectName, Upstream]:
    """Where each wire of a run goes: the usual provider, or the one in `DIALECT=URL` or `DIALECT=NAME`.

    A URL that belongs to no provider gets no key: one that was meant for another host must not
    travel there.

    Raises:
        ValueError: naming what is wrong with a choice.
    """
    known = providers(settings, environment)
    every = {wire: _upstream(wire, known[name]) for wire, name in _USUAL.items()}
    every |= dict(_chosen(text, known) for text in chosen)
    return {upstream.wire: upstream for upstream in every.values()}


def _chosen(text: str, known: Mapping[str, Provider]) -> tuple[str, Upstream]:
    wire, _, place = text.partition("=")
    if wire not in WIRES or not place:
        raise ValueError(f"--upstream takes DIALECT=URL or DIALECT=PROVIDER ({', '.join(WIRES)})")
    if "://" not in place:
        if place not in known:
            raise ValueError(f"no provider {place!r}: {', '.join(sorted(known))}")
        return wire, _upstream(wire, known[place])
    try:
        base = checked_url(place)
    except ValueError as error:
        raise ValueError(f"--upstream {wire}=…: {error}") from error
    owner = next((one for one in known.values() if _same_host(one.urls.get(wire, ""), base)), None)
    stranger = Provider(
        urlsplit(base).netloc, {wire: base}, known[_USUAL[wire]].prices, key=KeySource("none")
    )
    return wire, _at(wire, base, owner or stranger)


def _upstream(wire: str, provider: Provider) -> Upstream:
    if wire not in provider.urls:
        spoken = ", ".join(provider.urls)
        raise ValueError(f"{provider.name} does not speak {wire}, only {spoken}")
    return _at(wire, provider.urls[wire], provider)


def _at(wire: str, base: str, provider: Provider) -> Upstream:
    return msgspec.convert({"wire": wire, "base": base, "provider": provider}, Upstream)


def _same_host(url: str, base: str) -> bool:
    ours, theirs = urlsplit(url), urlsplit(base)
    return bool(url) and (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)


def _given(name: str, given: ProviderSettings, known: Provider | None) -> Provider:
    if known is None and not (given.dialect and given.base_url):
        raise ValueError(f"providers.{name} needs both a dialect and a base_url")
    provider = known or Provider(name, {})
    if given.base_url:
        base = checked_url(given.base_url)
        wires = [given.dialect] if given.dialect else list(provider.urls)
        provider = msgspec.structs.replace(
            provider, urls={**provider.urls, **dict.fromkeys(wires, base)}
        )
    return msgspec.structs.replace(
        provider,
        prices=given.prices or provider.prices,
        key=key_source(given.key) if given.key else provider.key,
    )


def _moved(provider: Provider, root: str) -> Provider:
    urls = {wire: url.replace(OLLAMA, root) for wire, url in provider.urls.items()}
    return msgspec.structs.replace(provider, urls=urls)


def _ollama_url(host: str) -> str:
    """`OLLAMA_HOST` may lack a scheme or a port, or be the address that a server listens at."""
    parts = urlsplit(host if "://" in host else f"//{host}")
    name = parts.hostname or "127.0.0.1"
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(name, name)
    usual = 443 if parts.scheme == "https" else 80 if parts.scheme else 11434
    return f"{parts.scheme or 'http'}://{name}:{parts.port or usual}"
