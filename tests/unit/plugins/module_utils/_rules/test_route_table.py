# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    RTN_UNICAST,
    RTNH_F_DEAD,
    Route,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.route_table import TableIndex
from builders import make_route

FIRST, SECOND = make_route("203.0.113.9", 1), make_route("203.0.113.9", 2, RTN_UNICAST)
BLOCK, DEFAULT = make_route("203.0.113.0/24", 3), make_route("0.0.0.0/0", 4)
BLOCK6, DEFAULT6 = make_route("2001:db8::/32", 3), make_route("::/0", 4)

# rows in the order of the dump, link → what decides for 203.0.113.9
TEST_ROWS: list[tuple[str, list[Route], int, Optional[Route]]] = [
    ("no rows", [], 0, None),
    ("no row for it", [make_route("203.0.113.8", 1)], 0, None),
    ("the longest, first", [FIRST, BLOCK, DEFAULT], 0, FIRST),
    ("the longest, last", [DEFAULT, BLOCK, FIRST], 0, FIRST),
    ("a block", [DEFAULT, BLOCK], 0, BLOCK),
    ("what matches everything", [DEFAULT], 0, DEFAULT),
    ("among equals the order of the dump", [FIRST, SECOND], 0, FIRST),
    ("the other way round", [SECOND, FIRST], 0, SECOND),
    ("the lower metric comes first", [FIRST._replace(priority=20), SECOND._replace(priority=10)], 0,
     SECOND._replace(priority=10)),
    ("the link's own", [SECOND, FIRST], 1, FIRST),
    ("the link's own, though shorter", [FIRST, SECOND, BLOCK], 3, BLOCK),
    ("a link without rows", [FIRST, SECOND], 9, None),
    ("a row for one TOS", [FIRST._replace(tos=16), BLOCK], 0, BLOCK),
    ("a dead next hop", [FIRST._replace(flags=RTNH_F_DEAD), BLOCK], 0, BLOCK),
]  # fmt: skip


@pytest.mark.parametrize(("_what", "rows", "ifindex", "expected"), TEST_ROWS)
def test_the_row_that_decides(_what: str, rows: list[Route], ifindex: int, expected: Optional[Route]) -> None:
    assert TableIndex(rows).find(FIRST.packed, ifindex) == expected


def test_ipv6() -> None:
    table = TableIndex([DEFAULT6, BLOCK6])
    assert table.find(BLOCK6.packed[:-1] + b"\1") == BLOCK6
    assert table.find(bytes(15) + b"\1") == DEFAULT6
