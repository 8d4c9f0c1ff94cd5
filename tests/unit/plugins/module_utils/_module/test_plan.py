# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole assessment, on a host that is made up at its edges."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Owner, Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.units import UnitListen
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from builders import make_ownership, make_socket
from contracts import find_violations
from plan_world import GONE, HEALTHY, HERE, NETWORK, STALE, PlanWorld
from plans import make_unit

EXPECTED = {"nginx.service": [f"{HERE}:80", f"{HERE}:8080"]}
CONTAINER = "4c01" * 16
PROXY = (Owner(9, "docker-proxy", "/usr/bin/docker-proxy", "root", 4),)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> PlanWorld:
    return PlanWorld(monkeypatch)


def check(result: dict[str, Any]) -> dict[str, Any]:
    assert find_violations("rebind_plan", {"changed": False, **result}) == []
    return result


def test_nothing_stale(world: PlanWorld) -> None:
    world.samples = [((HEALTHY,), NETWORK)]
    result = check(world.plan())
    assert result == {
        "plan": [],
        "awaited": [],
        "acting": 0,
        "gaps": [],
        "msg": "No stale listener was found; nothing to restart",
    }


def test_a_proven_restart(world: PlanWorld) -> None:
    result = check(world.plan(expected=EXPECTED))
    (entry,) = result["plan"]
    assert (entry["action"], entry["decision"], entry["proven"], result["acting"]) == ("restart", "proven", True, 1)
    assert entry["commands"]["restart"] == [["systemctl", "--no-ask-password", "restart", "--", "nginx.service"]]
    assert [(found["host"], found["port"]) for found in entry["endpoints"]] == [(HERE, 8080), (HERE, 80)]
    assert result["msg"].splitlines() == [
        "1 with stale listeners: 1 to restart, 0 to leave alone",
        f"nginx.service  {GONE}:80/tcp  → restart (proven): it will listen on {HERE}:80, {HERE}:8080 (declared), and"
        " every bind will succeed",
    ]


TEST_REFUSED: list[tuple[dict[str, Any], str, list[dict[str, Any]]]] = [
    ({}, "no_proof", []),
    ({"expected": {"nginx.service": [f"{HERE}:80"]}}, "uncovered", []),
    (
        {"expected": {"nginx.service": [f"{GONE}:80", f"{HERE}:8080"]}},
        "address_missing",
        [{"address": GONE, "interface": None}],
    ),
    ({"expected": EXPECTED, "never_restart": {"ngin*": "we said so"}}, "never_restart", []),
    ({"expected": EXPECTED, "units": ["redis*"]}, "not_listed", []),
    ({"expected": EXPECTED, "max_units": 0}, "limit", []),
]


@pytest.mark.parametrize(("options", "decision", "awaited"), TEST_REFUSED)
def test_refused(world: PlanWorld, options: dict[str, Any], decision: str, awaited: list[dict[str, Any]]) -> None:
    result = check(world.plan(**options))
    (entry,) = result["plan"]
    assert (entry["action"], entry["decision"], result["awaited"], result["acting"]) == ("none", decision, awaited, 0)
    assert not any(entry["commands"].values())
    assert entry["advice"]


def test_a_host_without_systemd_is_unknown_and_never_fine(world: PlanWorld) -> None:
    world.units = {"nginx.service": "systemctl show: could not be run: No such file"}
    result = check(world.plan(expected=EXPECTED, unproven="restart"))
    (entry,) = result["plan"]
    assert (entry["action"], entry["decision"]) == ("none", "unit_unknown")
    assert [gap["source"] for gap in result["gaps"]] == ["systemd"]


