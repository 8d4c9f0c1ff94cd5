# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links and addresses of the present network namespace, from the kernel."""

from __future__ import annotations

from .._model.addresses import Address, Link
from .._wire.rtnetlink import (
    RTM_GETADDR,
    RTM_GETLINK,
    pack_address_request,
    pack_link_request,
    parse_address,
    parse_link,
)
from .netlink_socket import NetlinkSocket


def read_links(route_socket: NetlinkSocket) -> tuple[Link, ...]:
    """Every link, by ifindex. Raises NetlinkError, MalformedMessage."""
    return tuple(sorted(map(parse_link, route_socket.dump(RTM_GETLINK, pack_link_request()))))


def read_addresses(route_socket: NetlinkSocket) -> tuple[Address, ...]:
    """Every IPv4 and IPv6 address, in the kernel's order (primary before its secondaries). Raises NetlinkError,
    MalformedMessage.
    """
    parsed = map(parse_address, route_socket.dump(RTM_GETADDR, pack_address_request()))
    return tuple(address for address in parsed if address is not None)
