# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet costs: the playbook over many hosts, against the same with a ping in place of the check."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from .fleet import LISTENERS, PERSIST, PING_PLAYBOOK, Fleet, set_fleet
from .peers import BIN, BUILD, CHECKOUT
from .report import Part, Table, Target
from .stopwatch import Cost, Taken, run_command, take_turns

CHECK = "check_bindings.yml"
PING = "the same with a ping"
MANY = 200  # hosts from which on a play takes minutes: one of the check alone, to see what the controller needs


class Play(NamedTuple):
    playbook: Path
    inventory: Path
    environment: Mapping[str, str] = MappingProxyType({})


def measure_fleet(hosts: int, rounds: int, forks: int, environment: Mapping[str, str]) -> Part:
    """The playbook over so many hosts, beside a ping, and then in the other ways that Ansible has."""
    peaks: dict[str, int] = {}

    def run(name: str, play: Play) -> Cost:
        if play.inventory == fleet.ssh:
            time.sleep(PERSIST + 1)  # no play begins with the connections of the one before
        command = (str(BIN / "ansible-playbook"), "-i", str(play.inventory), "-f", str(forks), str(play.playbook))
        ended = run_command(command, CHECKOUT, {**environment, **play.environment})
        peaks[name] = ended.peak
        return ended.cost

    def take(rounds: int, plays: Mapping[str, Play], *, warm_up: bool = True) -> dict[str, Taken]:
        turns = {name: functools.partial(run, name, play) for name, play in plays.items()}
        return take_turns(rounds, turns, warm_up=warm_up)

    with set_fleet(hosts, BUILD / "fleet") as fleet:
        check, ping = CHECKOUT / CHECK, BUILD / "ping_all.yml"
        ping.write_text(PING_PLAYBOOK)
        if hosts > MANY:
            times = take(1, {CHECK: Play(check, fleet.local)}, warm_up=False)
        else:
            times = take(rounds, {PING: Play(ping, fleet.local), CHECK: Play(check, fleet.local)})
            times.update(take(1, dict(list_ways(check, ping, fleet)), warm_up=False))
    rows = [
        (name, cost.seconds, cost.seconds / hosts * 1e3, cost.cpu / hosts * 1e3, peaks[name] / 1e6)
        for name, cost in times.items()
    ]
    title = f"{hosts} hosts with {LISTENERS} listeners each, {forks} forks, controller and hosts on one machine"
    note = "" if fleet.ssh else "by ssh: left out, there is no sshd (package openssh-server)"
    targets = []
    if PING in times:
        ratio = times[CHECK].over(times[PING]).seconds
        targets.append(Target("the playbook over the same with a ping", ratio, 1.3))
    heads = ("playbook", "s", "ms per host", "cpu ms per host", "controller MB")
    return Part("Fleet", [Table(title, heads, rows, note)], targets)


def list_ways(check: Path, ping: Path, fleet: Fleet) -> Iterator[tuple[str, Play]]:
    """What a user can choose without another engine; by the local connection, and by ssh where there is an sshd."""
    origin = getattr(find_spec("ansible_mitogen"), "origin", "")
    ways = {
        "strategy free": {"ANSIBLE_STRATEGY": "free"},
        "pipelining": {"ANSIBLE_PIPELINING": "1"},
        "Mitogen": {
            "ANSIBLE_STRATEGY_PLUGINS": str(Path(origin).parent / "plugins" / "strategy"),
            "ANSIBLE_STRATEGY": "mitogen_linear",
        },
    }
    for name, environment in ways.items():
        yield f"{CHECK}, {name}", Play(check, fleet.local, environment)
    if fleet.ssh is not None:
        yield f"{PING}, by ssh", Play(ping, fleet.ssh)
        yield f"{CHECK} by ssh", Play(check, fleet.ssh)
        for name, environment in ways.items():
            yield f"{CHECK} by ssh, {name}", Play(check, fleet.ssh, environment)
