# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recorded dumps, and messages made by hand for what the recording machine cannot make or older kernels leave out."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    Address,
    Link,
    Route,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire import route_request, rtnetlink
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.netlink import (
    MalformedMessage,
    pack_attribute,
    parse_attributes,
)
from builders import make_route
from hypothesis import given
from hypothesis import strategies as st
from recorded import read_dump

UP = 0x11043  # UP, BROADCAST, RUNNING, MULTICAST, LOWER_UP


def packed(text):
    return ip_address(text).packed


def u32(number):
    return struct.pack("=I", number)


def attributes(*pairs):
    return b"".join(pack_attribute(kind, value) for kind, value in pairs)


# -- links


def test_recorded_links():
    assert [rtnetlink.parse_link(payload) for payload in read_dump("links")] == [
        Link(1, "lo", None, 0x10049, "unknown", 65536, "00:00:00:00:00:00", 0, None),
        Link(2, "veth1", "veth", UP, "up", 1500, "02:00:00:00:00:02", 4, None),
        Link(3, "veth0", "veth", UP, "up", 1400, "02:00:00:00:00:01", 0, None),
        Link(4, "br0", "bridge", UP, "up", 1500, "02:00:00:00:00:03", 0, None),
    ]


def link_message(*pairs, ifindex=7, flags=UP):
    return struct.pack("=BxHiII", 0, 1, ifindex, flags, 0) + attributes(*pairs)


def linkinfo(kind, *data):
    return (18, attributes((1, kind), (0x8000 | 2, attributes(*data))))


NAME = (3, b"eth0\0")
PLAIN_LINK = Link(7, "eth0", None, UP, None, None, None, 0, None)
TEST_LINKS = [
    ("only a name", [NAME], {}),
    ("a VRF with its table", [NAME, linkinfo(b"vrf\0", (1, u32(1001)))], {"kind": "vrf", "vrf_table": 1001}),
    (
        "a VRF's largest table",
        [NAME, linkinfo(b"vrf\0", (1, b"\xff" * 4))],
        {"kind": "vrf", "vrf_table": (1 << 32) - 1},
    ),
    ("a VRF that does not name its table", [NAME, linkinfo(b"vrf\0")], {"kind": "vrf"}),
    ("a port of a VRF", [NAME, (10, u32(4)), linkinfo(b"veth\0")], {"kind": "veth", "master": 4}),
    ("the same number in another kind is no table", [NAME, linkinfo(b"vlan\0", (1, u32(5)))], {"kind": "vlan"}),
    ("no kind in the information", [NAME, (18, b"")], {}),
    ("an operational state of the future", [NAME, (16, b"\x2a")], {}),
    ("an empty operational state", [NAME, (16, b"")], {}),
    ("a lower layer that is down", [NAME, (16, b"\3")], {"operstate": "lowerlayerdown"}),
    ("a tunnel: the MAC is an IPv4 address", [NAME, (1, b"\xc0\0\2\1")], {"mac": "c0:00:02:01"}),
    ("a link with an empty MAC", [NAME, (1, b"")], {}),
    ("a hostile name", [(3, b"a\x1b[31m\n\xff\0")], {"name": "a\\x1b[31m\\n\\xff"}),
]


@pytest.mark.parametrize(("_what", "pairs", "differs"), TEST_LINKS)
def test_link(_what, pairs, differs):
    assert rtnetlink.parse_link(link_message(*pairs)) == PLAIN_LINK._replace(**differs)


TEST_BROKEN_LINKS = [
    ("nothing", b""),
    ("half a header", bytes(15)),
    ("no name", link_message((4, u32(1500)))),
    ("an MTU of two bytes", link_message(NAME, (4, b"\0\0"))),
    ("a master of three bytes", link_message(NAME, (10, b"\0\0\0"))),
    ("a VRF table of one byte", link_message(NAME, linkinfo(b"vrf\0", (1, b"\1")))),
    ("broken nesting", link_message(NAME, (18, b"\xff\xff\1\0"))),
]


@pytest.mark.parametrize(("_what", "payload"), TEST_BROKEN_LINKS)
def test_broken_link(_what, payload):
    with pytest.raises(MalformedMessage):
        rtnetlink.parse_link(payload)


