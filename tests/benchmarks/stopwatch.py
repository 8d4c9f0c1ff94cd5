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
from typing import Callable, NamedTuple


class Cost(NamedTuple):
    """Time that passed, and time that processors worked for it: the latter hardly depends on what else they do."""

    seconds: float
    cpu: float  # seconds, user and system, of the process and of those that it waited for


class Taken(NamedTuple):
    """What a competitor took: the medians, and every round by itself."""

    seconds: float
    cpu: float
    rounds: tuple[Cost, ...] = ()

    def over(self, other: Taken) -> Cost:
        """How many times as much as another: the medians of the ratios round by round, as a machine that slows down for
        a minute does so for both; of competitors that had their turns apart, the ratios of their medians.
        """
        if not self.rounds or len(self.rounds) != len(other.rounds):
            return Cost(self.seconds / other.seconds, self.cpu / other.cpu)
        pairs = tuple(zip(self.rounds, other.rounds))
        return Cost(
            statistics.median(own.seconds / base.seconds for own, base in pairs),
            statistics.median(own.cpu / base.cpu for own, base in pairs),
        )


class Ended(NamedTuple):
    """A command that ran to its end."""

    cost: Cost
    peak: int  # bytes: the largest resident size of the process itself
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


def take_turns(rounds: int, competitors: Mapping[str, Callable[[], Cost]], *, warm_up: bool = True) -> dict[str, Taken]:
    """What each took, after one round that does not count, unless there is to be none."""
    taken: dict[str, list[Cost]] = {name: [] for name in competitors}
    for number in range(-warm_up, rounds):
        for name, run in competitors.items():
            cost = run()
            if number >= 0:
                taken[name].append(cost)
    return {name: _sum_up(costs) for name, costs in taken.items()}


def _sum_up(costs: Sequence[Cost]) -> Taken:
    seconds, cpu = map(statistics.median, zip(*costs))
    return Taken(seconds, cpu, tuple(costs))
