# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans and outcomes as JSON values (docs/schemas/rebind_plan.json), and as text for a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Optional

from .._model.addresses import Link
from .._model.listeners import Listener
from .._model.plans import NONE, RELOAD, Check, Plan, Prospect, Settings
from .._model.restarts import UNAVAILABLE
from .._rules.rebind_outcome import Outcome, Place, describe_place
from .._rules.restart_plan import AFTER_WAIT, label_service
from .._rules.restart_proof import ADDRESS_MISSING, PROVEN, judge_proof
from .._rules.view import View, describe_endpoint, describe_holder
from .._wire.text import format_address
from .plan_commands import make_commands
from .plan_endpoints import find_endpoints
from .plan_options import make_place
from .results import Json, render_listener


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
