# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    is_link_local,
    is_multicast,
    needs_scope,
    unmap,
)
from hypothesis import given
from hypothesis import strategies as st

PACKED = st.one_of(
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=4, max_size=4).map(lambda end: bytes(10) + b"\xff\xff" + end),
    st.binary(min_size=14, max_size=14).map(lambda end: b"\xfe\x80" + end),
    st.binary(min_size=15, max_size=15).map(lambda end: b"\xff" + end),
)


@given(PACKED)
def test_the_bits_say_what_the_standard_library_reads_in_them(packed: bytes) -> None:
    address = ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    assert unmap(packed) == (mapped or address).packed
    if mapped is None:  # what the library answers for these differs between its versions
        assert is_multicast(packed) == address.is_multicast
        assert is_link_local(packed) == (isinstance(address, IPv6Address) and address.is_link_local)


TEST_NEEDS_SCOPE = [
    ("fe80::1", True),
    ("febf::1", True),
    ("fec0::1", False),
    ("ff01::1", True),
    ("ff12::1", True),
    ("ff05::1", False),
    ("2001:db8::1", False),
    ("169.254.0.1", False),
    ("224.0.0.1", False),
]


@pytest.mark.parametrize(("text", "needs"), TEST_NEEDS_SCOPE)
def test_an_address_that_means_something_on_one_link_only_needs_a_scope(text: str, needs: bool) -> None:
    assert needs_scope(ip_address(text).packed) is needs
