# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans and outcomes as JSON values (docs/schemas/rebind_plan.json), and as text for a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Optional

from .._model import addresses, bindings, plans, restarts
from .._rules import first_look, rebind_outcome, restart_actions, restart_plan, restart_proof, wording
from .._wire import spelling
from . import listener_results, plan_commands, plan_endpoints, plan_options, results


def render_plan(plan: plans.Plan, view: first_look.View, settings: plans.Settings) -> results.Json:
    case, links = plan.case, view.locality.links
    service = case.service
    proven = plan.decision in (restart_proof.PROVEN, restart_plan.AFTER_WAIT) or (
        plan.action == plans.RELOAD
        and restart_proof.judge_proof(case).state == restart_proof.PROVEN  # which it did not need
    )
    return {
        "label": restart_actions.label_service(service),
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
        "stale": [listener_results.render_listener(listener, links) for listener in case.stale],
        "healthy": [listener_results.render_listener(listener, links) for listener in case.healthy],
        "proof": {
            "method": case.proof.method,
            "problem": case.proof.problem,
            "binds": [_render_prospect(prospect) for prospect in case.proof.prospects],
        },
        "check": _render_check(case.check),
        "dependents": [dependent._asdict() for dependent in case.dependents],
        "carries_run": case.carries_run,
        "wait": plan.wait._asdict() if plan.wait else None,
        "commands": plan_commands.make_commands(plan, settings),
        "endpoints": plan_endpoints.find_endpoints(case, view.locality, proven),
    }


def _render_prospect(prospect: plans.Prospect) -> results.Json:
    wish, outlook = prospect.wish, prospect.outlook
    return {
        "protocol": wish.protocol,
        "address": spelling.format_address(wish.packed),
        "port": wish.port,
        "interface": wish.interface,
        "verdict": outlook.verdict,
        "errno": outlook.errno,
        "reason": outlook.reason,
        "clear_in_seconds": outlook.clear_in_seconds,
    }


def _render_check(check: Optional[plans.Check]) -> Optional[results.Json]:
    if check is None:
        return None
    return {"command": list(check.command), "status": check.status, "output": check.output}


def find_awaited(planned: Sequence[plans.Plan]) -> list[results.Json]:
    """What has to appear before those units can be restarted that only lack an address or an interface."""
    missing = [
        (spelling.format_address(prospect.wish.packed) if any(prospect.wish.packed) else None, prospect.wish.interface)
        for plan in planned
        if plan.decision == restart_proof.ADDRESS_MISSING
        for prospect in plan.case.proof.prospects
        if prospect.outlook.verdict == restarts.UNAVAILABLE
    ]
    return [{"address": address, "interface": interface} for address, interface in dict.fromkeys(missing)]


def compose_plan_message(planned: Sequence[plans.Plan], notes: Sequence[str]) -> str:
    if not planned:
        head = "No stale listener was found; nothing to restart"
    else:
        acting = sum(plan.action != plans.NONE for plan in planned)
        head = f"{len(planned)} with stale listeners: {acting} to restart, {len(planned) - acting} to leave alone"
    return "\n".join([head, *map(_compose_line, planned), *notes])


def _compose_line(plan: plans.Plan) -> str:
    stale = ", ".join(spelling.format_endpoint(listener.socket) for listener in plan.case.stale)
    who = restart_actions.label_service(plan.case.service) or wording.describe_holder(plan.case.stale[0])
    line = f"{who}  {stale}  → {plan.action} ({plan.decision}): {plan.reason}"
    return f"{line}; {plan.advice}" if plan.advice else line


# -- afterwards


def index_states(
    listeners: Sequence[bindings.Listener], links: dict[int, addresses.Link]
) -> dict[rebind_outcome.Place, str]:
    """The binding state of each place where something listens."""
    return {
        plan_options.make_place(listener_results.render_listener(listener, links)): listener.binding.state
        for listener in listeners
    }


def render_outcome(outcome: rebind_outcome.Outcome) -> results.Json:
    return {**outcome._asdict(), "missing": [rebind_outcome.describe_place(place) for place in outcome.missing]}


def compose_outcome_message(outcomes: Collection[rebind_outcome.Outcome]) -> str:
    lines = [f"{outcome.label or 'no unit'}  {outcome.outcome}: {outcome.reason}" for outcome in outcomes]
    return "\n".join(lines or ["Nothing was stale"])
