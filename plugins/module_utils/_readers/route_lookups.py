# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tables alone do not tell: the kernel's own answer for one address, and whether two tables are one."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from typing import Optional

from .._model import addresses, backends
from .._wire import netlink, route_request, rtnetlink
from . import netlink_backend, netlink_socket

_NO_ROUTE = (
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EACCES,
    errno.EINVAL,
    errno.ENODEV,
    errno.EADDRNOTAVAIL,
    errno.ENONET,
)


def add_lookups(
    network: addresses.Network, wanted: Collection[tuple[int, bytes]]
) -> tuple[addresses.Network, tuple[backends.Gap, ...]]:
    """With the kernel's answers for each (VRF ifindex or 0, address). Never raises."""
    try:
        with netlink_socket.NetlinkSocket(netlink_socket.NETLINK_ROUTE) as route_socket:
            return network._replace(lookups=read_lookups(route_socket, wanted)), ()
    except (netlink_socket.NetlinkError, netlink.MalformedMessage) as error:
        return network, (backends.Gap("rtnetlink", "route lookups", str(error)),)


def add_merged(network: addresses.Network) -> tuple[addresses.Network, tuple[backends.Gap, ...]]:
    """With `ipv4_merged`. Never raises."""
    gaps: list[backends.Gap] = []
    subject = "whether IPv4 tables local and main are one"
    merged = netlink_backend.or_gap(gaps, "/proc/net/fib_trie", subject, read_merged)
    return network._replace(ipv4_merged=merged), tuple(gaps)


def read_merged(proc: str = "/proc") -> bool:
    """Whether IPv4's tables local and main are one trie, as /proc/net/fib_trie then shows them twice. Raises OSError.

    The file lists every route, so ask only when the answer matters.
    """
    digests: dict[bytes, int] = {}
    section = b""
    with open(f"{proc}/thread-self/net/fib_trie", "rb") as file:
        for line in file:
            if line[:1] == b" ":
                digests[section] = hash((digests.get(section), line))
            else:
                section = line.strip()
    return digests.get(b"Main:") == digests.get(b"Local:")


def read_lookups(
    route_socket: netlink_socket.NetlinkSocket, wanted: Collection[tuple[int, bytes]]
) -> dict[tuple[int, bytes], Optional[int]]:
    """The kernel's route type (RTN_*) for each (VRF ifindex or 0, address); 0 where it has no route. Raises
    MalformedMessage.
    """
    return {(vrf, packed): _read_lookup(route_socket, vrf, packed) for vrf, packed in wanted}


def _read_lookup(route_socket: netlink_socket.NetlinkSocket, vrf: int, packed: bytes) -> Optional[int]:
    try:
        route = rtnetlink.parse_route(
            ask(route_socket, rtnetlink.RTM_GETROUTE, route_request.pack_lookup_request(packed, vrf))
        )
    except netlink_socket.NetlinkError as error:
        # ENETUNREACH and EHOSTUNREACH: no route, or one of type unreachable; EACCES: prohibit; EINVAL: blackhole;
        # ENODEV: the VRF has gone; EADDRNOTAVAIL and ENONET come from sources that cannot be chosen.
        return 0 if error.errno in _NO_ROUTE else None
    return route.type if route is not None else addresses.RTN_UNICAST


def ask(channel: netlink_socket.NetlinkSocket, request_type: int, payload: bytes) -> bytes:
    """The payload of the one message that answers a request. Raises NetlinkError with the kernel's errno,
    MalformedMessage.
    """
    channel.send(request_type, 0, payload)
    messages: list[tuple[int, int, bytes]] = []
    while not messages:
        messages = channel.receive()
    message_type, _flags, answer = messages[0]
    if message_type == netlink.NLMSG_ERROR:
        code = netlink.parse_error(answer)
        raise netlink_socket.NetlinkError(os.strerror(code), code)
    return answer