# -- addresses


def address(text, prefixlen, ifindex, scope, flags, **others):
    fields = {
        "peer": None,
        "broadcast": None,
        "label": None,
        "preferred_lifetime": None,
        "valid_lifetime": None,
        **others,
    }
    raw = packed(text)
    return Address("ipv4" if len(raw) == 4 else "ipv6", raw, prefixlen, ifindex, scope, flags, **fields)


def test_recorded_addresses():
    found = [rtnetlink.parse_address(payload) for payload in read_dump("addresses")]
    assert found == [
        address("127.0.0.1", 8, 1, 254, 0x80, label="lo"),
        address("192.0.2.1", 24, 3, 0, 0x80, label="veth0", broadcast=packed("192.0.2.255")),
        address("198.51.100.1", 32, 3, 0, 0x80, label="veth0", peer=packed("198.51.100.2")),
        address("192.0.2.2", 24, 3, 0, 0x81, label="veth0:two"),
        address("192.0.2.129", 25, 4, 0, 0, label="br0", preferred_lifetime=18000, valid_lifetime=36000),
        address("::1", 128, 1, 254, 0x80),
        address("2001:db8::2", 64, 3, 0, 0xA2, preferred_lifetime=0),
        address("2001:db8::1", 64, 3, 0, 0x82),
        address("fe80::1", 64, 3, 253, 0x82),
        address("2001:db8::5", 64, 4, 0, 0xC0),
        address("2001:db8::3", 128, 4, 0, 0x82, peer=packed("2001:db8::4")),
    ]


def address_message(*pairs, family=2, prefixlen=24, flags=0x80, scope=0, ifindex=2):
    return struct.pack("=BBBBI", family, prefixlen, flags, scope, ifindex) + attributes(*pairs)


OURS, PEER = packed("192.0.2.1"), packed("192.0.2.2")
V6 = packed("2001:db8::1")
FOR_EVER = struct.pack("=4I", 0xFFFFFFFF, 0xFFFFFFFF, 1, 2)
PLAIN_ADDRESS = address("192.0.2.1", 24, 2, 0, 0x80)
TEST_ADDRESSES = [
    ("IFA_LOCAL is ours, IFA_ADDRESS the peer", [(1, PEER), (2, OURS)], {"peer": PEER}),
    ("both the same: no peer", [(1, OURS), (2, OURS)], {}),
    ("IFA_LOCAL alone", [(2, OURS)], {}),
    ("IFA_ADDRESS alone", [(1, OURS)], {}),
    ("flags beyond eight bits count", [(1, OURS), (2, OURS), (8, u32(0x480))], {"flags": 0x480}),
    ("for ever", [(2, OURS), (6, FOR_EVER)], {}),
    ("expired", [(2, OURS), (6, bytes(16))], {"preferred_lifetime": 0, "valid_lifetime": 0}),
    ("a hostile label", [(2, OURS), (3, b"eth0:\x1b\0")], {"label": "eth0:\\x1b"}),
]


@pytest.mark.parametrize(("_what", "pairs", "differs"), TEST_ADDRESSES)
def test_address(_what, pairs, differs):
    assert rtnetlink.parse_address(address_message(*pairs)) == PLAIN_ADDRESS._replace(**differs)


def test_ipv6_address_of_a_kernel_before_3_14_which_has_no_ifa_flags():
    payload = address_message((1, V6), family=10, prefixlen=64, flags=0xC0)
    assert rtnetlink.parse_address(payload) == address("2001:db8::1", 64, 2, 0, 0xC0)


def test_address_of_another_family_is_passed_over():
    assert rtnetlink.parse_address(address_message((1, b"\0" * 7), family=28)) is None


TEST_BROKEN_ADDRESSES = [
    ("nothing", b""),
    ("half a header", bytes(7)),
    ("no address at all", address_message((3, b"eth0\0"))),
    ("an IPv6 address in an IPv4 message", address_message((2, V6))),
    ("a peer of another family", address_message((2, OURS), (1, V6))),
    ("a broadcast address of three bytes", address_message((2, OURS), (1, OURS), (4, b"\0\0\0"))),
    ("flags of one byte", address_message((2, OURS), (8, b"\0"))),
    ("lifetimes cut off", address_message((2, OURS), (6, bytes(15)))),
]


