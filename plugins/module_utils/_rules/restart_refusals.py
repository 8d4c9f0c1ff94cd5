# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a unit is not to be touched at all, before it is asked where it would listen afterwards."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import NamedTuple, Optional

from .._model import bindings, plans
from . import restart_actions

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
    bindings.DENIED: ("its holder cannot be seen", "run with become: as root every holder is seen"),
    bindings.KERNEL: ("it is a socket of the kernel's own", "reconfigure what made it (NFS, WireGuard, …)"),
}


class Refusal(NamedTuple):
    decision: str
    reason: str
    advice: str


Rule = Callable[[plans.Case, plans.Settings], Optional[Refusal]]


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
    wanted = restart_actions.find_wanted(settings.actions, service)
    if settings.containers and wanted is not None:
        if wanted == plans.RELOAD or (
            wanted == plans.RESTART and restart_actions.make_container_restart(service) is None
        ):
            how = "the role cannot do that to a container of this kind; name the command"
            return Refusal(
                "container", f"rebind_actions has {wanted} for {restart_actions.label_service(service)}", how
            )
        return None
    return Refusal(
        "container",
        f"it is {service.manager} container {service.unit}",
        f"restart it with {service.manager}; or set rebind_containers: true, and the command in rebind_actions, under"
        f" the name {restart_actions.label_service(service)}",
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
    own = restart_actions.names_of(case)
    along = [
        dependent.unit for dependent in case.dependents if restart_actions.choose_action(case, settings) != plans.RELOAD
    ]
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
    if any(fnmatchcase(name, pattern) for name in restart_actions.names_of(case) for pattern in settings.units):
        return None
    return Refusal("not_listed", "rebind_units does not name it", "add it to rebind_units")


def refuse_manual(case: plans.Case, settings: plans.Settings) -> Optional[Refusal]:
    """Its unit file forbids it (RefuseManualStart=, RefuseManualStop=), or it cannot be done at all."""
    if case.unit is None:
        return None
    if restart_actions.choose_action(case, settings) == plans.RELOAD and not case.unit.can_reload:
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
    if not serving or settings.unproven or restart_actions.choose_action(case, settings) == plans.RELOAD:
        return None
    return Refusal(
        "dependents",
        f"systemd would restart {', '.join(serving)} along, and whether they would come back is not proven",
        "restart them together by hand; or accept the risk with rebind_unproven: restart",
    )


def _find_proxies(case: plans.Case) -> list[str]:
    return sorted({owner.name for found in case.stale for owner in found.ownership.owners} & set(_PROXIES))


def _describe_proxies(case: plans.Case) -> str:
    proxies = _find_proxies(case)
    engines = sorted({_PROXIES[name] for name in proxies})
    return f"{', '.join(proxies)} publishes a container's port here ({', '.join(engines)})"


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


def find_refusal(case: plans.Case, settings: plans.Settings) -> Optional[Refusal]:
    """The first that applies, in the order of RULES; None: as far as these see, the unit may be touched."""
    return next((refusal for rule in RULES if (refusal := rule(case, settings)) is not None), None)
