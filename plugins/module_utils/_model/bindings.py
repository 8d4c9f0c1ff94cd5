# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What listens: one record per listening TCP or bound UDP socket, and what is said of its binding."""

from typing import NamedTuple, Optional

from . import owners

TCP = "tcp"
UDP = "udp"
IPV4 = "ipv4"
IPV6 = "ipv6"

STALE_INTERFACE = "stale_interface"
WILDCARD = "wildcard"
PENDING = "pending"
VALID = "valid"
INTENDED = "intended"
STALE_ADDRESS = "stale_address"
UNKNOWN = "unknown"
STATES = (STALE_INTERFACE, WILDCARD, PENDING, VALID, INTENDED, STALE_ADDRESS, UNKNOWN)


class Socket(NamedTuple):
    """One listening TCP or bound UDP socket as the kernel lists it. None = that source does not say."""

    protocol: str  # tcp | udp
    family: str  # ipv4 | ipv6
    packed: bytes  # bind address: 4 or 16 bytes, network order
    port: int
    ifindex: Optional[int]  # 0 = not pinned
    v6only: Optional[bool]  # None also for IPv4
    backlog: Optional[int]  # TCP: accept queue limit, connections
    queued: Optional[int]  # TCP: accept queue length
    uid: Optional[int]
    inode: int  # 0 = no file (a socket of the kernel's own), or not known
    cgroup_id: Optional[int]  # cgroup v2 directory of the creator: inode number
    freebind: Optional[bool]
    transparent: Optional[bool]

    @property
    def identity(self) -> tuple[str, str, bytes, int, int]:
        """What makes a listener the same one in two runs: (netns is the run's own) protocol, address, port, pin;
        never a pid.
        """
        return (self.protocol, self.family, self.packed, self.port, self.ifindex or 0)

    @property
    def sort_key(self) -> tuple[str, bytes, int, int, int]:
        return (self.protocol, self.packed, self.port, self.ifindex or 0, self.inode)


class Binding(NamedTuple):
    """Where a bind address stands. See docs/guides/what_stale_means.md."""

    state: str  # one of STATES
    reachable: Optional[bool]  # would the kernel deliver to it
    rebindable: Optional[bool]  # would a plain bind of it succeed now (never about port conflicts)
    reason: str


class Options(NamedTuple):
    """Live socket options, read from the socket itself; None = unknown."""

    reuseaddr: Optional[bool] = None
    reuseport: Optional[bool] = None
    keepalive: Optional[bool] = None
    defer_accept: Optional[int] = None  # seconds
    reason: Optional[str] = None  # why they are unknown; None when they were read


UNREAD_OPTIONS = Options(reason="not asked for")


class Listener(NamedTuple):
    """A socket with everything that one run found out about it."""

    socket: Socket
    binding: Binding
    ownership: owners.Ownership = owners.UNKNOWN_OWNERSHIP
    options: Options = UNREAD_OPTIONS
