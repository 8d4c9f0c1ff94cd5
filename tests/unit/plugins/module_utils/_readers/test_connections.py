# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import connections

# What the tick counter shows before and after each dump; how many dumps that takes, and the moment that counts.
TEST_TICKS = [
    ([10, 10], 1, 10),
    ([10, 11, 11, 11], 2, 11),
    ([10, 11] * 8, 8, 10),
    ([10, 60], 1, 35),
    ([10, 11, 20, 90], 2, 55),
    ([None, None], 1, None),
    ([10, None], 1, None),
]


@pytest.mark.parametrize(("ticks", "dumps", "moment"), TEST_TICKS)
def test_a_dump_within_a_tick(monkeypatch, ticks, dumps, moment):
    """A dump that takes longer than a tick is not repeated: it would take as long again, and never succeed."""
    readings = iter(ticks)
    monkeypatch.setattr(connections, "_read_jiffies", lambda: next(readings))
    taken = []
    rows, now = connections._dump_within_tick(lambda: taken.append(1) or [])
    assert (rows, len(taken), now) == ([], dumps, moment)
    assert list(readings) == []
