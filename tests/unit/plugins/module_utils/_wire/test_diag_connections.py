# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import (
    BOUND,
    ESTABLISHED,
    FIN_WAIT_2,
    LISTENING,
    SYN_RECEIVED,
    TIME_WAIT,
    Occupant,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.diag_connections import (
    pack_occupant_request,
    parse_occupants,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.netlink import MalformedMessage, pack_attribute
from hypothesis import given
from hypothesis import strategies as st


def row(family=2, state=1, timer=0, inode=7, expires=0, tail=b"", port=80):
    source, destination = b"\xc0\0\x02\x05".ljust(16, b"\0"), b"\xc6\x33\x64\x07".ljust(16, b"\0")
    ids = struct.pack("!HH16s16s", port, 50312, source, destination) + struct.pack("=I8x", 3)
    return struct.pack("=BBBB", family, state, timer, 0) + ids + struct.pack("=IIIII", expires, 0, 0, 33, inode) + tail


CONNECTION = Occupant(
    "tcp", "ipv4", b"\xc0\0\x02\x05", 80, b"\xc6\x33\x64\x07", 50312, ESTABLISHED, 3, 33, 7, None, None
)

TEST_ROWS = [
    ({}, CONNECTION),
    # A timed row has no owner of its own, whatever number is in the field.
    (
        {"state": 6, "timer": 3, "inode": 0, "expires": 59000},
        CONNECTION._replace(state=TIME_WAIT, uid=None, inode=0, clears_in=59000),
    ),
    (
        {"state": 5, "timer": 3, "inode": 0, "expires": 1},
        CONNECTION._replace(state=FIN_WAIT_2, uid=None, inode=0, clears_in=1),
    ),
    # Another timer is one of a live socket: it says nothing of when the port is free.
    ({"state": 5, "timer": 2, "inode": 0, "expires": 1}, CONNECTION._replace(state=FIN_WAIT_2, inode=0)),
    ({"state": 7}, CONNECTION._replace(state=BOUND)),
    ({"state": 10}, CONNECTION._replace(state=LISTENING)),
]


@pytest.mark.parametrize(("fields", "expected"), TEST_ROWS)
def test_rows(fields, expected):
    assert parse_occupants([row(**fields)], "tcp") == [expected]


def test_half_open_connections_hold_no_port():
    assert parse_occupants([row(state=3, inode=0)], "tcp") == []
    assert parse_occupants([row(state=3, inode=9)], "tcp")[0].state == SYN_RECEIVED


@pytest.mark.parametrize(("value", "expected"), [(b"\0", False), (b"\1", True)])
def test_v6only_of_a_socket_without_a_connection(value, expected):
    assert parse_occupants([row(family=10, state=10, tail=pack_attribute(11, value))], "tcp")[0].v6only is expected


def test_unaccepted_connections_are_told_from_orphans():
    states = {state: parse_occupants([row(state=state, inode=0)], "tcp") for state in (1, 4, 8, 9)}
    assert {state: found[0].is_unaccepted for state, found in states.items()} == {1: True, 4: False, 8: True, 9: False}


TEST_MALFORMED = [b"", row()[:-1], row(family=1), row(state=12), row(family=10, state=10, tail=pack_attribute(11, b""))]


@pytest.mark.parametrize("payload", TEST_MALFORMED)
def test_malformed(payload):
    with pytest.raises(MalformedMessage):
        parse_occupants([payload], "tcp")


@given(st.lists(st.binary(max_size=120)), st.sampled_from(["tcp", "udp"]))
def test_arbitrary_bytes(payloads, protocol):
    try:
        parse_occupants(payloads, protocol)
    except MalformedMessage:
        return


@given(st.binary(max_size=40))
def test_arbitrary_attributes(tail):
    try:
        parse_occupants([row(family=10, state=10, tail=tail)], "tcp")
    except MalformedMessage:
        return


@pytest.mark.parametrize(("protocol", "states"), [("tcp", 0b10111111111110), ("udp", 0b10000010)])
def test_request(protocol, states):
    request = pack_occupant_request(10, protocol, [80])
    family, number, mask = struct.unpack_from("=BBxxI", request)
    assert (family, number, mask) == (10, {"tcp": 6, "udp": 17}[protocol], states)
    assert struct.unpack_from("=HH", request, 56) == (len(request) - 56, 1)
