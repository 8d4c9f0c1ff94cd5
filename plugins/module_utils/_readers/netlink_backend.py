# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linux, through the kernel's own interfaces, with the standard library alone."""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence
from typing import Callable, Optional, TypeVar

from .._model import addresses, bindings, owners
from .._model.gaps import Capabilities, Gap
from .._wire import netlink
from . import backends, listeners, netlink_socket, routes, sysctls
from .addresses import read_addresses, read_links

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


def read_sockets(protocols: Sequence[str]) -> backends.Sockets:
    """Every listener of those protocols. Raises UnreadableTable."""
    rows: list[bindings.Socket] = []
    gaps: list[Gap] = []
    for protocol in protocols:
        try:
            with netlink_socket.NetlinkSocket(netlink_socket.NETLINK_SOCK_DIAG) as diag_socket:
                rows += listeners.read_listeners(diag_socket, protocol)
        except netlink_socket.NetlinkError as error:
            if error.errno not in _NO_DIAG:
                raise backends.UnreadableTable(
                    f"the {protocol} sockets could not be read from sock_diag: {error}"
                ) from error
            rows += _read_proc(protocol, str(error), gaps)
        except netlink.MalformedMessage as error:
            raise backends.UnreadableTable(
                f"the {protocol} sockets could not be read from sock_diag: {error}"
            ) from error
    return listeners.sort_sockets(rows), tuple(gaps)


def _read_proc(protocol: str, reason: str, gaps: list[Gap]) -> list[bindings.Socket]:
    from . import proc_sockets

    sockets, found = proc_sockets.read_proc_sockets(protocol, reason)
    gaps += found
    return sockets


def read_network() -> backends.Networks:
    """Links, addresses, local tables, rules and settings; whatever cannot be read is None and has its Gap."""
    gaps: list[Gap] = []
    try:
        with netlink_socket.NetlinkSocket(netlink_socket.NETLINK_ROUTE) as route_socket:
            network = _read_tables(route_socket, gaps)
    except netlink_socket.NetlinkError as error:
        gaps.append(Gap("rtnetlink", "links, addresses and routes", str(error)))
        network = addresses.NO_NETWORK
    return network._replace(
        nonlocal_bind_ipv4=_or_gap(
            gaps, "/proc/sys", "net.ipv4.ip_nonlocal_bind", lambda: sysctls.read_nonlocal_bind("ipv4")
        ),
        nonlocal_bind_ipv6=_or_gap(
            gaps, "/proc/sys", "net.ipv6.ip_nonlocal_bind", lambda: sysctls.read_nonlocal_bind("ipv6")
        ),
    ), tuple(gaps)


def _read_tables(route_socket: netlink_socket.NetlinkSocket, gaps: list[Gap]) -> addresses.Network:
    links = _or_gap(gaps, "rtnetlink", "links", lambda: read_links(route_socket))
    tables = [addresses.RT_TABLE_LOCAL, *sorted({link.vrf_table for link in links or () if link.vrf_table is not None})]
    missing: set[int] = set()
    rules = _or_gap(gaps, "rtnetlink", "policy rules", lambda: routes.read_rules(route_socket))

    def read_ipv4() -> tuple[addresses.Route, ...]:
        found: list[addresses.Route] = []
        for table in tables:
            rows = routes.read_table(route_socket, "ipv4", table)
            found += rows or ()
            if rows is None:
                missing.add(table)
        return tuple(found)

    return addresses.Network(
        links=links,
        addresses=_or_gap(gaps, "rtnetlink", "addresses", lambda: read_addresses(route_socket)),
        routes_ipv4=_or_gap(gaps, "rtnetlink", "IPv4 local routes", read_ipv4),
        routes_ipv6=_or_gap(
            gaps,
            "rtnetlink",
            "IPv6 local routes",
            lambda: tuple(row for table in tables for row in routes.read_table(route_socket, "ipv6", table) or ()),
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
    except (netlink_socket.NetlinkError, netlink.MalformedMessage, OSError) as error:
        # A host without IPv6 has no such setting, and no IPv6 socket that it could concern.
        if not (subject.startswith("net.ipv6.") and isinstance(error, FileNotFoundError)):
            gaps.append(Gap(source, subject, str(error)))
        return None


def add_lookups(network: addresses.Network, wanted: Collection[tuple[int, bytes]]) -> backends.Networks:
    if not wanted:
        return network, ()
    from . import route_lookups

    try:
        with netlink_socket.NetlinkSocket(netlink_socket.NETLINK_ROUTE) as route_socket:
            return network._replace(lookups=route_lookups.read_lookups(route_socket, wanted)), ()
    except (netlink_socket.NetlinkError, netlink.MalformedMessage) as error:
        return network, (Gap("rtnetlink", "route lookups", str(error)),)


def add_merged(network: addresses.Network) -> backends.Networks:
    from . import route_lookups

    gaps: list[Gap] = []
    subject = "whether IPv4 tables local and main are one"
    merged = _or_gap(gaps, "/proc/net/fib_trie", subject, route_lookups.read_merged)
    return network._replace(ipv4_merged=merged), tuple(gaps)


def read_ownerships(sockets: Sequence[bindings.Socket], every_holder: Collection[int]) -> backends.Ownerships:
    from .owners import read_owners

    by_inode, gaps = read_owners(sockets, every_process={sockets[position].inode for position in every_holder})
    return [by_inode.get(socket.inode, owners.UNKNOWN_OWNERSHIP) for socket in sockets], gaps


def read_live_options(
    sockets: Sequence[bindings.Socket], ownerships: Sequence[owners.Ownership]
) -> backends.LiveOptions:
    from . import socket_options

    options, gaps = socket_options.read_options(sockets, ownerships)
    if any(
        read.reason is not None and owned.service is not None and owned.service.unit.endswith(".socket")
        for read, owned in zip(options, ownerships)
    ):
        from . import socket_units

        return socket_units.read_unit_options(sockets, ownerships, options, gaps)
    return options, gaps


NETLINK = backends.Backend(
    name="netlink",
    capabilities=Capabilities(pins=True, address_flags=True, link_state=True, routes=True, nonlocal_binds=False),
    read_sockets=read_sockets,
    read_network=read_network,
    read_lookups=add_lookups,
    read_merged=add_merged,
    read_owners=read_ownerships,
    read_options=read_live_options,
)
