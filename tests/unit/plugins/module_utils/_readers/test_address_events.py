# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which notifications become changes. What the kernel really sends is tested in tests/integration."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import Address, Link
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.address_events import _parse_change
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.netlink import (
    MalformedMessage,
    Message,
    pack_attribute,
)
from hypothesis import given
from hypothesis import strategies as st

NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE = 16, 17, 20, 21, 24
BRIDGE = 7


def link(family: int = 0) -> bytes:
    return struct.pack("=BxHiII", family, 1, 2, 1, 0) + pack_attribute(3, b"eth0\0")


def address(family: int = 2) -> bytes:
    return struct.pack("=BBBBI", family, 24, 0x80, 0, 2) + pack_attribute(2, bytes([192, 0, 2, 5]))


# message, type of the change's subject, gone
TEST_MESSAGES = [
    ((NEWLINK, 0, 0, link()), Link, False),
    ((DELLINK, 0, 0, link()), Link, True),
    ((NEWADDR, 0, 0, address()), Address, False),
    ((DELADDR, 0, 0, address()), Address, True),
    ((DELLINK, 0, 0, link(BRIDGE)), None, None),
    ((NEWLINK, 0, 0, link(BRIDGE)), None, None),
    ((NEWADDR, 0, 0, address(16)), None, None),
    ((NEWROUTE, 0, 0, b"?"), None, None),
]


@pytest.mark.parametrize(("message", "kind", "gone"), TEST_MESSAGES)
def test_change(message: Message, kind: object, gone: object) -> None:
    changes = _parse_change(message)
    assert [(type(change.subject), change.gone) for change in changes] == ([(kind, gone)] if kind else [])


@given(st.sampled_from((NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE)), st.binary(max_size=120))
def test_anything_is_a_change_or_the_typed_error(number: int, payload: bytes) -> None:
    try:
        changes = _parse_change((number, 0, 0, payload))
    except MalformedMessage:
        return
    assert len(changes) <= 1
