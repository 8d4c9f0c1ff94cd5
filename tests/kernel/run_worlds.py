# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays random worlds and says where we and the kernel disagree: run_worlds.py --worlds 100000 --seed 7 (as root)."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.infracheck.bindings.tests.kernel.worlds.check import Result
from ansible_collections.infracheck.bindings.tests.kernel.worlds.generate import draw_world
from ansible_collections.infracheck.bindings.tests.kernel.worlds.ours import judges
from ansible_collections.infracheck.bindings.tests.kernel.worlds.run import Pool
from ansible_collections.infracheck.bindings.tests.kernel.worlds.world import world_from_json


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="the first one; each world has its own, counted up")
    parser.add_argument("--workers", type=int, default=0, help="processes; one per CPU unless given")
    parser.add_argument("--world", help="one world as JSON, from this file or - for standard input")
    parser.add_argument("--show", type=int, metavar="SEED", help="only print the world of that seed")
    arguments = parser.parse_args()
    if arguments.show is not None:
        world = draw_world(arguments.show)
        print(world, world.to_json(), sep="\n")
        return 0
    if arguments.world:
        text = sys.stdin.read() if arguments.world == "-" else Path(arguments.world).read_text(encoding="utf-8")
        world = world_from_json(text)
        print(world)
        return _run(Pool(judges(), 1, draw=lambda seed: world), range(world.seed, world.seed + 1))
    return _run(Pool(judges(), arguments.workers), range(arguments.seed, arguments.seed + arguments.worlds))


def _run(pool: Pool, seeds: range) -> int:
    start = time.monotonic()
    counts: Counter[str] = Counter()
    wrong: list[Result] = []
    for number, result in enumerate(pool.play(seeds), 1):
        counts += result.counts
        if result.wrong:
            wrong.append(result)
            print(result, flush=True)
        if number % 500 == 0:
            print(f"{number} of {len(seeds)} worlds, {len(wrong)} wrong, {time.monotonic() - start:.0f} s", flush=True)
    for name, count in sorted(counts.items()):
        print(f"{count:9} {name}")
    seconds = time.monotonic() - start
    print(
        f"{len(seeds)} worlds from seed {seeds[0]}, {counts['listeners']} listeners,"
        f" {len(wrong)} worlds wrong, {seconds:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
