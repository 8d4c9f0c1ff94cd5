# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel's routing holds for local: the tables that say so, and the rules before them."""

from __future__ import annotations

import errno
from typing import Optional

from .._model import addresses
from .._wire import rtnetlink
from . import netlink_socket

# (priority, table, matches every packet) of local, main and default (fib_default_rules_init, net/ipv4/fib_rules.c)
_KERNEL_RULES = ((0, 255, True), (32766, 254, True), (32767, 253, True))

# What a kernel without that family, or built without policy routing, answers to a dump.
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT)


def read_table(
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


def read_rules(route_socket: netlink_socket.NetlinkSocket) -> tuple[bool, bool]:
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
