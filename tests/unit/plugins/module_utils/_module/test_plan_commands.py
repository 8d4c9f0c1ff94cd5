# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that carry a plan out, and the units that they concern."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import (
    CUSTOM,
    NONE,
    RELOAD,
    RESTART,
    RESTART_SOCKET,
    Dependent,
    Plan,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.plan_commands import (
    make_commands,
    require_commands,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_plan import plan_unit
from plans import make_case, make_settings, make_unit

SYSTEMCTL = ["systemctl", "--no-ask-password"]
SSH_SOCKET = Service("systemd", "ssh.socket", "system")
CONTAINER = Service("podman", "ab" * 32, "container")


def make_plan(action: str = RESTART, decision: str = "proven", **fields: Any) -> Plan:
    return Plan(make_case(**fields), action, decision, "a reason", "", None)


def socket_case(active_state: str) -> dict[str, Any]:
    companion = make_unit("ssh.service", active_state=active_state)
    return {"service": SSH_SOCKET, "unit": make_unit("ssh.socket"), "companion": companion}


TEST_RESTARTS: list[tuple[Plan, dict[str, str], list[list[str]]]] = [
    (make_plan(), {}, [[*SYSTEMCTL, "restart", "--", "nginx.service"]]),
    (make_plan(RELOAD), {"nginx.service": "reload"}, [[*SYSTEMCTL, "reload", "--", "nginx.service"]]),
    (make_plan(CUSTOM), {"nginx.service": "nginx -s 'a b'"}, [["nginx", "-s", "a b"]]),
    (make_plan(CUSTOM, service=CONTAINER, unit=None), {f"podman container {'ab' * 32}": "again"}, [["again"]]),
    (
        make_plan(CUSTOM, service=CONTAINER, unit=None),
        {f"podman container {'ab' * 32}": "restart"},
        [["podman", "restart", "ab" * 32]],
    ),
    (
        make_plan(RESTART_SOCKET, **socket_case("active")),
        {},
        [
            [*SYSTEMCTL, "stop", "--", "ssh.socket", "ssh.service"],
            [*SYSTEMCTL, "start", "--", "ssh.socket", "ssh.service"],
        ],
    ),
    (
        make_plan(RESTART_SOCKET, **socket_case("inactive")),
        {},
        [[*SYSTEMCTL, "stop", "--", "ssh.socket", "ssh.service"], [*SYSTEMCTL, "start", "--", "ssh.socket"]],
    ),
    (
        make_plan(RESTART_SOCKET, service=SSH_SOCKET, unit=make_unit("ssh.socket")),
        {},
        [[*SYSTEMCTL, "restart", "--", "ssh.socket"]],
    ),
    # What was stopped along is started again, which a restart by itself does.
    (
        make_plan(
            RESTART_SOCKET, **socket_case("inactive"), dependents=(Dependent("a.service", 0), Dependent("b.target", 0))
        ),
        {},
        [
            [*SYSTEMCTL, "stop", "--", "ssh.socket", "ssh.service"],
            [*SYSTEMCTL, "start", "--", "ssh.socket"],
            [*SYSTEMCTL, "start", "--", "a.service", "b.target"],
        ],
    ),
    (
        make_plan(dependents=(Dependent("a.service", 0),)),
        {},
        [[*SYSTEMCTL, "restart", "--", "nginx.service"]],
    ),
    (make_plan(NONE, "no_proof"), {"nginx.service": "reload"}, []),
    (make_plan(NONE, "no_unit", service=None, unit=None), {"": "reload"}, []),
]


@pytest.mark.parametrize(("plan", "actions", "restart"), TEST_RESTARTS)
def test_restart(plan: Plan, actions: dict[str, str], restart: list[list[str]]) -> None:
    assert make_commands(plan, make_settings(actions=actions))["restart"] == restart


def commands_of(plan: Plan, **settings: Any) -> Any:
    return make_commands(plan, make_settings(**settings))


def test_what_is_stopped_together_is_the_socket_its_service_and_the_sockets_of_that() -> None:
    """A connection to the other socket would start the service again before it has stopped."""
    sockets = ("other.socket", "ssh.socket", "ssh.timer")
    plan = make_plan(
        RESTART_SOCKET,
        service=SSH_SOCKET,
        unit=make_unit("ssh.socket"),
        companion=make_unit("ssh.service", triggered_by=sockets),
        dependents=(Dependent("a.service", 0), Dependent("ssh.service", 1)),
    )
    commands = commands_of(plan)
    assert commands["units"] == ["ssh.socket", "other.socket", "ssh.service"]
    assert commands["along"] == ["a.service"]
    assert commands["restart"] == [
        [*SYSTEMCTL, "stop", "--", "ssh.socket", "other.socket", "ssh.service"],
        [*SYSTEMCTL, "start", "--", "ssh.socket", "other.socket", "ssh.service"],
        [*SYSTEMCTL, "start", "--", "a.service"],
    ]


def test_a_service_is_stopped_with_the_sockets_that_would_start_it() -> None:
    plan = make_plan(unit=make_unit("nginx.service", triggered_by=("admin.socket", "nginx.path")))
    commands = commands_of(plan)
    assert commands["units"] == ["admin.socket", "nginx.service"]
    assert commands["restart"] == [[*SYSTEMCTL, "restart", "--", "nginx.service"]]


def test_what_goes_on_without_us_is_run_by_the_manager_of_the_unit() -> None:
    assert commands_of(make_plan())["survive"][:2] == ["systemd-run", "--no-ask-password"]
    user = Service("systemd", "app.service", "user", os.geteuid() + 1)
    commands = commands_of(make_plan(service=user, unit=make_unit("app.service")))
    assert commands["systemctl"][-2:] == ["systemctl", "--user"]
    at = len(commands["systemctl"]) - 2
    assert commands["survive"][: at + 2] == [*commands["systemctl"][:at], "systemd-run", "--user"]
    for survive in (commands["survive"], commands_of(make_plan())["survive"]):
        # It waits for the end, and needs no message bus for that.
        assert survive[-3:] == ["--quiet", "--collect", "--property=Type=oneshot"]


@pytest.mark.parametrize(
    "plan", [make_plan(NONE, "no_proof"), make_plan(NONE, "no_unit", service=None, unit=None)], ids=["left", "no unit"]
)
def test_where_nothing_is_done_there_are_no_commands(plan: Plan) -> None:
    assert not any(commands_of(plan).values())


def test_a_container_has_no_unit_to_start() -> None:
    plan = make_plan(CUSTOM, service=CONTAINER, unit=None)
    commands = commands_of(plan, actions={f"podman container {'ab' * 32}": "restart"})
    assert [key for key, value in commands.items() if value] == ["restart"]


def test_the_log_is_that_of_what_runs_a_program() -> None:
    system = make_commands(make_plan(RESTART_SOCKET, **socket_case("active")), make_settings())
    assert system["journal"][-1] == "--unit=ssh.service"
    user = Service("systemd", "app.service", "user", os.geteuid())
    commands = make_commands(make_plan(service=user, unit=make_unit("app.service")), make_settings())
    assert commands["journal"][-2:] == ["_SYSTEMD_USER_UNIT=app.service", f"_UID={os.geteuid()}"]
    assert commands["restart"][0][-4:] == ["--user", "restart", "--", "app.service"]


def test_an_action_whose_program_is_missing_is_named() -> None:
    settings = make_settings(actions={"nginx.service": "no-such-program -s reload"})
    with pytest.raises(InvalidOption, match=r"actions\[nginx\.service\]: 'no-such-program -s reload'"):
        require_commands([plan_unit(make_case(), settings)], settings)


@pytest.mark.parametrize("action", ["reload", "restart", "sh -c true"])
def test_an_action_that_can_be_done_is_taken(action: str) -> None:
    settings = make_settings(actions={"nginx.service": action, "other.service": "no-such-program"})
    require_commands([plan_unit(make_case(), settings)], settings)
