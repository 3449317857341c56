"""Whether a provider takes our key: a list of its models, which is free everywhere."""

import asyncio

import aiohttp
import msgspec
from multidict import CIMultiDict

from cockpit.gateway.credentials import Secret, signed
from cockpit.gateway.providers import Provider, Upstream
from cockpit.gateway.upstream import Outside, address

LIMIT_S = 15.0
LARGEST = 4 * 1024 * 1024
_PATHS = {
    "anthropic": "/v1/models",
    "chat": "/v1/models",
    "responses": "/v1/models",
    "gemini": "/v1beta/models",
    "ollama": "/api/tags",
}
_PLAIN = ("ollama", "chat", "responses", "gemini", "anthropic")
"""The wire to ask on, where a provider speaks several: all have a list of models on the first."""


class ProbeError(Exception):
    """Why the provider gave no list, in a sentence without the key."""


async def probe(provider: Provider, secret: Secret | None) -> str:
    """What the provider told, in a few words.

    Raises:
        ProbeError: when it gave no list of models.
    """
    wire = next(wire for wire in _PLAIN if wire in provider.urls)
    upstream = msgspec.convert(
        {"wire": wire, "base": provider.urls[wire], "provider": provider}, Upstream
    )
    headers: CIMultiDict[str] = CIMultiDict({"Accept": "application/json"})
    if wire == "anthropic":
        headers["anthropic-version"] = "2023-06-01"
    outside = Outside()
    await outside.open()
    try:
        async with asyncio.timeout(LIMIT_S):
            return await _asked(outside, upstream, signed(headers, wire, provider.name, secret))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ProbeError(f"cannot be reached ({type(error).__name__})") from None
    finally:
        await outside.close()


async def _asked(outside: Outside, upstream: Upstream, headers: CIMultiDict[str]) -> str:
    url = address(upstream, _PATHS[upstream.wire], "")
    async with await outside.send("GET", url, headers, b"") as response:
        if response.status in (401, 403):
            raise ProbeError(f"the key was refused ({response.status})")
        if response.status != 200:
            raise ProbeError(f"no list of models ({response.status})")
        return _counted(await response.content.read(LARGEST))


def _counted(body: bytes) -> str:
    try:
        listed = msgspec.json.decode(body, type=dict[str, object])
    except msgspec.MsgspecError:
        raise ProbeError("answered, but with no list of models") from None
    models = next((part for part in listed.values() if isinstance(part, list)), [])
    return f"works, {len(models)} models listed"
