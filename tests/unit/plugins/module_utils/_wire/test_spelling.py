# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import os
import socket

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire import spelling
from hypothesis import example, given
from hypothesis import strategies as st

TEST_PRINTABLE: list[tuple[bytes | str, str]] = [
    (b"", ""),
    (b"nginx: worker", "nginx: worker"),
    ("Grüße, 世界 🦊", "Grüße, 世界 🦊"),
    ("Grüße".encode(), "Grüße"),
    (b"dev-disk-by\\x2duuid.swap", "dev-disk-by\\x2duuid.swap"),
    (b"a\nb\tc\rd", "a\\nb\\tc\\rd"),
    (b"\x1b]0;owned\x07\x1b[31m", "\\x1b]0;owned\\x07\\x1b[31m"),
    (b"\x00\x7f", "\\x00\\x7f"),
    (b"caf\xe9", "caf\\xe9"),
    (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),  # a surrogate encoded as UTF-8 is not UTF-8
    ("caf\udce9", "caf\\xe9"),
    ("\ud800", "\\ud800"),
    ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
    ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\u0085d"),
    ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
    ("no-break\xa0space", "no-break\\u00a0space"),
    ("tag\U000e0041", "tag\\U000e0041"),
]


@pytest.mark.parametrize(("raw", "expected"), TEST_PRINTABLE)
def test_printable(raw: bytes | str, expected: str) -> None:
    assert spelling.printable(raw) == expected


@given(st.one_of(st.binary(), st.text(st.characters(exclude_categories=()))))
def test_printable_is_safe_whatever_comes(raw: bytes | str) -> None:
    shown = spelling.printable(raw)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert spelling.printable(shown) == shown


@given(st.binary())
def test_printable_is_the_same_for_bytes_and_file_names(raw: bytes) -> None:
    assert spelling.printable(raw.decode("utf-8", "surrogateescape")) == spelling.printable(raw)


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_printable_leaves_ordinary_text_alone(ordinary: str) -> None:
    assert spelling.printable(ordinary) == ordinary
    assert spelling.printable(os.fsencode(ordinary)) == ordinary


TEST_FORMAT_ADDRESS = [
    ("0.0.0.0", "0.0.0.0"),
    ("255.255.255.255", "255.255.255.255"),
    ("192.0.2.5", "192.0.2.5"),
    ("::", "::"),
    ("::1", "::1"),
    ("1::", "1::"),
    ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ("1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"),
    ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"),
    ("0:0:1:0:0:0:0:0", "0:0:1::"),
    ("0:0:0:1:0:0:0:1", "::1:0:0:0:1"),
    ("10:0:0:20::", "10:0:0:20::"),
    ("fe80::a00:0:0:1", "fe80::a00:0:0:1"),
    ("::ffff:192.0.2.5", "::ffff:192.0.2.5"),
    ("::ffff:0:0", "::ffff:0.0.0.0"),
    ("::192.0.2.5", "::c000:205"),
    ("::fffe:192.0.2.5", "::fffe:c000:205"),
    ("64:ff9b::192.0.2.5", "64:ff9b::c000:205"),
]


@pytest.mark.parametrize(("given_text", "expected"), TEST_FORMAT_ADDRESS)
def test_format_address(given_text: str, expected: str) -> None:
    assert spelling.format_address(ipaddress.ip_address(given_text).packed) == expected


WORDS = st.lists(st.sampled_from([0, 0, 0, 1, 0x10, 0xFFFF, 0xDB8]), min_size=8, max_size=8)
PACKED_IPV6 = st.one_of(
    st.binary(min_size=16, max_size=16),
    WORDS.map(lambda words: b"".join(word.to_bytes(2, "big") for word in words)),
)


@given(PACKED_IPV6)
@example(b"\0" * 10 + b"\xff\xff\xc0\0\2\5")
def test_format_address_agrees_with_ipaddress(packed: bytes) -> None:
    shown = spelling.format_address(packed)
    assert socket.inet_pton(socket.AF_INET6, shown) == packed
    address = ipaddress.IPv6Address(packed)
    if address.ipv4_mapped is None:
        assert shown == str(address)
    else:
        assert shown == f"::ffff:{address.ipv4_mapped}"


@given(PACKED_IPV6)
def test_format_address_agrees_with_the_c_library(packed: bytes) -> None:
    if not any(packed[:12]):
        return  # v4-compatible: the C library dots them, RFC 5952 does not ask for it
    assert spelling.format_address(packed) == socket.inet_ntop(socket.AF_INET6, packed)


@given(st.binary(min_size=4, max_size=4))
def test_format_address_ipv4(packed: bytes) -> None:
    assert spelling.format_address(packed) == socket.inet_ntop(socket.AF_INET, packed)


@given(st.binary(max_size=40).filter(lambda packed: len(packed) not in (4, 16)))
def test_format_address_refuses_other_lengths(packed: bytes) -> None:
    with pytest.raises(ValueError, match="4 or 16 bytes"):
        spelling.format_address(packed)
