"""Who is at the other end of a loopback connection.

The token in the URL is the first wall; this is the second, so that another user of the machine who
saw a token cannot spend with it. One question to the kernel (`SOCK_DIAG`) for a connection, about
20 µs; reading /proc/net/tcp for the same answer takes 2 ms with a few hundred sockets.
"""

import asyncio
import os
import socket
import struct
import sys
import weakref
from ipaddress import ip_address

_SOCK_DIAG = 4
_BY_FAMILY = 20
_ESTABLISHED = 1
_ACKNOWLEDGED = 0x01
_ANY_COOKIE = 0xFFFFFFFF
_TCP = 6
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_PORTS = struct.Struct("!HH")
_REST = struct.Struct("=III")
_UID_AT = 16 + 4 + 48 + 12
"""Behind the netlink header, four bytes of state, the socket's id and three counters."""

Address = tuple[str, int]


def owner(client: Address, server: Address) -> int | None:
    """The uid that holds the client's end of a connection; None where the kernel does not say.

    Only an established connection counts: one that was closed in the meantime would be root's.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.settimeout(0.2)
            kernel.send(_question(client, server))
            answer = kernel.recv(4096)
    except (OSError, AttributeError):
        return None
    if len(answer) < _UID_AT + 4 or _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return None
    if answer[_HEADER.size + 1] != _ESTABLISHED:
        return None
    uid: int = struct.unpack_from("=I", answer, _UID_AT)[0]
    return uid


def _question(client: Address, server: Address) -> bytes:
    source, target = ip_address(client[0]), ip_address(server[0])
    family = socket.AF_INET if source.version == 4 else socket.AF_INET6
    body = (
        _ASKED.pack(family, _TCP, 0, 0, 0xFFFFFFFF)
        + _PORTS.pack(client[1], server[1])
        + source.packed.ljust(16, b"\0")
        + target.packed.ljust(16, b"\0")
        + _REST.pack(0, _ANY_COOKIE, _ANY_COOKIE)
    )
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _ACKNOWLEDGED, 1, 0) + body


def kernel_tells() -> bool:
    """Whether this machine's kernel answers at all, tried on a connection of our own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        with socket.create_connection(place, timeout=1) as client:
            return owner(client.getsockname(), place) == os.geteuid()


class Peers:
    """Remembers for each connection whether its other end is us, or root.

    Where the kernel tells nothing (macOS, some containers) everybody with the token is trusted.
    """

    def __init__(self) -> None:
        self._trusted: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()
        self._ours = frozenset((0, os.geteuid()))
        self.tells = kernel_tells()

    def trusted(self, transport: asyncio.BaseTransport | None) -> bool:
        """Whether requests of this connection may be answered."""
        if transport is None:
            return False
        if transport in self._trusted:
            return True
        client = transport.get_extra_info("peername")
        server = transport.get_extra_info("sockname")
        local = bool(client and server) and ip_address(client[0]).is_loopback
        if self.tells and local and owner(client[:2], server[:2]) not in self._ours:
            return False
        self._trusted.add(transport)
        return True
