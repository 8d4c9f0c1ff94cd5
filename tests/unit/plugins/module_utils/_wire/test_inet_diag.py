# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.inet_diag import (
    pack_listener_request,
    parse_listeners,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.netlink import (
    BYTE_ORDER,
    MalformedMessage,
    pack_attribute,
)
from builders import make_socket
from hypothesis import given
from hypothesis import strategies as st
from recorded import read_dump


def listener(address, port, inode, **fields):
    return make_socket(address, port, inode=inode, **{"backlog": 7, "cgroup_id": 1, **fields})


def datagram(address, port, inode, **fields):
    return listener(address, port, inode, protocol="udp", backlog=None, queued=None, **fields)


TEST_RECORDED = [
    (
        "tcp",
        "tcp_ipv4",
        [
            listener("192.0.2.1", 80, 1001),
            listener("192.0.2.99", 81, 1002, freebind=True),
            listener("192.0.2.98", 82, 1003, transparent=True),
        ],
    ),
    (
        "tcp",
        "tcp_ipv6",
        [
            listener("::", 83, 1001, v6only=False),
            listener("::1", 84, 1002, v6only=True),
            listener("::ffff:192.0.2.1", 85, 1003, v6only=False),
        ],
    ),
    ("udp", "udp_ipv4", [datagram("0.0.0.0", 53, 1001, ifindex=3), datagram("224.0.0.251", 5353, 1002)]),
    ("udp", "udp_ipv6", [datagram("fe80::1", 547, 1001, ifindex=3, v6only=True)]),
]


@pytest.mark.parametrize(("protocol", "name", "expected"), TEST_RECORDED)
def test_recorded_listeners(protocol, name, expected):
    assert parse_listeners(read_dump(name), protocol) == expected


def row(*attributes, family=2, source="192.0.2.1", port=443, ifindex=0, queued=3, limit=511, uid=33, inode=77):
    packed = ip_address(source).packed.ljust(16, b"\0")
    head = struct.pack("=BBBB", family, 10, 0, 0) + struct.pack("!HH", port, 0) + packed + bytes(16)
    head += struct.pack("=I", ifindex) + b"\xff" * 8 + struct.pack("=IIIII", 0, queued, limit, uid, inode)
    return head + b"".join(pack_attribute(kind, value) for kind, value in attributes)


# struct inet_diag_sockopt: bit fields start at the low end on little-endian machines, at the high end on others.
def options(*bits):
    return (22, bytes([sum(1 << (bit if BYTE_ORDER == "little" else 7 - bit) for bit in bits), 0]))


PLAIN = make_socket("192.0.2.1", inode=77, uid=33, backlog=511, queued=3, freebind=None, transparent=None)
TEST_ROWS = [
    ("a kernel before 5.8: neither cgroup nor options", row(), {}),
    ("a kernel before 5.10: no options", row((21, struct.pack("=Q", 4321))), {"cgroup_id": 4321}),
    ("no option set", row(options()), {"freebind": False, "transparent": False}),
    ("freebind (bit 2)", row(options(2)), {"freebind": True, "transparent": False}),
    ("transparent (bit 5)", row(options(5)), {"freebind": False, "transparent": True}),
    ("all other bits", row(options(0, 1, 3, 4, 6, 7)), {"freebind": False, "transparent": False}),
    ("pinned", row(ifindex=9), {"ifindex": 9}),
    ("a port in network order", row(port=0x1234), {"port": 0x1234}),
    ("a large cgroup id", row((21, b"\xff" * 8)), {"cgroup_id": (1 << 64) - 1}),
    ("v6only means nothing for IPv4", row((11, b"\1")), {}),
    ("attributes of the future", row((99, b"new"), options()), {"freebind": False, "transparent": False}),
]


@pytest.mark.parametrize(("_what", "payload", "differs"), TEST_ROWS)
def test_row(_what, payload, differs):
    assert parse_listeners([payload], "tcp") == [PLAIN._replace(**differs)]


def test_ipv6_row_that_does_not_say_v6only():
    (found,) = parse_listeners([row(family=10, source="2001:db8::1")], "tcp")
    assert (found.family, found.packed[:4], found.v6only) == ("ipv6", b"\x20\x01\x0d\xb8", None)


def test_udp_has_no_accept_queue():
    (found,) = parse_listeners([row(queued=2304, limit=0)], "udp")
    assert (found.protocol, found.queued, found.backlog) == ("udp", None, None)


def test_rows_with_the_same_attributes_keep_their_own_header():
    rows = parse_listeners([row(options(2), port=port, family=2) for port in (1, 2, 3)], "tcp")
    assert [(found.port, found.freebind) for found in rows] == [(1, True), (2, True), (3, True)]


def test_rows_of_both_families_with_the_same_attributes():
    v4, v6 = parse_listeners([row((11, b"\1")), row((11, b"\1"), family=10, source="::1")], "tcp")
    assert (v4.v6only, v6.v6only) == (None, True)


TEST_BROKEN_ROWS = [
    ("nothing", b""),
    ("71 bytes", row()[:71]),
    ("a unix socket", row(family=1)),
    ("an empty v6only", row((11, b""))),
    ("empty options", row((22, b""))),
    ("a cgroup id of four bytes", row((21, bytes(4)))),
    ("attributes cut off", row((21, bytes(8)))[:-3]),
]


@pytest.mark.parametrize(("_what", "payload"), TEST_BROKEN_ROWS)
def test_broken_row(_what, payload):
    with pytest.raises(MalformedMessage):
        parse_listeners([row(), payload], "tcp")


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=71, max_size=71),
            st.sampled_from([b"\x02", b"\x0a", b"\x01"]),
            st.lists(st.tuples(st.sampled_from([11, 15, 21, 22]), st.binary(max_size=9)), max_size=3),
            st.binary(max_size=3),
        ),
        max_size=4,
    ),
    st.sampled_from(["tcp", "udp"]),
)
def test_any_bytes_give_records_or_the_typed_error(parts, protocol):
    payloads = [
        family + body + b"".join(pack_attribute(kind, value) for kind, value in attributes) + rest
        for body, family, attributes, rest in parts
    ]
    try:
        found = parse_listeners(payloads, protocol)
    except MalformedMessage:
        return
    assert len(found) == len(payloads)
    assert all(isinstance(socket, Socket) and len(socket.packed) in (4, 16) for socket in found)


TEST_REQUESTS = [(2, "tcp", 6, 1 << 10), (10, "tcp", 6, 1 << 10), (2, "udp", 17, 1 << 7), (10, "udp", 17, 1 << 7)]


@pytest.mark.parametrize(("family", "protocol", "number", "states"), TEST_REQUESTS)
def test_request_lets_the_kernel_filter(family, protocol, number, states):
    request = pack_listener_request(family, protocol)
    assert len(request) == 56
    assert struct.unpack_from("=BBBxI", request) == (family, number, 0, states)
    assert not any(request[8:])
