# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.owners import (
    DENIED,
    KERNEL,
    UNKNOWN,
    Owner,
    Ownership,
    Service,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import (
    CUSTOM,
    NGINX,
    NO_METHOD,
    NONE,
    RELOAD,
    RESTART,
    RESTART_SOCKET,
    Case,
    Check,
    Dependent,
    Proof,
    Wait,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import BLOCKED, UNAVAILABLE
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_plan import (
    RULES,
    find_wanted,
    label_service,
    plan_restarts,
    plan_unit,
)
from builders import make_ownership
from plans import listens, make_case, make_settings, make_unit, prospect

CONTAINER = Service("podman", "web", "container")
DOCKER = Service("docker", "4c01" * 16, "container")
DOCKER_LABEL = f"docker container {DOCKER.unit}"
OPTED = {"containers": True, "actions": {DOCKER_LABEL: "restart"}}
USER = Service("systemd", "nginx.service", "user", 1000)
SOCKET = Service("systemd", "ssh.socket", "system")
WITH_SOCKET: dict[str, Any] = {
    "service": SOCKET,
    "unit": make_unit("ssh.socket", can_reload=False),
    "companion": make_unit("ssh.service"),
}
UNPROVEN = Proof(NO_METHOD, (), None)
PROXY = Ownership((Owner(9, "docker-proxy", None, "root", 4),), "found", Service("systemd", "docker.service", "system"))


UNNAMED_PROXY = PROXY._replace(service=None, doubt="it may be a or b")


def ownerless(status: str, doubt: str = "") -> Case:
    stale = listens("192.0.2.10:80", "stale_address", Ownership((), status, None, doubt=doubt))
    return make_case(service=None, unit=None, stale=(stale,), proof=UNPROVEN)


def busy(clear_in: Optional[int], own: bool = False) -> Case:
    held = prospect("127.0.0.1:8080", BLOCKED, clear_in=clear_in, own=own)
    return make_case(proof=Proof("declared", (prospect("192.0.2.20:80"), held), None))


# case, settings → decision, a part of the reason, a part of the advice
TEST_REFUSALS: list[tuple[Case, dict[str, Any], str, str, str]] = [
    (ownerless(DENIED), {}, "no_owner", "cannot be seen", "become"),
    (ownerless(KERNEL), {}, "no_owner", "the kernel's own", "reconfigure"),
    (ownerless(UNKNOWN), {}, "no_owner", "nobody was found", "once more"),
    (
        make_case(service=None, unit=None, stale=(listens("192.0.2.10:80", "stale_address", make_ownership(None)),)),
        {},
        "no_unit",
        "nginx (pid 812)",
        "by hand",
    ),
    (make_case(service=CONTAINER, unit=None), {}, "container", "podman container web", "rebind_containers"),
    (make_case(service=CONTAINER, unit=None), {"containers": True}, "container", "web", "rebind_actions"),
    (
        make_case(service=CONTAINER, unit=None),
        {"actions": {"podman container web": "podman restart web"}},
        "container",
        "web",
        "podman container web",
    ),
    # Anybody can name a container after a unit, and a user's engine can have the id of root's container.
    (
        make_case(service=Service("lxc", "nginx.service", "container"), unit=None),
        {"containers": True, "actions": {"nginx.service": "systemctl restart nginx"}},
        "container",
        "lxc container nginx.service",
        "rebind_actions",
    ),
    (
        make_case(service=DOCKER._replace(uid=1000), unit=None),
        OPTED,
        "container",
        "docker container 4c01",
        "of uid 1000",
    ),
    (
        make_case(service=DOCKER._replace(uid=1000), unit=None),
        {"containers": True, "actions": {f"{DOCKER_LABEL} of uid 1000": "restart"}},
        "container",
        "has restart for",
        "name the command",
    ),
    (
        make_case(service=CONTAINER, unit=None),
        {"containers": True, "actions": {"podman container web": "restart"}},
        "container",
        "has restart for podman container web",
        "name the command",
    ),
    (
        make_case(service=DOCKER, unit=None),
        {"containers": True, "actions": {DOCKER_LABEL: "reload"}},
        "container",
        "has reload for",
        "name the command",
    ),
    (make_case(service=DOCKER, unit=None, proof=UNPROVEN), OPTED, "no_proof", "nothing tells", "rebind_expected"),
    (
        make_case(service=None, unit=None, stale=(listens("192.0.2.10:80", "stale_address", UNNAMED_PROXY),)),
        {},
        "container",
        "docker-proxy publishes a container's port here (docker); which one: it may be a or b",
        "restart that container",
    ),
    (
        ownerless(DENIED, "docker made it"),
        {},
        "no_owner",
        "its holder cannot be seen; docker made it",
        "become",
    ),
    (
        make_case(
            service=None,
            unit=None,
            stale=(listens("192.0.2.10:80", "stale_address", make_ownership(None)._replace(doubt="two hold it")),),
        ),
        {},
        "no_unit",
        "which no single unit starts: two hold it",
        "by hand",
    ),
    (
        make_case(service=PROXY.service, stale=(listens("192.0.2.10:80", "stale_address", PROXY),)),
        {"unproven": True},
        "container",
        "docker-proxy",
        "restart that container",
    ),
    (make_case(unit=None, unreadable="systemctl show: no answer"), {}, "unit_unknown", "no answer", "systemctl"),
    (make_case(unit=make_unit(load_state="not-found")), {}, "unit_unknown", "not-found", "restore"),
    (make_case(unit=make_unit(load_state="masked")), {}, "unit_unknown", "masked", "restore"),
    (
        make_case(unit=make_unit(active_state="failed")),
        {},
        "unit_unknown",
        "nginx.service is failed, and its",
        "by hand",
    ),
    (make_case(unit=make_unit("session-3.scope")), {}, "no_unit", "session-3.scope", "by hand"),
    (make_case(unit=make_unit(transient=True)), {}, "transient", "systemd-run", "by hand"),
    (make_case(), {"never": {"ng*": "we said so"}}, "never_restart", "we said so", "by hand"),
    (
        make_case(service=SOCKET, unit=make_unit("ssh.socket"), companion=make_unit("ssh.service")),
        {"never": {"ssh.service": "we said so"}},
        "never_restart",
        "ssh.service is never restarted",
        "by hand",
    ),
    (
        make_case(dependents=(Dependent("docker.service", 0),)),
        {"never": {"docker.service": "we said so"}, "unproven": True},
        "never_restart",
        "would restart docker.service along, which is never restarted",
        "by hand",
    ),
    (make_case(obstacle="its condition fails"), {"unproven": True}, "cannot_start", "its condition fails", "first"),
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
    (make_case(), {"units": ("redis*",)}, "not_listed", "rebind_units", "rebind_units"),
    # What is wanted of a service is wanted of the socket that it gets its listeners from.
    (make_case(**WITH_SOCKET), {"actions": {"ssh.service": "reload"}}, "cannot_reload", "ssh.socket", "rebind_actions"),
    (make_case(unit=make_unit(refuse_manual_stop=True)), {}, "manual_refused", "RefuseManualStop=", ""),
    (make_case(unit=make_unit(refuse_manual_start=True)), {}, "manual_refused", "RefuseManualStart=", ""),
    (make_case(unit=make_unit(can_stop=False)), {}, "manual_refused", "CanStop=no", ""),
    (
        make_case(unit=make_unit(can_reload=False)),
        {"actions": {"nginx.service": "reload"}},
        "cannot_reload",
        "ExecReload=",
        "rebind_actions",
    ),
    (make_case(has_rights=False), {}, "no_rights", "no right", "become"),
    (make_case(kills_run=True), {"unproven": True}, "kills_run", "would end with it", "another way"),
    (make_case(check=Check(("sshd", "-t"), 1, "line 3: bad")), {}, "check_failed", "status 1", "line 3: bad"),
    (make_case(check=Check(("x",), None, "no such file")), {}, "check_failed", "could not be run", "no such file"),
    (make_case(check=Check(("sshd", "-t"), 1, "bad")), {"unproven": True}, "check_failed", "sshd -t", "bad"),
    (
        make_case(dependents=(Dependent("app.service", 2),)),
        {},
        "dependents",
        "app.service",
        "rebind_unproven",
    ),
    (
        make_case(carries_run="it does", proof=UNPROVEN),
        {"unproven": True},
        "carries_run",
        "nothing tells",
        "rebind_exp",
    ),
    (make_case(carries_run="it does", check=None), {}, "carries_run", "cannot be checked", "rebind_checks"),
    (
        make_case(carries_run="it does", proof=UNPROVEN),
        {"actions": {"nginx.service": "reload"}},
        "carries_run",
        "nothing tells",
        "rebind_exp",
    ),
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


@pytest.mark.parametrize(("case", "settings", "decision", "reason", "advice"), TEST_REFUSALS)
def test_refused(case: Case, settings: dict[str, Any], decision: str, reason: str, advice: str) -> None:
    plan = plan_unit(case, make_settings(**settings))
    assert (plan.action, plan.decision) == (NONE, decision)
    assert reason in plan.reason
    assert advice in plan.advice
    assert plan.advice, "a refusal says how to go on"
    assert plan.wait is None


TEST_ACTIONS: list[tuple[Case, dict[str, Any], str, str, Optional[Wait]]] = [
    (make_case(), {}, RESTART, "proven", None),
    (make_case(), {"units": ("nginx.*",), "never": {"redis*": "no"}}, RESTART, "proven", None),
    (make_case(), {"actions": {"nginx.service": "restart"}}, RESTART, "proven", None),
    (make_case(check=None), {}, RESTART, "proven", None),
    (make_case(dependents=(Dependent("quiet.service", 0),)), {}, RESTART, "proven", None),
    (make_case(dependents=(Dependent("app.service", 1),)), {"unproven": True}, RESTART, "proven", None),
    (make_case(carries_run="it does"), {}, RESTART, "proven", None),
    (
        make_case(service=SOCKET, unit=make_unit("ssh.socket"), companion=make_unit("ssh.service")),
        {},
        RESTART_SOCKET,
        "proven",
        None,
    ),
    # Either name of a socket and its service will do.
    (make_case(**WITH_SOCKET), {"units": ("ssh.service",)}, RESTART_SOCKET, "proven", None),
    (make_case(**WITH_SOCKET), {"units": ("ssh.socket",)}, RESTART_SOCKET, "proven", None),
    (make_case(**WITH_SOCKET), {"actions": {"ssh.service": "again"}}, CUSTOM, "proven", None),
    (
        make_case(**WITH_SOCKET),
        {"actions": {"ssh.service": "again", "ssh.socket": "restart"}},
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
    # A reload stops nothing along.
    (
        make_case(dependents=(Dependent("docker.service", 1),)),
        {"actions": {"nginx.service": "reload"}, "never": {"docker*": "no"}},
        RELOAD,
        "reload",
        None,
    ),
    (make_case(), {"actions": {"nginx.service": "nginx -s reload"}}, CUSTOM, "proven", None),
    (
        make_case(service=CONTAINER, unit=None),
        {"containers": True, "actions": {"podman container web": "podman restart web"}},
        CUSTOM,
        "proven",
        None,
    ),
    (make_case(service=DOCKER, unit=None), OPTED, CUSTOM, "proven", None),
    # What is said of a unit of the system is not said of a user's of that name.
    (make_case(service=USER), {"actions": {"nginx.service": "nginx -s reload"}}, RESTART, "proven", None),
    (make_case(service=USER), {"actions": {"nginx.service of uid 1000": "nginx -s reload"}}, CUSTOM, "proven", None),
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


def test_every_rule_is_told_in_its_docstring_and_refuses_something_in_the_tables() -> None:
    rows = [(case, make_settings(**settings)) for case, settings, *_expected in TEST_REFUSALS]
    refusing = {rule for rule in RULES for row in rows if rule(*row) is not None}
    assert set(RULES) == refusing
    assert all((rule.__doc__ or "").endswith(".") for rule in RULES)


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


TEST_LABELS = [
    (None, ""),
    (Service("systemd", "nginx.service", "system"), "nginx.service"),
    (USER, "nginx.service of uid 1000"),
    (USER._replace(uid=None), "nginx.service of an unknown user"),
    (CONTAINER, "podman container web"),
    (CONTAINER._replace(uid=1000), "podman container web of uid 1000"),
]


@pytest.mark.parametrize(("service", "label"), TEST_LABELS)
def test_label(service: Optional[Service], label: str) -> None:
    assert label_service(service) == label
    assert service is None or find_wanted({label: 1}, service) == 1
