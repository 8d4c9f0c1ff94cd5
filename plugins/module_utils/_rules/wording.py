# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few words that all rules say in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .._model import bindings, findings
from .._wire import spelling


def find_unknown(rule: str, severity: str, listeners: Sequence[bindings.Listener], why: str) -> list[findings.Finding]:
    """One finding for everything that one cause hides from a rule; none where it hides nothing."""
    if not listeners:
        return []
    many = f"{len(listeners)} listeners" if len(listeners) > 1 else spelling.format_endpoint(listeners[0].socket)
    return [
        findings.Finding(
            rule=rule,
            verdict=findings.UNKNOWN,
            severity=severity,
            message=f"{many}: {why}",
            listener=listeners[0] if len(listeners) == 1 else None,
            remedy=findings.NONE,
            remedy_reason="nothing is known to be wrong; the reason says what could not be seen",
            evidence={"reason": why, "listeners": len(listeners)},
        )
    ]


def find_service(ownership: bindings.Ownership) -> Optional[bindings.Service]:
    """The service to tell of. One that is still to be named would look like none."""
    if ownership.cgroup is not None:
        raise AssertionError("services are named before anybody is told of them")
    return ownership.service


def describe_holder(listener: bindings.Listener) -> str:
    """The unit, else the processes, else why nobody is named: what a message calls the one who listens."""
    ownership = listener.ownership
    service = find_service(ownership)
    if service is not None:
        return service.unit if service.manager == "systemd" else f"{service.manager} container {service.unit[:12]}"
    names = sorted({owner.name for owner in ownership.owners})
    if names:
        return ", ".join(names)
    return "the kernel" if ownership.status == "kernel" else "a process that cannot be seen"
