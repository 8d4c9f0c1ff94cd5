# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The assessment before a restart: one look at the host and at the units concerned, then a plan for each unit."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

from .._model import backends, bindings, plans
from .._rules import rebind_outcome, restart_plan
from . import arguments, collect, plan_commands, plan_options, plan_results, results, selections, start_obstacles
from .cases import collect_cases

_STALE = (bindings.STALE_ADDRESS, bindings.STALE_INTERFACE)


def plan_rebind(params: dict[str, Any]) -> tuple[results.Json, Sequence[backends.Gap]]:
    """What rebind_plan returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    settings = plan_options.parse_settings(params)
    expected, checks = plan_options.parse_expected(params["expected"]), plan_options.parse_checks(params["checks"])
    since, refused = plan_options.parse_since(params), plan_options.parse_refused(params["connects"])
    backend = arguments.select_backend("auto")
    collected, notes = _look(backend, params)
    view = collected.view
    if params["since"] is not None:
        return _look_back(since, refused, collected), collected.gaps
    stale = [listener for listener in view.listeners if listener.binding.state in _STALE]
    cases, gaps = collect_cases(backend, view, stale, expected, checks)
    planned = restart_plan.plan_restarts(start_obstacles.find_obstacles(cases, settings), settings)
    plan_commands.require_commands(planned, settings)
    gaps = tuple(dict.fromkeys(collected.gaps + gaps))
    return {
        "plan": [plan_results.render_plan(plan, view, settings) for plan in planned],
        "awaited": plan_results.find_awaited(planned),
        "acting": sum(plan.action != plans.NONE for plan in planned),
        "gaps": results.render_gaps(gaps),
        "msg": plan_results.compose_plan_message(planned, notes),
    }, gaps


def _look_back(
    since: Sequence[rebind_outcome.Before], refused: Collection[rebind_outcome.Refused], collected: collect.Collected
) -> results.Json:
    listeners, links = collected.view.listeners, collected.view.locality.links
    outcomes = []
    for before in since:
        own = [listener for listener in listeners if rebind_outcome.is_of(before, listener.ownership.service)]
        outcomes.append(rebind_outcome.judge_outcome(before, plan_results.index_states(own, links), refused))
    outcomes.sort(key=rebind_outcome.rank)
    return {
        "outcomes": [plan_results.render_outcome(outcome) for outcome in outcomes],
        "broken": sum(outcome.outcome not in rebind_outcome.GOOD for outcome in outcomes),
        "gaps": results.render_gaps(collected.gaps),
        "msg": plan_results.compose_outcome_message(outcomes),
    }


def _look(backend: backends.Backend, params: dict[str, Any]) -> tuple[collect.Collected, list[str]]:
    """One sample, or two: then stale is what both show."""
    confirm_after = arguments.parse_confirm_after(params["confirm_after"])
    intended = selections.parse_prefixes("intended_addresses", params["intended_addresses"])
    first = collect.collect(backend, intended=intended)
    before = {listener.socket.identity for listener in first.view.listeners if listener.binding.state in _STALE}
    if not confirm_after or not before:
        return first, []
    time.sleep(confirm_after)
    second = collect.collect(backend, intended=intended)
    now = [listener for listener in second.view.listeners if listener.binding.state in _STALE]
    unconfirmed = [listener for listener in now if listener.socket.identity not in before]
    passing = len(before - {listener.socket.identity for listener in now}) + len(unconfirmed)
    view = second.view._replace(listeners=tuple(_without(second.view.listeners, unconfirmed)))
    notes = [f"{passing} more showed in only one of the two samples and were left out"] if passing else []
    return second._replace(view=view), notes


def _without(listeners: Sequence[bindings.Listener], left_out: Sequence[bindings.Listener]) -> list[bindings.Listener]:
    return [listener for listener in listeners if listener not in left_out]
