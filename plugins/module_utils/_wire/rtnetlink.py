# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links, addresses, routes and policy rules as rtnetlink(7) dumps them."""

from __future__ import annotations

import struct
from typing import Optional

from .._model import addresses
from . import netlink, spelling

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_GETROUTE = 26
RTM_GETRULE = 34

AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10  # Linux numbers, also where this is imported elsewhere
FAMILY_NAMES = {AF_INET: "ipv4", AF_INET6: "ipv6"}
FAMILY_NUMBERS = {"ipv4": AF_INET, "ipv6": AF_INET6}
ADDRESS_SIZES = {AF_INET: 4, AF_INET6: 16}

# include/uapi/linux/if_link.h
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_EXT_MASK = 1, 3, 4, 10, 16, 18, 29
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
IFLA_VRF_TABLE = 1
RTEXT_FILTER_SKIP_STATS = 1 << 3

# include/uapi/linux/if_addr.h
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 3, 4, 6, 8
INFINITY_LIFE_TIME = 0xFFFFFFFF

# include/uapi/linux/rtnetlink.h
RTA_DST, RTA_OIF, RTA_PRIORITY, RTA_TABLE = 1, 4, 6, 15

# include/uapi/linux/fib_rules.h
FRA_PRIORITY, FRA_FLOW, FRA_SUPPRESS_IFGROUP, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_PAD, FRA_PROTOCOL = (
    6,
    11,
    13,
    14,
    15,
    18,
    21,
)
# Attributes that narrow nothing down. Any other one, of today or of a kernel to come, makes a rule one that does not
# match every packet.
_HARMLESS = frozenset({FRA_PRIORITY, FRA_FLOW, FRA_TABLE, FRA_PAD, FRA_PROTOCOL})
_SUPPRESSORS = (FRA_SUPPRESS_IFGROUP, FRA_SUPPRESS_PREFIXLEN)
_NO_SUPPRESSION = b"\xff" * 4  # sent with every rule
FR_ACT_TO_TBL = 1
FIB_RULE_INVERT = 2

# struct ifinfomsg { unsigned char ifi_family, pad; unsigned short ifi_type; int ifi_index; unsigned ifi_flags,
# ifi_change; }
_IFINFOMSG = struct.Struct("=BxHiII")
# struct ifaddrmsg { __u8 ifa_family, ifa_prefixlen, ifa_flags, ifa_scope; __u32 ifa_index; }
_IFADDRMSG = struct.Struct("=BBBBI")
# struct ifa_cacheinfo { __u32 ifa_prefered, ifa_valid, cstamp, tstamp; }
_CACHEINFO = struct.Struct("=IIII")
# struct rtmsg { unsigned char family, dst_len, src_len, tos, table, protocol, scope, type; unsigned flags; }
ROUTE_HEADER = struct.Struct("=BBBBBBBBI")
# struct fib_rule_hdr { __u8 family, dst_len, src_len, tos, table, res1, res2, action; __u32 flags; }
_RULE = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")


def pack_link_request() -> bytes:
    """All links, without the statistics of their virtual functions (an adapter can have hundreds)."""
    return _IFINFOMSG.pack(AF_UNSPEC, 0, 0, 0, 0) + netlink.pack_attribute(
        IFLA_EXT_MASK, _U32.pack(RTEXT_FILTER_SKIP_STATS)
    )


def pack_address_request() -> bytes:
    return _IFADDRMSG.pack(AF_UNSPEC, 0, 0, 0, 0)


def pack_table_request(family: int, table: int) -> bytes:
    """One routing table, filtered by the kernel where the socket asks for strict checking (Linux 4.20)."""
    return ROUTE_HEADER.pack(family, 0, 0, 0, table if table < 256 else 0, 0, 0, 0, 0) + netlink.pack_attribute(
        RTA_TABLE, _U32.pack(table)
    )


def pack_rule_request(family: int) -> bytes:
    return _RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)


def parse_link(payload: bytes) -> addresses.Link:
    """An RTM_NEWLINK or RTM_DELLINK. Raises MalformedMessage."""
    _family, _type, ifindex, flags, _change = netlink.unpack(_IFINFOMSG, "link message", payload)
    attributes = netlink.parse_attributes(payload, _IFINFOMSG.size)
    if IFLA_IFNAME not in attributes:
        raise netlink.MalformedMessage(f"link {ifindex} has no name")
    operstate = attributes.get(IFLA_OPERSTATE)
    mac = attributes.get(IFLA_ADDRESS)
    kind, vrf_table = _parse_linkinfo(attributes[IFLA_LINKINFO]) if IFLA_LINKINFO in attributes else (None, None)
    return addresses.Link(
        ifindex=ifindex,
        name=spelling.printable(attributes[IFLA_IFNAME].rstrip(b"\0")),
        kind=kind,
        flags=flags,
        operstate=addresses.OPERSTATES[operstate[0]]
        if operstate and operstate[0] < len(addresses.OPERSTATES)
        else None,
        mtu=netlink.parse_u32(attributes[IFLA_MTU], "the MTU") if IFLA_MTU in attributes else None,
        mac=mac.hex(":") if mac else None,
        master=_read_u32(attributes, IFLA_MASTER, "the master", 0),
        vrf_table=vrf_table,
    )


