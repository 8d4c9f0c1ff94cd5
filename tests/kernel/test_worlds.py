# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel is the judge: random worlds, in which our answer about every listener must be the kernel's own."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest
from ansible_collections.infracheck.bindings.tests.kernel.worlds.check import Result
from ansible_collections.infracheck.bindings.tests.kernel.worlds.ours import judges
from ansible_collections.infracheck.bindings.tests.kernel.worlds.run import Pool
from ansible_collections.infracheck.bindings.tests.kernel.worlds.variety import REQUIRED

WORLDS = int(os.environ.get("WORLDS") or 2000)
SEED = int(os.environ.get("SEED") or 0)
TOLD = 5  # disagreements to show in full
ENOUGH_FOR_VARIETY = 1000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")


def test_worlds(capsys: pytest.CaptureFixture[str]) -> None:
    sides = judges()
    assert list(sides) == ["netlink", "psutil"]
    start = time.monotonic()
    counts: Counter[str] = Counter()
    wrong: list[Result] = []
    for result in Pool(sides).play(range(SEED, SEED + WORLDS)):
        counts += result.counts
        if counts["worlds"] % 1000 == 0 or result.wrong:
            with capsys.disabled():
                print(f"\n{counts['worlds']} of {WORLDS} worlds, {counts['listeners']} listeners,", end=" ")
                print(f"{len(wrong) + bool(result.wrong)} worlds wrong, {time.monotonic() - start:.0f} s", flush=True)
        if result.wrong:
            wrong.append(result)
            if len(wrong) == TOLD:
                break
    summary = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
    print(f"{counts['worlds']} worlds from seed {SEED}: {summary}")
    assert not wrong, "\n\n".join(map(str, wrong))
    assert counts["worlds"] == WORLDS
    if WORLDS >= ENOUGH_FOR_VARIETY:
        rare = {name: counts[name] for name in REQUIRED if counts[name] * 400 < WORLDS}
        assert not rare, f"the generator forgets what it is meant to show: {rare}"
