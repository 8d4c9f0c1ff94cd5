# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`: measures ours and everybody else's in the same run, and says which targets are reached."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from .chart import write_charts
from .hosts import measure_fleet
from .outside import measure_outside
from .peers import BUILD, QUESTIONS, ask_everybody, make_environment
from .readings import measure_growth, measure_reading
from .report import Chart, Part, Table, format_part, format_targets, write_json
from .scene import Shape, enter_private_mounts, set_scene
from .tasks import DEFAULT_PYTHONS, measure_processes, measure_tasks

GROWTH = {
    "connections": (0, 20_000, 50_000, 100_000),
    "processes": (0, 500, 1000, 2000),
    "listeners": (300, 1000, 5000, 10_000, 20_000),
}
QUICK_GROWTH = {"connections": (0, 2000), "processes": (0, 200), "listeners": (300, 1000)}


def main() -> None:
    arguments = parse_arguments()
    if os.geteuid() != 0:
        sys.exit("The benchmarks make network namespaces and cgroups: they need root.")
    BUILD.mkdir(parents=True, exist_ok=True)
    environment = make_environment()
    enter_private_mounts()
    shape = Shape(connections=2000, descriptors=2000) if arguments.quick else Shape()
    rounds = arguments.rounds or (3 if arguments.quick else 15)
    pythons = tuple(arguments.python or DEFAULT_PYTHONS)
    known: dict[str, Callable[[], Part]] = {
        "found": lambda: measure_found(environment),
        "task": lambda: measure_tasks(shape, rounds * 2, environment),
        "process": lambda: measure_processes(shape, rounds * 4, environment, pythons),
        "reading": lambda: measure_reading(shape, rounds * 2, environment),
        "growth": lambda: measure_growth(
            QUICK_GROWTH if arguments.quick else GROWTH, rounds, environment, 1000 if arguments.quick else 10_000
        ),
        "fleet": lambda: measure_fleet(
            arguments.hosts or (10 if arguments.quick else 100), arguments.rounds or 3, arguments.forks, environment
        ),
        "outside": measure_outside,
    }
    parts = []
    for name in arguments.parts or known:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        parts.append(known[name]())
        print(format_part(parts[-1]), flush=True)
    finish(parts)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    names = ["found", "task", "process", "reading", "growth", "fleet", "outside"]
    parser.add_argument("parts", nargs="*", choices=[*names, []], help="default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds: to see that it works")
    parser.add_argument("--rounds", type=_count, help="how often each competitor has its turn")
    parser.add_argument("--python", type=Path, action="append", help="of the hosts; may be given several times")
    parser.add_argument("--hosts", type=_count, help="of the fleet")
    parser.add_argument("--forks", type=_count, default=10)
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; it takes a whole number from 1")
    return int(text)


def measure_found(environment: dict[str, str]) -> Part:
    """What each peer says of listeners of which there is something to find out."""
    with set_scene(Shape(listeners=12, units=4, connections=20, descriptors=20, processes=5, planted=True)):
        answers, left_out = ask_everybody(environment)
    heads = ("is told", *answers)
    rows = [
        (question.title, *("yes" if answers[peer][number] else "-" for peer in answers))
        for number, question in enumerate(QUESTIONS)
    ]
    return Part(
        "What each finds of what was planted", [Table("Planted listeners", heads, rows, "\n".join(left_out))], []
    )


def finish(parts: list[Part]) -> None:
    facts = dict(describe_machine())
    targets = [target for part in parts for target in part.targets]
    print(format_targets(targets) if targets else "")
    text = "\n".join([*(f"{name}: {value}" for name, value in facts.items()), "", *map(format_part, parts)])
    (BUILD / "bench.txt").write_text(text, encoding="utf-8")
    write_json(parts, facts, BUILD / "bench.json")
    charts: list[Chart] = [chart for part in parts for chart in part.charts]
    if charts:
        write_charts(charts, BUILD / "bench.svg")
    print(f"written: {BUILD / 'bench.txt'}, bench.json" + (", bench.svg" if charts else ""))


def describe_machine() -> Iterator[tuple[str, str]]:
    yield "kernel", platform.release()
    yield "cores", str(os.cpu_count())
    yield "python", platform.python_version()
    version = subprocess.run(["ss", "-V"], capture_output=True, text=True, check=True).stdout
    yield "ss", version.strip()
    yield "load before the last minute", f"{os.getloadavg()[0]:.2f}"


if __name__ == "__main__":
    main()
