# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans and outcomes as JSON values (docs/schemas/rebind_plan.json), and as text for a person."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Collection, Sequence
from typing import Optional

from .._model.addresses import Link
from .._model.listeners import Listener
from .._model.plans import CUSTOM, NONE, RELOAD, RESTART, RESTART_SOCKET, Check, Plan, Prospect, Settings
from .._model.restarts import UNAVAILABLE
from .._readers.units import Manager
from .._rules.rebind_outcome import Outcome, Place, describe_place
from .._rules.restart_plan import AFTER_WAIT, find_wanted, label_service, make_container_restart
from .._rules.restart_proof import ADDRESS_MISSING, PROVEN, judge_proof
from .._rules.view import View, describe_endpoint, describe_holder
from .._wire.text import format_address
from .arguments import InvalidOption
from .plan_endpoints import find_endpoints
from .plan_options import make_place
from .results import Json, render_listener

_LOG_LINES = "20"


def render_plan(plan: Plan, view: View, settings: Settings) -> Json:
    case, links = plan.case, view.locality.links
    service = case.service
    proven = plan.decision in (PROVEN, AFTER_WAIT) or (
        plan.action == RELOAD and judge_proof(case).state == PROVEN  # which it did not need
    )
    return {
        "label": label_service(service),
        "unit": service.unit if service else None,
        "manager": service.manager if service else None,
        "scope": service.scope if service else None,
        "uid": service.uid if service else None,
        "companion": case.companion.name if case.companion else None,
        "action": plan.action,
        "decision": plan.decision,
        "reason": plan.reason,
        "advice": plan.advice,
        "proven": proven,
        "stale": [render_listener(listener, links) for listener in case.stale],
        "healthy": [render_listener(listener, links) for listener in case.healthy],
        "proof": {
            "method": case.proof.method,
            "problem": case.proof.problem,
            "binds": [_render_prospect(prospect) for prospect in case.proof.prospects],
        },
        "check": _render_check(case.check),
        "dependents": [dependent._asdict() for dependent in case.dependents],
        "carries_run": case.carries_run,
        "wait": plan.wait._asdict() if plan.wait else None,
        "commands": make_commands(plan, settings),
        "endpoints": find_endpoints(case, view.locality, proven),
    }


def _render_prospect(prospect: Prospect) -> Json:
    wish, outlook = prospect.wish, prospect.outlook
    return {
        "protocol": wish.protocol,
        "address": format_address(wish.packed),
        "port": wish.port,
        "interface": wish.interface,
        "verdict": outlook.verdict,
        "errno": outlook.errno,
        "reason": outlook.reason,
        "clear_in_seconds": outlook.clear_in_seconds,
    }


def _render_check(check: Optional[Check]) -> Optional[Json]:
    if check is None:
        return None
    return {"command": list(check.command), "status": check.status, "output": check.output}


