# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets as sock_diag(7) dumps them (include/uapi/linux/inet_diag.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Optional

from .._model import bindings
from . import netlink

SOCK_DIAG_BY_FAMILY = 20
IPPROTO_TCP, IPPROTO_UDP = 6, 17
PROTOCOLS = {"tcp": IPPROTO_TCP, "udp": IPPROTO_UDP}

TCP_CLOSE, TCP_LISTEN = 7, 10
# What "listens" means as an idiag_states mask: a bound, unconnected UDP socket is in state CLOSE.
LISTENING_STATES = {"tcp": 1 << TCP_LISTEN, "udp": 1 << TCP_CLOSE}

INET_DIAG_SKV6ONLY, INET_DIAG_CGROUP_ID, INET_DIAG_SOCKOPT = 11, 21, 22

# struct inet_diag_req_v2 { __u8 family, protocol, ext, pad; __u32 states; struct inet_diag_sockid id (48 bytes, all
# zero = any); }
_REQUEST = struct.Struct("=BBBxI48x")
# struct inet_diag_msg { __u8 family, state, timer, retrans; struct inet_diag_sockid { __be16 sport, dport; __be32
# src[4], dst[4]; __u32 if,
#   cookie[2]; }; __u32 expires, rqueue, wqueue, uid, inode; }
_ROW = struct.Struct("=BBBB2s2s16s16sI8sIIIII")
# struct inet_diag_sockopt: bit fields, allocated from the low end on little-endian machines and from the high end on
# big-endian ones
_FREEBIND_BIT, _TRANSPARENT_BIT = (0x04, 0x20) if netlink.BYTE_ORDER == "little" else (0x20, 0x04)

_FAMILIES = {2: ("ipv4", 4), 10: ("ipv6", 16)}


# v6only, cgroup id, freebind and transparent, which come as attributes; None = this kernel does not say.
_Extras = tuple[Optional[bool], Optional[int], Optional[bool], Optional[bool]]


def pack_listener_request(family: int, protocol: str) -> bytes:
    """All listening (TCP) or bound, unconnected (UDP) sockets of one family; the kernel filters."""
    return _REQUEST.pack(family, PROTOCOLS[protocol], 0, LISTENING_STATES[protocol])


def parse_listeners(payloads: Iterable[bytes], protocol: str) -> list[bindings.Socket]:
    """One Socket per row of a dump that pack_listener_request asked for. Raises MalformedMessage."""
    # Sockets of one service mostly carry the very same attribute bytes, so each distinct tail is parsed once.
    known: dict[bytes, _Extras] = {}
    is_tcp = protocol == "tcp"
    size = _ROW.size
    rows = []
    for payload in payloads:
        if len(payload) < size:
            raise netlink.MalformedMessage(f"a socket row of {len(payload)} bytes, {size} expected")
        (
            family,
            _state,
            _timer,
            _retrans,
            sport,
            _dport,
            source,
            _dst,
            ifindex,
            _cookie,
            _expires,
            rqueue,
            wqueue,
            uid,
            inode,
        ) = _ROW.unpack_from(payload)
        if family not in _FAMILIES:
            raise netlink.MalformedMessage(f"a socket row of address family {family}")
        name, length = _FAMILIES[family]
        tail = payload[size:]
        extras = known.get(tail)
        if extras is None:
            extras = known[tail] = _parse_extras(tail)
        v6only, cgroup_id, freebind, transparent = extras
        rows.append(
            bindings.Socket(
                protocol,
                name,
                source[:length],
                sport[0] << 8 | sport[1],
                ifindex,
                v6only if length == 16 else None,
                wqueue if is_tcp else None,
                rqueue if is_tcp else None,
                uid,
                inode,
                cgroup_id,
                freebind,
                transparent,
            )
        )
    return rows


def _parse_extras(tail: bytes) -> _Extras:
    attributes = netlink.parse_attributes(tail)
    v6only = attributes.get(INET_DIAG_SKV6ONLY)
    cgroup_id = attributes.get(INET_DIAG_CGROUP_ID)
    options = attributes.get(INET_DIAG_SOCKOPT)
    if v6only == b"" or options == b"" or (cgroup_id is not None and len(cgroup_id) != 8):
        raise netlink.MalformedMessage("a socket row has an attribute of the wrong size")
    return (
        None if v6only is None else v6only[0] != 0,
        None if cgroup_id is None else int.from_bytes(cgroup_id, netlink.BYTE_ORDER),
        None if options is None else bool(options[0] & _FREEBIND_BIT),
        None if options is None else bool(options[0] & _TRANSPARENT_BIT),
    )
