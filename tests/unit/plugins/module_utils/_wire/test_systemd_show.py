# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.systemd_show import (
    Listen,
    SocketUnit,
    SystemdShowError,
    match_socket_units,
    parse_properties,
    parse_socket_units,
)
from builders import make_socket
from hypothesis import given
from hypothesis import strategies as st

# systemd 252, `systemctl show --property=Id,ActiveState,Listen,BindToDevice,SocketProtocol -- '*.socket'`
SHOWN = """\
BindToDevice=
Listen=[::]:22 (Stream)
Listen=127.0.0.1:8022 (Stream)
Listen=/run/probe.sock (Stream)
Listen=@abs (Stream)
SocketProtocol=0
Id=probe.socket
ActiveState=active

BindToDevice=
Listen=0.0.0.0:514 (Datagram)
Listen=/run/fifo (FIFO)
SocketProtocol=0
Id=dgram.socket
ActiveState=active

BindToDevice=lo
Listen=0.0.0.0:8080 (Stream)
SocketProtocol=0
Id=other.socket
ActiveState=active
"""
ANY = b"\0" * 16


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def test_parse_socket_units() -> None:
    assert parse_socket_units(SHOWN) == [
        SocketUnit(
            "probe.socket", True, (Listen("tcp", ANY, 22, None), Listen("tcp", packed("127.0.0.1"), 8022, None))
        ),
        SocketUnit("dgram.socket", True, (Listen("udp", b"\0" * 4, 514, None),)),
        SocketUnit("other.socket", True, (Listen("tcp", b"\0" * 4, 8080, "lo"),)),
    ]


TEST_LISTEN = [
    ("0.0.0.0:0 (Stream)", Listen("tcp", b"\0" * 4, 0, None)),
    ("[2001:db8::1]:53 (Datagram)", Listen("udp", packed("2001:db8::1"), 53, None)),
    ("[::ffff:192.0.2.5]:80 (Stream)", Listen("tcp", packed("::ffff:192.0.2.5"), 80, None)),
    ("[fe80::1]:53%eth0 (Datagram)", Listen("udp", packed("fe80::1"), 53, "eth0")),
    ("[fe80::1]:53%7 (Datagram)", Listen("udp", packed("fe80::1"), 53, "7")),
    ("/run/a (b) (Stream)", None),
    ("@a=b (Datagram)", None),
    ("<unnamed> (Stream)", None),
    ("vsock:2:22 (Stream)", None),
    ("0.0.0.0:80 (SequentialPacket)", None),
    ("kobject-uevent 1 (Netlink)", None),
    ("/run/initctl (FIFO)", None),
    ("/dev/x (Special)", None),
]


@pytest.mark.parametrize(("value", "expected"), TEST_LISTEN)
def test_parse_listen(value: str, expected: Listen | None) -> None:
    [unit] = parse_socket_units(f"Id=a.socket\nListen={value}\n")
    assert unit.listens == (() if expected is None else (expected,))


TEST_UNITS = [
    pytest.param("", [], id="no unit"),
    pytest.param("\n\nId=a.socket\n\n\n", [SocketUnit("a.socket", True, ())], id="empty lines"),
    pytest.param("Id=a.socket\nActiveState=inactive", [SocketUnit("a.socket", False, ())], id="inactive"),
    pytest.param("Id=a.socket\nActiveState=failed\n", [SocketUnit("a.socket", False, ())], id="failed"),
    pytest.param("Id=a.socket\nActiveState=deactivating\n", [SocketUnit("a.socket", True, ())], id="still there"),
    pytest.param(
        "Id=a.socket\nSocketProtocol=132\nListen=0.0.0.0:80 (Stream)\n", [SocketUnit("a.socket", True, ())], id="sctp"
    ),
    pytest.param(
        "Id=a.socket\nBindToDevice=eth1\nListen=[fe80::1]:80%eth0 (Stream)\n",
        [SocketUnit("a.socket", True, (Listen("tcp", packed("fe80::1"), 80, "eth1"),))],
        id="device before scope",
    ),
    pytest.param("Id=a\\x2db.socket\nNew=x=y\n", [SocketUnit("a\\x2db.socket", True, ())], id="unknown property"),
]


@pytest.mark.parametrize(("text", "expected"), TEST_UNITS)
def test_parse_socket_units_of(text: str, expected: list[SocketUnit]) -> None:
    assert parse_socket_units(text) == expected


