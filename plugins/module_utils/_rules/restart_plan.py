# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do with each unit that holds a stale listener: the first refusal that applies, else a restart.

The promise behind it: a service that served something before serves at least that afterwards. So whatever is not
known is a reason not to act.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .._model import plans
from . import restart_actions, restart_proof, restart_refusals

FORCED = "forced"
AFTER_WAIT = "after_wait"
RELOADED = "reload"
LIMIT = "limit"

_DAEMON_RELOAD = "; its file is newer than what systemd has loaded: `systemctl daemon-reload`"
_CHECK_ADVICE = "name a command in rebind_checks that checks its configuration"


def plan_restarts(cases: Sequence[plans.Case], settings: plans.Settings) -> list[plans.Plan]:
    """One plan for each case: those that act first, in the order in which they are to be carried out."""
    planned = [plan_unit(case, settings) for case in cases]
    acting = _order([plan for plan in planned if plan.action != plans.NONE])
    kept = acting[: settings.max_units]
    beyond = [_refuse_beyond(plan, settings.max_units) for plan in acting[settings.max_units :]]
    return kept + beyond + [plan for plan in planned if plan.action == plans.NONE]


def plan_unit(case: plans.Case, settings: plans.Settings) -> plans.Plan:
    refusal = restart_refusals.find_refusal(case, settings)
    if refusal is not None:
        return plans.Plan(case, plans.NONE, *refusal, None)
    action = restart_actions.choose_action(case, settings)
    judgement = restart_proof.judge_proof(case)
    # A reload as well: sshd ends when it then finds no address to listen on.
    if case.carries_run and (judgement.state in restart_proof.OVERRIDABLE or case.check is None):
        missing = (
            judgement.reason if judgement.state in restart_proof.OVERRIDABLE else "its configuration cannot be checked"
        )
        return plans.Plan(
            case,
            plans.NONE,
            "carries_run",
            f"{case.carries_run}, and {missing}",
            judgement.advice or _CHECK_ADVICE,
            None,
        )
    if action == plans.RELOAD and not case.rebinds_on_reload:
        return plans.Plan(case, action, RELOADED, "told to reload, as wanted, which is taken to end nothing", "", None)
    return _plan_by_proof(case, settings, action, judgement)


def _plan_by_proof(
    case: plans.Case, settings: plans.Settings, action: str, judgement: restart_proof.Judgement
) -> plans.Plan:
    state, reason, advice, _clear_in = judgement
    if state == restart_proof.PROVEN:
        return plans.Plan(case, action, restart_proof.PROVEN, reason, "", None)
    if state == restart_proof.PORT_BUSY:
        return _plan_wait(case, settings, action, judgement)
    if state in restart_proof.OVERRIDABLE and settings.unproven:
        done = "reloaded" if action == plans.RELOAD else "restarted"
        return plans.Plan(case, action, FORCED, f"{done} without proof, as told; {reason}", "", None)
    hint = _DAEMON_RELOAD if any(unit.need_daemon_reload for unit in (case.unit, case.companion) if unit) else ""
    hint += "; or accept the risk with rebind_unproven: restart" if state in restart_proof.OVERRIDABLE else ""
    return plans.Plan(case, plans.NONE, state, reason, advice + hint, None)


def _plan_wait(
    case: plans.Case, settings: plans.Settings, action: str, judgement: restart_proof.Judgement
) -> plans.Plan:
    """While it runs if that can be long enough; else, if allowed, with the service stopped."""
    _state, reason, advice, clear_in = judgement
    fits = clear_in is not None and clear_in <= settings.max_wait
    is_whole = action in (plans.CUSTOM, plans.RELOAD)
    if fits and (is_whole or not settings.allow_downtime):
        return plans.Plan(
            case, action, AFTER_WAIT, f"{reason}; restarted when it is clear", "", plans.Wait(clear_in, False)
        )
    # Stopping closes the open connections; what is left of them goes after a minute (TCP_TIMEWAIT_LEN).
    # A command or a reload cannot be parted into a stop and a start.
    if settings.allow_downtime and not is_whole and settings.max_wait >= (60 if clear_in is None else clear_in):
        return plans.Plan(
            case, action, AFTER_WAIT, f"{reason}; stopped until it is clear, as allowed", "", plans.Wait(clear_in, True)
        )
    return plans.Plan(
        case, plans.NONE, restart_proof.PORT_BUSY, f"{reason}; rebind_max_wait is {settings.max_wait} s", advice, None
    )


def _refuse_beyond(plan: plans.Plan, max_units: int) -> plans.Plan:
    return plan._replace(
        action=plans.NONE,
        decision=LIMIT,
        reason=f"others are restarted first, and rebind_max_units allows no more than {max_units}; {plan.reason}",
        advice="run once more, or raise rebind_max_units",
        wait=None,
    )


def _order(planned: Iterable[plans.Plan]) -> list[plans.Plan]:
    """What others are started after comes first; else by name. A loop in the order is cut at its first name."""
    left = sorted(planned, key=lambda plan: plan.case.service.unit if plan.case.service else "")
    ordered: list[plans.Plan] = []
    while left:
        names = {name for plan in left for name in restart_actions.names_of(plan.case)}
        ready = next(
            (plan for plan in left if not _waits_for(plan.case) & (names - set(restart_actions.names_of(plan.case)))),
            left[0],
        )
        left.remove(ready)
        ordered.append(ready)
    return ordered


def _waits_for(case: plans.Case) -> set[str]:
    return {name for unit in (case.unit, case.companion) if unit is not None for name in unit.after}
