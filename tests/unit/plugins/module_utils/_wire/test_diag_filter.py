# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.diag_filter import (
    MOST_RANGES,
    merge_ports,
    pack_port_filter,
)
from hypothesis import given
from hypothesis import strategies as st

PORTS = st.integers(min_value=0, max_value=65535)


def audit(program):
    """inet_diag_bc_audit(), for the instructions that are used here: None, or what the kernel would refuse."""

    def is_met(rest):  # valid_cc()
        offset = 0
        while offset <= len(program):
            if len(program) - offset == rest:
                return True
            if rest > len(program) - offset or offset == len(program):
                return False
            offset += program[offset + 1]
        return False

    offset = 0
    while offset < len(program):
        code, yes, no = struct.unpack_from("=BBH", program, offset)
        rest, least = len(program) - offset, {1: 4, 2: 8, 3: 8}[code]
        if rest < least or not least <= no <= rest + 4 or no & 3:
            return f"no {no} at {offset}"
        if no < rest and not is_met(rest - no):
            return f"no {no} at {offset} is in the middle of an instruction"
        if not least <= yes <= rest + 4 or yes & 3:
            return f"yes {yes} at {offset}"
        offset += yes
    return None if offset == len(program) else "the end is missed"


def takes(program, port):
    """inet_diag_bc_run()."""
    offset = 0
    while offset < len(program):
        code, yes, no = struct.unpack_from("=BBH", program, offset)
        limit = struct.unpack_from("=H", program, offset + 6)[0] if code != 1 else 0
        offset += yes if {1: False, 2: port >= limit, 3: port <= limit}[code] else no
    return offset == len(program)


@given(st.sets(PORTS, min_size=1, max_size=MOST_RANGES), st.lists(PORTS, max_size=50))
def test_few_ports_are_taken_exactly(ports, others):
    program = pack_port_filter(ports)
    assert audit(program) is None
    assert [port for port in {*ports, *others} if takes(program, port)] == [p for p in {*ports, *others} if p in ports]


@given(st.sets(PORTS, min_size=1, max_size=1000))
def test_many_ports_are_all_taken_by_a_short_program(ports):
    program = pack_port_filter(ports)
    assert audit(program) is None
    assert len(program) <= MOST_RANGES * 28
    assert all(takes(program, port) for port in ports)


TEST_MERGED = [
    ([80], 3, [(80, 80)]),
    ([82, 80, 81, 81], 3, [(80, 82)]),
    ([1, 3, 100, 102, 1000], 3, [(1, 3), (100, 102), (1000, 1000)]),
    ([1, 3, 100, 102, 1000], 1, [(1, 1000)]),
    ([], 1, []),
]


@pytest.mark.parametrize(("ports", "most", "expected"), TEST_MERGED)
def test_the_nearest_ports_are_merged(ports, most, expected):
    assert merge_ports(ports, most) == expected


def test_a_filter_needs_a_port():
    with pytest.raises(ValueError, match="at least one port"):
        pack_port_filter([])