@pytest.mark.parametrize(("_what", "payload"), TEST_BROKEN_ADDRESSES)
def test_broken_address(_what, payload):
    with pytest.raises(MalformedMessage):
        rtnetlink.parse_address(payload)


# -- routes


def test_recorded_ipv4_routes():
    assert [rtnetlink.parse_route(payload) for payload in read_dump("local_ipv4")] == [
        make_route("127.0.0.0/8", 1),
        make_route("127.0.0.1", 1),
        make_route("127.255.255.255", 1, RTN_BROADCAST),
        make_route("192.0.2.1", 3),
        make_route("192.0.2.2", 3),
        make_route("192.0.2.129", 4),
        make_route("192.0.2.255", 3, RTN_BROADCAST),
        make_route("192.0.2.255", 4, RTN_BROADCAST),
        make_route("198.18.0.0/15", 1, priority=7, tos=0x10),
        make_route("198.51.100.1", 3),
        make_route("203.0.113.0/24", 1),
    ]


def test_recorded_ipv6_routes():
    assert [rtnetlink.parse_route(payload) for payload in read_dump("local_ipv6")] == [
        make_route("::1", 1),
        make_route("2001:db8::1", 3),
        make_route("2001:db8::2", 3),
        make_route("2001:db8::3", 4),
        make_route("2001:db8:5::/64", 1, priority=1024),
        make_route("fe80::1", 3),
        make_route("ff00::/8", 2, RTN_MULTICAST, priority=256),
        make_route("ff00::/8", 3, RTN_MULTICAST, priority=256),
        make_route("ff00::/8", 4, RTN_MULTICAST, priority=256),
    ]


def route_message(*pairs, family=2, prefixlen=32, tos=0, table=255, kind=RTN_LOCAL, flags=0):
    return struct.pack("=BBBBBBBBI", family, prefixlen, 0, tos, table, 2, 254, kind, flags) + attributes(*pairs)


PLAIN_ROUTE = make_route("192.0.2.1", 0)
TEST_ROUTES = [
    ("without a link", route_message((1, OURS)), PLAIN_ROUTE),
    ("the default: no destination", route_message((4, u32(2)), prefixlen=0), make_route("0.0.0.0/0", 2)),
    ("IPv6, the default", route_message(family=10, prefixlen=0), make_route("::/0", 0)),
    ("a table above 255", route_message((1, OURS), (15, u32(70000)), table=252), PLAIN_ROUTE._replace(table=70000)),
    ("a table in the header only", route_message((1, OURS), table=100), PLAIN_ROUTE._replace(table=100)),
    ("a dead next hop", route_message((1, OURS), flags=1), PLAIN_ROUTE._replace(flags=1)),
    ("another family", route_message(family=7), None),
]


@pytest.mark.parametrize(("_what", "payload", "expected"), TEST_ROUTES)
def test_route(_what, payload, expected):
    assert rtnetlink.parse_route(payload) == expected


TEST_BROKEN_ROUTES = [
    ("nothing", b""),
    ("a destination of another family", route_message((1, V6))),
    ("a prefix longer than the address", route_message((1, OURS), prefixlen=33)),
    ("a link of two bytes", route_message((1, OURS), (4, b"\0\0"))),
    ("a priority of two bytes", route_message((1, OURS), (6, b"\0\0"))),
    ("a table of no bytes", route_message((1, OURS), (15, b""))),
]


@pytest.mark.parametrize(("_what", "payload"), TEST_BROKEN_ROUTES)
def test_broken_route(_what, payload):
    with pytest.raises(MalformedMessage):
        rtnetlink.parse_route(payload)


# -- policy rules


def test_recorded_rules():
    assert [rtnetlink.parse_rule(payload) for payload in read_dump("rules_ipv4")] == [
        (0, 255, True),
        (50, 100, False),
        (60, 1000, True),
        (32766, 254, True),
        (32767, 253, True),
    ]
    assert [rtnetlink.parse_rule(payload) for payload in read_dump("rules_ipv6")] == [
        (0, 255, True),
        (32766, 254, True),
    ]


