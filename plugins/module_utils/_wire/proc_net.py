# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The socket tables of /proc/net (proc(5)): text in, records out."""

from __future__ import annotations

import re
import sys

from .._model import bindings
from . import procfs

TCP_LISTEN = 0x0A  # include/net/tcp_states.h
TCP_CLOSE = 0x07  # what an unconnected UDP socket is in

# net/ipv4/tcp_ipv4.c get_tcp4_sock, get_timewait4_sock, get_openreq4; udp.c udp4_format_sock; their IPv6 siblings.
_ROW = (
    rb" *\d+: ([0-9A-F]{%(digits)d}):([0-9A-F]{4}) [0-9A-F]{%(digits)d}:[0-9A-F]{4} ([0-9A-F]{2})"
    rb" [0-9A-F]{8,}:([0-9A-F]{8,}) [0-9A-F]{2}:[0-9A-F]{8,} [0-9A-F]{8,} +(\d{1,20}) +-?\d+ (\d{1,20}) .*"
)


def parse_sockets(raw: bytes, protocol: str, family: str, byteorder: str = sys.byteorder) -> list[bindings.Socket]:
    """The listeners in /proc/net/{tcp,udp}{,6}: TCP in state LISTEN, UDP unconnected. Raises ProcfsError.

    Addresses are printed as host-endian 32-bit words, hence `byteorder` (little, big): that of the machine that wrote
    the file. `queued` is known for TCP only; pins, options, v6only, backlog and cgroup are not in there.
    """
    source = f"/proc/net/{protocol}{'' if family == bindings.IPV4 else '6'}"
    if not raw.endswith(b"\n"):
        raise procfs.ProcfsError(source, raw.count(b"\n") + 1, "the file ends in the middle of a line")
    lines = raw.split(b"\n")[:-1]
    if b"local_address" not in lines[0]:
        raise procfs.ProcfsError(source, 1, "not the heading of a socket table")
    row = re.compile(_ROW % {b"digits": 8 if family == bindings.IPV4 else 32}).fullmatch
    listening = TCP_LISTEN if protocol == bindings.TCP else TCP_CLOSE
    sockets = []
    for number, line in enumerate(lines[1:], 2):
        match = row(line)
        if match is None:
            raise procfs.ProcfsError(source, number, "not the fields of a socket")
        address, port, state, queued, uid, inode = match.groups()
        if int(state, 16) == listening:
            sockets.append(
                bindings.Socket(
                    protocol=protocol,
                    family=family,
                    packed=_parse_address(address, byteorder),
                    port=int(port, 16),
                    ifindex=None,
                    v6only=None,
                    backlog=None,
                    queued=int(queued, 16) if protocol == bindings.TCP else None,
                    uid=int(uid),
                    inode=int(inode),
                    cgroup_id=None,
                    freebind=None,
                    transparent=None,
                )
            )
    return sockets


def _parse_address(digits: bytes, byteorder: str) -> bytes:
    packed = bytes.fromhex(digits.decode("ascii"))
    if byteorder == "big":
        return packed
    return b"".join([packed[start : start + 4][::-1] for start in range(0, len(packed), 4)])