def _parse_linkinfo(value: bytes) -> tuple[Optional[str], Optional[int]]:
    info = netlink.parse_attributes(value)
    kind = spelling.printable(info[IFLA_INFO_KIND].rstrip(b"\0")) if IFLA_INFO_KIND in info else None
    if kind != "vrf":
        return kind, None
    table = netlink.parse_attributes(info.get(IFLA_INFO_DATA, b"")).get(IFLA_VRF_TABLE)
    return kind, netlink.parse_u32(table, "the table of a VRF") if table is not None else None


def parse_address(payload: bytes) -> Optional[addresses.Address]:
    """An RTM_NEWADDR or RTM_DELADDR; None for a family that is neither IPv4 nor IPv6. Raises MalformedMessage."""
    family, prefixlen, flags8, scope, ifindex = netlink.unpack(_IFADDRMSG, "address message", payload)
    if family not in FAMILY_NAMES:
        return None
    attributes = netlink.parse_attributes(payload, _IFADDRMSG.size)
    # On a point-to-point link IFA_ADDRESS is the peer and IFA_LOCAL is ours; IPv6 sends IFA_LOCAL only then.
    ours = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
    if ours is None or len(ours) != ADDRESS_SIZES[family]:
        raise netlink.MalformedMessage(
            f"an address on link {ifindex} has {len(ours or b'')} bytes, {ADDRESS_SIZES[family]} expected"
        )
    other, broadcast = attributes.get(IFA_ADDRESS), attributes.get(IFA_BROADCAST)
    if any(packed is not None and len(packed) != len(ours) for packed in (other, broadcast)):
        raise netlink.MalformedMessage(f"an address on link {ifindex} has a peer or broadcast address of another size")
    preferred, valid = (
        netlink.unpack(_CACHEINFO, "lifetime", attributes[IFA_CACHEINFO])[:2]
        if IFA_CACHEINFO in attributes
        else (INFINITY_LIFE_TIME,) * 2
    )
    return addresses.Address(
        family=FAMILY_NAMES[family],
        packed=ours,
        prefixlen=prefixlen,
        ifindex=ifindex,
        scope=scope,
        flags=_read_u32(attributes, IFA_FLAGS, "the flags", flags8),
        peer=other if other != ours else None,
        broadcast=broadcast,
        label=spelling.printable(attributes[IFA_LABEL].rstrip(b"\0")) if IFA_LABEL in attributes else None,
        preferred_lifetime=None if preferred == INFINITY_LIFE_TIME else preferred,
        valid_lifetime=None if valid == INFINITY_LIFE_TIME else valid,
    )


def parse_route(payload: bytes) -> Optional[addresses.Route]:
    """An RTM_NEWROUTE; None for a family that is neither IPv4 nor IPv6. Raises MalformedMessage."""
    family, prefixlen, _src_len, tos, table, _protocol, _scope, route_type, flags = netlink.unpack(
        ROUTE_HEADER, "route message", payload
    )
    if family not in FAMILY_NAMES:
        return None
    attributes = netlink.parse_attributes(payload, ROUTE_HEADER.size)
    destination = attributes.get(RTA_DST, bytes(ADDRESS_SIZES[family]))
    if len(destination) != ADDRESS_SIZES[family] or prefixlen > 8 * len(destination):
        raise netlink.MalformedMessage(f"a route to {len(destination)} bytes / {prefixlen}")
    return addresses.Route(
        family=FAMILY_NAMES[family],
        table=_read_u32(attributes, RTA_TABLE, "the table", table),
        type=route_type,
        packed=destination,
        prefixlen=prefixlen,
        ifindex=_read_u32(attributes, RTA_OIF, "the interface", 0),
        priority=_read_u32(attributes, RTA_PRIORITY, "the priority", 0),
        flags=flags,
        tos=tos,
    )


def parse_rule(payload: bytes) -> tuple[int, int, bool]:
    """An RTM_NEWRULE: (priority, table, whether it sends every packet there). Raises MalformedMessage."""
    _family, dst_len, src_len, tos, table, _res1, _res2, action, flags = netlink.unpack(_RULE, "rule message", payload)
    attributes = netlink.parse_attributes(payload, _RULE.size)
    priority = _read_u32(attributes, FRA_PRIORITY, "the priority", 0)
    table = _read_u32(attributes, FRA_TABLE, "the table", table)
    suppressed = any(attributes.pop(name, _NO_SUPPRESSION) != _NO_SUPPRESSION for name in _SUPPRESSORS)
    narrowed = bool(
        dst_len or src_len or tos or flags & FIB_RULE_INVERT or suppressed or not _HARMLESS.issuperset(attributes)
    )
    return priority, table, action == FR_ACT_TO_TBL and not narrowed


def _read_u32(attributes: dict[int, bytes], name: int, what: str, default: int) -> int:
    return netlink.parse_u32(attributes[name], what) if name in attributes else default
