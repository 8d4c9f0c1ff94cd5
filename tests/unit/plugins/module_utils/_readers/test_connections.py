# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import FIN_WAIT_2, Occupant
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import connections

ORPHAN = Occupant("tcp", "ipv4", bytes(4), 80, bytes(4), 5000, FIN_WAIT_2, 0, None, 0, 30_000, None)


@pytest.mark.parametrize(("milliseconds", "sources"), [(60_000, []), (None, ["tcp_fin_timeout"])])
def test_an_unread_timeout_is_a_gap(monkeypatch, milliseconds, sources):
    monkeypatch.setattr(connections, "read_protocol", lambda *_arguments: [ORPHAN])
    monkeypatch.setattr(connections, "_read_fin_timeout", lambda: milliseconds)
    found, gaps = connections.read_occupants({"tcp": {80}}, "6.18")
    assert found == {"tcp": [ORPHAN]}
    assert [gap.source for gap in gaps] == sources


def test_without_the_timeout_the_longest_is_taken(monkeypatch):
    fires = []
    for milliseconds in (1000, 60_000, None):
        monkeypatch.setattr(connections, "_read_fin_timeout", lambda given=milliseconds: given)
        fires.append(connections._correct_timers([ORPHAN], 1000)[0].clears_in or 0)
    assert fires[0] <= fires[1] == fires[2]


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

    def dump():
        taken.append(1)
        return [ORPHAN]

    rows, now = connections._dump_within_tick(dump)
    assert (rows, len(taken), now) == ([ORPHAN], dumps, moment)
    assert list(readings) == []
