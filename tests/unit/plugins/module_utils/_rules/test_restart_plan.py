# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import (
    CUSTOM,
    NGINX,
    NONE,
    RELOAD,
    RESTART,
    RESTART_SOCKET,
    Case,
    Check,
    Proof,
    Wait,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import BLOCKED, UNAVAILABLE
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_plan import plan_restarts, plan_unit
from plans import DOCKER, UNPROVEN, WITH_SOCKET, make_case, make_settings, make_unit, prospect

OPTED = {"containers": True, "actions": {f"docker container {DOCKER.unit}": "restart"}}


def busy(clear_in: Optional[int], own: bool = False) -> Case:
    held = prospect("127.0.0.1:8080", BLOCKED, clear_in=clear_in, own=own)
    return make_case(proof=Proof("declared", (prospect("192.0.2.20:80"), held), None))


# case, settings → decision, a part of the reason, a part of the advice
TEST_LEFT_ALONE: list[tuple[Case, dict[str, Any], str, str, str]] = [
    # What is refused is so whatever is proven, and whatever else would be said.
    (make_case(has_rights=False), {"unproven": True}, "no_rights", "no right", "become"),
    (make_case(has_rights=False, carries_run="it does", check=None), {}, "no_rights", "no right", "become"),
    (make_case(service=DOCKER, unit=None, proof=UNPROVEN), OPTED, "no_proof", "nothing tells", "rebind_expected"),
    # What binds anew when it is told to reload is restarted, whatever that is called.
    (
        make_case(rebinds_on_reload=True, proof=UNPROVEN),
        {"actions": {"nginx.service": "reload"}},
        "no_proof",
        "nothing tells",
        "rebind_expected",
    ),
    (
        make_case(carries_run="it does", proof=UNPROVEN),
        {"actions": {"nginx.service": "reload"}},
        "carries_run",
        "nothing tells",
        "rebind_expected",
    ),
    (
        make_case(unit=make_unit(need_daemon_reload=True), proof=UNPROVEN),
        {},
        "no_proof",
        "nothing tells",
        "`systemctl daemon-reload`; or accept",
    ),
    (
        make_case(carries_run="it does", proof=UNPROVEN),
        {"unproven": True},
        "carries_run",
        "nothing tells",
        "rebind_exp",
    ),
    (make_case(carries_run="it does", check=None), {}, "carries_run", "cannot be checked", "rebind_checks"),
    (make_case(proof=UNPROVEN), {}, "no_proof", "nothing tells", "rebind_expected"),
    (busy(40), {}, "port_busy", "clear in 40 s", "rebind_max_wait"),
    (busy(40), {"max_wait": 39.0}, "port_busy", "rebind_max_wait is 39.0 s", "SO_REUSEADDR"),
    (busy(None, own=True), {"max_wait": 300.0}, "port_busy", "its connections are open", "SO_REUSEADDR"),
    (busy(None, own=True), {"max_wait": 59.0, "allow_downtime": True}, "port_busy", "are open", "SO_REUSEADDR"),
    (
        busy(None, own=True),
        {"max_wait": 60.0, "allow_downtime": True, "actions": {"nginx.service": "nginx -s quit"}},
        "port_busy",
        "are open",
        "SO_REUSEADDR",
    ),
    (busy(None), {"unproven": True, "max_wait": 300.0}, "port_taken", "in use by", "another port"),
]


@pytest.mark.parametrize(("case", "settings", "decision", "reason", "advice"), TEST_LEFT_ALONE)
def test_left_alone(case: Case, settings: dict[str, Any], decision: str, reason: str, advice: str) -> None:
    plan = plan_unit(case, make_settings(**settings))
    assert (plan.action, plan.decision) == (NONE, decision)
    assert reason in plan.reason
    assert advice in plan.advice
    assert plan.advice, "a refusal says how to go on"
    assert plan.wait is None


