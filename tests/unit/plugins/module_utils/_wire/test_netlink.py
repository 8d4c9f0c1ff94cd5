# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.netlink import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    MalformedMessage,
    pack_attribute,
    pack_message,
    parse_attributes,
    parse_error,
    parse_messages,
    parse_u32,
    unpack,
)
from hypothesis import given
from hypothesis import strategies as st

MESSAGES = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=40))


@given(st.lists(MESSAGES, max_size=5))
def test_messages_round_trip(given_messages):
    packed = b""
    for parts in given_messages:
        message = pack_message(*parts)
        packed += message + bytes(-len(message) % 4)
    expected = [(kind, flags | NLM_F_REQUEST, seq, payload) for kind, flags, seq, payload in given_messages]
    assert list(parse_messages(packed)) == expected


@given(st.lists(MESSAGES, min_size=1, max_size=3), st.data())
def test_messages_cut_short_are_never_a_shorter_list_without_an_error(given_messages, data):
    packed = [pack_message(*parts) for parts in given_messages]
    whole = b"".join(message + bytes(-len(message) % 4) for message in packed[:-1]) + packed[-1]
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    try:
        found = list(parse_messages(cut))
    except MalformedMessage:
        return
    # Without an error only where the cut lies between two messages (or in the padding after one).
    assert sum(len(message) + -len(message) % 4 for message in packed[: len(found)]) >= len(cut)


@given(st.binary(max_size=80))
def test_messages_from_any_bytes(data):
    try:
        messages = list(parse_messages(data))
    except MalformedMessage:
        return
    assert sum(16 + len(payload) for _type, _flags, _seq, payload in messages) <= len(data)


def test_request_header():
    assert pack_message(20, NLM_F_DUMP, 7, b"\xaa") == struct.pack("=IHHII", 17, 20, 0x301, 7, 0) + b"\xaa"


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=30)), max_size=6), st.binary(max_size=8))
def test_attributes_round_trip(pairs, before):
    data = before + b"".join(pack_attribute(kind, value) for kind, value in pairs)
    assert parse_attributes(data, len(before)) == dict(pairs)


@given(st.binary(max_size=80), st.integers(0, 90))
def test_attributes_from_any_bytes(data, offset):
    try:
        attributes = parse_attributes(data, offset)
    except MalformedMessage:
        return
    assert all(isinstance(value, bytes) and kind <= 0x3FFF for kind, value in attributes.items())


TEST_ATTRIBUTES = [
    ("none", b"", {}),
    ("the last of a type counts", pack_attribute(1, b"a") + pack_attribute(1, b"b"), {1: b"b"}),
    ("flags for nesting and byte order are no part of the type", pack_attribute(0xC000 | 5, b"a"), {5: b"a"}),
    ("an empty value", pack_attribute(3, b""), {3: b""}),
    ("the last one without padding", struct.pack("=HH", 5, 2) + b"x", {2: b"x"}),
]


@pytest.mark.parametrize(("_what", "data", "expected"), TEST_ATTRIBUTES)
def test_attributes(_what, data, expected):
    assert parse_attributes(data) == expected


TEST_BROKEN_ATTRIBUTES = [
    ("a length of 0 would never end", struct.pack("=HH", 0, 1)),
    ("a length of 3", struct.pack("=HH", 3, 1)),
    ("a length beyond the end", struct.pack("=HH", 9, 1) + bytes(4)),
    ("two bytes left over", pack_attribute(1, b"") + b"\0\0"),
]


@pytest.mark.parametrize(("_what", "data"), TEST_BROKEN_ATTRIBUTES)
def test_broken_attributes(_what, data):
    with pytest.raises(MalformedMessage):
        parse_attributes(data)


TEST_ERRORS = [
    ("the end of a dump of an old kernel", b"", 0),
    ("acknowledged", struct.pack("=i", 0), 0),
    ("EPERM", struct.pack("=i", -1) + bytes(16), 1),
    ("MAX_ERRNO", struct.pack("=i", -4095), 4095),
    ("a length", struct.pack("=i", 12), 0),
]


@pytest.mark.parametrize(("_what", "payload", "expected"), TEST_ERRORS)
def test_error(_what, payload, expected):
    assert parse_error(payload) == expected


@given(st.binary(max_size=24))
def test_error_from_any_bytes(payload):
    try:
        code = parse_error(payload)
    except MalformedMessage:
        return
    assert 0 <= code <= 4095


@given(st.binary(max_size=8))
def test_u32_is_four_bytes_in_host_order(value):
    if len(value) == 4:
        assert parse_u32(value, "it") == struct.unpack("=I", value)[0]
    else:
        with pytest.raises(MalformedMessage, match="it has"):
            parse_u32(value, "it")


def test_unpack_names_what_is_too_short():
    assert unpack(struct.Struct("=BH"), "row", b"\1\2\0rest") == (1, 2)
    with pytest.raises(MalformedMessage, match="a row of 2 bytes, 3 expected"):
        unpack(struct.Struct("=BH"), "row", b"\1\2")
