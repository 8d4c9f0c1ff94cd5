# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linux, through the kernel's own interfaces, with the standard library alone.

Here are the listeners, and everything that decides which addresses of the present network namespace are local: links,
addresses, the tables that say so, the rules before them, and settings. Owners and options have files of their own.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Callable, Optional, TypeVar

from .._model import addresses, backends, bindings
from .._wire import inet_diag, netlink, rtnetlink
from . import netlink_socket

_T = TypeVar("_T")

# (priority, table, matches every packet) of local, main and default (fib_default_rules_init, net/ipv4/fib_rules.c)
_KERNEL_RULES = ((0, 255, True), (32766, 254, True), (32767, 253, True))

# What a kernel without that family, or built without policy routing, answers to a dump.
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT)


def read_sockets(protocols: Sequence[str]) -> backends.Sockets:
    """Every listener of those protocols. Raises UnreadableTable."""
    rows: list[bindings.Socket] = []
    gaps: list[backends.Gap] = []
    for protocol in protocols:
        try:
            with netlink_socket.NetlinkSocket(netlink_socket.NETLINK_SOCK_DIAG) as diag_socket:
                rows += read_listeners(diag_socket, protocol)
        except (netlink_socket.NetlinkError, netlink.MalformedMessage) as error:
            from . import proc_sockets

            found, found_gaps = proc_sockets.replace_diag(protocol, error)
            rows += found
            gaps += found_gaps
    return sort_sockets(rows), tuple(gaps)


def read_listeners(diag_socket: netlink_socket.NetlinkSocket, protocol: str) -> list[bindings.Socket]:
    """Every listener of one protocol (tcp, udp), IPv4 and IPv6. Raises NetlinkError (ENOENT: no such diag module),
    MalformedMessage.
    """
    rows: list[bindings.Socket] = []
    for family in (rtnetlink.AF_INET, rtnetlink.AF_INET6):
        rows += inet_diag.parse_listeners(
            diag_socket.dump(inet_diag.SOCK_DIAG_BY_FAMILY, inet_diag.pack_listener_request(family, protocol)), protocol
        )
    return rows


def sort_sockets(rows: Iterable[bindings.Socket]) -> tuple[bindings.Socket, ...]:
    """In the order of every result, each once: a hash table that changes during a dump can show a socket twice."""
    unique = {row.sort_key: row for row in rows}
    return tuple(unique[key] for key in sorted(unique))


def read_network() -> backends.Networks:
    """Links, addresses, local tables, rules and settings; whatever cannot be read is None and has its Gap."""
    gaps: list[backends.Gap] = []
    try:
        with netlink_socket.NetlinkSocket(netlink_socket.NETLINK_ROUTE) as route_socket:
            network = _read_tables(route_socket, gaps)
    except netlink_socket.NetlinkError as error:
        gaps.append(backends.Gap("rtnetlink", "links, addresses and routes", str(error)))
        network = addresses.NO_NETWORK
    ipv4, ipv6 = (
        or_gap(gaps, "/proc/sys", f"net.{family}.ip_nonlocal_bind", partial(read_nonlocal_bind, family))
        for family in rtnetlink.FAMILY_NUMBERS
    )
    return network._replace(nonlocal_bind_ipv4=ipv4, nonlocal_bind_ipv6=ipv6), tuple(gaps)


def _read_tables(route_socket: netlink_socket.NetlinkSocket, gaps: list[backends.Gap]) -> addresses.Network:
    links = or_gap(gaps, "rtnetlink", "links", lambda: read_links(route_socket))
    tables = [addresses.RT_TABLE_LOCAL, *sorted({link.vrf_table for link in links or () if link.vrf_table is not None})]
    missing: set[int] = set()
    rules = or_gap(gaps, "rtnetlink", "policy rules", lambda: _read_rules(route_socket))

    def read_ipv4() -> tuple[addresses.Route, ...]:
        found: list[addresses.Route] = []
        for table in tables:
            rows = _read_table(route_socket, "ipv4", table)
            found += rows or ()
            if rows is None:
                missing.add(table)
        return tuple(found)

    return addresses.Network(
        links=links,
        addresses=or_gap(gaps, "rtnetlink", "addresses", lambda: read_addresses(route_socket)),
        routes_ipv4=or_gap(gaps, "rtnetlink", "IPv4 local routes", read_ipv4),
        routes_ipv6=or_gap(
            gaps,
            "rtnetlink",
            "IPv6 local routes",
            lambda: tuple(row for table in tables for row in _read_table(route_socket, "ipv6", table) or ()),
        ),
        missing_tables_ipv4=frozenset(missing),
        local_first=rules[0] if rules is not None else None,
        ipv4_merged=False if rules is not None and rules[1] else None,
    )


def read_links(route_socket: netlink_socket.NetlinkSocket) -> tuple[addresses.Link, ...]:
    """Every link, by ifindex. Raises NetlinkError, MalformedMessage."""
    return tuple(
        sorted(map(rtnetlink.parse_link, route_socket.dump(rtnetlink.RTM_GETLINK, rtnetlink.pack_link_request())))
    )


