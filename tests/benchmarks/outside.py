# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""connect_check over many endpoints, and how soon wait_for_address knows of a change, as rows of `make bench`."""

from __future__ import annotations

from . import address_reaction, many_connects
from .report import Part, Table, Target


def measure_outside() -> Part:
    """Each runs in a process and a network namespace of its own, as it does when it is started alone."""
    reaction, connects = address_reaction.measure(), many_connects.measure()
    waits = [
        (name, row["median_ms"], row["p99_ms"], row["worst_ms"]) for name, row in sorted(reaction["cases"].items())
    ]
    slowest = max(row[1] for row in waits)
    seconds = connects["seconds"]
    return Part(
        "The modules that look from outside",
        [
            Table("wait_for_address: from change to decision, ms", ("wait", "median", "p99", "worst"), waits),
            Table(
                f"connect_check: {connects['endpoints']} endpoints in one call, s",
                ("all of them", "took"),
                sorted(seconds.items()),
            ),
        ],
        [
            Target("wait_for_address: slowest median", slowest, address_reaction.WANTED * 1000, "ms"),
            *(
                Target(f"connect_check: all {name}", seconds[name], wanted, "s")
                for name, wanted in many_connects.WANTED.items()
            ),
        ],
    )
