# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.container_proxy import (
    Published,
    has_address,
    parse_proxy_command,
)
from hypothesis import given
from hypothesis import strategies as st

V4 = bytes((172, 17, 0, 2))
V6 = bytes.fromhex("20010db8000000000000000000000005")
COMMAND = (
    "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80"
)
PUBLISHED = Published("tcp", bytes(4), 8080, V4)


def as_cmdline(text: str) -> bytes:
    return b"".join(word.encode() + b"\0" for word in text.split(" "))


TEST_COMMANDS: list[tuple[str, Optional[Published]]] = [
    (COMMAND, PUBLISHED),
    (f"{COMMAND} -use-listen-fd", PUBLISHED),
    (COMMAND.replace("tcp", "udp"), PUBLISHED._replace(protocol="udp")),
    (COMMAND.replace("0.0.0.0", "::").replace("172.17.0.2", "2001:db8::5"), Published("tcp", bytes(16), 8080, V6)),
    (COMMAND.replace("tcp", "sctp"), None),
    (COMMAND.replace("172.17.0.2", "172.17.0.256"), None),
    (COMMAND.replace("172.17.0.2", "web"), None),
    (COMMAND.replace("172.17.0.2", "fe80::1%eth0"), None),
    (COMMAND.replace(" -container-ip 172.17.0.2", ""), None),
    (f"{COMMAND} -container-ip 172.17.0.3", None),
    (f"x {COMMAND}", None),
    ("docker-proxy", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "published"), TEST_COMMANDS)
def test_command(text: str, published: Optional[Published]) -> None:
    assert parse_proxy_command(as_cmdline(text)) == published


def test_one_word_is_not_many() -> None:
    assert parse_proxy_command(COMMAND.encode()) is None


@given(st.binary())
def test_any_bytes_are_a_command_or_none(raw: bytes) -> None:
    found = parse_proxy_command(raw)
    assert found is None or raw.startswith(b"-proto", raw.index(b"\0") + 1)


@given(st.sampled_from([as_cmdline(COMMAND)]), st.integers(0, 120), st.binary(max_size=3))
def test_a_damaged_command_never_raises(raw: bytes, position: int, piece: bytes) -> None:
    found = parse_proxy_command(raw[:position] + piece + raw[position + 1 :])
    assert found is None or found.protocol in ("tcp", "udp")


# As Linux writes it in a container with 172.17.0.2/16.
TRIE = b"""Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 172.17.0.0/16 2 0 2
        +-- 172.17.0.0/30 2 0 2
           |-- 172.17.0.0
              /16 link UNICAST
           |-- 172.17.0.2
              /32 link UNICAST
              /32 host LOCAL
        |-- 172.17.255.255
           /32 link BROADCAST
"""
INET6 = b"""20010db8000000000000000000000005 1d 40 00 80     eth0
fe800000000000000042acfffe110002 1d 40 20 80     eth0
"""

TEST_ADDRESSES = [
    (TRIE, V4, True),
    (TRIE, bytes((127, 0, 0, 1)), True),
    (TRIE, bytes((127, 0, 0, 0)), False),  # local as a block, and nobody's address
    (TRIE, bytes((172, 17, 255, 255)), False),
    (TRIE, bytes((172, 17, 0, 0)), False),
    (TRIE, bytes((72, 17, 0, 2)), False),
    (TRIE, bytes((172, 17, 0, 20)), False),
    (b"", V4, False),
    (INET6, V6, True),
    (INET6, V6[:-1] + b"\6", False),
    (INET6, bytes(16), False),
    (b"", V6, False),
]


@pytest.mark.parametrize(("raw", "packed", "there"), TEST_ADDRESSES)
def test_address(raw: bytes, packed: bytes, there: bool) -> None:
    assert has_address(raw, packed) is there


@given(st.binary(), st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
def test_any_bytes_are_searched(raw: bytes, packed: bytes) -> None:
    assert has_address(raw, packed) in (True, False)