def make_commands(plan: Plan, settings: Settings) -> Json:
    """What carries the plan out, as lists of words. `restart` is all of it; `stop` and `start` are its halves,
    `recover` starts it after a failure.
    """
    case = plan.case
    service = case.service
    nothing: Json = {"restart": [], "stop": [], "start": [], "recover": [], "state": [], "journal": []}
    if plan.action == NONE or service is None:
        return nothing
    wanted = find_wanted(settings.actions, service, case.companion) or ""
    if service.scope == "container":
        own = make_container_restart(service) if wanted == RESTART else None
        return {**nothing, "restart": [own or shlex.split(wanted)]}
    systemctl = list(Manager(service.uid).command)
    unit = service.unit
    # "--", as the name of a unit may begin with a dash.
    stop, start = [[*systemctl, "stop", "--", unit]], [[*systemctl, "start", "--", unit]]
    restart = [[*systemctl, "restart", "--", unit]]
    companion = case.companion
    if plan.action == RESTART_SOCKET and companion is not None:
        # Together, so that no connection can start the service in between: a .socket cannot start while it runs.
        stop = [[*systemctl, "stop", "--", unit, companion.name]]
        if companion.is_active:
            start.append([*systemctl, "start", "--", companion.name])
    if case.dependents and plan.action in (RESTART, RESTART_SOCKET):
        # A restart starts them again, a stop with a start does not.
        start.append([*systemctl, "start", "--", *[dependent.unit for dependent in case.dependents]])
    if plan.action == RESTART_SOCKET and companion is not None:
        restart = stop + start
    elif plan.action == RELOAD:
        restart = [[*systemctl, "reload", "--", unit]]
    elif plan.action == CUSTOM:
        restart = [shlex.split(wanted)]
    program = companion.name if companion is not None else unit
    match = [f"--unit={program}"] if service.uid is None else [f"_SYSTEMD_USER_UNIT={program}", f"_UID={service.uid}"]
    return {
        "restart": restart,
        "stop": stop,
        "start": start,
        # It may be between two automatic restarts, or have used up its StartLimitBurst=.
        "recover": [*stop, [*systemctl, "reset-failed", "--", *map(_make_glob, stop[0][len(systemctl) + 2 :])], *start],
        "state": [*systemctl, "is-active", "--", unit],
        "journal": ["journalctl", "--no-pager", "--output=cat", f"--lines={_LOG_LINES}", *match],
    }


def require_commands(plans: Sequence[Plan], settings: Settings) -> None:
    """Raises InvalidOption for an action whose program this host does not have: that is to be known before anything is
    touched.
    """
    for plan in plans:
        for command in make_commands(plan, settings)["restart"] if plan.action == CUSTOM else ():
            if shutil.which(command[0]) is None:
                label = label_service(plan.case.service)
                raise InvalidOption(
                    f"actions[{label}]", shlex.join(command), "reload, restart or a command that this host has"
                )


def _make_glob(unit: str) -> str:
    """Of reset-failed a name is an error where systemd has already dropped the stopped unit, and a pattern is not."""
    return f"[{unit[0]}]" + unit[1:].replace("\\", "\\\\")


def find_awaited(plans: Sequence[Plan]) -> list[Json]:
    """What has to appear before those units can be restarted that only lack an address or an interface."""
    missing = [
        (format_address(prospect.wish.packed) if any(prospect.wish.packed) else None, prospect.wish.interface)
        for plan in plans
        if plan.decision == ADDRESS_MISSING
        for prospect in plan.case.proof.prospects
        if prospect.outlook.verdict == UNAVAILABLE
    ]
    return [{"address": address, "interface": interface} for address, interface in dict.fromkeys(missing)]


def compose_plan_message(plans: Sequence[Plan], notes: Sequence[str]) -> str:
    if not plans:
        head = "No stale listener was found; nothing to restart"
    else:
        acting = sum(plan.action != NONE for plan in plans)
        head = f"{len(plans)} with stale listeners: {acting} to restart, {len(plans) - acting} to leave alone"
    return "\n".join([head, *map(_compose_line, plans), *notes])


def _compose_line(plan: Plan) -> str:
    stale = ", ".join(describe_endpoint(listener.socket) for listener in plan.case.stale)
    who = label_service(plan.case.service) or describe_holder(plan.case.stale[0])
    line = f"{who}  {stale}  → {plan.action} ({plan.decision}): {plan.reason}"
    return f"{line}; {plan.advice}" if plan.advice else line


# -- afterwards


def index_states(listeners: Sequence[Listener], links: dict[int, Link]) -> dict[Place, str]:
    """The binding state of each place where something listens."""
    return {make_place(render_listener(listener, links)): listener.binding.state for listener in listeners}


def render_outcome(outcome: Outcome) -> Json:
    return {**outcome._asdict(), "missing": [describe_place(place) for place in outcome.missing]}


def compose_outcome_message(outcomes: Collection[Outcome]) -> str:
    lines = [f"{outcome.label or 'no unit'}  {outcome.outcome}: {outcome.reason}" for outcome in outcomes]
    return "\n".join(lines or ["Nothing was stale"])