@pytest.mark.parametrize(
    ("options", "action", "restart"),
    [
        ({}, "none", []),
        ({"containers": True}, "none", []),
        ({"containers": True, "actions": {CONTAINER: "restart"}}, "none", []),
        ({"containers": True, "actions": {f"docker container {CONTAINER}": "restart"}}, "custom",
         [["docker", "restart", CONTAINER]]),
        ({"containers": True, "actions": {f"docker container {CONTAINER}": "re-create 'my web'"}}, "custom",
         [["re-create", "my web"]]),
    ],
)  # fmt: skip
def test_a_container_by_its_engine_and_its_whole_id(
    world: PlanWorld, options: dict[str, Any], action: str, restart: list[list[str]]
) -> None:
    world.samples = [((STALE,), NETWORK)]
    service = Service("docker", CONTAINER, "container")
    world.ownerships = {80: make_ownership(None)._replace(owners=PROXY, service=service)}
    label = f"docker container {CONTAINER}"
    result = check(world.plan(expected={label: [f"{HERE}:80"]}, **options))
    (entry,) = result["plan"]
    assert (entry["label"], entry["unit"], entry["manager"], entry["scope"]) == (
        label,
        CONTAINER,
        "docker",
        "container",
    )
    assert (entry["action"], entry["commands"]["restart"]) == (action, restart)
    assert "docker container 4c014c014c01" in result["msg"]


def test_a_container_that_cannot_be_told_is_reported_with_its_engine(world: PlanWorld) -> None:
    world.samples = [((STALE,), NETWORK)]
    world.ownerships = {80: make_ownership(None)._replace(owners=PROXY, doubt="it may be this or that")}
    (entry,) = check(world.plan(containers=True, unproven="restart"))["plan"]
    assert (entry["unit"], entry["action"], entry["decision"]) == (None, "none", "container")
    assert (
        entry["reason"] == "docker-proxy publishes a container's port here (docker); which one: it may be this or that"
    )


def test_what_systemd_would_not_start_is_not_stopped(world: PlanWorld) -> None:
    world.obstacles = {"nginx.service": "ConditionPathExists=/etc/nginx/on failed"}
    (entry,) = check(world.plan(expected=EXPECTED, unproven="restart"))["plan"]
    assert (entry["action"], entry["decision"]) == ("none", "cannot_start")
    assert "nginx.service: ConditionPathExists=/etc/nginx/on failed" in entry["reason"]


@pytest.mark.parametrize(
    "options", [{}, {"expected": EXPECTED, "units": ["x*"]}, {"actions": {"nginx.service": "reload"}}]
)
def test_it_is_not_asked_of_what_is_not_stopped(world: PlanWorld, options: dict[str, Any]) -> None:
    world.plan(**options)
    assert world.asked == []


def test_it_is_asked_of_the_socket_and_its_service(world: PlanWorld) -> None:
    listen = (UnitListen("tcp", bytes((192, 0, 2, 20)), 80, None),)
    world.samples = [((STALE,), NETWORK)]
    world.units = {
        "nginx.service": make_unit(triggered_by=("nginx.socket",)),
        "nginx.socket": make_unit("nginx.socket", triggers=("nginx.service",), listens=listen),
    }
    (entry,) = world.plan()["plan"]
    assert (entry["decision"], world.asked) == ("proven", ["nginx.socket", "nginx.service"])


def test_a_second_look_leaves_out_what_only_one_showed(world: PlanWorld) -> None:
    late = make_socket(GONE, 81)
    world.samples = [((STALE, HEALTHY), NETWORK)] * 2 + [((STALE, HEALTHY, late), NETWORK)]
    result = check(world.plan(confirm_after=7))
    assert world.slept == [7]
    assert [[found["port"] for found in entry["stale"]] for entry in result["plan"]] == [[80]]
    assert result["msg"].splitlines()[-1] == "1 more showed in only one of the two samples and were left out"


def test_what_heals_between_the_looks_is_left_alone(world: PlanWorld) -> None:
    world.samples = [((STALE, HEALTHY), NETWORK)] * 2 + [((HEALTHY,), NETWORK)]
    assert check(world.plan(confirm_after=7))["plan"] == []


def test_a_sound_host_is_looked_at_once(world: PlanWorld) -> None:
    world.samples = [((HEALTHY,), NETWORK)]
    world.plan(confirm_after=7)
    assert world.slept == []


def test_afterwards(world: PlanWorld) -> None:
    """An earlier plan is taken as it was returned; a restart that moved the listener fixed it."""
    plan = world.plan(expected=EXPECTED)["plan"]
    world.samples = [((make_socket(HERE, 80), HEALTHY), NETWORK)]
    result = check(world.plan(since=plan))
    assert [(row["label"], row["outcome"]) for row in result["outcomes"]] == [("nginx.service", "fixed")]
    assert result["broken"] == 0
    row = {"host": HERE, "port": 8080, "interface": None, "connected": False}
    result = check(world.plan(since=plan, connects=[row]))
    assert [(found["outcome"], found["missing"]) for found in result["outcomes"]] == [("missing", [f"{HERE}:8080/tcp"])]
    assert result["broken"] == 1
    assert result["msg"] == f"nginx.service  missing: it served these before and does not now: {HERE}:8080/tcp"


