# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role itself decides when it carries out a plan, as Ansible runs its tasks: systemctl is a stand-in.

What systemd really does is tested on real systemd hosts, by the scenarios below molecule/.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from .conftest import Namespace
from .test_rebind_plan import EXPECTED, GONE, HERE, WEB, Host, Systemd, make_host

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
# What the role has in its hands when it comes to a unit.
BEGUN = {"rebind_restarted": [], "rebind_failed": {}, "rebind_rescued": [], "rebind_settle": 0}
FIN_TIMEOUT = 2  # seconds
MAX_WAIT = 7  # seconds: the timer wheel can take as long again as it was asked for, and longer where its tick is 100 Hz
ROLE = "infracheck.bindings.rebind"

# Each unit has a file with its state. NAME.stuck: a start does not help it. NAME.loops: each look finds
# another start of it.
SYSTEMCTL = """#!/bin/sh
cd {folder} || exit 99
verb=$1
while [ "$1" != -- ]; do shift; done
shift
for unit; do
    case $verb in
        is-active) cat "$unit" ;;
        show)
            [ ! -e "$unit.loops" ] || echo again >>"$unit.starts"
            echo "InvocationID=$(cat "$unit.starts" 2>/dev/null | wc -l)"
            ;;
        start) [ -e "$unit.stuck" ] || echo active >"$unit" ;;
        *) exit 98 ;;
    esac
done
"""

# Without SO_REUSEADDR, and closes a connection every half second while its client keeps it: what is left of each goes
# by itself, after net.ipv4.tcp_fin_timeout, and its port is never clear. Before that each is open for an instant, in
# which a look would see that nobody can say when the port is clear; on a busy machine that must not become a long one.
BUSY = """
import contextlib, os, select, socket, sys
with contextlib.suppress(PermissionError):
    os.nice(-20)
listeners = []
for place in sys.argv[1:]:
    address, _colon, port = place.rpartition(":")
    listeners.append(socket.socket())
    listeners[-1].bind((address, int(port)))
    listeners[-1].listen()
clients = []
while True:
    clients.append(socket.create_connection(listeners[-1].getsockname()))
    listeners[-1].accept()[0].close()
    if len(clients) == 1:
        print("busy", flush=True)
    if select.select([0], [], [], 0.5)[0] and not os.read(0, 1):
        break
"""


class Case(NamedTuple):
    """A unit for which a command of the caller's is run that leaves others in these states; what is to be reported."""

    unit: str
    units: tuple[str, ...]  # what is stopped together
    along: tuple[str, ...]
    left: dict[str, str]
    stuck: tuple[str, ...]
    told: str  # of what is not back; empty where all is


SOCKET, SERVICE, SIBLING, HELPER = "act.socket", "act.service", "more.socket", "helper.service"
ALL = (SOCKET, SIBLING, SERVICE)
ALL_LEFT = {SERVICE: "failed", SIBLING: "inactive", HELPER: "inactive"}
TEST_AFTERWARDS = {
    # The socket starts its service when there is something to do, and the role what was stopped along.
    "all is well": Case(SOCKET, ALL, (HELPER,), {SERVICE: "inactive", HELPER: "inactive"}, (), ""),
    "nothing of it is": Case(SOCKET, ALL, (HELPER,), ALL_LEFT, (HELPER,), f"{SIBLING}, {SERVICE}, {HELPER}"),
    "the socket of a service": Case(SERVICE, (SOCKET, SERVICE), (), {SOCKET: "failed"}, (), SOCKET),
}


def make_systemctl(folder: Path, case: Case) -> str:
    """All runs in the beginning."""
    folder.mkdir()
    for name in case.units + case.along:
        (folder / name).write_text("active\n")
    for name in case.stuck:
        (folder / f"{name}.stuck").touch()
    program = folder / "systemctl"
    program.write_text(SYSTEMCTL.format(folder=shlex.quote(str(folder))))
    program.chmod(0o755)
    return str(program)


def make_entry(case: Case, systemctl: str) -> dict[str, Any]:
    """As rebind_plan has it, without anything to connect to."""
    states = "; ".join(f"echo {state} >{shlex.quote(name)}" for name, state in case.left.items())
    command = ["sh", "-c", f"cd {shlex.quote(str(Path(systemctl).parent))} && {states or 'true'}"]
    commands = {
        "restart": [command],
        "systemctl": [systemctl],
        "survive": [],
        "units": list(case.units),
        "along": list(case.along),
        "state": [systemctl, "is-active", "--", case.unit],
        "journal": [],
    }
    about = {"unit": case.unit, "label": case.unit, "action": "custom", "wait": None}
    return {**about, "endpoints": [], "commands": commands}


def play(
    namespace: Namespace,
    folder: Path,
    hosts: dict[str, dict[str, Any]],
    *tasks: dict[str, Any],
    before: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    inventory, book = folder / "hosts.yml", folder / "play.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": LOCAL}}))
    book.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]))
    return namespace.run(*before, "ansible-playbook", "-i", str(inventory), str(book))