def rule_message(*pairs, dst=0, src=0, tos=0, table=255, action=1, flags=0):
    return struct.pack("=BBBBBBBBI", 2, dst, src, tos, table, 0, 0, action, flags) + attributes(*pairs)


TEST_RULES = [
    ("to a destination", rule_message((1, OURS), dst=32), False),
    ("from a source", rule_message((2, OURS), src=32), False),
    ("for a TOS", rule_message(tos=16), False),
    ("inverted", rule_message(flags=2), False),
    ("no lookup but unreachable", rule_message(action=7), False),
    ("for a mark", rule_message((10, u32(1))), False),
    ("for an incoming link", rule_message((3, b"eth0\0")), False),
    ("for an l3mdev", rule_message((19, b"\1")), False),
    ("for what a kernel to come may ask for", rule_message((200, b"")), False),
    ("with a suppressed prefix length", rule_message((14, u32(0))), False),
    ("with a suppressed group of links", rule_message((13, u32(5))), False),
    ("with the suppressors that every rule names", rule_message((13, b"\xff" * 4), (14, b"\xff" * 4)), True),
    ("with a realm, padding and protocol", rule_message((11, u32(1)), (18, b""), (21, b"\2")), True),
]  # fmt: skip


@pytest.mark.parametrize(("_what", "payload", "matches_all"), TEST_RULES)
def test_rule(_what, payload, matches_all):
    assert rtnetlink.parse_rule(payload) == (0, 255, matches_all)


def test_broken_rule():
    for payload in (b"", rule_message((6, b"\0")), rule_message((15, b"\0\0"))):
        with pytest.raises(MalformedMessage):
            rtnetlink.parse_rule(payload)


# -- requests


def test_requests_are_what_the_kernel_reads():
    assert rtnetlink.pack_link_request()[:16] == bytes(16)
    assert parse_attributes(rtnetlink.pack_link_request(), 16) == {29: u32(8)}
    assert rtnetlink.pack_address_request() == bytes(8)
    table = rtnetlink.pack_table_request(2, 70000)
    assert (table[0], table[4], parse_attributes(table, 12)) == (2, 0, {15: u32(70000)})
    lookup = route_request.pack_lookup_request(V6, 9)
    assert (lookup[0], lookup[1], parse_attributes(lookup, 12)) == (10, 128, {1: V6, 4: u32(9)})
    assert parse_attributes(route_request.pack_lookup_request(OURS, 0), 12) == {1: OURS}
    assert rtnetlink.pack_rule_request(10) == b"\x0a" + bytes(11)


# -- whatever comes

PARSERS = [
    (rtnetlink.parse_link, Link, 16, "links"),
    (rtnetlink.parse_address, (Address, type(None)), 8, "addresses"),
    (rtnetlink.parse_route, (Route, type(None)), 12, "local_ipv6"),
    (rtnetlink.parse_rule, tuple, 12, "rules_ipv4"),
]
ATTRIBUTES = st.lists(st.tuples(st.integers(0, 64), st.binary(max_size=20)), max_size=8)


@pytest.mark.parametrize(("parse", "record", "size", "_name"), PARSERS)
@given(header=st.binary(min_size=16, max_size=16), pairs=ATTRIBUTES, rest=st.binary(max_size=6))
def test_any_bytes_give_a_record_or_the_typed_error(parse, record, size, _name, header, pairs, rest):
    try:
        found = parse(header[:size] + attributes(*pairs) + rest)
    except MalformedMessage:
        return
    assert isinstance(found, record)
    if isinstance(found, Address):
        length = {"ipv4": 4, "ipv6": 16}[found.family]
        assert {len(value) for value in (found.packed, found.peer, found.broadcast) if value is not None} == {length}
    if isinstance(found, Link):
        assert found.name.isprintable()


@pytest.mark.parametrize(("parse", "record", "_size", "name"), PARSERS)
@given(data=st.data())
def test_a_real_message_with_any_damage_gives_a_record_or_the_typed_error(parse, record, _size, name, data):
    payload = bytearray(data.draw(st.sampled_from(read_dump(name))))
    for _change in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = parse(bytes(payload[: data.draw(st.integers(0, len(payload)))]))
    except MalformedMessage:
        return
    assert isinstance(found, record)
