# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of links and addresses, told by the kernel as they happen (rtnetlink(7), multicast groups).

The order is what makes it complete: subscribe, then read the present state, then the notifications. One that came in
between tells what the reading has seen already, which does no harm.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from contextlib import suppress
from types import TracebackType
from typing import Optional

from .._model import addresses
from .._model.changes import Batch, Change
from .._wire import netlink, rtnetlink
from . import netlink_backend, netlink_socket

# include/uapi/linux/rtnetlink.h. The end of duplicate address detection, good or bad, is an RTM_NEWADDR with other
# flags (addrconf_dad_completed(), addrconf_dad_stop(), net/ipv6/addrconf.c).
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100

_SO_RCVBUFFORCE = 33  # include/uapi/asm-generic/socket.h; beyond net.core.rmem_max, with CAP_NET_ADMIN
_RECEIVE_BUFFER = 8 << 20  # bytes, with the kernel's bookkeeping: about 10,000 notifications
_LARGEST_MESSAGE = 1 << 17
_MOST_AT_ONCE = 4096  # datagrams before a look at the clock
_ADDRESS_MESSAGES = (rtnetlink.RTM_NEWADDR, rtnetlink.RTM_DELADDR)
_LINK_MESSAGES = (rtnetlink.RTM_NEWLINK, rtnetlink.RTM_DELLINK)


class AddressEvents:
    """A subscription; use it as a context manager. Raises NetlinkError where there is no netlink."""

    name = "netlink"

    def __init__(self, receive_buffer: int = _RECEIVE_BUFFER) -> None:
        try:
            self._channel = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, netlink_socket.NETLINK_ROUTE
            )
            self._channel.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        except OSError as error:
            raise netlink_socket.NetlinkError(
                f"the kernel's notifications cannot be had: {error.strerror}", error.errno
            ) from error
        self._channel.setblocking(False)
        _enlarge(self._channel, receive_buffer)
        self._poll = select.poll()
        self._poll.register(self._channel, select.POLLIN)

    def __enter__(self) -> AddressEvents:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._channel.close()

    def read_present(self) -> tuple[tuple[addresses.Link, ...], tuple[addresses.Address, ...]]:
        """Raises NetlinkError (EINTR where the tables did not stand still for one reading), MalformedMessage."""
        with netlink_socket.NetlinkSocket(netlink_socket.NETLINK_ROUTE) as route_socket:
            return netlink_backend.read_links(route_socket), netlink_backend.read_addresses(route_socket)

    def wait(self, seconds: float) -> Batch:
        """Everything that the kernel has told; waits that long for the first. Raises NetlinkError, MalformedMessage."""
        if not self._poll.poll(max(seconds, 0) * 1000):
            return Batch([])
        changes: list[Change] = []
        lost = False
        for _datagram in range(_MOST_AT_ONCE):
            try:
                data, _ancillary, flags, sender = self._channel.recvmsg(_LARGEST_MESSAGE)
            except BlockingIOError:
                return Batch(changes, lost)
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # the queue was full, and what came then is gone (netlink(7))
                    raise netlink_socket.NetlinkError(
                        f"no notification can be received: {os.strerror(error.errno or 0)}"
                    ) from error
                lost = True
                continue
            if flags & socket.MSG_TRUNC:
                lost = True
            elif sender[0] == 0:  # the kernel itself
                changes += [change for message in netlink.parse_messages(data) for change in _parse_change(message)]
        return Batch(changes, lost, more=True)


def _enlarge(channel: socket.socket, size: int) -> None:
    with suppress(OSError):
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    with suppress(OSError):  # not without CAP_NET_ADMIN; then what does not fit is noticed and read anew
        channel.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)


def _parse_change(message: netlink.Message) -> list[Change]:
    message_type, _flags, _seq, payload = message
    gone = message_type in (rtnetlink.RTM_DELADDR, rtnetlink.RTM_DELLINK)
    if message_type in _ADDRESS_MESSAGES:
        address = rtnetlink.parse_address(payload)
        return [Change(address, gone)] if address is not None else []
    # A bridge tells of its ports in the same group, as AF_BRIDGE: RTM_DELLINK means "left the bridge" there
    # (br_ifinfo_notify(), net/bridge/br_netlink.c).
    if message_type in _LINK_MESSAGES and payload[:1] == bytes([rtnetlink.AF_UNSPEC]):
        return [Change(rtnetlink.parse_link(payload), gone)]
    return []
