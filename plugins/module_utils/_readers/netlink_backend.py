# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linux, through the kernel's own interfaces, with the standard library alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from .._model import addresses, backends, bindings
from .._wire import inet_diag, netlink, rtnetlink
from . import netlink_socket, network


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
    read_network=network.read_network,
    read_lookups=read_lookups,
    read_merged=read_merged,
    read_owners=read_ownerships,
    read_options=read_live_options,
)
