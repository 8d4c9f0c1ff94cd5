# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import (
    CUSTOM,
    RELOAD,
    RESTART,
    RESTART_SOCKET,
    Case,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_actions import (
    choose_action,
    find_wanted,
    label_service,
    make_container_restart,
    names_of,
)
from plans import CONTAINER, DOCKER, USERS_NGINX, WITH_SOCKET, make_case, make_settings

TEST_ACTIONS: list[tuple[Case, dict[str, str], str]] = [
    (make_case(), {}, RESTART),
    (make_case(), {"nginx.service": "restart"}, RESTART),
    (make_case(), {"nginx.service": "reload"}, RELOAD),
    (make_case(), {"nginx.service": "nginx -s reload"}, CUSTOM),
    (make_case(**WITH_SOCKET), {}, RESTART_SOCKET),
    # Either name of a socket and its service will do, and its own comes first.
    (make_case(**WITH_SOCKET), {"ssh.service": "again"}, CUSTOM),
    (make_case(**WITH_SOCKET), {"ssh.service": "again", "ssh.socket": "restart"}, RESTART_SOCKET),
    # What is said of a unit of the system is not said of a user's of that name.
    (make_case(service=USERS_NGINX), {"nginx.service": "nginx -s reload"}, RESTART),
    (make_case(service=USERS_NGINX), {"nginx.service of uid 1000": "nginx -s reload"}, CUSTOM),
    (make_case(service=CONTAINER, unit=None), {"podman container web": "podman restart web"}, CUSTOM),
    (make_case(service=DOCKER, unit=None), {f"docker container {DOCKER.unit}": "restart"}, CUSTOM),
]


@pytest.mark.parametrize(("case", "actions", "action"), TEST_ACTIONS)
def test_action(case: Case, actions: dict[str, str], action: str) -> None:
    assert choose_action(case, make_settings(actions=actions)) == action


TEST_LABELS = [
    (None, ""),
    (Service("systemd", "nginx.service", "system"), "nginx.service"),
    (USERS_NGINX, "nginx.service of uid 1000"),
    (USERS_NGINX._replace(uid=None), "nginx.service of an unknown user"),
    (CONTAINER, "podman container web"),
    (CONTAINER._replace(uid=1000), "podman container web of uid 1000"),
]


@pytest.mark.parametrize(("service", "label"), TEST_LABELS)
def test_label(service: Optional[Service], label: str) -> None:
    assert label_service(service) == label
    assert service is None or find_wanted({label: 1}, service) == 1


TEST_CONTAINERS: list[tuple[Service, Optional[list[str]]]] = [
    (DOCKER, ["docker", "restart", DOCKER.unit]),
    (DOCKER._replace(manager="podman"), ["podman", "restart", DOCKER.unit]),
    (DOCKER._replace(manager="lxc"), None),
    (DOCKER._replace(uid=1000), None),
    (DOCKER._replace(unit=DOCKER.unit[1:]), None),
    (DOCKER._replace(unit=f"{DOCKER.unit}\n"), None),
    (CONTAINER, None),
]


@pytest.mark.parametrize(("service", "command"), TEST_CONTAINERS)
def test_container_restart(service: Service, command: Optional[list[str]]) -> None:
    assert make_container_restart(service) == command


TEST_NAMES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["nginx.service"]),
    (WITH_SOCKET, ["ssh.socket", "ssh.service"]),
    ({"service": CONTAINER, "unit": None}, ["web"]),
    ({"service": None, "unit": None}, []),
]


@pytest.mark.parametrize(("fields", "names"), TEST_NAMES)
def test_names(fields: dict[str, Any], names: list[str]) -> None:
    assert names_of(make_case(**fields)) == names