TEST_ACTIONS: list[tuple[Case, dict[str, Any], str, str, Optional[Wait]]] = [
    (make_case(), {}, RESTART, "proven", None),
    (make_case(check=None), {}, RESTART, "proven", None),
    (make_case(carries_run="it does"), {}, RESTART, "proven", None),
    (
        make_case(**WITH_SOCKET),
        {},
        RESTART_SOCKET,
        "proven",
        None,
    ),
    (make_case(proof=UNPROVEN), {"actions": {"nginx.service": "reload"}}, RELOAD, "reload", None),
    (make_case(rebinds_on_reload=True), {"actions": {"nginx.service": "reload"}}, RELOAD, "proven", None),
    (
        make_case(rebinds_on_reload=True, proof=UNPROVEN),
        {"actions": {"nginx.service": "reload"}, "unproven": True},
        RELOAD,
        "forced",
        None,
    ),
    (
        busy(40)._replace(rebinds_on_reload=True),
        {"max_wait": 60.0, "allow_downtime": True, "actions": {"nginx.service": "reload"}},
        RELOAD,
        "after_wait",
        Wait(40, False),
    ),
    (make_case(), {"actions": {"nginx.service": "nginx -s reload"}}, CUSTOM, "proven", None),
    (make_case(service=DOCKER, unit=None), OPTED, CUSTOM, "proven", None),
    (make_case(proof=UNPROVEN), {"unproven": True}, RESTART, "forced", None),
    (
        make_case(check=Check(("nginx", "-t"), 1, "…", address_missing=True), proof=Proof(NGINX, (), None, False)),
        {"unproven": True},
        RESTART,
        "forced",
        None,
    ),
    (busy(40), {"max_wait": 40.0}, RESTART, "after_wait", Wait(40, False)),
    (busy(40), {"max_wait": 60.0, "allow_downtime": True}, RESTART, "after_wait", Wait(40, True)),
    (
        busy(40),
        {"max_wait": 60.0, "allow_downtime": True, "actions": {"nginx.service": "nginx -s quit"}},
        CUSTOM,
        "after_wait",
        Wait(40, False),
    ),
    (busy(None, own=True), {"max_wait": 60.0, "allow_downtime": True}, RESTART, "after_wait", Wait(None, True)),
]


@pytest.mark.parametrize(("case", "settings", "action", "decision", "wait"), TEST_ACTIONS)
def test_acts(case: Case, settings: dict[str, Any], action: str, decision: str, wait: Optional[Wait]) -> None:
    plan = plan_unit(case, make_settings(**settings))
    assert (plan.action, plan.decision, plan.wait) == (action, decision, wait)
    assert plan.reason
    assert not plan.advice


def named(name: str, **fields: Any) -> Case:
    return make_case(service=Service("systemd", name, "system"), unit=make_unit(name, **fields))


def test_what_others_come_after_comes_first_and_what_is_refused_last() -> None:
    cases = [named("a.service", after=("c.service",)), named("b.service"), named("c.service", after=("b.service",))]
    refused = make_case(has_rights=False)
    plans = plan_restarts([refused, *cases], make_settings())
    assert [plan.case.unit.name for plan in plans if plan.case.unit] == [
        "b.service",
        "c.service",
        "a.service",
        "nginx.service",
    ]


def test_a_loop_in_the_order_is_cut() -> None:
    cases = [named("a.service", after=("b.service",)), named("b.service", after=("a.service",))]
    plans = plan_restarts(cases, make_settings())
    assert [plan.action for plan in plans] == [RESTART, RESTART]


def test_no_more_units_than_allowed_and_in_their_order() -> None:
    cases = [named("a.service", after=("b.service",)), named("b.service"), named("c.service")]
    plans = plan_restarts(cases, make_settings(max_units=1))
    assert [(plan.case.unit.name, plan.decision) for plan in plans if plan.case.unit] == [
        ("b.service", "proven"),
        ("a.service", "limit"),
        ("c.service", "limit"),
    ]
    assert all(plan.advice for plan in plans[1:])


def test_an_address_that_is_missing_is_proof_of_failure_for_a_command_too() -> None:
    missing = Proof("declared", (prospect("192.0.2.10:80", UNAVAILABLE, "no local route"),), None)
    plan = plan_unit(make_case(healthy=(), proof=missing), make_settings(actions={"nginx.service": "restart-it now"}))
    assert (plan.action, plan.decision) == (NONE, "address_missing")
