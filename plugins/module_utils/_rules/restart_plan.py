# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do with each unit that holds a stale listener: the first refusal that applies, else a restart.

The promise behind it: a service that served something before serves at least that afterwards. So whatever is not
known is a reason not to act.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Optional, TypeVar

from .._model import owners, plans, units
from . import restart_proof

FORCED = "forced"
AFTER_WAIT = "after_wait"
RELOADED = "reload"
LIMIT = "limit"

# What listens on the host for a container, and whose that is.
_PROXIES = {
    "docker-proxy": "docker",
    "rootlessport": "podman",
    "conmon": "podman",
    "pasta": "podman",
    "pasta.avx2": "podman",
    "slirp4netns": "podman, or docker without root",
    "rootlesskit": "docker or containerd without root",
    "kube-proxy": "kubernetes",
}
_PUBLISHED = "restart that container, publishing its port on an address that is there"
_OWNERLESS = {
    owners.DENIED: ("its holder cannot be seen", "run with become: as root every holder is seen"),
    owners.KERNEL: ("it is a socket of the kernel's own", "reconfigure what made it (NFS, WireGuard, …)"),
}


_CONTAINER_ID = re.compile(r"[0-9a-f]{64}\Z")

T = TypeVar("T")


class Refusal(NamedTuple):
    decision: str
    reason: str
    advice: str


Rule = Callable[[plans.Case, plans.Settings], Optional[Refusal]]


def plan_restarts(cases: Sequence[plans.Case], settings: plans.Settings) -> list[plans.Plan]:
    """One plan for each case: those that act first, in the order in which they are to be carried out."""
    planned = [plan_unit(case, settings) for case in cases]
    acting = _order([plan for plan in planned if plan.action != plans.NONE])
    kept = acting[: settings.max_units]
    beyond = [_refuse_beyond(plan, settings.max_units) for plan in acting[settings.max_units :]]
    return kept + beyond + [plan for plan in planned if plan.action == plans.NONE]


def plan_unit(case: plans.Case, settings: plans.Settings) -> plans.Plan:
    for rule in RULES:
        refusal = rule(case, settings)
        if refusal is not None:
            return plans.Plan(case, plans.NONE, *refusal, None)
    action = choose_action(case, settings)
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


# -- refusals, in this order


def refuse_ownerless(case: plans.Case, _settings: plans.Settings) -> Optional[Refusal]:
    """Nobody is known who could be restarted: a process without a unit, or nobody seen at all."""
    if case.service is not None:
        return None
    ownership = case.stale[0].ownership
    if _find_proxies(case):
        return Refusal(
            "container", f"{_describe_proxies(case)}; which one: {ownership.doubt or 'not known'}", _PUBLISHED
        )
    if ownership.owners:
        who = ", ".join(sorted({f"{owner.name} (pid {owner.pid})" for owner in ownership.owners}))
        why = f": {ownership.doubt}" if ownership.doubt else ""
        return Refusal("no_unit", f"held by {who}, which no single unit starts{why}", "restart what started it by hand")
    reason, advice = _OWNERLESS.get(ownership.status, ("nobody was found who holds it", "look once more"))
    return Refusal("no_owner", f"{reason}; {ownership.doubt}" if ownership.doubt else reason, advice)


def refuse_container(case: plans.Case, settings: plans.Settings) -> Optional[Refusal]:
    """A container is restarted through its engine, and only if the caller opts in."""
    service = case.service
    if service is None:
        return None
    if service.scope != "container":
        if not _find_proxies(case):
            return None
        return Refusal("container", f"{_describe_proxies(case)}, and {service.unit} has others as well", _PUBLISHED)
    wanted = find_wanted(settings.actions, service)
    if settings.containers and wanted is not None:
        if wanted == plans.RELOAD or (wanted == plans.RESTART and make_container_restart(service) is None):
            how = "the role cannot do that to a container of this kind; name the command"
            return Refusal("container", f"rebind_actions has {wanted} for {label_service(service)}", how)
        return None
    return Refusal(
        "container",
        f"it is {service.manager} container {service.unit}",
        f"restart it with {service.manager}; or set rebind_containers: true, and the command in rebind_actions, under"
        f" the name {label_service(service)}",
    )


