# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.endpoints import CLASSES, Endpoint, InetAddress
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.endpoints import (
    InvalidEndpoint,
    parse_endpoint,
    parse_inet_address,
)
from hypothesis import example, given
from hypothesis import strategies as st


def address(text: str, scope: Any = None) -> InetAddress:
    packed = ipaddress.ip_address(text).packed
    return InetAddress("ipv4" if len(packed) == 4 else "ipv6", packed, scope)


# what a person writes, host, port, address
TEST_GOOD: list[tuple[Any, str, int, Any]] = [
    ("127.0.0.1:80", "127.0.0.1", 80, address("127.0.0.1")),
    (" 127.0.0.1:80 ", "127.0.0.1", 80, address("127.0.0.1")),
    ("[::1]:443", "::1", 443, address("::1")),
    ("[2001:db8::1]:65535", "2001:db8::1", 65535, address("2001:db8::1")),
    ("[fe80::1%eth0]:22", "fe80::1%eth0", 22, address("fe80::1", "eth0")),
    ("[fe80::1%3]:22", "fe80::1%3", 22, address("fe80::1", "3")),
    ("[::ffff:192.0.2.5]:1", "::ffff:192.0.2.5", 1, address("::ffff:192.0.2.5")),
    ("db.example.com:5432", "db.example.com", 5432, None),
    ("db.example.com.:5432", "db.example.com.", 5432, None),
    ("localhost:1", "localhost", 1, None),
    ("_private_host:80", "_private_host", 80, None),
    ("3com.example:80", "3com.example", 80, None),
    ("bücher.example:80", "bücher.example", 80, None),
    ({"host": "127.0.0.1", "port": 80}, "127.0.0.1", 80, address("127.0.0.1")),
    ({"host": "127.0.0.1", "port": "80"}, "127.0.0.1", 80, address("127.0.0.1")),
    ({"host": "127.0.0.1:80"}, "127.0.0.1", 80, address("127.0.0.1")),
    ({"host": "[2001:db8::1]:80"}, "2001:db8::1", 80, address("2001:db8::1")),
    ({"host": "2001:db8::1", "port": 80}, "2001:db8::1", 80, address("2001:db8::1")),
    ({"host": "[2001:db8::1]", "port": 80}, "2001:db8::1", 80, address("2001:db8::1")),
    ({"host": "fe80::1", "port": 80, "interface": "eth0"}, "fe80::1", 80, address("fe80::1", "eth0")),
    ({"host": "::1", "port": 80, "source": None, "interface": None, "expect": None}, "::1", 80, address("::1")),
]


@pytest.mark.parametrize(("value", "host", "port", "parsed"), TEST_GOOD)
def test_good_endpoint(value: Any, host: str, port: int, parsed: Any) -> None:
    endpoint = parse_endpoint(value, "endpoints[0]")
    assert (endpoint.host, endpoint.port, endpoint.address, endpoint.expect) == (host, port, parsed, "connected")


def test_every_field() -> None:
    value = {"host": "192.0.2.1", "port": 80, "source": "192.0.2.9", "interface": "eth1", "expect": "refused"}
    expected = Endpoint("192.0.2.1", 80, address("192.0.2.1"), address("192.0.2.9"), "eth1", "refused")
    assert parse_endpoint(value, "endpoints[0]") == expected
    bracketed = parse_endpoint({"host": "fe80::2%eth1", "port": 1, "source": "[fe80::9%eth1]"}, "endpoints[0]")
    assert bracketed.source == address("fe80::9", "eth1")


@pytest.mark.parametrize("klass", CLASSES)
def test_any_class_can_be_expected(klass: str) -> None:
    assert parse_endpoint({"host": "::1", "port": 1, "expect": klass}, "e").expect == klass


