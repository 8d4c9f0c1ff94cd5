# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What listens: one record per listening TCP or bound UDP socket, what is said of its binding, and who holds it."""

from typing import NamedTuple, Optional

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

# Of its holders; or UNKNOWN: gone meanwhile, or the source has none.
FOUND = "found"  # at least one holder was seen
DENIED = "denied"  # processes that may hold it cannot be looked into
KERNEL = "kernel"  # a complete, privileged walk found nobody: a socket of the kernel's own (NFS, WireGuard, …)


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


class Owner(NamedTuple):
    """One descriptor on the socket. Texts are as the host says them, control characters escaped."""

    pid: int
    name: str  # comm
    exe: Optional[str]
    user: Optional[str]  # name of the effective uid, or the number as text
    fd: int


class Service(NamedTuple):
    """What starts and stops the holder.

    manager: systemd, or a container engine (docker, podman, containerd, crio, kubernetes, lxc, nspawn).
    unit: unit name (nginx.service, ssh.socket), or the container's id or name.
    scope: system | user | container.
    uid: whose manager runs it, for scope user and for a rootless container; None for the system's.
    """

    manager: str
    unit: str
    scope: str
    uid: Optional[int] = None


class Ownership(NamedTuple):
    owners: tuple[Owner, ...]
    status: str  # FOUND | DENIED | KERNEL | UNKNOWN
    service: Optional[Service]
    complete: bool = False  # every process of the host was looked at, so no holder was missed
    doubt: str = ""  # why there is no service, where that is known
    # The /proc/PID/cgroup that all holders share, as long as the service is still to be named from it.
    cgroup: Optional[bytes] = None


UNKNOWN_OWNERSHIP = Ownership((), UNKNOWN, None)
UNREAD_OPTIONS = Options(reason="not asked for")


class Listener(NamedTuple):
    """A socket with everything that one run found out about it."""

    socket: Socket
    binding: Binding
    ownership: Ownership = UNKNOWN_OWNERSHIP
    options: Options = UNREAD_OPTIONS
