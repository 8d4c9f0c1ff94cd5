# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that decides about a restart, read for each unit that holds a stale listener."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from .._model import backends, bindings, plans
from .._readers import sysctls
from .._readers.carrier import Carrier, read_carrier
from .._rules import first_look
from . import known_units, run_carrier, unit_programs
from .prospects import Wanted, foresee_wishes

_DOUBTFUL = (bindings.STALE_ADDRESS, bindings.STALE_INTERFACE, bindings.PENDING)


def collect_cases(
    backend: backends.Backend,
    view: first_look.View,
    stale: Sequence[bindings.Listener],
    expected: Mapping[str, tuple[plans.Wish, ...]],
    checks: Mapping[str, str],
) -> tuple[list[plans.Case], tuple[backends.Gap, ...]]:
    """One case for each service that holds a stale listener, and for each listener that no service holds."""
    if not stale:
        return [], ()
    services = dict.fromkeys(listener.ownership.service for listener in stale)
    known = known_units.read_known([service for service in services if service is not None], view.listeners)
    groups: dict[tuple[Optional[bindings.Service], int], list[bindings.Listener]] = {}
    for listener in stale:
        found = known.get(listener.ownership.service)
        groups.setdefault((found.service if found else None, 0 if found else listener.socket.inode), []).append(
            listener
        )
    by_service = {found.service: found for found in known.values()}
    carrier = read_carrier()
    ephemeral = sysctls.read_ephemeral_ports()
    cases, wanted = [], []
    for (service, _inode), listeners in groups.items():
        found = by_service.get(service) if service is not None else None
        own = known_units.find_own(found, view.listeners)
        healthy = [item for item in own if item.binding.state not in _DOUBTFUL and not _is_passing(item, ephemeral)]
        is_known = found is not None and (found.unit is not None or found.service.scope == "container")
        check, proof, wishes = (
            unit_programs.ask_program(found, expected, checks)
            if found and is_known
            else (None, unit_programs.NOTHING, ())
        )
        cases.append(_make_case(found, listeners, healthy, check, proof, carrier, view))
        units = [unit for unit in (found.unit, found.companion) if unit] if found else []
        names = tuple(unit.name for unit in units)
        wanted.append(Wanted(wishes, service, tuple(own), names, any(unit.free_bind for unit in units)))
    prospects, gaps = foresee_wishes(backend, wanted, view.listeners)
    gaps += tuple(found.gap for found in by_service.values() if found.gap is not None)
    return [
        case._replace(proof=case.proof._replace(prospects=answers)) for case, answers in zip(cases, prospects)
    ], gaps


def _make_case(
    known: Optional[known_units.Known],
    stale: Sequence[bindings.Listener],
    healthy: Sequence[bindings.Listener],
    check: Optional[plans.Check],
    proof: plans.Proof,
    carrier: Carrier,
    view: first_look.View,
) -> plans.Case:
    units = [unit for unit in (known.unit, known.companion) if unit] if known else []
    return plans.Case(
        service=known.service if known else None,
        unit=known.unit if known else None,
        companion=known.companion if known else None,
        unreadable=known.unreadable if known else None,
        stale=tuple(stale),
        healthy=tuple(healthy),
        check=check,
        proof=proof,
        dependents=known.dependents if known else (),
        carries_run=run_carrier.find_carrier(units, [*stale, *healthy], carrier, view),
        kills_run=run_carrier.kills_run(units, carrier) or _is_stopped_along(known, carrier, view),
        has_rights=known.manager.has_rights if known else False,
        interfaces={index: link.name for index, link in view.locality.links.items()},
        rebinds_on_reload=known is not None and unit_programs.rebinds_on_reload(known),
    )


def _is_stopped_along(known: Optional[known_units.Known], carrier: Carrier, view: first_look.View) -> bool:
    """Whether this run hangs on a unit that systemd would stop along. Of its binds nothing is known."""
    if known is None or not known.along:
        return False
    services = {known.service._replace(unit=unit.name) for unit in known.along}
    held = [listener for listener in view.listeners if listener.ownership.service in services]
    return (
        run_carrier.kills_run(known.along, carrier)
        or run_carrier.find_carrier(known.along, held, carrier, view) is not None
    )


def _is_passing(listener: bindings.Listener, ephemeral: range) -> bool:
    """A UDP socket that a client uses for one question: the kernel chose its port, and it is no service."""
    return listener.socket.protocol == bindings.UDP and listener.socket.port in ephemeral
