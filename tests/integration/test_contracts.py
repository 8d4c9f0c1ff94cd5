# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the real modules return, held against docs/schemas/: as root and as nobody, through both backends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from contracts import find_violations, load_schema

from .stage import NOBODY, Stage
from .world import Kind, World

MODULES: dict[str, dict[str, Any]] = {
    "bind_check": {"include_listeners": True, "fail_on": "never"},
    "listener_info": {"all_owners": True},
    "stale_binding_facts": {},
    "reuseaddr_facts": {},
    "interface_address_info": {},
}

Results = dict[tuple[str, str, int], dict[str, Any]]


# Besides those of the world: a listener that a restart would not get back, and a port that two programs share.
BLOCKED = Kind("blocked", "tcp", "127.0.0.1", 1301, "valid", True, True, ("no reuseaddr", "accepted"))
SHARED = Kind("shared", "tcp", "127.0.0.1", 1302, "valid", True, True, ("reuseport",))


@pytest.fixture(scope="module")
def results(stage: Stage) -> Results:
    """By module, backend and user id."""
    if os.geteuid() != 0:
        pytest.skip("making a network namespace takes root")
    world = World()
    try:
        world.hold([BLOCKED, SHARED], name="one")
        world.hold([SHARED], name="two")
        return {
            (module, backend, user): stage.run(
                world.name, module, {"backend": backend, **options}, user=user, psutil=backend == "psutil"
            ).result
            for module, options in MODULES.items()
            for backend in ("netlink", "psutil")
            for user in (0, NOBODY)
        }
    finally:
        world.close()


@pytest.mark.parametrize("user", [0, NOBODY], ids=["root", "nobody"])
@pytest.mark.parametrize("backend", ["netlink", "psutil"])
@pytest.mark.parametrize("module", MODULES)
def test_result_is_as_its_schema_says(results: Results, module: str, backend: str, user: int) -> None:
    assert find_violations(module, results[module, backend, user]) == []


@pytest.mark.parametrize("module", MODULES)
def test_error_is_as_its_schema_says(world: World, stage: Stage, module: str) -> None:
    result = stage.run(world.name, module, {"backend": "psutil"}).result  # not installed there
    assert find_violations("error", result) == []
    assert "psutil" in result["msg"]


def test_the_results_show_every_state_and_every_rule(results: Results) -> None:
    """Or the tests above would prove little."""
    shown = [*results["bind_check", "netlink", 0]["listeners"], *results["bind_check", "psutil", 0]["listeners"]]
    states = load_schema("listener.json")["$defs"]["binding"]["properties"]["state"]["enum"]
    assert {listener["binding"]["state"] for listener in shown} == set(states)
    findings = results["bind_check", "netlink", 0]["findings"]
    rules = load_schema("finding.json")["properties"]["rule"]["enum"]
    assert {finding["rule"] for finding in findings} == set(rules)
    assert {finding["severity"] for finding in findings} == {"error", "warning", "info"}


def test_every_gap_is_a_warning_too(results: Results) -> None:
    for result in results.values():
        gaps = result["ansible_facts"]["binding_gaps"] if "ansible_facts" in result else result["gaps"]
        assert len(result.get("warnings", [])) == len({str(gap) for gap in gaps})


def test_unprivileged_results_differ_in_what_only_the_process_knows(results: Results) -> None:
    """The verdicts need no privilege."""
    for module in ("bind_check", "listener_info", "stale_binding_facts"):
        root, nobody = (list(find_listeners(results[module, "netlink", user])) for user in (0, NOBODY))
        assert root
        assert [less_owners(listener) for listener in nobody] == [less_owners(listener) for listener in root]
        assert {listener["owner_status"] for listener in root} == {"found"}
        assert {listener["owner_status"] for listener in nobody} == {"denied"}
    routes = [results["interface_address_info", "netlink", user]["local_routes"] for user in (0, NOBODY)]
    assert routes[1] == routes[0]


def find_listeners(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from find_listeners(item)
    elif isinstance(value, dict):
        if "owner_status" in value:
            yield value
        else:
            for key, item in value.items():
                if key != "findings":  # rules about restarts have fewer of them without rights
                    yield from find_listeners(item)


def less_owners(listener: dict[str, Any]) -> dict[str, Any]:
    """Without what takes a look into the process that holds the socket: it and those options that only it has."""
    seen = {key: listener["options"][key] for key in ("freebind", "transparent", "bind_device")}
    return {**{key: value for key, value in listener.items() if key not in ("owners", "owner_status")}, "options": seen}
