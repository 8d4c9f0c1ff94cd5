# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Would a bind succeed, and what stands in its way."""

from collections.abc import Mapping
from typing import NamedTuple, Optional

from . import bindings, connections

OK = "ok"
BLOCKED = "blocked"
UNAVAILABLE = "unavailable"
DENIED = "denied"
UNKNOWN = "unknown"


class Claim(NamedTuple):
    """A socket that is to be bound and, for TCP, to listen. None = it cannot be seen what the program will set."""

    protocol: str
    family: str
    packed: bytes
    port: int
    ifindex: int  # 0 = not pinned
    v6only: bool
    reuseaddr: Optional[bool]
    reuseport: Optional[bool]
    uid: Optional[int]


class BindWish(NamedTuple):
    """What a caller wants to bind. None = the caller does not say what the program sets."""

    protocol: str
    family: str
    packed: bytes
    port: int
    interface: Optional[str]  # by name
    v6only: bool
    reuseaddr: Optional[bool]
    reuseport: Optional[bool]
    freebind: bool  # IP_FREEBIND or IP_TRANSPARENT


class Rights(NamedTuple):
    """Whose bind it is, and whether that may use a privileged port."""

    user: str  # for a person
    uid: Optional[int]
    may_bind: Optional[bool]  # has CAP_NET_BIND_SERVICE; None = unknown
    lowest_free_port: Optional[int]  # net.ipv4.ip_unprivileged_port_start, for IPv6 as well; None = unknown


class Outlook(NamedTuple):
    """The answer that the kernel would give to a claim."""

    verdict: str  # OK | BLOCKED | UNAVAILABLE | DENIED | UNKNOWN
    errno: Optional[str]  # by name
    blockers: tuple[connections.Occupant, ...]  # for UNKNOWN: what may be in the way
    clear_in_seconds: Optional[int]  # when the last blocker is gone; only where every one of them is a timed row
    reason: Optional[str]  # None for OK


class Restarts(NamedTuple):
    """What a restart of each listener would meet now. A listener that is not there was not looked at."""

    outlooks: Mapping[bindings.Socket, Outlook]
    holders: Mapping[int, bindings.Ownership]  # of the blockers, by inode; those that were looked for


class Blockers(NamedTuple):
    """Blockers that are alike but for their peers."""

    state: str
    packed: bytes
    port: int
    ifindex: int
    sockets: int  # how many
    peers: tuple[tuple[bytes, int], ...]  # the first few: address and port
    clear_in_seconds: Optional[int]  # when the last of them is gone
    ownership: Optional[bindings.Ownership]  # None where no process holds them, or none was looked for