def read_addresses(route_socket: netlink_socket.NetlinkSocket) -> tuple[addresses.Address, ...]:
    """Every IPv4 and IPv6 address, in the kernel's order (primary before its secondaries). Raises NetlinkError,
    MalformedMessage.
    """
    parsed = map(rtnetlink.parse_address, route_socket.dump(rtnetlink.RTM_GETADDR, rtnetlink.pack_address_request()))
    return tuple(address for address in parsed if address is not None)


def _read_table(
    route_socket: netlink_socket.NetlinkSocket, family: str, table: int
) -> Optional[tuple[addresses.Route, ...]]:
    """The routes of one table, in lookup order among equal prefixes; None where the table does not exist.

    The table `local` of a namespace that never had an IPv4 address does not exist. Raises NetlinkError,
    MalformedMessage.
    """
    try:
        payloads = route_socket.dump(
            rtnetlink.RTM_GETROUTE, rtnetlink.pack_table_request(rtnetlink.FAMILY_NUMBERS[family], table)
        )
    except netlink_socket.NetlinkError as error:
        if error.errno == errno.ENOENT:  # "FIB table does not exist", with strict checking only
            return None
        if error.errno in _NOT_SUPPORTED:
            return ()
        raise
    routes = map(rtnetlink.parse_route, payloads)
    return tuple(route for route in routes if route is not None and route.family == family and route.table == table)


def _read_rules(route_socket: netlink_socket.NetlinkSocket) -> tuple[bool, bool]:
    """Whether table `local` is asked before any rule can decide, in both families; and whether IPv4 has rules beside
    the kernel's own three. Raises NetlinkError, MalformedMessage.
    """
    ipv4, ipv6 = (_read_family_rules(route_socket, family) for family in rtnetlink.FAMILY_NUMBERS.values())
    first = all(not rules or rules[0][1:] == (addresses.RT_TABLE_LOCAL, True) for rules in (ipv4, ipv6))
    return first, bool(ipv4) and tuple(ipv4) != _KERNEL_RULES


def _read_family_rules(route_socket: netlink_socket.NetlinkSocket, family: int) -> list[tuple[int, int, bool]]:
    try:
        payloads = route_socket.dump(rtnetlink.RTM_GETRULE, rtnetlink.pack_rule_request(family))
    except netlink_socket.NetlinkError as error:
        if error.errno in _NOT_SUPPORTED:
            return []  # without policy routing there is nothing but local, main, default
        raise
    # Stable: rules of one priority keep the order in which they are asked.
    return sorted(
        (rtnetlink.parse_rule(payload) for payload in payloads if payload[0] == family), key=lambda rule: rule[0]
    )


def or_gap(gaps: list[backends.Gap], source: str, subject: str, read: Callable[[], _T]) -> Optional[_T]:
    """What `read` gives, or None and one more Gap; no Gap for an IPv6 setting that is not there."""
    try:
        return read()
    except (netlink_socket.NetlinkError, netlink.MalformedMessage, OSError) as error:
        # A host without IPv6 has no such setting, and no IPv6 socket that it could concern.
        if not (subject.startswith("net.ipv6.") and isinstance(error, FileNotFoundError)):
            gaps.append(backends.Gap(source, subject, str(error)))
        return None


def read_nonlocal_bind(family: str, proc: str = "/proc") -> bool:
    """net.<family>.ip_nonlocal_bind (Documentation/networking/ip-sysctl.rst). Raises OSError."""
    with open(f"{proc}/sys/net/{family}/ip_nonlocal_bind", "rb") as file:
        return file.read().strip() not in (b"", b"0")


def read_lookups(known: addresses.Network, wanted: Collection[tuple[int, bytes]]) -> backends.Networks:
    from . import route_lookups

    return route_lookups.add_lookups(known, wanted)


def read_merged(known: addresses.Network) -> backends.Networks:
    from . import route_lookups

    return route_lookups.add_merged(known)


def read_ownerships(sockets: Sequence[bindings.Socket], every_holder: Collection[int]) -> backends.Ownerships:
    from .owners import read_owners

    by_inode, gaps = read_owners(sockets, every_process={sockets[position].inode for position in every_holder})
    return [by_inode.get(socket.inode, bindings.UNKNOWN_OWNERSHIP) for socket in sockets], gaps


def read_live_options(
    sockets: Sequence[bindings.Socket], ownerships: Sequence[bindings.Ownership]
) -> backends.LiveOptions:
    from . import socket_options

    options, gaps = socket_options.read_options(sockets, ownerships)
    if all(read.reason is None for read in options):
        return options, gaps
    from . import socket_units

    return socket_units.read_unit_options(sockets, ownerships, options, gaps)


NETLINK = backends.Backend(
    name="netlink",
    capabilities=backends.Capabilities(
        pins=True, address_flags=True, link_state=True, routes=True, nonlocal_binds=False
    ),
    read_sockets=read_sockets,
    read_network=read_network,
    read_lookups=read_lookups,
    read_merged=read_merged,
    read_owners=read_ownerships,
    read_options=read_live_options,
)
