# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every Python of a managed host gives the same answer, by itself and through Ansible.

`make integration` runs all of this with each ansible-core line that is supported.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from contracts import find_violations

from .conftest import CHECKOUT
from .stage import Stage
from .world import KINDS, World

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")

MODULES: dict[str, dict[str, Any]] = {
    "bind_check": {"include_listeners": True, "fail_on": "never", "all_owners": True},
    "listener_info": {"all_owners": True},
    "stale_binding_facts": {"all_owners": True},
    "reuseaddr_facts": {"all_owners": True},
    "interface_address_info": {"backend": "netlink"},
}


def find_pythons() -> dict[str, str]:
    """Path by version of every target Python that this machine has."""
    found = {}
    for version in VERSIONS:
        command = [str(CHECKOUT / "tests/tools/find_python.sh"), version]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode == 0:
            found[version] = done.stdout.strip()
    return found


PYTHONS = find_pythons()

# One case for each version, skipped by name where this machine has none.
TARGETS = [
    pytest.param(
        version,
        id=f"python{version}",
        marks=[] if version in PYTHONS else pytest.mark.skip(reason=f"no Python {version} on this machine"),
    )
    for version in VERSIONS
]


def comparable(result: dict[str, Any]) -> Any:
    """What must be the same in two runs: all but lifetimes, which count down, and what is said of the other processes
    of this machine, which come and go.
    """
    less = {key: value for key, value in result.items() if key not in ("invocation", "warnings")}
    text = re.sub(r'("(?:preferred|valid)_lifetime"): \d+', r"\1: 1", json.dumps(less))
    return json.loads(text, object_hook=without_owner_gaps)


def without_owner_gaps(value: dict[str, Any]) -> dict[str, Any]:
    for key in {"gaps", "binding_gaps"} & set(value):
        value[key] = [gap for gap in value[key] if gap["source"] != "owners"]
    return value


@pytest.fixture(scope="module")
def expected(world: World, stage: Stage) -> dict[str, Any]:
    """What each module says with the Python of the tests themselves."""
    return {module: comparable(stage.run(world.name, module, options).result) for module, options in MODULES.items()}


@pytest.mark.parametrize("version", TARGETS)
@pytest.mark.parametrize("module", MODULES)
def test_every_python_says_the_same(
    world: World, stage: Stage, expected: dict[str, Any], module: str, version: str
) -> None:
    result = stage.run(world.name, module, MODULES[module], python=PYTHONS[version]).result
    assert find_violations(module, result) == []
    assert comparable(result) == expected[module]


@pytest.fixture(scope="module")
def through_ansible(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """By module and version: one `ansible` run for each module, with one host for each Python."""
    inventory = tmp_path_factory.mktemp("targets") / "hosts.ini"
    hosts = [f"python{version} ansible_python_interpreter={path}" for version, path in PYTHONS.items()]
    inventory.write_text("\n".join([*hosts, "[all:vars]", "ansible_connection=local", ""]))
    return {
        (module, version): result
        for module, options in MODULES.items()
        for version, result in run_ansible(world, inventory, module, options).items()
    }


def run_ansible(world: World, inventory: Path, module: str, options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    name = f"infracheck.bindings.{module}"
    # One host after the other: these are one machine, where a run can see the descriptor that another one borrows.
    command = ["ansible", "all", "-i", str(inventory), "--forks", "1", "-m", name, "-a", json.dumps(options)]
    done = world.namespace.run(*command)
    assert done.returncode == 0, done.stdout
    answers = re.findall(r"^python(\S+) \| SUCCESS => (\{.*?^\})", done.stdout, re.MULTILINE | re.DOTALL)
    return {version: json.loads(answer) for version, answer in answers}


@pytest.mark.parametrize("version", TARGETS)
@pytest.mark.parametrize("module", MODULES)
def test_ansible_brings_the_same_back_from_every_python(
    through_ansible: dict[tuple[str, str], dict[str, Any]], expected: dict[str, Any], module: str, version: str
) -> None:
    result = through_ansible[module, version]
    assert find_violations(module, result) == []
    assert comparable(result) == expected[module]


def test_the_answer_is_not_empty(expected: dict[str, Any]) -> None:
    """Or the tests above would prove little."""
    assert len(expected["listener_info"]["listeners"]) == len(KINDS)
    assert expected["bind_check"]["findings"]
    assert expected["stale_binding_facts"]["ansible_facts"]["stale_bindings"]
    assert expected["reuseaddr_facts"]["ansible_facts"]["reuseaddr"]
    assert expected["interface_address_info"]["local_routes"]
