# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What carries a plan out: commands as lists of words, and the units that they concern."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence

from .._model import bindings, plans
from .._readers.units import Manager
from .._rules import restart_actions
from . import arguments, results

_LOG_LINES = "20"
# In a unit of its own it goes on when whoever started it is gone. Type=oneshot, and not --wait: that talks over the
# message bus, which not every host and user has. systemd-run(1).
_SURVIVE = ("--quiet", "--collect", "--property=Type=oneshot")
_NOTHING: results.Json = {
    "restart": [],
    "systemctl": [],
    "survive": [],
    "units": [],
    "along": [],
    "state": [],
    "journal": [],
}


def make_commands(plan: plans.Plan, settings: plans.Settings) -> results.Json:
    """`restart` is all of it, one after the other. What is stopped in it has to be started again even if nobody is
    connected any more: `survive` goes before a command that does the like. All empty where nothing is done.
    """
    case = plan.case
    service = case.service
    if plan.action == plans.NONE or service is None:
        return dict(_NOTHING)
    wanted = restart_actions.find_wanted(settings.actions, service, case.companion) or ""
    if service.scope == "container":
        own = restart_actions.make_container_restart(service) if wanted == plans.RESTART else None
        return {**_NOTHING, "restart": [own or shlex.split(wanted)]}
    systemctl = list(Manager(service.uid).command)
    units = _find_units(case, service)
    along = [dependent.unit for dependent in case.dependents if dependent.unit not in units]
    return {
        "restart": _make_restart(plan, systemctl, wanted, service.unit, units, along),
        "systemctl": systemctl,
        "survive": [*systemctl[:-2], "systemd-run", systemctl[-1], *_SURVIVE],
        "units": units,
        "along": along,
        # "--", as the name of a unit may begin with a dash.
        "state": [*systemctl, "is-active", "--", service.unit],
        "journal": _make_journal(case.companion.name if case.companion else service.unit, service),
    }


def _find_units(case: plans.Case, service: bindings.Service) -> list[str]:
    """What has to be stopped together: the unit, the service of a socket, and all sockets of that service, as a
    connection to one of them would start it in between, and a .socket cannot start while its service runs.
    """
    program = case.companion or case.unit
    sockets = [name for name in program.triggered_by if name.endswith(".socket")] if program else []
    names = [service.unit] if service.unit.endswith(".socket") else []
    names += sorted(sockets)
    if case.companion is not None:
        names.append(case.companion.name)
    return list(dict.fromkeys([*names, service.unit]))


def _make_restart(
    plan: plans.Plan, systemctl: list[str], wanted: str, unit: str, units: list[str], along: list[str]
) -> list[list[str]]:
    companion = plan.case.companion
    if plan.action == plans.RELOAD:
        return [[*systemctl, "reload", "--", unit]]
    if plan.action == plans.CUSTOM:
        return [shlex.split(wanted)]
    if plan.action != plans.RESTART_SOCKET or companion is None:
        return [[*systemctl, "restart", "--", unit]]
    started = [name for name in units if name != companion.name or companion.is_active]
    commands = [[*systemctl, "stop", "--", *units], [*systemctl, "start", "--", *started]]
    return commands + ([[*systemctl, "start", "--", *along]] if along else [])


def _make_journal(unit: str, service: bindings.Service) -> list[str]:
    match = [f"--unit={unit}"] if service.uid is None else [f"_SYSTEMD_USER_UNIT={unit}", f"_UID={service.uid}"]
    return ["journalctl", "--no-pager", "--output=cat", f"--lines={_LOG_LINES}", *match]


def require_commands(planned: Sequence[plans.Plan], settings: plans.Settings) -> None:
    """Raises InvalidOption for an action whose program this host does not have: that is to be known before anything is
    touched.
    """
    for plan in planned:
        for command in make_commands(plan, settings)["restart"] if plan.action == plans.CUSTOM else ():
            if shutil.which(command[0]) is None:
                label = restart_actions.label_service(plan.case.service)
                raise arguments.InvalidOption(
                    f"actions[{label}]", shlex.join(command), "reload, restart or a command that this host has"
                )
