"""The way out to a provider: addresses, headers, and one pool of connections."""

import re
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from cockpit.gateway.credentials import DUMMY
from cockpit.gateway.providers import Upstream

CONNECT_LIMIT_S = 20.0
IDLE_S = 20.0
LONGEST_HEADER = 65_536

TOKEN_HEADER = "x-cockpit-token"
"""Carries a run's token where its URL cannot; it goes no further than here."""

_HOP = frozenset(
    (
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade",
    )
)  # fmt: skip
_NOT_SENT = _HOP | {
    "host",
    "content-length",
    "expect",
    "accept-encoding",
    "content-encoding",
    TOKEN_HEADER,
}
_NOT_RETURNED = _HOP | {"content-length", "alt-svc"}
_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_VERSION = re.compile(r"/v\d[\w.]*(?:/openai)?$")
_OWN_PATHS = frozenset(("gemini", "ollama"))


def address(upstream: Upstream, path: str, query: str) -> URL:
    """The request's own path behind the upstream's base, with one version between them.

    Agents write `/v1/...` or leave it out, bases end in a version or do not: what is sent has one.
    """
    base = upstream.base
    if upstream.wire not in _OWN_PATHS:
        plain = path.removeprefix("/v1") if path.startswith("/v1/") else path
        bare = URL(base).path in ("", "/")
        versioned = _VERSION.search(base) or (upstream.wire != "anthropic" and not bare)
        path = plain if versioned else f"/v1{plain}"
    return URL(f"{base}{path}{'?' + query if query else ''}", encoded=True)


def without_dummy(query: str) -> str:
    """The query without a `key` that is our dummy: Gemini's clients may write it there."""
    parts = [part for part in query.split("&") if not part.startswith(f"key={DUMMY}")]
    return "&".join(parts)


def outgoing(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """What goes on to the provider.

    The request's body was uncompressed on its way in; the answer must come so, or nobody could
    meter it.
    """
    named = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    sent = CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if (low := name.lower()) not in _NOT_SENT and low not in named
    )
    sent["Accept-Encoding"] = "identity"
    return sent


def incoming(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """What of the provider's headers goes on to the client."""
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in _NOT_RETURNED
    )


class Outside:
    """The connections to all providers; no limit, no redirects, no cookies, no retries."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._proxies = getproxies()

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT_S),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_ADDED,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self, method: str, url: URL, headers: CIMultiDict[str], body: bytes
    ) -> aiohttp.ClientResponse:
        """The answer as soon as its headers are there.

        Raises:
            aiohttp.ClientError: when the provider cannot be reached or closes without a word.
        """
        if self._session is None:
            raise RuntimeError("the way out is not open")
        return await self._session.request(
            method,
            url,
            headers=headers,
            data=body or None,
            allow_redirects=False,
            proxy=self._proxy(url),
        )

    def _proxy(self, url: URL) -> str | None:
        proxy = self._proxies.get(url.scheme)
        if not proxy or proxy_bypass(url.host or ""):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


def sever(response: aiohttp.ClientResponse) -> None:
    """Closes the provider's connection in this turn of the loop, and does nothing else.

    Whoever reads the answer is not woken before all that were severed together are closed.
    """
    connection = response.connection
    transport = connection.transport if connection is not None else None
    if transport is not None:
        transport.abort()


def cut(response: aiohttp.ClientResponse) -> None:
    """Closes the provider's connection at once, so that it stops generating, and the answer."""
    sever(response)
    response.close()
