# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The question which route a packet takes, whose answer is a route as rtnetlink.py parses it (rtnetlink(7))."""

from __future__ import annotations

import struct

from . import netlink, rtnetlink


def pack_lookup_request(packed: bytes, ifindex: int) -> bytes:
    """The route that a packet to `packed` takes from here; through the VRF `ifindex` where that is not 0."""
    family = rtnetlink.AF_INET if len(packed) == 4 else rtnetlink.AF_INET6
    request = rtnetlink.ROUTE_HEADER.pack(family, 8 * len(packed), 0, 0, 0, 0, 0, 0, 0)
    request += netlink.pack_attribute(rtnetlink.RTA_DST, packed)
    return request + netlink.pack_attribute(rtnetlink.RTA_OIF, struct.pack("=I", ifindex)) if ifindex else request
