# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""connect_check and wait_for_address as a managed host runs them: every Python, any user, and through Ansible."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from contracts import find_violations
from targets import TARGET_PYTHONS

from .conftest import Namespace
from .stage import NOBODY, Stage

ADDRESS = {"address": "127.0.0.1", "state": "bindable"}


def make_endpoints(port: int) -> list[Any]:
    return [
        f"127.0.0.1:{port}",
        {"host": "127.0.0.1", "port": 9, "expect": "refused"},
        {"host": "192.0.2.1", "port": 9, "expect": "unreachable"},
        {"host": "127.0.0.1", "port": 9, "source": "192.0.2.1", "expect": "no_source"},
        {"host": "127.0.0.1", "port": port, "interface": "lo"},
    ]


@pytest.mark.parametrize("python", TARGET_PYTHONS)
def test_every_python(namespace: Namespace, stage: Stage, python: str) -> None:
    namespace.listen("127.0.0.1", 8080)
    checked = stage.run(namespace.name, "connect_check", {"endpoints": make_endpoints(8080)}, python=python)
    assert find_violations("connect_check", checked.result) == []
    assert checked.result["msg"] == "All 5 endpoints are as expected."
    waited = stage.run(namespace.name, "wait_for_address", ADDRESS, python=python)
    assert find_violations("wait_for_address", waited.result) == []
    assert (waited.result["met"], waited.result["source"], waited.result["changed"]) == (True, "netlink", False)


@pytest.mark.parametrize("user", [0, NOBODY], ids=["root", "nobody"])
def test_check_mode_on_a_host_that_cannot_be_written(namespace: Namespace, stage: Stage, user: int) -> None:
    namespace.listen("127.0.0.1", 8080)
    options = {"endpoints": make_endpoints(8080), "_ansible_check_mode": True}
    checked = stage.run(namespace.name, "connect_check", options, user=user, readonly=True)
    assert checked.result["msg"] == "All 5 endpoints are as expected."
    options = {**ADDRESS, "_ansible_check_mode": True}
    waited = stage.run(namespace.name, "wait_for_address", options, user=user, readonly=True)
    assert waited.result["met"]


def test_polling_through_psutil(namespace: Namespace, stage: Stage) -> None:
    options = {"address": "192.0.2.5", "backend": "psutil", "poll_interval": 0.1, "timeout": 30, "settle": 0.5}
    for delay in (1, 4, 12):  # a busy machine may not have the module up by then, which then sees no change
        timer = threading.Timer(delay, namespace.ip, ("address", "add", "192.0.2.5/32", "dev", "lo"))
        timer.start()
        result = stage.run(namespace.name, "wait_for_address", options, psutil=True).result
        timer.join()
        if result["events"]:
            break
        namespace.ip("address", "del", "192.0.2.5/32", "dev", "lo")
    assert find_violations("wait_for_address", result) == []
    assert (result["met"], result["source"]) == (True, "psutil")
    assert [(row["event"], row["interface"]) for row in result["events"]] == [("added", "lo")]
    (gap,) = result["gaps"]
    assert gap["source"] == "rtnetlink"
    assert "read every 0.1 s through psutil" in gap["reason"]
    assert len(result["warnings"]) == 1


# module, options of a task that fails, part of its message
TEST_ERRORS = [
    (
        "connect_check",
        {"endpoints": ["127.0.0.1"]},
        "option endpoints[0]: '127.0.0.1' is not allowed; it takes host:",
    ),
    ("wait_for_address", {"address": "::"}, "option address: '::' is not allowed"),
    ("wait_for_address", {}, "one of the following is required: address, interface"),
    ("wait_for_address", {"address": "::1", "backend": "psutil"}, "backend psutil needs the Python library psutil"),
]


@pytest.mark.parametrize(("module", "options", "message"), TEST_ERRORS)
def test_error(namespace: Namespace, stage: Stage, module: str, options: dict[str, Any], message: str) -> None:
    result = stage.run(namespace.name, module, options).result
    assert find_violations("error", result) == []
    assert message in result["msg"]


def test_through_ansible(namespace: Namespace, tmp_path: Path) -> None:
    """By full and by short name, in a play that registers the results: what a role can rely on."""
    namespace.listen("127.0.0.1", 8080)
    play = tmp_path / "play.yml"
    play.write_text(
        json.dumps(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "tasks": [
                        {"infracheck.bindings.wait_for_address": ADDRESS, "register": "waited"},
                        {"connect_check": {"endpoints": make_endpoints(8080)}, "register": "checked"},
                        {
                            "infracheck.bindings.connect_check": {"endpoints": ["127.0.0.1:9"]},
                            "register": "refused",
                            "ignore_errors": True,
                        },
                        {
                            "ansible.builtin.copy": {
                                "dest": str(tmp_path / "results.json"),
                                "mode": "0600",
                                "content": "{{ {'waited': waited, 'checked': checked, 'refused': refused} | to_json }}",
                            }
                        },
                    ],
                }
            ]
        )
    )
    done = namespace.run("ansible-playbook", str(play))
    assert done.returncode == 0, done.stdout
    assert "127.0.0.1:9 refused (ECONNREFUSED): nothing listens there" in done.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["waited"]["met"]
    assert results["checked"]["summary"] == {
        "endpoints": 5,
        "met": 5,
        "unmet": 0,
        "classes": {"connected": 2, "refused": 1, "unreachable": 1, "no_source": 1},
    }
    assert results["refused"]["failed"]
    assert results["refused"]["endpoints"][0]["class"] == "refused"
