# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.timer_wheel import (
    find_firing,
    find_granularity,
    parse_jiffies,
)
from hypothesis import given
from hypothesis import strategies as st

# kernel/time/timer.c has these tables in a comment (HZ 1000, 300, 250, 100), in milliseconds.
TEST_GRAINS = [
    (1000, 60_000, 4096),
    (1000, 10_000, 512),
    (1000, 300, 8),
    (300, 60_000, 512),
    (250, 60_000, 512),
    (250, 1_000, 8),
    (250, 100, 1),
    (100, 60_000, 512),
]


@pytest.mark.parametrize(("ticks_per_second", "armed_ms", "grain"), TEST_GRAINS)
def test_grains(ticks_per_second, armed_ms, grain):
    assert find_granularity(armed_ms, ticks_per_second) == grain


@given(st.integers(0, 60_000), st.sampled_from([100, 250, 300, 1000]), st.integers(0, 1 << 64))
def test_a_timer_is_never_early_and_at_most_one_grain_late(expires_ms, ticks_per_second, now):
    grain = find_granularity(60_000, ticks_per_second) * 1000 / ticks_per_second
    tick = 1000 / ticks_per_second
    fires = find_firing(expires_ms, 60_000, ticks_per_second, now)
    assert expires_ms - tick <= fires <= expires_ms + grain + tick
    middle = find_firing(expires_ms, 60_000, ticks_per_second, None)
    assert abs(fires - middle) <= grain / 2 + 2 * tick


def test_the_moment_is_a_multiple_of_the_grain():
    # Seen on a kernel with 250 ticks a second: set for 60 s at tick 511, it fires at 512 × 31.
    assert find_firing(60_000, 60_000, 250, 511) == (512 * 31 - 511) * 4


TEST_LISTS = [
    (b"Timer List Version: v0.10\n\ncpu: 0\njiffies: 4296114181\n\ncpu: 1\njiffies: 1\n", 4296114181),
    (b"jiffies: \n", None),
    (b"\njiffies: x\n", None),
    (b"", None),
]


@pytest.mark.parametrize(("text", "expected"), TEST_LISTS)
def test_jiffies(text, expected):
    assert parse_jiffies(text) == expected


@given(st.binary(max_size=60))
def test_arbitrary_lists(text):
    parse_jiffies(text)
    parse_jiffies(b"\njiffies: " + text)
