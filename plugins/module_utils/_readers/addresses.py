# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links and addresses of the present network namespace, from the kernel."""

from __future__ import annotations

from .._model import addresses
from .._wire import rtnetlink
from . import netlink_socket


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