# value, part of the option that is named, part of what is allowed
TEST_BAD: list[tuple[Any, str, str]] = [
    ("", "e", "host:port"),
    ("127.0.0.1", "e", "host:port"),
    (":80", "e", "host:port"),
    ("127.0.0.1:", "e.port", "1 to 65535"),
    ("127.0.0.1:0", "e.port", "1 to 65535"),
    ("127.0.0.1:65536", "e.port", "1 to 65535"),
    ("127.0.0.1:-1", "e.port", "1 to 65535"),
    ("127.0.0.1:8_0", "e.port", "1 to 65535"),
    ("127.0.0.1:٣", "e.port", "1 to 65535"),
    ("127.0.0.1:http", "e.port", "1 to 65535"),
    ("::1:80", "e", "brackets"),
    ("2001:db8::1", "e", "brackets"),
    ("fe80::1%eth0:22", "e", "brackets"),
    ("[::1]", "e", "brackets"),
    ("[::1%eth0]:80", "e.host", "link-local"),
    ("[fe80::1]:80", "e.host", "scope id"),
    ("[fe80::1%]:80", "e.host", "host name"),
    ("[fe80::1%a/b]:80", "e.host", "network interface"),
    ("[fe80::1%sixteen-letters-]:80", "e.host", "network interface"),
    ("[1.2.3.4]:80", "e.host", "host name"),
    ("[::g]:80", "e.host", "host name"),
    ("1:80", "e.host", "host name"),
    ("127.1:80", "e.host", "host name"),
    ("010.0.0.1:80", "e.host", "host name"),
    ("0x7f.1:80", "e.host", "host name"),
    ("0x7f000001:80", "e.host", "host name"),
    ("1.2.3.4.5:80", "e.host", "host name"),
    ("256.1.1.1:80", "e.host", "host name"),
    ("-a.example:80", "e.host", "host name"),
    ("a..example:80", "e.host", "host name"),
    (".:80", "e.host", "host name"),
    ("a b:80", "e.host", "host name"),
    ("a\nb:80", "e.host", "host name"),
    (f"{'a' * 64}.example:80", "e.host", "host name"),
    (f"{'a.' * 130}example:80", "e.host", "host name"),
    (f"{'ü' * 300}:80", "e.host", "host name"),
    ("http://a.example:80", "e", "brackets"),
    (None, "e", "host:port"),
    (80, "e", "host:port"),
    (["127.0.0.1", 80], "e", "host:port"),
    ({}, "e", "host:port"),
    ({"port": 80}, "e", "host:port"),
    ({"host": "", "port": 80}, "e", "host:port"),
    ({"host": 1, "port": 80}, "e.host", "text"),
    ({"host": "::1", "port": True}, "e.port", "1 to 65535"),
    ({"host": "::1", "port": 80.0}, "e.port", "1 to 65535"),
    ({"host": "::1", "port": 10**50}, "e.port", "1 to 65535"),
    ({"host": "a.example"}, "e.host", "host:port"),
    ({"host": "::1", "port": 80, "expect": "open"}, "e.expect", "refused"),
    ({"host": "::1", "port": 80, "source": "localhost"}, "e.source", "address"),
    ({"host": "::1", "port": 80, "source": "127.0.0.1"}, "e", "one address family"),
    ({"host": "a.example", "port": 80, "interface": "eth0/1"}, "e.interface", "interface"),
    ({"host": "a.example", "port": 80, "interface": ".."}, "e.interface", "interface"),
    ({"host": "a.example", "port": 80, "timeout": 3}, "e.timeout", "source"),
    ({"host": "a.example", "port": 80, 5: 3}, "e.5", "source"),
]


@pytest.mark.parametrize(("value", "option", "allowed"), TEST_BAD)
def test_bad_endpoint_names_option_and_what_is_allowed(value: Any, option: str, allowed: str) -> None:
    with pytest.raises(InvalidEndpoint) as caught:
        parse_endpoint(value, "e")
    assert caught.value.option == option
    assert allowed in caught.value.allowed


def test_family_must_not_contradict() -> None:
    assert parse_endpoint("[::1]:80", "e", "ipv6").address == address("::1")
    assert parse_endpoint("a.example:80", "e", "ipv4").address is None
    for value in ("[::1]:80", {"host": "a.example", "port": 80, "source": "::1"}):
        with pytest.raises(InvalidEndpoint, match="family"):
            parse_endpoint(value, "e", "ipv4")


TEST_TEXT = ["127.0.0.1:80", "[fe80::1%eth0]:22", "a.example:1"]


@pytest.mark.parametrize("text", TEST_TEXT)
def test_text_is_what_was_written_and_reads_the_same_again(text: str) -> None:
    endpoint = parse_endpoint(text, "e")
    assert endpoint.text == text
    assert parse_endpoint(endpoint.text, "e") == endpoint


_FIELD = st.none() | st.text(max_size=40) | st.integers() | st.floats() | st.booleans() | st.binary(max_size=4)
_VALUES = (
    st.text(max_size=300)
    | st.from_regex(r"\[?[0-9a-fA-F:.%]{0,45}\]?:[0-9]{0,6}", fullmatch=True)
    | st.dictionaries(st.sampled_from(("host", "port", "source", "interface", "expect", "x")), _FIELD)
    | _FIELD
    | st.lists(_FIELD, max_size=2)
)


@given(_VALUES, st.sampled_from((None, "ipv4", "ipv6")))
@example("[::1%\x00]:80", None)
@example({"host": "fe80::1", "port": 1, "interface": "\ud800"}, None)
@example("\ud800.example:80", None)
def test_anything_gives_an_endpoint_or_the_typed_error(value: Any, family: Any) -> None:
    try:
        endpoint = parse_endpoint(value, "e", family)
    except InvalidEndpoint as error:
        str(error)
    else:
        assert 1 <= endpoint.port <= 65535
        assert endpoint.expect in CLASSES
        if endpoint.address is not None:
            number = socket.AF_INET if endpoint.address.family == "ipv4" else socket.AF_INET6
            assert socket.inet_pton(number, endpoint.host.partition("%")[0]) == endpoint.address.packed


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_literal_is_read(literal: Any, port: int) -> None:
    if literal.version == 6 and (literal.is_link_local or literal.scope_id):
        return
    text = f"[{literal}]:{port}" if literal.version == 6 else f"{literal}:{port}"
    endpoint = parse_endpoint(text, "e")
    assert (endpoint.address, endpoint.port) == (InetAddress(f"ipv{literal.version}", literal.packed), port)


@given(st.text(max_size=60))
def test_literals_are_those_of_the_c_library(text: str) -> None:
    parsed = parse_inet_address(text)
    for family, name in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
        if parsed is not None and parsed.family == name and parsed.scope is None:
            assert socket.inet_pton(family, text) == parsed.packed
