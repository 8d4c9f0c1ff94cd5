# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a kernel timer really fires: later than it was set for, as the timer wheel is coarse (kernel/time/timer.c).

A timer of a minute is kept to 2 s with 250 ticks a second, to 4 s with 1,000, to 5 s with 100. sock_diag tells what was
set (tw_timer.expires), the port is free when it fires.
"""

from __future__ import annotations

from typing import Optional

_SLOTS, _SHIFT, _LEVELS = 63, 3, 8  # LVL_SIZE - 1, LVL_CLK_SHIFT, LVL_DEPTH with few ticks a second


def find_granularity(armed_ms: int, ticks_per_second: int) -> int:
    """Ticks between two moments at which a timer can fire that was set for `armed_ms` from then."""
    ticks = armed_ms * ticks_per_second // 1000
    level = 0
    while level < _LEVELS - 1 and ticks >= _SLOTS << level * _SHIFT:
        level += 1
    return 1 << level * _SHIFT


def find_firing(expires_ms: int, armed_ms: int, ticks_per_second: int, now: Optional[int]) -> int:
    """Milliseconds until a timer fires that is set for `expires_ms` from now.

    now: the kernel's tick counter (jiffies). Without it, the middle of the time in which the timer fires.
    """
    grain = find_granularity(armed_ms, ticks_per_second)
    ticks = expires_ms * ticks_per_second // 1000
    if now is None:
        return (ticks + grain // 2) * 1000 // ticks_per_second
    fires = ((now + ticks) // grain + 1) * grain  # rounded up so that it is never early (calc_index)
    return (fires - now) * 1000 // ticks_per_second


def parse_jiffies(timer_list: bytes) -> Optional[int]:
    """The tick counter in the beginning of /proc/timer_list (kernel/time/timer_list.c); None where it has none."""
    _before, found, rest = timer_list.partition(b"\njiffies: ")
    digits = rest.partition(b"\n")[0]
    return int(digits) if found and digits.isdigit() and len(digits) <= 20 else None
