# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task costs: the whole ad hoc command, and the process that it starts on the host."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .peers import (
    BIN,
    CHECK,
    CHECKOUT,
    LIST,
    NEXT_BIN,
    NOTHING,
    PING,
    PORTS_FACTS,
    SETUP,
    ad_hoc,
    make_payload,
    name_core,
)
from .report import Part, Table, Target
from .scene import Shape, set_scene
from .stopwatch import Cost, Taken, run_command, take_turns

PING_TASK, CHECK_TASK = "ansible -m ping", "ansible -m bind_check"
_SMALL_RESULT = 2000  # bytes


def measure_tasks(shape: Shape, rounds: int, environment: Mapping[str, str]) -> Part:
    """The whole ad hoc command, the controller's part of it included: with the ansible-core that the peers come with,
    and with the newer one.
    """
    others = {
        "ansible -m bench_nothing": NOTHING,
        "ansible -m listener_info": LIST,
        "ansible -m setup": SETUP,
        "ansible -m listen_ports_facts": PORTS_FACTS,
    }
    pair = {PING_TASK: PING, CHECK_TASK: CHECK}
    tables: list[Table] = []
    targets = []
    with set_scene(shape):
        for programs in (BIN, NEXT_BIN):
            if not programs.exists():
                note = "the newer ansible-core is not measured: it wants Python 3.12 or newer, and none is here"
                tables[-1] = tables[-1]._replace(note=note)
                continue
            seldom = others if programs == BIN else {}
            times = take_turns(rounds, _commands(pair, programs, environment), _commands(seldom, programs, environment))
            core = name_core(programs, environment)
            tables.append(compare(f"ansible localhost, {core}, {describe(shape)}", times, PING_TASK))
            ratio = times[CHECK_TASK].over(times[PING_TASK]).seconds
            targets.append(Target(f"whole task, {core}: bind_check over ping", ratio, 1.15))
    return Part("Whole task", tables, targets)


def _commands(
    modules: Mapping[str, str], programs: Path, environment: Mapping[str, str]
) -> dict[str, functools.partial[Cost]]:
    return {name: _timed(ad_hoc(module, programs=programs), environment) for name, module in modules.items()}


def measure_processes(shape: Shape, rounds: int, environment: Mapping[str, str], pythons: Sequence[Path]) -> Part:
    """What runs on the host, without the controller: the payload that Ansible sends, started directly."""
    tables, targets = [], []
    with set_scene(shape):
        modules = {"ping": PING, "nothing": NOTHING, "bind_check": CHECK, "listener_info": LIST}
        payloads = {name: make_payload(module, environment) for name, module in modules.items()}
        for python in pythons:
            version = run_command((str(python), "-V"), CHECKOUT, environment).output.decode().split()[1]
            runs = {name: _timed((str(python), str(path)), environment) for name, path in payloads.items()}
            pair = {name: runs.pop(name) for name in ("ping", "bind_check")}
            runs["an empty Python program"] = _timed((str(python), "-c", "pass"), environment)
            times = take_turns(rounds, pair, runs)
            tables.append(compare(f"Python {version}, {describe(shape)}", times, "ping"))
            ratio = times["bind_check"].over(times["ping"]).seconds
            targets.append(Target(f"process alone, Python {version}: bind_check over ping", ratio, 1.25))
        healthy, listed = (
            _read_result((str(pythons[0]), str(payloads[name])), environment)
            for name in ("bind_check", "listener_info")
        )
    sizes = Table(
        "Size of the result, bytes as sent",
        ("module", "bytes"),
        [("bind_check", len(healthy)), ("listener_info", len(listed))],
        f"what bind_check says: {json.loads(healthy)['msg'].splitlines()[0]}",
    )
    targets.append(Target("result of a host without findings", len(healthy), _SMALL_RESULT, "bytes"))
    return Part("Process alone", [*tables, sizes], targets)


def describe(shape: Shape) -> str:
    return (
        f"{shape.listeners:,} listeners of {shape.units} units, {shape.connections:,} connections,"
        f" {shape.descriptors:,} descriptors of {shape.processes:,} other processes"
    )


def _timed(command: Sequence[str], environment: Mapping[str, str]) -> functools.partial[Cost]:
    return functools.partial(_run, tuple(command), environment)


def _run(command: tuple[str, ...], environment: Mapping[str, str]) -> Cost:
    return run_command(command, CHECKOUT, environment).cost


def _read_result(command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    output = run_command(command, CHECKOUT, environment).output.strip()
    result = json.loads(output)
    result.pop("invocation", None)  # what was asked, said back by every module
    return json.dumps(result).encode()


def compare(title: str, times: Mapping[str, Taken], base: str) -> Table:
    """One row each: time, and how many times that of `base`; then the same of the processors' time."""
    own = times[base]
    ratios = [(name, taken, taken.over(own)) for name, taken in times.items()]
    rows = [
        (name, taken.seconds * 1e3, f"{ratio.seconds:.2f} ×", taken.cpu * 1e3, f"{ratio.cpu:.2f} ×")
        for name, taken, ratio in ratios
    ]
    return Table(title, ("what", "median ms", f"over {base}", "cpu ms", "over that"), rows)


DEFAULT_PYTHONS = (Path(sys.executable),)
