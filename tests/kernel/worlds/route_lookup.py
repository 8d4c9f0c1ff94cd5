# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`ip route get` in one function: which type of route the kernel itself finds for a destination."""

from __future__ import annotations

import socket
import struct

RTN_LOCAL = 2
RTN_BROADCAST = 3
RTN_ANYCAST = 4

_RTM_GETROUTE = 26
_NLM_F_REQUEST = 1
_NLMSG_ERROR = 2
_RTA_DST = 1


def look_up(family: socket.AddressFamily, destination: bytes) -> int:
    """RTN_* of include/uapi/linux/rtnetlink.h; 0 when there is no route."""
    # struct nlmsghdr, struct rtmsg (rtm_dst_len in bits), one attribute
    body = struct.pack("=8BI", family, len(destination) * 8, 0, 0, 0, 0, 0, 0, 0)
    body += struct.pack("=HH", 4 + len(destination), _RTA_DST) + destination
    request = struct.pack("=IHHII", 16 + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asking:
        asking.settimeout(5)
        asking.sendto(request, (0, 0))
        reply = asking.recv(8192)
    kind = struct.unpack_from("=H", reply, 4)[0]
    return 0 if kind == _NLMSG_ERROR else int(reply[16 + 7])  # rtm_type
