# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that holds a port, as sock_diag(7) dumps them (include/uapi/linux/inet_diag.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from .._model import connections
from . import diag_filter, inet_diag, netlink

# include/net/tcp_states.h. TCP_BOUND_INACTIVE is a pseudo-state of Linux 6.8: asked for as 13, answered as 7.
_STATES = {
    1: connections.ESTABLISHED,
    2: connections.SYN_SENT,
    3: connections.SYN_RECEIVED,
    4: connections.FIN_WAIT_1,
    5: connections.FIN_WAIT_2,
    6: connections.TIME_WAIT,
    7: connections.BOUND,
    8: connections.CLOSE_WAIT,
    9: connections.LAST_ACK,
    10: connections.LISTENING,
    11: connections.CLOSING,
}
_TCP_BOUND_INACTIVE = 13
FIRST_RELEASE_WITH_BOUND = (6, 8)
_MASKS = {
    "tcp": sum(1 << state for state in _STATES) | 1 << _TCP_BOUND_INACTIVE,
    "udp": 1 << 1 | 1 << 7,
}
_UNCONNECTED_MASKS = {"tcp": 1 << 10 | 1 << _TCP_BOUND_INACTIVE, "udp": 1 << 7}
_TIMER_OF_TIMED_ROW = 3  # tcp_twsk_diag_fill; 1 retransmit, 2 keepalive, 4 zero window probe

_REQUEST = struct.Struct("=BBBxI48x")
_ROW = struct.Struct("=BBBB2s2s16s16sI8sIIIII")
_FAMILIES = {2: ("ipv4", 4), 10: ("ipv6", 16)}


def pack_occupant_request(family: int, protocol: str, ports: Iterable[int], unconnected: bool = False) -> bytes:
    """Every socket of one family with one of those local ports (and maybe a few more, see diag_filter).

    unconnected: only those that listen or are merely bound.
    """
    masks = _UNCONNECTED_MASKS if unconnected else _MASKS
    request = _REQUEST.pack(family, inet_diag.PROTOCOLS[protocol], 0, masks[protocol])
    return request + netlink.pack_attribute(diag_filter.INET_DIAG_REQ_BYTECODE, diag_filter.pack_port_filter(ports))


def parse_occupants(payloads: Iterable[bytes], protocol: str) -> list[connections.Occupant]:
    """One record per row, in the kernel's order, less the half-open ones (request sockets hold no port). Raises
    MalformedMessage.
    """
    rows = []
    for payload in payloads:
        if len(payload) < _ROW.size:
            raise netlink.MalformedMessage(f"a socket row of {len(payload)} bytes, {_ROW.size} expected")
        row = _parse_row(payload, protocol)
        if row.inode or row.state != connections.SYN_RECEIVED:
            rows.append(row)
    return rows


def _parse_row(payload: bytes, protocol: str) -> connections.Occupant:
    (family, state, timer, _retrans, sport, dport, source, destination, ifindex, _cookie, expires, _rqueue, _wqueue,
     uid, inode) = _ROW.unpack_from(payload)  # fmt: skip
    if family not in _FAMILIES or state not in _STATES:
        raise netlink.MalformedMessage(f"a socket row of address family {family} in state {state}")
    name, length = _FAMILIES[family]
    timed = timer == _TIMER_OF_TIMED_ROW
    v6only = None
    if length == 16 and not timed:
        said = netlink.parse_attributes(payload, _ROW.size).get(inet_diag.INET_DIAG_SKV6ONLY)
        if said == b"":
            raise netlink.MalformedMessage("a socket row has an attribute of the wrong size")
        v6only = None if said is None else said[0] != 0
    return connections.Occupant(
        protocol=protocol,
        family=name,
        packed=source[:length],
        port=int.from_bytes(sport, "big"),
        peer_packed=destination[:length],
        peer_port=int.from_bytes(dport, "big"),
        state=_STATES[state],
        ifindex=ifindex,
        uid=None if timed else uid,
        inode=inode,
        clears_in=expires if timed else None,
        v6only=v6only,
    )
