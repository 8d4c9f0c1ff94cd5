# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linux, through the kernel's own interfaces, with the standard library alone."""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence
from typing import Callable, Optional, TypeVar

from .._model.addresses import NO_NETWORK, RT_TABLE_LOCAL, Network, Route
from .._model.gaps import Capabilities, Gap
from .._model.listeners import Socket
from .._model.owners import UNKNOWN_OWNERSHIP, Ownership
from .._wire.netlink import MalformedMessage
from .addresses import read_addresses, read_links
from .backends import Backend, LiveOptions, Networks, Ownerships, Sockets, UnreadableTable
from .listeners import read_listeners, sort_sockets
from .netlink_socket import NETLINK_ROUTE, NETLINK_SOCK_DIAG, NetlinkError, NetlinkSocket
from .routes import read_lookups, read_merged, read_rules, read_table
from .sysctls import read_nonlocal_bind

_T = TypeVar("_T")

# What comes where tcp_diag, udp_diag, inet_diag or netlink as a whole is not in the kernel and cannot be loaded (a
# container), or is forbidden.
_NO_DIAG = (
    errno.ENOENT,
    errno.EPROTONOSUPPORT,
    errno.EAFNOSUPPORT,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EACCES,
    errno.EINVAL,
)


def read_sockets(protocols: Sequence[str]) -> Sockets:
    """Every listener of those protocols. Raises UnreadableTable."""
    rows: list[Socket] = []
    gaps: list[Gap] = []
    for protocol in protocols:
        try:
            with NetlinkSocket(NETLINK_SOCK_DIAG) as diag_socket:
                rows += read_listeners(diag_socket, protocol)
        except NetlinkError as error:
            if error.errno not in _NO_DIAG:
                raise UnreadableTable(f"the {protocol} sockets could not be read from sock_diag: {error}") from error
            rows += _read_proc(protocol, str(error), gaps)
        except MalformedMessage as error:
            raise UnreadableTable(f"the {protocol} sockets could not be read from sock_diag: {error}") from error
    return sort_sockets(rows), tuple(gaps)


def _read_proc(protocol: str, reason: str, gaps: list[Gap]) -> list[Socket]:
    from .proc_sockets import read_proc_sockets

    sockets, found = read_proc_sockets(protocol, reason)
    gaps += found
    return sockets


def read_network() -> Networks:
    """Links, addresses, local tables, rules and settings; whatever cannot be read is None and has its Gap."""
    gaps: list[Gap] = []
    try:
        with NetlinkSocket(NETLINK_ROUTE) as route_socket:
            network = _read_tables(route_socket, gaps)
    except NetlinkError as error:
        gaps.append(Gap("rtnetlink", "links, addresses and routes", str(error)))
        network = NO_NETWORK
    return network._replace(
        nonlocal_bind_ipv4=_or_gap(gaps, "/proc/sys", "net.ipv4.ip_nonlocal_bind", lambda: read_nonlocal_bind("ipv4")),
        nonlocal_bind_ipv6=_or_gap(gaps, "/proc/sys", "net.ipv6.ip_nonlocal_bind", lambda: read_nonlocal_bind("ipv6")),
    ), tuple(gaps)


def _read_tables(route_socket: NetlinkSocket, gaps: list[Gap]) -> Network:
    links = _or_gap(gaps, "rtnetlink", "links", lambda: read_links(route_socket))
    tables = [RT_TABLE_LOCAL, *sorted({link.vrf_table for link in links or () if link.vrf_table is not None})]
    missing: set[int] = set()
    rules = _or_gap(gaps, "rtnetlink", "policy rules", lambda: read_rules(route_socket))

    def read_ipv4() -> tuple[Route, ...]:
        routes: list[Route] = []
        for table in tables:
            rows = read_table(route_socket, "ipv4", table)
            routes += rows or ()
            if rows is None:
                missing.add(table)
        return tuple(routes)

    return Network(
        links=links,
        addresses=_or_gap(gaps, "rtnetlink", "addresses", lambda: read_addresses(route_socket)),
        routes_ipv4=_or_gap(gaps, "rtnetlink", "IPv4 local routes", read_ipv4),
        routes_ipv6=_or_gap(
            gaps,
            "rtnetlink",
            "IPv6 local routes",
            lambda: tuple(row for table in tables for row in read_table(route_socket, "ipv6", table) or ()),
        ),
        missing_tables_ipv4=frozenset(missing),
        local_first=rules[0] if rules is not None else None,
        ipv4_merged=False if rules is not None and rules[1] else None,
        nonlocal_bind_ipv4=None,
        nonlocal_bind_ipv6=None,
        lookups={},
    )


def _or_gap(gaps: list[Gap], source: str, subject: str, read: Callable[[], _T]) -> Optional[_T]:
    try:
        return read()
    except (NetlinkError, MalformedMessage, OSError) as error:
        # A host without IPv6 has no such setting, and no IPv6 socket that it could concern.
        if not (subject.startswith("net.ipv6.") and isinstance(error, FileNotFoundError)):
            gaps.append(Gap(source, subject, str(error)))
        return None


def add_lookups(network: Network, wanted: Collection[tuple[int, bytes]]) -> Networks:
    if not wanted:
        return network, ()
    try:
        with NetlinkSocket(NETLINK_ROUTE) as route_socket:
            return network._replace(lookups=read_lookups(route_socket, wanted)), ()
    except (NetlinkError, MalformedMessage) as error:
        return network, (Gap("rtnetlink", "route lookups", str(error)),)


def add_merged(network: Network) -> Networks:
    gaps: list[Gap] = []
    subject = "whether IPv4 tables local and main are one"
    merged = _or_gap(gaps, "/proc/net/fib_trie", subject, read_merged)
    return network._replace(ipv4_merged=merged), tuple(gaps)


def read_ownerships(sockets: Sequence[Socket], every_holder: Collection[int]) -> Ownerships:
    from .owners import read_owners

    by_inode, gaps = read_owners(sockets, every_process={sockets[position].inode for position in every_holder})
    return [by_inode.get(socket.inode, UNKNOWN_OWNERSHIP) for socket in sockets], gaps


def read_live_options(sockets: Sequence[Socket], ownerships: Sequence[Ownership]) -> LiveOptions:
    from .socket_options import read_options

    options, gaps = read_options(sockets, ownerships)
    if any(
        read.reason is not None and owned.service is not None and owned.service.unit.endswith(".socket")
        for read, owned in zip(options, ownerships)
    ):
        from .socket_units import read_unit_options

        return read_unit_options(sockets, ownerships, options, gaps)
    return options, gaps


NETLINK = Backend(
    name="netlink",
    capabilities=Capabilities(pins=True, address_flags=True, link_state=True, routes=True, nonlocal_binds=False),
    read_sockets=read_sockets,
    read_network=read_network,
    read_lookups=add_lookups,
    read_merged=add_merged,
    read_owners=read_ownerships,
    read_options=read_live_options,
)
