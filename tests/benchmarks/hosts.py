# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet costs: the playbook over many hosts, against the same with a ping in place of the check."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from .fleet import LISTENERS, PING_PLAYBOOK, set_fleet
from .peers import BIN, BUILD, CHECKOUT
from .report import Part, Table, Target
from .stopwatch import Cost, run_command, take_turns

CHECK = "check_bindings.yml"
FREE, MITOGEN = f"{CHECK}, strategy free", f"{CHECK} with Mitogen"


def measure_fleet(hosts: int, rounds: int, forks: int, environment: Mapping[str, str]) -> Part:
    ping = BUILD / "ping_all.yml"
    ping.write_text(PING_PLAYBOOK)
    peaks: dict[str, int] = {}

    mitogen = {
        "ANSIBLE_STRATEGY_PLUGINS": str(
            Path(getattr(find_spec("ansible_mitogen"), "origin", "")).parent / "plugins" / "strategy"
        ),
        "ANSIBLE_STRATEGY": "mitogen_linear",
    }
    check = CHECKOUT / CHECK

    def play(name: str, playbook: Path, inventory: Path, more: Mapping[str, str] = MappingProxyType({})) -> Cost:
        command = (str(BIN / "ansible-playbook"), "-i", str(inventory), "-f", str(forks), str(playbook))
        ended = run_command(command, CHECKOUT, {**environment, **more})
        peaks[name] = ended.peak
        return ended.cost

    with set_fleet(hosts, BUILD / "fleet") as inventory:
        times = take_turns(
            rounds,
            {
                "ping": lambda: play("ping", ping, inventory),
                CHECK: lambda: play(CHECK, check, inventory),
                FREE: lambda: play(FREE, check, inventory, {"ANSIBLE_STRATEGY": "free"}),
                MITOGEN: lambda: play(MITOGEN, check, inventory, mitogen),
            },
        )
    rows = [
        (name, cost.seconds, cost.seconds / hosts * 1e3, cost.cpu / hosts * 1e3, peaks[name] / 1e6)
        for name, cost in times.items()
    ]
    return Part(
        "Fleet",
        [
            Table(
                f"{hosts} hosts with {LISTENERS} listeners each, {forks} forks, controller and hosts on one machine",
                ("playbook", "s", "ms per host", "cpu ms per host", "controller MB"),
                rows,
            )
        ],
        [
            Target(
                "the playbook over the same with a ping",
                times[CHECK].seconds / times["ping"].seconds,
                1.3,
            )
        ],
    )
