# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listening TCP and bound UDP sockets through psutil, and the descriptors on them."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from .._model import addresses, backends, bindings
from . import psutil_network

UNSEEN = (
    backends.Gap(
        psutil_network.SOURCE,
        "pinned interfaces",
        "psutil does not say which interface or scope a socket is bound"
        " to, so that a deleted interface below a listener cannot be told",
    ),
    backends.Gap(
        psutil_network.SOURCE,
        "socket options",
        "psutil gives no IP_FREEBIND, IP_TRANSPARENT, IP_BINDANY or"
        " IPV6_V6ONLY, so that it cannot be told whether an address that is not there is meant",
    ),
    backends.Gap(
        psutil_network.SOURCE,
        "socket details",
        "psutil gives no accept queue, uid or inode: sockets of one address and port are shown as one",
    ),
)

# What one identity is without inode: sockets that psutil does not tell apart.
Identity = tuple[str, str, bytes, int, Optional[int]]


class Descriptor(NamedTuple):
    """One open descriptor on a listener."""

    identity: Identity  # protocol, family, packed, port, ifindex
    pid: Optional[int]  # None = psutil saw no process that holds it
    fd: int


class Descriptors(NamedTuple):
    rows: list[Descriptor]
    denied: int  # processes that could not be looked into
    unread: int  # sockets whose address could not be read


def read_sockets(library: Any, platform: str, protocols: Sequence[str]) -> backends.Sockets:
    """One Socket for each protocol, address and port (and scope, where the address tells). Raises UnreadableTable."""
    gaps = list(UNSEEN)
    identities: set[Identity] = set()
    for protocol in protocols:
        found = read_system(library, platform, protocol)
        if found.denied:
            reason = f"{found.denied} processes cannot be looked into without privileges, and their sockets with them"
            gaps.append(backends.Gap(psutil_network.SOURCE, f"{protocol} listeners of other users", reason))
        if found.unread:
            gaps.append(
                backends.Gap(
                    psutil_network.SOURCE, f"{protocol} listeners", f"the addresses of {found.unread} could not be read"
                )
            )
        identities.update(row.identity for row in found.rows)
    return tuple(sorted(map(_make_socket, identities), key=lambda row: row.sort_key)), tuple(gaps)


def read_system(library: Any, platform: str, protocol: str) -> Descriptors:
    """Every listener of one protocol, with one or all of its descriptors (the systems differ). Raises UnreadableTable.

    Where the table as a whole is refused (macOS reads it process by process, and stops at the first that belongs to
    somebody else), what the single processes show.
    """
    try:
        connections = library.net_connections(kind=protocol)
    except library.AccessDenied:
        return read_processes(library, platform, protocol)
    except Exception as error:  # psutil lets through whatever its parsers run into
        raise backends.UnreadableTable(
            f"the {protocol} sockets could not be read through psutil: {psutil_network.describe_error(error)}"
        ) from error
    return _parse(library, platform, protocol, ((getattr(row, "pid", None), row) for row in connections))


def read_processes(library: Any, platform: str, protocol: str) -> Descriptors:
    """The same from each process by itself: every holder, as far as the processes can be looked into."""
    connections: list[tuple[Optional[int], Any]] = []
    denied = 0
    for pid in library.pids():
        try:
            process = library.Process(pid)
            read = getattr(process, "net_connections", None) or process.connections  # the old name, before psutil 6.0
            connections += [(pid, row) for row in read(kind=protocol)]
        except library.NoSuchProcess:
            continue
        except Exception:  # AccessDenied, or what else one process makes psutil run into
            denied += 1
    found = _parse(library, platform, protocol, connections)
    return found._replace(denied=denied)


def _parse(library: Any, platform: str, protocol: str, rows: Iterable[tuple[Optional[int], Any]]) -> Descriptors:
    descriptors = []
    unread = 0
    for pid, row in rows:
        if not _listens(library, protocol, row):
            continue
        identity = _identify(platform, protocol, row)
        if identity is None:
            unread += 1
            continue
        descriptors.append(Descriptor(identity, pid if pid is None or pid >= 0 else None, row.fd))
    return Descriptors(descriptors, 0, unread)


def _listens(library: Any, protocol: str, row: Any) -> bool:
    """In state LISTEN; or bound and not connected. Without a port it is neither."""
    if not row.laddr or not row.laddr[1]:
        return False
    if protocol == bindings.TCP:
        return bool(row.status == library.CONN_LISTEN)
    return not row.raddr or not row.raddr[1]


def _identify(platform: str, protocol: str, row: Any) -> Optional[Identity]:
    is_ipv6 = row.family == socket.AF_INET6
    text = row.laddr[0]
    scoped = psutil_network.read_address(("::" if is_ipv6 else "0.0.0.0") if text == "*" else text, platform)
    if scoped is None or (len(scoped.packed) == 16 and not is_ipv6):
        return None
    packed = scoped.packed
    if is_ipv6 and len(packed) == 4:  # an IPv6 socket that speaks IPv4
        packed = addresses.V4_MAPPED + packed
    return protocol, bindings.IPV6 if is_ipv6 else bindings.IPV4, packed, row.laddr[1], scoped.ifindex


def identify(row: bindings.Socket) -> Identity:
    return row.protocol, row.family, row.packed, row.port, row.ifindex


def _make_socket(identity: Identity) -> bindings.Socket:
    return bindings.Socket(
        *identity,
        v6only=None,
        backlog=None,
        queued=None,
        uid=None,
        inode=0,
        cgroup_id=None,
        freebind=None,
        transparent=None,
    )
