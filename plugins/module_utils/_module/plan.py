# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The assessment before a restart: one look at the host and at the units concerned, then a plan for each unit."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

from .._model.gaps import Gap
from .._model.listeners import STALE_ADDRESS, STALE_INTERFACE, Listener
from .._model.plans import NONE
from .._readers.backends import Backend, select_backend
from .._rules.rebind_outcome import GOOD, Before, Refused, is_of, judge_outcome, rank
from .._rules.restart_plan import plan_restarts
from .arguments import parse_confirm_after, parse_prefixes
from .cases import collect_cases
from .collect import Collected, collect
from .plan_commands import require_commands
from .plan_options import parse_checks, parse_expected, parse_refused, parse_settings, parse_since
from .plan_results import (
    compose_outcome_message,
    compose_plan_message,
    find_awaited,
    index_states,
    render_outcome,
    render_plan,
)
from .results import Json, render_gaps
from .start_obstacles import find_obstacles

_STALE = (STALE_ADDRESS, STALE_INTERFACE)


def plan_rebind(params: dict[str, Any]) -> tuple[Json, Sequence[Gap]]:
    """What rebind_plan returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    settings = parse_settings(params)
    expected, checks = parse_expected(params["expected"]), parse_checks(params["checks"])
    since, refused = parse_since(params), parse_refused(params["connects"])
    backend = select_backend("auto")
    collected, notes = _look(backend, params)
    view = collected.view
    if params["since"] is not None:
        return _look_back(since, refused, collected), collected.gaps
    stale = [listener for listener in view.listeners if listener.binding.state in _STALE]
    cases, gaps = collect_cases(backend, view, stale, expected, checks)
    plans = plan_restarts(find_obstacles(cases, settings), settings)
    require_commands(plans, settings)
    gaps = tuple(dict.fromkeys(collected.gaps + gaps))
    return {
        "plan": [render_plan(plan, view, settings) for plan in plans],
        "awaited": find_awaited(plans),
        "acting": sum(plan.action != NONE for plan in plans),
        "gaps": render_gaps(gaps),
        "msg": compose_plan_message(plans, notes),
    }, gaps


def _look_back(since: Sequence[Before], refused: Collection[Refused], collected: Collected) -> Json:
    listeners, links = collected.view.listeners, collected.view.locality.links
    outcomes = []
    for before in since:
        own = [listener for listener in listeners if is_of(before, listener.ownership.service)]
        outcomes.append(judge_outcome(before, index_states(own, links), refused))
    outcomes.sort(key=rank)
    return {
        "outcomes": [render_outcome(outcome) for outcome in outcomes],
        "broken": sum(outcome.outcome not in GOOD for outcome in outcomes),
        "gaps": render_gaps(collected.gaps),
        "msg": compose_outcome_message(outcomes),
    }


def _look(backend: Backend, params: dict[str, Any]) -> tuple[Collected, list[str]]:
    """One sample, or two: then stale is what both show."""
    confirm_after = parse_confirm_after(params["confirm_after"])
    intended = parse_prefixes("intended_addresses", params["intended_addresses"])
    first = collect(backend, intended=intended)
    before = {listener.socket.identity for listener in first.view.listeners if listener.binding.state in _STALE}
    if not confirm_after or not before:
        return first, []
    time.sleep(confirm_after)
    second = collect(backend, intended=intended)
    now = [listener for listener in second.view.listeners if listener.binding.state in _STALE]
    unconfirmed = [listener for listener in now if listener.socket.identity not in before]
    passing = len(before - {listener.socket.identity for listener in now}) + len(unconfirmed)
    view = second.view._replace(listeners=tuple(_without(second.view.listeners, unconfirmed)))
    notes = [f"{passing} more showed in only one of the two samples and were left out"] if passing else []
    return second._replace(view=view), notes


def _without(listeners: Sequence[Listener], left_out: Sequence[Listener]) -> list[Listener]:
    return [listener for listener in listeners if listener not in left_out]
