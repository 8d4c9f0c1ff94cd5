# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of every netlink message: header, attributes, errors (netlink(7), include/uapi/linux/netlink.h).

Integers are in host byte order (`=`) here, as netlink has them; what is in network order inside a payload
says so where it is parsed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSG_OVERRUN = 4

NLM_F_REQUEST = 0x01
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300

MAX_ERRNO = 4095  # include/linux/err.h

NLA_TYPE_MASK = 0x3FFF  # the two bits above are NLA_F_NESTED and NLA_F_NET_BYTEORDER

# struct nlmsghdr { __u32 nlmsg_len; __u16 nlmsg_type; __u16 nlmsg_flags; __u32 nlmsg_seq; __u32 nlmsg_pid; }
_HEADER = struct.Struct("=IHHII")
# struct nlattr { __u16 nla_len; __u16 nla_type; }
_ATTRIBUTE = struct.Struct("=HH")
_INT32 = struct.Struct("=i")


class MalformedMessage(Exception):
    """The kernel's answer does not have the shape that its headers promise."""


Message = tuple[int, int, int, bytes]  # type, flags, sequence number, payload


def pack_message(message_type: int, flags: int, seq: int, payload: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(payload), message_type, flags | NLM_F_REQUEST, seq, 0) + payload


def parse_messages(data: bytes) -> Iterator[Message]:
    """Every message of one datagram. Raises MalformedMessage where a length runs out of the datagram or leaves a
    rest.
    """
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _HEADER.size:
            raise MalformedMessage(f"{end - offset} bytes left over after the last netlink message")
        length, message_type, flags, seq, _pid = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > end:
            raise MalformedMessage(
                f"a netlink message of type {message_type} says {length} bytes where {end - offset} are left"
            )
        yield message_type, flags, seq, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def pack_attribute(attribute_type: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, attribute_type) + value + bytes(-length % 4)


def parse_attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Attributes from `offset` to the end, by type; of a repeated type the last. Raises MalformedMessage."""
    attributes = {}
    end = len(data)
    while offset < end:
        if end - offset < _ATTRIBUTE.size:
            raise MalformedMessage(f"{end - offset} bytes left over after the last netlink attribute")
        length, attribute_type = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > end:
            raise MalformedMessage(
                f"netlink attribute {attribute_type & NLA_TYPE_MASK} says {length} bytes where {end - offset} are left"
            )
        attributes[attribute_type & NLA_TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return attributes


def parse_error(payload: bytes) -> int:
    """The errno of an NLMSG_ERROR (0 = acknowledged), or of the NLMSG_DONE that ends a dump (absent there on old
    kernels: 0).
    """
    if not payload:
        return 0
    if len(payload) < _INT32.size:
        raise MalformedMessage(f"an error report of {len(payload)} bytes")
    code: int = _INT32.unpack_from(payload)[0]
    if code < -MAX_ERRNO:
        raise MalformedMessage(f"an error report with the number {code}")
    # A dump may end with a positive length in place of an errno (netlink_dump_done puts nlk->dump_done_errno, which
    # is <= 0 on error).
    return -code if code < 0 else 0


def unpack(layout: struct.Struct, what: str, payload: bytes) -> tuple[int, ...]:
    """`layout` at the start of `payload`; MalformedMessage naming `what` where it is too short."""
    if len(payload) < layout.size:
        raise MalformedMessage(f"a {what} of {len(payload)} bytes, {layout.size} expected")
    return layout.unpack_from(payload)


def parse_u32(value: bytes, what: str) -> int:
    if len(value) != 4:
        raise MalformedMessage(f"{what} has {len(value)} bytes, 4 expected")
    return int.from_bytes(value, BYTE_ORDER)


BYTE_ORDER: Literal["little", "big"] = "little" if struct.pack("=H", 1) == b"\x01\x00" else "big"