TEST_MALFORMED = [
    ("Id=a.socket\nnonsense\n", "line 2: not KEY=VALUE"),
    ("=x\n", "line 1: not KEY=VALUE"),
    ("ActiveState=active\n", "a unit without a name"),
    ("Id=a.socket\nListen=0.0.0.0:80\n", "not ADDRESS"),
    ("Id=a.socket\nListen=0.0.0.0:80 (Stream) \n", "not ADDRESS"),
    ("Id=a.socket\nListen=localhost:80 (Stream)\n", "unknown form"),
    ("Id=a.socket\nListen=0.0.0.256:80 (Stream)\n", "unknown form"),
    ("Id=a.socket\nListen=[::g]:80 (Stream)\n", "unknown form"),
    ("Id=a.socket\nListen=[1.2.3.4.5]:80 (Stream)\n", "unknown form"),
    ("Id=a.socket\nListen= (Stream)\n", "unknown form"),
]


@pytest.mark.parametrize(("text", "problem"), TEST_MALFORMED)
def test_parse_socket_units_refuses(text: str, problem: str) -> None:
    with pytest.raises(SystemdShowError, match=problem):
        parse_socket_units(text)


KEYS = st.text(st.characters(exclude_characters="=\n"), min_size=1)
BLOCKS = st.lists(
    st.dictionaries(KEYS, st.lists(st.text(st.characters(exclude_characters="\n")), min_size=1), min_size=1)
)


@given(BLOCKS)
def test_parse_properties_gives_back_the_blocks(blocks: list[dict[str, list[str]]]) -> None:
    text = "\n".join(
        "".join(f"{key}={value}\n" for key, values in block.items() for value in values) for block in blocks
    )
    assert parse_properties(text) == blocks


@given(
    st.one_of(
        st.text(),
        st.text().map(lambda value: f"Id=a.socket\nListen={value} (Stream)\n"),
        st.text("0123456789abcdef.:[]%").map(lambda value: f"Id=a.socket\nListen={value} (Datagram)\n"),
        st.tuples(st.integers(0, len(SHOWN)), st.text(max_size=5)).map(lambda cut: SHOWN[: cut[0]] + cut[1]),
    )
)
def test_parse_socket_units_gives_units_or_the_typed_error(text: str) -> None:
    try:
        units = parse_socket_units(text)
    except SystemdShowError:
        units = []
    for unit in units:
        assert unit.name
        assert all(len(listen.packed) in (4, 16) for listen in unit.listens)


def unit(name: str, *listens: Listen, active: bool = True) -> SocketUnit:
    return SocketUnit(name, active, listens)


WEB = unit("web.socket", Listen("tcp", packed("192.0.2.5"), 443, None), Listen("tcp", ANY, 443, None))
STOPPED = unit("old.socket", Listen("tcp", packed("192.0.2.5"), 443, None), active=False)
ON_ETH0 = unit("eth0.socket", Listen("tcp", packed("192.0.2.5"), 443, "eth0"))
ON_ETH1 = unit("eth1.socket", Listen("tcp", packed("192.0.2.5"), 443, "eth1"))
ON_NUMBER = unit("number.socket", Listen("tcp", packed("192.0.2.5"), 443, "9"))
INDEXES = {"eth0": 2, "eth1": 3}

TEST_MATCH: list[Any] = [
    pytest.param([WEB], {}, ["web.socket"], id="the one"),
    pytest.param([WEB], {"address": "::"}, ["web.socket"], id="its other address"),
    pytest.param([WEB], {"address": "::ffff:192.0.2.5"}, [], id="v4-mapped is another address"),
    pytest.param([WEB], {"port": 444}, [], id="another port"),
    pytest.param([WEB], {"protocol": "udp"}, [], id="another protocol"),
    pytest.param([WEB, STOPPED], {}, ["web.socket"], id="a stopped unit holds nothing"),
    pytest.param([WEB, ON_ETH0], {}, ["web.socket"], id="not pinned"),
    pytest.param([WEB, ON_ETH0], {"ifindex": 2}, ["eth0.socket"], id="pinned"),
    pytest.param([WEB], {"ifindex": 2}, [], id="pinned, but no unit is"),
    pytest.param([ON_ETH0, ON_ETH1], {"ifindex": 3}, ["eth1.socket"], id="two are pinned"),
    pytest.param([ON_ETH0], {"ifindex": 7}, ["eth0.socket"], id="the interface was made anew"),
    pytest.param([ON_ETH0, ON_ETH1], {"ifindex": 7}, ["eth0.socket", "eth1.socket"], id="one was made anew, but which"),
    pytest.param([ON_ETH0, ON_NUMBER], {"ifindex": 9}, ["number.socket"], id="a number for a name"),
    pytest.param([WEB, ON_ETH0], {"ifindex": None}, ["eth0.socket", "web.socket"], id="nobody knows the pin"),
    pytest.param([], {}, [], id="no units"),
]


@pytest.mark.parametrize(("units", "socket", "expected"), TEST_MATCH)
def test_match_socket_units(units: list[SocketUnit], socket: dict[str, Any], expected: list[str]) -> None:
    assert match_socket_units(units, make_socket(**socket), INDEXES) == expected
