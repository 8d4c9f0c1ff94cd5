# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""stale_binding_facts: as a task, and while facts are gathered."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from contracts import find_violations

from .conftest import CHECKOUT
from .stage import Stage
from .world import KINDS, World

STALE = sorted(kind.port for kind in KINDS if kind.state in ("stale_address", "stale_interface"))


def test_facts_are_the_stale_listeners(world: World, stage: Stage) -> None:
    facts = stage.run(world.name, "stale_binding_facts", {}).result["ansible_facts"]
    listeners = stage.run(world.name, "listener_info", {}).result["listeners"]
    assert facts["stale_bindings"] == [
        listener for listener in listeners if listener["binding"]["state"] in ("stale_address", "stale_interface")
    ]
    assert sorted(listener["port"] for listener in facts["stale_bindings"]) == STALE


def test_listeners_that_cannot_be_judged_are_among_them(world: World, stage: Stage) -> None:
    result = stage.run(world.name, "stale_binding_facts", {"backend": "psutil"}, psutil=True).result
    assert {listener["binding"]["state"] for listener in result["ansible_facts"]["stale_bindings"]} == {"unknown"}
    assert result["ansible_facts"]["binding_gaps"]


PLAY: list[dict[str, Any]] = [
    {
        "name": "Gather them together with the ordinary facts",
        "hosts": "localhost",
        "gather_facts": True,
        "vars": {
            "ansible_facts_modules": ["ansible.builtin.setup", "infracheck.bindings.stale_binding_facts"],
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        },
        "module_defaults": {
            "ansible.builtin.setup": {"gather_subset": ["!all", "!min", "user"]},
            # Both ways to give options to a module that no task names.
            "group/infracheck.bindings.bindings": {"protocols": ["tcp"]},
            "infracheck.bindings.stale_binding_facts": {"ports": ["1018-1020", "1108"]},
        },
        "tasks": [
            {
                "name": "Write down what was gathered",
                "ansible.builtin.copy": {
                    "content": "{{ {'ansible_facts': {'stale_bindings': ansible_facts.stale_bindings,"
                    " 'binding_gaps': ansible_facts.binding_gaps}, 'user': ansible_facts.user_id} | to_json }}",
                    "dest": "{{ gathered }}",
                    "mode": "0600",
                },
            }
        ],
    }
]


def test_facts_are_gathered_with_the_others(world: World, tmp_path: Path) -> None:
    playbook, gathered = tmp_path / "play.yml", tmp_path / "gathered.json"
    playbook.write_text(json.dumps(PLAY))
    command = ["ansible-playbook", str(playbook), "-e", f"gathered={gathered}"]
    # Several fact modules run as jobs, whose results Ansible leaves behind where it keeps them.
    done = world.namespace.run(*command, cwd=CHECKOUT, ANSIBLE_ASYNC_DIR=str(tmp_path / "jobs"))
    assert done.returncode == 0, done.stdout
    assert re.search(r"changed=1 .*failed=0", done.stdout), done.stdout
    facts = json.loads(gathered.read_text())
    assert facts.pop("user")
    assert find_violations("stale_binding_facts", facts) == []
    found = [(item["protocol"], item["port"]) for item in facts["ansible_facts"]["stale_bindings"]]
    assert sorted(found) == [("tcp", 1018), ("tcp", 1019), ("tcp", 1020)]
