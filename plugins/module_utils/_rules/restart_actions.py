# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the options want done with a unit: by which label they speak of it, and which action comes of that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional, TypeVar

from .._model import bindings, plans, units

_CONTAINER_ID = re.compile(r"[0-9a-f]{64}\Z")

T = TypeVar("T")


def choose_action(case: plans.Case, settings: plans.Settings) -> str:
    service = case.service
    wanted = (find_wanted(settings.actions, service, case.companion) if service else None) or ""
    if service and service.scope == "container":
        return plans.CUSTOM
    if wanted == plans.RELOAD:
        return plans.RELOAD
    if wanted not in ("", plans.RESTART):
        return plans.CUSTOM
    return plans.RESTART_SOCKET if service and service.unit.endswith(".socket") else plans.RESTART


def label_service(service: Optional[bindings.Service]) -> str:
    """What options and results call it: the name of the unit, and whose it is where that is not the system's."""
    if service is None:
        return ""
    name = service.unit if service.scope != "container" else f"{service.manager} container {service.unit}"
    if service.uid is not None:
        return f"{name} of uid {service.uid}"
    return f"{name} of an unknown user" if service.scope == "user" else name


def find_wanted(
    options: Mapping[str, T], service: bindings.Service, companion: Optional[units.Unit] = None
) -> Optional[T]:
    """What an option by unit says of this one: by its label alone, as anybody can call a unit of their own, or a
    container, what a unit of the system is called. A socket and the service it starts are one, so either name will do.
    """
    found = options.get(label_service(service))
    if found is None and companion is not None:
        return options.get(label_service(service._replace(unit=companion.name)))
    return found


def make_container_restart(service: bindings.Service) -> Optional[list[str]]:
    """By the engine, and by the whole id: nothing else is sure to mean that container. A user's has other storage."""
    if service.manager not in ("docker", "podman") or service.uid is not None or not _CONTAINER_ID.match(service.unit):
        return None
    return [service.manager, "restart", service.unit]


def names_of(case: plans.Case) -> list[str]:
    """The unit, and the service that a socket is restarted with."""
    return [unit.name for unit in (case.unit, case.companion) if unit is not None] or (
        [case.service.unit] if case.service else []
    )
