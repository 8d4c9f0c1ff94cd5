# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel shows of a world besides its answers: files below /proc, and ioctls."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
from typing import NamedTuple

IFA_F_OPTIMISTIC = 0x04
IFA_F_DADFAILED = 0x08
IFA_F_DEPRECATED = 0x20
IFA_F_TENTATIVE = 0x40

SCOPE_HOST = 0x10  # /proc/net/if_inet6 shows IPV6_ADDR_LOOPBACK and IPV6_ADDR_LINKLOCAL of net/ipv6.h
SCOPE_LINK = 0x20

_SIOCGIFFLAGS = 0x8913
_IFF_UP = 0x1

# include/uapi/linux/rtnetlink.h: LINK, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE
_GROUPS = sum(1 << (group - 1) for group in (1, 5, 7, 8, 9, 11, 19))


class Ipv6Address(NamedTuple):
    address: str
    ifindex: int
    scope: int
    flags: int
    link: str


def read_ipv6_addresses() -> list[Ipv6Address]:
    rows = []
    with open("/proc/net/if_inet6", encoding="ascii") as file:
        for line in file:
            packed, ifindex, _prefixlen, scope, flags, link = line.split()
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed))
            rows.append(Ipv6Address(address, int(ifindex, 16), int(scope, 16), int(flags, 16), link))
    return rows


def ifindex_exists(ifindex: int) -> bool:
    try:
        socket.if_indextoname(ifindex)
    except OSError:
        return False
    return True


def read_up_links() -> list[str]:
    """Links that are administratively up."""
    names = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _index, name in socket.if_nameindex():
            # struct ifreq: the name, then ifr_flags (netdevice(7)). /sys/class/net shows the namespace that mounted it.
            with contextlib.suppress(OSError):
                reply = fcntl.ioctl(asking, _SIOCGIFFLAGS, struct.pack("16sh14x", name.encode(), 0))
                if struct.unpack("16sh14x", reply)[1] & _IFF_UP:
                    names.append(name)
    return names


class Quiet:
    """Hears whether links, addresses, routes or rules changed: two looks can be compared only while none did."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._socket.bind((0, _GROUPS))

    def heard(self) -> bool:
        """Whether anything changed since the last call."""
        any_heard = False
        while True:
            try:
                self._socket.recv(65536)
            except BlockingIOError:
                return any_heard
            except OSError:  # ENOBUFS: more than fitted
                pass
            any_heard = True

    def close(self) -> None:
        self._socket.close()
