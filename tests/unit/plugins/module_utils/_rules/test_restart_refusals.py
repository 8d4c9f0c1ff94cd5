# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    DENIED,
    KERNEL,
    UNKNOWN,
    Owner,
    Ownership,
    Service,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import Case, Check, Dependent
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_refusals import RULES, find_refusal
from builders import make_ownership
from plans import CONTAINER, DOCKER, UNPROVEN, WITH_SOCKET, listens, make_case, make_settings, make_unit

DOCKER_LABEL = f"docker container {DOCKER.unit}"
OPTED = {"containers": True, "actions": {DOCKER_LABEL: "restart"}}
PROXY = Ownership((Owner(9, "docker-proxy", None, "root", 4),), "found", Service("systemd", "docker.service", "system"))
UNNAMED_PROXY = PROXY._replace(service=None, doubt="it may be a or b")


def ownerless(status: str, doubt: str = "") -> Case:
    stale = listens("192.0.2.10:80", "stale_address", Ownership((), status, None, doubt=doubt))
    return make_case(service=None, unit=None, stale=(stale,), proof=UNPROVEN)


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
        make_case(**WITH_SOCKET),
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
]


@pytest.mark.parametrize(("case", "settings", "decision", "reason", "advice"), TEST_REFUSALS)
def test_refused(case: Case, settings: dict[str, Any], decision: str, reason: str, advice: str) -> None:
    refusal = find_refusal(case, make_settings(**settings))
    assert refusal is not None
    assert refusal.decision == decision
    assert reason in refusal.reason
    assert advice in refusal.advice
    assert refusal.advice, "a refusal says how to go on"


TEST_LET_THROUGH: list[tuple[Case, dict[str, Any]]] = [
    (make_case(), {}),
    (make_case(proof=UNPROVEN, carries_run="it does"), {}),  # which is for the plan to judge
    (make_case(), {"units": ("nginx.*",), "never": {"redis*": "no"}}),
    (make_case(check=None), {}),
    (make_case(check=Check(("nginx", "-t"), 1, "…", address_missing=True)), {}),
    (make_case(dependents=(Dependent("quiet.service", 0),)), {}),
    (make_case(dependents=(Dependent("app.service", 1),)), {"unproven": True}),
    # A reload stops nothing along.
    (
        make_case(dependents=(Dependent("docker.service", 1),)),
        {"actions": {"nginx.service": "reload"}, "never": {"docker*": "no"}},
    ),
    # Either name of a socket and its service will do.
    (make_case(**WITH_SOCKET), {"units": ("ssh.service",)}),
    (make_case(**WITH_SOCKET), {"units": ("ssh.socket",)}),
    (
        make_case(service=CONTAINER, unit=None),
        {"containers": True, "actions": {"podman container web": "podman restart web"}},
    ),
    (make_case(service=DOCKER, unit=None), OPTED),
]


@pytest.mark.parametrize(("case", "settings"), TEST_LET_THROUGH)
def test_let_through(case: Case, settings: dict[str, Any]) -> None:
    assert find_refusal(case, make_settings(**settings)) is None


def test_every_rule_is_told_in_its_docstring_and_refuses_something_in_the_tables() -> None:
    rows = [(case, make_settings(**settings)) for case, settings, *_expected in TEST_REFUSALS]
    refusing = {rule for rule in RULES for row in rows if rule(*row) is not None}
    assert set(RULES) == refusing
    assert all((rule.__doc__ or "").endswith(".") for rule in RULES)