def test_afterwards_another_unit_in_the_same_place_does_not_serve_for_it(world: PlanWorld) -> None:
    """SO_REUSEPORT: u@1 and u@2 share a port, and u@1 comes back without it."""
    plan = world.plan(expected=EXPECTED)["plan"]
    world.samples = [((make_socket(HERE, 80), HEALTHY), NETWORK)]
    world.ownerships = {8080: make_ownership("u@2.service")}
    result = check(world.plan(since=plan))
    assert [(row["outcome"], row["missing"]) for row in result["outcomes"]] == [("missing", [f"{HERE}:8080/tcp"])]


def test_afterwards_a_socket_and_its_service_are_one(world: PlanWorld) -> None:
    listen = (UnitListen("tcp", bytes((192, 0, 2, 20)), 80, None),)
    world.samples = [((STALE,), NETWORK)]
    world.units = {
        "ssh.service": make_unit("ssh.service", triggered_by=("ssh.socket",)),
        "ssh.socket": make_unit("ssh.socket", triggers=("ssh.service",), listens=listen),
    }
    world.ownerships = {80: make_ownership("ssh.socket", "systemd")}
    plan = check(world.plan())["plan"]
    assert (plan[0]["label"], plan[0]["companion"]) == ("ssh.socket", "ssh.service")
    assert "ssh.socket  192.0.2.10:80/tcp" in world.plan()["msg"]
    world.samples = [((make_socket(HERE, 80),), NETWORK)]
    world.ownerships = {80: make_ownership("ssh.service")}
    assert check(world.plan(since=plan))["outcomes"][0]["outcome"] == "fixed"


def test_afterwards_when_the_port_did_not_clear(world: PlanWorld) -> None:
    plan = world.plan(expected=EXPECTED)["plan"]
    left = [{**plan[0], "reason": "clear in 40 s", "wait": {"seconds": 40, "stop_first": False}}]
    result = check(world.plan(since=[{**plan[0], "action": "none"}], left=left))
    assert [row["outcome"] for row in result["outcomes"]] == ["not_clear"]
    assert "clear in 40 s; wait longer (rebind_max_wait)" in result["msg"]
    assert result["broken"] == 0


def test_afterwards_when_nothing_was_planned(world: PlanWorld) -> None:
    plan = world.plan()["plan"]
    result = check(world.plan(since=plan))
    (row,) = result["outcomes"]
    assert row["outcome"] == "untouched"
    assert plan[0]["reason"] in row["reason"]
    assert plan[0]["advice"] in row["reason"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("confirm_after", -1),
        ("intended_addresses", ["192.0.2.5/24"]),
        ("expected", {"x": "192.0.2.5:80"}),
        ("actions", {"x": "restart 'it"}),
        ("max_units", -1),
        ("since", [{}]),
        ("connects", [{}]),
        ("left", [{}]),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_read(
    world: PlanWorld, monkeypatch: pytest.MonkeyPatch, option: str, value: object
) -> None:
    monkeypatch.setattr(world, "samples", None)
    with pytest.raises(InvalidOption, match=f"option {option}.* is not allowed; it takes "):
        world.plan(**{option: value})


def test_a_name_that_a_shell_or_systemctl_could_take_for_something_else(world: PlanWorld) -> None:
    name = "-H\\x2dx@$(id).service"
    world.units = {name: make_unit(name)}
    world.ownerships = {80: make_ownership(name), 8080: make_ownership(name)}
    (entry,) = check(world.plan(expected={name: [f"{HERE}:80", f"{HERE}:8080"]}))["plan"]
    for command in entry["commands"]["restart"]:
        assert command[command.index("--") + 1 :] == [name]
    assert entry["commands"]["units"] == [name]
    assert entry["commands"]["state"][-2:] == ["--", name]
    assert f"--unit={name}" in entry["commands"]["journal"]
