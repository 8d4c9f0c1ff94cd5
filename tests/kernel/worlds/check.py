# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One world checked: played, and if anything is wrong, made small."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple, Optional

from .ours import Judge
from .play import Outcome, play
from .shrink import shrink
from .world import Disagreement, World

SHRINK_TIME = 240.0  # seconds


class Result(NamedTuple):
    """What became of one world. `smallest` is set where something was wrong and could be shown again."""

    seed: int
    counts: Counter[str]
    wrong: tuple[Disagreement, ...]
    smallest: Optional[World] = None

    def __str__(self) -> str:
        lines = [f"SEED={self.seed}", *map(str, self.wrong)]
        if self.smallest is not None:
            lines += ["The smallest world that shows it:", str(self.smallest)]
            lines += [
                "To run it again: python tests/kernel/run_worlds.py --world - with this as input:",
                self.smallest.to_json(),
            ]
        return "\n".join(lines)


def check_world(
    world: World, judges: Mapping[str, Judge], before_shrinking: Callable[[], None] = lambda: None
) -> Result:
    """Changes the network namespace of this process."""
    outcome = _play(world, judges)
    if not outcome.disagreements:
        return Result(world.seed, outcome.counts, ())
    before_shrinking()
    subjects = {disagreement.subject for disagreement in outcome.disagreements}
    end = time.monotonic() + SHRINK_TIME

    def still_wrong(candidate: World) -> bool:
        if time.monotonic() > end:
            return False
        return any(disagreement.subject in subjects for disagreement in _play(candidate, judges).disagreements)

    smallest = shrink(world, still_wrong)
    again = _play(smallest, judges).disagreements
    if not again:
        passing = Disagreement(None, "repetition", "the above", "that it was not so when the world was played again")
        return Result(world.seed, outcome.counts, (*outcome.disagreements, passing), smallest)
    return Result(world.seed, outcome.counts, again, smallest)


def _play(world: World, judges: Mapping[str, Judge]) -> Outcome:
    try:
        return play(world, judges)
    except Exception:  # whatever our side raises is a finding, and has a seed
        wrong = Disagreement(None, "exception", traceback.format_exc(), "that there is an answer")
        return Outcome(world, (wrong,), Counter(worlds=1), ())
