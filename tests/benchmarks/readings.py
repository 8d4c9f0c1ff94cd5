# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the reading itself costs, inside a running process, and how that grows."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Callable, Optional

from .peers import CHECKOUT, LSOF, NOTHING, PORTS_FACTS, SS, make_payload
from .report import Chart, Curve, Part, Table, Target
from .scene import Shape, set_scene
from .stopwatch import Cost, Failed, Taken, run_command, take_turns
from .tasks import compare, describe

PROBE = "ansible_collections.infracheck.bindings.tests.benchmarks.probe"
ALL, LISTED, SOCKETS, FLOOR, PSUTIL = "all", "listed", "sockets", "floor", "psutil"
ON_PORTS, WALK = "on_ports", "walk"


class Probe:
    """The process that reads, in the present namespace. Use as a context manager."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", PROBE),
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._process.communicate()

    def read(self, name: str) -> Cost:
        """What it took, of one reading. Raises Failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"the probe ended while it read {name}")
        answer = json.loads(line)
        return Cost(answer["seconds"], answer["cpu"])

    def reader(self, name: str) -> Callable[[], Cost]:
        return functools.partial(self.read, name)


def measure_reading(shape: Shape, rounds: int, environment: Mapping[str, str]) -> Part:
    """Everything that one run finds out, without starting Python or Ansible; programs with their start."""

    def run(command: tuple[str, ...]) -> Callable[[], Cost]:
        return lambda: run_command(command, CHECKOUT, environment, accept=1 if command == LSOF else 0).cost

    with set_scene(shape), Probe(environment) as probe:
        names = (ALL, LISTED, SOCKETS, FLOOR)
        seldom = {PSUTIL: probe.reader(PSUTIL), "lsof": run(LSOF)}
        times = take_turns(rounds, {**{name: probe.reader(name) for name in names}, "ss": run(SS)}, seldom)
        facts, nothing = (str(make_payload(module, environment)) for module in (PORTS_FACTS, NOTHING))
        whole = take_turns(1, {"facts": run((sys.executable, facts)), "nothing": run((sys.executable, nothing))})
    with_facts, without = whole["facts"], whole["nothing"]
    body = Taken(with_facts.seconds - without.seconds, with_facts.cpu - without.cpu)
    rows = {
        "recv of the kernel's answer, nothing parsed": times[FLOOR],
        "our sockets alone, parsed": times[SOCKETS],
        "bind_check": times[ALL],
        "listener_info: everything, as returned": times[LISTED],
        "ss -lntup": times["ss"],
        "psutil.net_connections": times[PSUTIL],
        "lsof": times["lsof"],
        "listen_ports_facts, its process less that of a module that does nothing": body,
    }
    return Part(
        "Reading in process",
        [compare(describe(shape), rows, "bind_check")],
        [
            Target("reading everything", times[ALL].seconds * 1000, 25, "ms"),
            Target("ss -lntup over reading everything", times["ss"].over(times[ALL]).seconds, 4, at_least=True),
            Target("listen_ports_facts over reading everything", body.over(times[ALL]).seconds, 100, at_least=True),
        ],
    )


def measure_growth(
    steps: Mapping[str, tuple[int, ...]], rounds: int, environment: Mapping[str, str], peak_at: int
) -> Part:
    """One size after the other grows while the rest stays."""
    tables, charts = [], []
    medians: dict[tuple[str, int], dict[str, Taken]] = {}
    for size, values in steps.items():
        for value in values:
            shape = _sized(size, value)
            with set_scene(shape), Probe(environment) as probe:
                turns = {name: probe.reader(name) for name in (ALL, LISTED, SOCKETS, FLOOR, ON_PORTS, WALK)}
                turns["ss"] = lambda: run_command(SS, CHECKOUT, environment).cost
                medians[size, value] = take_turns(rounds, turns)
        rows = [(value, *(cost.seconds * 1000 for cost in medians[size, value].values())) for value in values]
        heads = (
            size,
            "bind_check ms",
            "listener_info ms",
            "sockets alone ms",
            "recv alone ms",
            "what is on the ports ms",
            "recv of that alone ms",
            "ss -lntup ms",
        )
        tables.append(Table(f"Growing {size}", heads, rows))
        curves = [
            Curve(head.removesuffix(" ms"), [(float(row[0]), float(row[column])) for row in rows])
            for column, head in enumerate(heads)
            if column
        ]
        charts.append(Chart(f"Growing {size}", size, "ms", curves))
    peak = _read_peak(peak_at, environment)
    return Part("Growth", tables, [*_judge_growth(steps, medians), *peak], charts)


def _sized(size: str, value: int) -> Shape:
    small = Shape(connections=0, descriptors=2000, processes=0)
    if size == "connections":
        return small._replace(connections=value)
    if size == "processes":
        return small._replace(processes=value)
    return small._replace(listeners=value)


def _judge_growth(
    steps: Mapping[str, tuple[int, ...]], medians: Mapping[tuple[str, int], Mapping[str, Taken]]
) -> list[Target]:
    targets = []
    for size in ("connections", "processes"):
        if size in steps:
            first, *_between, last = steps[size]
            ratio = medians[size, last][ALL].seconds / medians[size, first][ALL].seconds
            targets.append(Target(f"{last:,} {size} over {first:,}", ratio, 1.1))
    if "connections" in steps:
        last = steps["connections"][-1]
        ratio = medians["connections", last][ON_PORTS].over(medians["connections", last][WALK]).seconds
        targets.append(Target(f"what is on the ports among {last:,} connections, over the kernel's walk", ratio, 1.3))
    if "listeners" in steps:
        most = 10_000 if 10_000 in steps["listeners"] else steps["listeners"][-1]
        found = medians["listeners", most]
        targets.append(
            Target(f"{most:,} listeners without options over ss -lntup", found[SOCKETS].over(found["ss"]).seconds, 1.0)
        )
        targets.append(Target(f"{most:,} listeners, everything, each", found[ALL].seconds / most * 1e6, 40, "µs"))
    return targets


def _read_peak(listeners: int, environment: Mapping[str, str]) -> list[Target]:
    with set_scene(_sized("listeners", listeners)):
        payload = make_payload("infracheck.bindings.bind_check", environment)
        peak = run_command((sys.executable, str(payload)), CHECKOUT, environment).peak
    return [Target(f"peak memory of the process at {listeners:,} listeners", peak / 1e6, 60, "MB")]