def run(part: str) -> dict[str, Any]:
    return {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": part}}


def test_all_that_ran_is_asked_for_afterwards(namespace: Namespace, tmp_path: Path) -> None:
    hosts = {}
    for number, case in enumerate(TEST_AFTERWARDS.values()):
        entry = make_entry(case, make_systemctl(tmp_path / f"host{number}", case))
        hosts[f"host{number}"] = {**BEGUN, "rebind_entry": entry, "rebind_now": entry}
    tell = "{{ inventory_hostname }} failed={{ rebind_failed[rebind_entry.label] | default('nothing') }}"
    said = play(namespace, tmp_path, hosts, run("carry_out.yml"), {"ansible.builtin.debug": {"msg": tell}}).stdout
    for number, (name, case) in enumerate(TEST_AFTERWARDS.items()):
        told = f"{case.told} ran before, and a start did not bring that back" if case.told else "nothing"
        assert f"host{number} failed={told}" in said, f"{name}:\n{said}"


def test_active_at_both_looks_is_not_serving_when_it_was_started_in_between(
    namespace: Namespace, tmp_path: Path
) -> None:
    hosts = {}
    for name in ("steady", "looping"):
        case = Case(SERVICE, (SERVICE,), (), {}, (), "")
        entry = make_entry(case, make_systemctl(tmp_path / name, case))
        hosts[name] = {**BEGUN, "rebind_entry": entry, "rebind_now": entry}
    (tmp_path / "looping" / f"{SERVICE}.loops").touch()
    tell = "{{ inventory_hostname }} serves={{ rebind_serves }} down={{ rebind_is_down }}"
    said = play(namespace, tmp_path, hosts, run("serves.yml"), {"ansible.builtin.debug": {"msg": tell}}).stdout
    assert "steady serves=True down=False" in said, said
    assert "looping serves=False down=False" in said, said


@pytest.fixture
def host(cgroups: Path, folder: Path) -> Iterator[Host]:
    """A service with a stale listener and a healthy one, whose port is not clear for long."""
    for made in make_host(cgroups, folder):
        done = made.namespace.run("sh", "-c", f"echo {FIN_TIMEOUT} >/proc/sys/net/ipv4/tcp_fin_timeout")
        assert done.returncode == 0, done.stdout
        process = made.start(made.namespace, WEB, [sys.executable, "-c", BUSY, f"{GONE}:2001", f"{HERE}:2002"])
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        made.lose_address()
        yield made


@pytest.fixture
def results(host: Host, folder: Path, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """What the role says of that host, and what where each look crashes that comes after the plan."""
    known = Systemd(folder / "units")
    known.add(WEB)
    options = {
        "rebind_mode": "restart",
        "rebind_confirm_after": 0,
        "rebind_expected": EXPECTED,
        "rebind_max_wait": MAX_WAIT,
    }
    # Only in the loop over the plan has the role an entry in its hands.
    python = "{{ '/nonexistent/python' if rebind_entry is defined else ansible_playbook_python }}"
    hosts = {"busy": options, "crash": {**options, "ansible_python_interpreter": python}}
    keep = {"content": "{{ kept | to_json }}", "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}", "mode": "0600"}
    kept = {"result": "{{ rebind_result }}", "succeeded": "{{ succeeded | default(false) }}"}
    task = {
        "block": [run("main.yml"), {"ansible.builtin.set_fact": {"succeeded": True}}],
        "always": [{"ansible.builtin.copy": keep, "vars": {"kept": kept}}],
    }
    covered = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /usr/local/sbin && exec "$@"', str(known.folder))
    done = play(host.namespace, tmp_path, hosts, task, before=covered)
    results = {name: json.loads((tmp_path / name).read_text()) for name in hosts}
    for told in results.values():
        assert [row["decision"] for row in told["result"]["plan"]] == ["after_wait"], done.stdout
    return results


def test_what_the_second_look_shows_is_what_counts(results: dict[str, dict[str, Any]]) -> None:
    """One that is not clear in time is a verdict; one that crashes is an error, with a verdict all the same."""
    for name, outcome in (("busy", "not_clear"), ("crash", "untouched")):
        result = results[name]["result"]
        assert results[name]["succeeded"] is (name == "busy"), result
        assert (result["restarted"], result["broken"]) == ([], 0)
        assert [(row["label"], row["outcome"]) for row in result["outcomes"]] == [(WEB, outcome)], result
        assert result["outcomes"][0]["reason"].startswith("nothing was done"), result["outcomes"]
    assert results["busy"]["result"]["errors"] == []
    (error,) = results["crash"]["result"]["errors"]
    assert error.startswith(f"{WEB}: ")
    assert error.partition(": ")[2] in results["crash"]["result"]["outcomes"][0]["reason"]
