# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking times: every competitor in turn, round after round, so that what disturbs one disturbs all."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Callable, NamedTuple


class Cost(NamedTuple):
    """Time that passed, and time that processors worked for it: the latter hardly depends on what else they do."""

    seconds: float
    cpu: float  # seconds, user and system, of the process and of those that it waited for


class Taken(NamedTuple):
    """What a competitor took: the medians, and each of its turns by the number of the round."""

    seconds: float
    cpu: float
    turns: Mapping[int, Cost] = MappingProxyType({})

    def over(self, other: Taken) -> Cost:
        """How many times as much as another: the medians of the ratios round by round, as a machine that slows down for
        a minute does so for both. Of two that are not from one take_turns(), with turns in other rounds or none, the
        ratios of their medians.
        """
        pairs = [(self.turns[number], other.turns[number]) for number in self.turns if number in other.turns]
        if not pairs:
            return Cost(self.seconds / other.seconds, self.cpu / other.cpu)
        return Cost(
            statistics.median(own.seconds / base.seconds for own, base in pairs),
            statistics.median(own.cpu / base.cpu for own, base in pairs),
        )


class Ended(NamedTuple):
    """A command that ran to its end."""

    cost: Cost
    peak: int  # bytes: the largest resident size, of it and of each process that it waited for
    output: bytes


class Failed(Exception):
    """A competitor did not do what was asked: no time is better than a wrong one."""


def run_command(command: Sequence[str], folder: Path, environment: Mapping[str, str], accept: int = 0) -> Ended:
    """Raises Failed for an exit status above `accept`."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if not 0 <= process.returncode <= accept:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}: {output.decode(errors='replace')[-2000:]}")
    return Ended(Cost(seconds, usage.ru_utime + usage.ru_stime), usage.ru_maxrss * 1024, output)


Turn = Callable[[], Cost]
_SELDOM = 5  # rounds from one turn to the next


def take_turns(
    rounds: int,
    competitors: Mapping[str, Turn],
    seldom: Mapping[str, Turn] = MappingProxyType({}),
    *,
    warm_up: bool = True,
) -> dict[str, Taken]:
    """What each took, after one round that does not count, unless there is to be none.

    seldom: those that are slow, or not what it is about: they have a turn in some of the rounds only.
    """
    turns: dict[str, dict[int, Cost]] = {name: {} for name in (*competitors, *seldom)}
    for number in range(-warm_up, rounds):
        for name, run in {**competitors, **(seldom if number < 0 or number % _SELDOM == 0 else {})}.items():
            cost = run()
            if number >= 0:
                turns[name][number] = cost
    return {name: _sum_up(costs) for name, costs in turns.items()}


def _sum_up(turns: Mapping[int, Cost]) -> Taken:
    seconds, cpu = map(statistics.median, zip(*turns.values()))
    return Taken(seconds, cpu, turns)