def refuse_unit_state(case: plans.Case, _settings: plans.Settings) -> Optional[Refusal]:
    """The unit is not one that its manager could start again."""
    unit = case.unit
    if case.service is None or case.service.scope == "container":
        return None
    if unit is None:
        return Refusal(
            "unit_unknown", case.unreadable or "systemd does not say what the unit is", "see systemctl status"
        )
    if not unit.name.endswith((".service", ".socket")):
        return Refusal("no_unit", f"{unit.name} is no service: systemd cannot start it again", "restart it by hand")
    if unit.load_state != "loaded":
        return Refusal(
            "unit_unknown", f"{unit.name} is {unit.load_state}", "restore the unit; once stopped, it stays down"
        )
    if not unit.is_active:
        return Refusal(
            "unit_unknown",
            f"{unit.name} is {unit.active_state}, and its processes are there all the same: a restart would not end"
            " them",
            "look once more, or end them by hand",
        )
    if unit.transient:
        return Refusal(
            "transient", f"{unit.name} was made by systemd-run: once stopped, it is gone", "start it anew by hand"
        )
    return None


def refuse_never(case: plans.Case, settings: plans.Settings) -> Optional[Refusal]:
    """On the list of what is never restarted."""
    own = _names(case)
    along = [dependent.unit for dependent in case.dependents if choose_action(case, settings) != plans.RELOAD]
    for name in (*own, *along):
        for pattern, reason in settings.never.items():
            if fnmatchcase(name, pattern):
                who = name if name in own else f"systemd would restart {name} along, which"
                return Refusal(
                    "never_restart", f"{who} is never restarted: {reason}", "restart it, or the host, by hand"
                )
    return None


def refuse_unlisted(case: plans.Case, settings: plans.Settings) -> Optional[Refusal]:
    """Not among the units that the caller allows."""
    if not settings.units or case.service is None:
        return None
    if any(fnmatchcase(name, pattern) for name in _names(case) for pattern in settings.units):
        return None
    return Refusal("not_listed", "rebind_units does not name it", "add it to rebind_units")


def refuse_manual(case: plans.Case, settings: plans.Settings) -> Optional[Refusal]:
    """Its unit file forbids it (RefuseManualStart=, RefuseManualStop=), or it cannot be done at all."""
    if case.unit is None:
        return None
    if choose_action(case, settings) == plans.RELOAD and not case.unit.can_reload:
        return Refusal("cannot_reload", f"{case.unit.name} has no ExecReload=", "use another action in rebind_actions")
    for unit in filter(None, (case.unit, case.companion)):
        forbidden = [
            name
            for name, is_set in (
                ("RefuseManualStart=", unit.refuse_manual_start),
                ("RefuseManualStop=", unit.refuse_manual_stop),
                ("CanStart=no", not unit.can_start),
                ("CanStop=no", not unit.can_stop),
            )
            if is_set
        ]
        if forbidden:
            return Refusal(
                "manual_refused", f"{unit.name} has {', '.join(forbidden)}", "restart what it depends on, or the host"
            )
    return None


def refuse_without_rights(case: plans.Case, _settings: plans.Settings) -> Optional[Refusal]:
    """This run may not talk to that manager."""
    if case.has_rights:
        return None
    return Refusal("no_rights", "this run has no right to restart it", "run with become: true")


def refuse_kill(case: plans.Case, _settings: plans.Settings) -> Optional[Refusal]:
    """To stop the unit would end this very run, half-way."""
    if not case.kills_run:
        return None
    why = "this run hangs on the unit, or on one that systemd would stop along, and would end with it"
    return Refusal("kills_run", why, "connect in another way")


