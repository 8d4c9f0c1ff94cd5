# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens a world's listeners, and says what the kernel made of each, by asking the socket itself."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from typing import NamedTuple, Optional

from .build import die_with_parent
from .world import Listener

# include/uapi/linux/in.h, in6.h, asm-generic/socket.h
IP_FREEBIND = 15
IP_TRANSPARENT = 19
SO_BINDTOIFINDEX = 62
TCP_INFO = 11

_libc = ctypes.CDLL(None, use_errno=True)


class Opened(NamedTuple):
    """A listener as it stands: what was asked for, and what the socket says of itself."""

    spec: Listener
    listening: socket.socket
    family: socket.AddressFamily
    host: str  # of getsockname, without scope
    packed: bytes
    pin: int  # ifindex, 0 = none
    v6only: Optional[bool]
    freebind: bool
    transparent: bool
    inode: int
    uid: int

    @property
    def is_tcp(self) -> bool:
        return self.spec.protocol == "tcp"

    @property
    def ipv4(self) -> Optional[bytes]:
        """The IPv4 address that it serves, also as ::ffff:a.b.c.d."""
        if len(self.packed) == 4:
            return self.packed
        return self.packed[12:] if self.packed[:12] == bytes(10) + b"\xff\xff" else None

    @property
    def bind_family(self) -> int:
        """Whose rules bind() follows."""
        return 6 if self.ipv4 is None else 4

    @property
    def is_wildcard(self) -> bool:
        return not any(self.ipv4 if self.ipv4 is not None else self.packed)

    @property
    def is_multicast(self) -> bool:
        return self.ipv4[0] >> 4 == 0xE if self.ipv4 is not None else self.packed[0] == 0xFF

    @property
    def is_link_scoped(self) -> bool:
        """Needs a scope id to be bound, as fe80::/10 and ff01:: and ff02:: do (__ipv6_addr_needs_scope_id)."""
        if self.ipv4 is not None:
            return False
        linklocal = self.packed[0] == 0xFE and self.packed[1] & 0xC0 == 0x80
        return linklocal or (self.packed[0] == 0xFF and self.packed[1] & 0x0F in (1, 2))

    @property
    def is_bound_to_its_link(self) -> bool:
        """Of a scope that must be on the pinned link itself (ipv6_chk_addr): fe80::/10 and ::1."""
        return self.is_link_scoped or self.packed == bytes(15) + b"\1"

    def queue(self) -> tuple[int, int]:
        """(queued, backlog) of a TCP listener: tcpi_unacked and tcpi_sacked stand for them in LISTEN (tcp_get_info)."""
        info = self.listening.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104)
        return struct.unpack_from("=2I", info, 24)

    def bind_target(self, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        return bind_target(self.family, self.host, port, self.pin if self.is_link_scoped else 0)


def bind_target(
    family: socket.AddressFamily, host: str, port: int, scope: int
) -> tuple[str, int] | tuple[str, int, int, int]:
    return (host, port) if family == socket.AF_INET else (host, port, 0, scope)


def open_all(specs: tuple[Listener, ...]) -> list[Opened]:
    """Those that the kernel lets open; an address that cannot be bound as asked is passed over."""
    opened = []
    for spec in specs:
        with contextlib.suppress(OSError):
            opened.append(_open(spec))
    for listener in opened:
        _fill_queue(listener)
    return opened


def _open(spec: Listener) -> Opened:
    family = socket.AF_INET if spec.family == 4 else socket.AF_INET6
    listening = _socket_of(spec.uid, family, socket.SOCK_STREAM if spec.protocol == "tcp" else socket.SOCK_DGRAM)
    try:
        listening.setblocking(False)
        if spec.family == 6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, spec.v6only)
        if spec.freebind:
            listening.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        if spec.transparent:
            listening.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
        scope = _pin(listening, spec)
        listening.bind(bind_target(family, spec.address, spec.port, scope))
        if spec.protocol == "tcp":
            listening.listen(spec.backlog)
        return _describe(spec, listening)
    except OSError:
        listening.close()
        raise


def _socket_of(uid: int, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
    if not uid:
        return socket.socket(family, kind)
    # A socket belongs to the file system uid of its maker (sock_alloc: current_fsuid).
    _libc.setfsuid(uid)
    try:
        return socket.socket(family, kind)
    finally:
        _libc.setfsuid(0)
        die_with_parent()  # which a change of credentials takes back (commit_creds)


def _pin(listening: socket.socket, spec: Listener) -> int:
    """Returns the scope id to bind with."""
    if spec.pin is None:
        return 0
    index = spec.pin if isinstance(spec.pin, int) else socket.if_nametoindex(spec.pin)
    if spec.pin_by == "scope":
        return index
    if spec.pin_by == "device":
        name = spec.pin if isinstance(spec.pin, str) else socket.if_indextoname(spec.pin)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
    else:
        listening.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, index)
    return 0


def _describe(spec: Listener, listening: socket.socket) -> Opened:
    host = listening.getsockname()[0].partition("%")[0]
    status = os.fstat(listening.fileno())
    is_ipv6 = listening.family == socket.AF_INET6
    return Opened(
        spec=spec,
        listening=listening,
        family=socket.AddressFamily(listening.family),
        host=host,
        packed=socket.inet_pton(listening.family, host),
        pin=listening.getsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX),
        v6only=bool(listening.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)) if is_ipv6 else None,
        freebind=bool(listening.getsockopt(socket.IPPROTO_IP, IP_FREEBIND)),
        transparent=bool(listening.getsockopt(socket.IPPROTO_IP, IP_TRANSPARENT)),
        inode=status.st_ino,
        uid=status.st_uid,
    )


def _fill_queue(listener: Opened) -> None:
    """Leaves connections in the accept queue, where the address can be reached; their other ends are closed at once."""
    if not listener.is_tcp or listener.is_wildcard or listener.pin:
        return
    for _client in range(listener.spec.queued):
        with socket.socket(listener.family, socket.SOCK_STREAM) as client, contextlib.suppress(OSError):
            client.settimeout(0.02)
            client.connect((listener.host, listener.spec.port))
