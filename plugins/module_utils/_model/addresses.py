# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's network configuration looks like: links, addresses, routes, and what may be bound there.

Flags and types keep the kernel's own numbers (include/uapi/linux/if_addr.h, rtnetlink.h, if.h), so that a record can
be held against a dump byte by byte; `_module.interfaces` turns them into words.
"""

from typing import NamedTuple, Optional

IFF_UP = 0x1
IFF_LOOPBACK = 0x8
IFF_RUNNING = 0x40

# RFC 2863 operational states, include/uapi/linux/if.h
OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")

IFA_F_SECONDARY = 0x01  # IPv4; the same bit says "temporary" (RFC 8981) for IPv6
IFA_F_OPTIMISTIC = 0x04
IFA_F_DADFAILED = 0x08
IFA_F_DEPRECATED = 0x20
IFA_F_TENTATIVE = 0x40
IFA_F_PERMANENT = 0x80

RTN_UNICAST = 1
RTN_LOCAL = 2
RTN_BROADCAST = 3
RTN_ANYCAST = 4
RTN_MULTICAST = 5

RTNH_F_DEAD = 1

RT_TABLE_LOCAL = 255


class Link(NamedTuple):
    """One network interface, from RTM_NEWLINK (or psutil, where everything after `name` may be unknown)."""

    ifindex: int
    name: str  # shown as the host says it, control characters escaped
    kind: Optional[str]  # IFLA_INFO_KIND: veth, bridge, vrf, …; None for a link without one (a physical device)
    flags: Optional[int]  # IFF_*
    operstate: Optional[str]  # one of OPERSTATES
    mtu: Optional[int]  # bytes
    mac: Optional[str]
    master: int  # ifindex of the bridge, bond or VRF above it; 0 = none
    vrf_table: Optional[int]  # routing table of a link of kind vrf


def is_up(link: Link) -> bool:
    """Switched on."""
    return bool((link.flags or 0) & IFF_UP)


def is_down(link: Link) -> bool:
    """Switched off, or up without a carrier. Loopback and many virtual links have no operational state: not down."""
    if link.flags is None:
        return False
    return not is_up(link) or (
        link.operstate in ("down", "lowerlayerdown", "notpresent") and not link.flags & IFF_LOOPBACK
    )


class Address(NamedTuple):
    """One address on one link, from RTM_NEWADDR."""

    family: str  # ipv4 | ipv6
    packed: bytes  # ours, also on a point-to-point link (IFA_LOCAL); 4 or 16 bytes, network order
    prefixlen: int
    ifindex: int
    scope: Optional[int]  # RT_SCOPE_*: 0 universe, 200 site, 253 link, 254 host
    flags: Optional[int]  # IFA_F_*
    peer: Optional[bytes]  # the other end of a point-to-point link
    broadcast: Optional[bytes]
    label: Optional[str]
    preferred_lifetime: Optional[int]  # seconds; None = for ever (or unknown, when `flags` is None)
    valid_lifetime: Optional[int]


def is_usable(address: Address) -> bool:
    """Not tentative; an optimistic address counts although it still is (RFC 4429)."""
    flags = address.flags or 0
    return bool(flags & IFA_F_OPTIMISTIC) or not flags & IFA_F_TENTATIVE


class Route(NamedTuple):
    """One row of a table that decides what is local: table `local`, or the table of a VRF."""

    family: str
    table: int
    type: int  # RTN_*
    packed: bytes
    prefixlen: int
    ifindex: int
    priority: int
    flags: int  # RTNH_F_*
    tos: int


def is_alive(route: Route) -> bool:
    """Takes part in the lookup of a plain packet: not a row for one TOS alone, nor one with a dead next hop."""
    return route.tos == 0 and not route.flags & RTNH_F_DEAD


class Network(NamedTuple):
    """Everything that decides whether an address is local and may be bound, as one look at the host found it.

    A member that could not be read is None, and a Gap in the snapshot says why.
    """

    links: Optional[tuple[Link, ...]] = None
    addresses: Optional[tuple[Address, ...]] = None
    routes_ipv4: Optional[tuple[Route, ...]] = None  # lookup order among equal prefixes
    routes_ipv6: Optional[tuple[Route, ...]] = None
    # Asked for and not there: the kernel then accepts any bind (inet_addr_type_table).
    missing_tables_ipv4: frozenset[int] = frozenset()
    local_first: Optional[bool] = None  # no policy rule comes before table `local`
    # Until the first policy rule is added, IPv4 keeps tables local and main in one trie (fib_unmerge), so that a row of
    # main can decide what is local. False: they are apart, as rules beside the three of the kernel show. None: unknown.
    ipv4_merged: Optional[bool] = None
    nonlocal_bind_ipv4: Optional[bool] = None  # net.ipv4.ip_nonlocal_bind
    nonlocal_bind_ipv6: Optional[bool] = None
    # (VRF ifindex or 0, packed) → RTN_* of the kernel's own route lookup, 0 = no route, None = it could not be asked.
    # Only for what the tables above do not already answer.
    lookups: dict[tuple[int, bytes], Optional[int]] = {}  # noqa: RUF012 -- shared, and nobody writes to a record


NO_NETWORK = Network()


# -- what the bits of an address say (4 or 16 bytes in network order)

V4_MAPPED = bytes(10) + b"\xff\xff"


def unmap(packed: bytes) -> bytes:
    """The IPv4 address of a v4-mapped one; any other as it is."""
    return packed[12:] if len(packed) == 16 and packed[:12] == V4_MAPPED else packed


def is_link_local(packed: bytes) -> bool:
    """fe80::/10."""
    return len(packed) == 16 and packed[0] == 0xFE and packed[1] & 0xC0 == 0x80


def is_multicast(packed: bytes) -> bool:
    """224.0.0.0/4, ff00::/8."""
    return packed[0] >> 4 == 0xE if len(packed) == 4 else packed[0] == 0xFF


def needs_scope(packed: bytes) -> bool:
    """Means something on one link only: link-local, or multicast limited to the link or the interface
    (__ipv6_addr_needs_scope_id)."""
    return is_link_local(packed) or (len(packed) == 16 and packed[0] == 0xFF and packed[1] & 0x0F in (1, 2))