def refuse_failed_check(case: plans.Case, _settings: plans.Settings) -> Optional[Refusal]:
    """A configuration check has to pass before anything is stopped."""
    check = case.check
    if check is None or check.status == 0 or check.address_missing:
        return None
    said = "could not be run" if check.status is None else f"ended with status {check.status}"
    return Refusal("check_failed", f"`{' '.join(check.command)}` {said}", f"correct the configuration: {check.output}")


def refuse_obstacle(case: plans.Case, _settings: plans.Settings) -> Optional[Refusal]:
    """systemd would not start it now."""
    if case.obstacle is None:
        return None
    return Refusal("cannot_start", f"once stopped, it would stay down: {case.obstacle}", "see to that first")


def refuse_dependents(case: plans.Case, settings: plans.Settings) -> Optional[Refusal]:
    """systemd would restart others along, and nothing is known of their binds."""
    serving = [dependent.unit for dependent in case.dependents if dependent.listeners]
    if not serving or settings.unproven or choose_action(case, settings) == plans.RELOAD:
        return None
    return Refusal(
        "dependents",
        f"systemd would restart {', '.join(serving)} along, and whether they would come back is not proven",
        "restart them together by hand; or accept the risk with rebind_unproven: restart",
    )


RULES: tuple[Rule, ...] = (
    refuse_ownerless,
    refuse_container,
    refuse_unit_state,
    refuse_never,
    refuse_unlisted,
    refuse_manual,
    refuse_without_rights,
    refuse_kill,
    refuse_failed_check,
    refuse_dependents,
    refuse_obstacle,
)

_DAEMON_RELOAD = "; its file is newer than what systemd has loaded: `systemctl daemon-reload`"
_CHECK_ADVICE = "name a command in rebind_checks that checks its configuration"


def make_container_restart(service: owners.Service) -> Optional[list[str]]:
    """By the engine, and by the whole id: nothing else is sure to mean that container. A user's has other storage."""
    if service.manager not in ("docker", "podman") or service.uid is not None or not _CONTAINER_ID.match(service.unit):
        return None
    return [service.manager, "restart", service.unit]


def _find_proxies(case: plans.Case) -> list[str]:
    return sorted({owner.name for found in case.stale for owner in found.ownership.owners} & set(_PROXIES))


def _describe_proxies(case: plans.Case) -> str:
    proxies = _find_proxies(case)
    engines = sorted({_PROXIES[name] for name in proxies})
    return f"{', '.join(proxies)} publishes a container's port here ({', '.join(engines)})"


def label_service(service: Optional[owners.Service]) -> str:
    """What options and results call it: the name of the unit, and whose it is where that is not the system's."""
    if service is None:
        return ""
    name = service.unit if service.scope != "container" else f"{service.manager} container {service.unit}"
    if service.uid is not None:
        return f"{name} of uid {service.uid}"
    return f"{name} of an unknown user" if service.scope == "user" else name


def find_wanted(
    options: Mapping[str, T], service: owners.Service, companion: Optional[units.Unit] = None
) -> Optional[T]:
    """What an option by unit says of this one: by its label alone, as anybody can call a unit of their own, or a
    container, what a unit of the system is called. A socket and the service it starts are one, so either name will do.
    """
    found = options.get(label_service(service))
    if found is None and companion is not None:
        return options.get(label_service(service._replace(unit=companion.name)))
    return found


def _names(case: plans.Case) -> list[str]:
    """The unit, and the service that a socket is restarted with."""
    return [unit.name for unit in (case.unit, case.companion) if unit is not None] or (
        [case.service.unit] if case.service else []
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
        names = {name for plan in left for name in _names(plan.case)}
        ready = next((plan for plan in left if not _waits_for(plan.case) & (names - set(_names(plan.case)))), left[0])
        left.remove(ready)
        ordered.append(ready)
    return ordered


def _waits_for(case: plans.Case) -> set[str]:
    return {name for unit in (case.unit, case.companion) if unit is not None for name in unit.after}
