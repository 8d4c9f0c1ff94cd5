# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The units that hold stale listeners, with everything that systemd would stop or start along with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional, Union

from .._model import backends, bindings, plans
from .._model.units import Unit
from .._readers.units import Manager, read_units

_KINDS = (".service", ".socket")  # that hand each other listeners
_ROUNDS = 5  # from a unit to what is stopped with it, from that to more


class _Unread(Exception):
    """Name of a unit, and why nothing is known of it."""


class _Lost(Exception):
    """Name of a unit that would be stopped along, and that nobody could stop and start again."""


class Known(NamedTuple):
    """A unit and what belongs to it, before anything is asked of its program."""

    service: bindings.Service
    unit: Optional[Unit]
    companion: Optional[Unit]
    unreadable: Optional[str]
    dependents: tuple[plans.Dependent, ...]
    manager: Manager
    gap: Optional[backends.Gap] = None  # its manager gave no answer
    along: tuple[Unit, ...] = ()  # the dependents

    @property
    def program(self) -> Optional[Unit]:
        """The unit whose program will listen, or serve what its socket accepts."""
        return self.companion or self.unit


def read_known(
    services: Sequence[bindings.Service], listeners: Sequence[bindings.Listener]
) -> dict[Optional[bindings.Service], Known]:
    """One `systemctl show` for all units of a manager, and one or two for what belongs to them."""
    known: dict[Optional[bindings.Service], Known] = {}
    managers: dict[Manager, list[bindings.Service]] = {}
    for service in services:
        if service.scope == "user" and service.uid is None:  # and not the system's unit of that name
            known[service] = Known(service, None, None, "whose service manager runs it is not known", (), Manager(None))
        elif service.manager == "systemd" and service.scope in ("system", "user"):
            managers.setdefault(Manager(service.uid), []).append(service)
        else:
            known[service] = Known(service, None, None, None, (), Manager(None))
    for manager, concerned in managers.items():
        units = read_units(manager, [service.unit for service in concerned])
        others = _read_others(manager, units)
        for service in concerned:
            known[service] = _know(service, units[service.unit], others, listeners, manager)
    return known


def _know(
    service: bindings.Service,
    unit: Union[Unit, str],
    others: Mapping[str, Union[Unit, str]],
    listeners: Sequence[bindings.Listener],
    manager: Manager,
) -> Known:
    """A service that its .socket hands the listeners to is that socket's: started alone, it would not get them again.

    That holds as well where the service alone still has one: systemd drops it on a reload that changed ListenStream=.
    """
    if isinstance(unit, str):
        gap = backends.Gap("systemd", f"what is to be known of {service.unit} before a restart", unit)
        return Known(service, None, None, unit, (), manager, gap)
    sockets = [found for found in map(others.get, unit.triggered_by) if isinstance(found, Unit)]
    sockets = [found for found in sockets if found.name.endswith(".socket") and found.is_active and found.listens]
    if len(sockets) > 1:
        names = ", ".join(socket.name for socket in sockets)
        return Known(service, None, None, f"it gets its listeners from several units: {names}", (), manager)
    if sockets:
        service, unit = service._replace(unit=sockets[0].name), sockets[0]
    companions = _find_companions(unit, others)
    if len(companions) > 1:
        names = ", ".join(companion.name for companion in companions)
        return Known(service, None, None, f"{unit.name} gives its listeners to several units: {names}", (), manager)
    companion = companions[0] if companions else None
    try:
        along = _find_along([unit, *companions, *_find_siblings(unit, companion, others)], others)
    except _Unread as error:
        name, why = error.args
        gap = backends.Gap("systemd", f"what is to be known of {name} before a restart of {service.unit}", why)
        reason = f"{name} would be restarted along, and {why}"
        return Known(service, None, None, reason, (), manager, gap)
    except _Lost as error:
        reason = f"{error} would be stopped along, and could not be stopped and started again by hand"
        return Known(service, None, None, reason, (), manager)
    holders = [service._replace(unit=dependent.name) for dependent in along]
    dependents = tuple(
        plans.Dependent(holder.unit, sum(listener.ownership.service == holder for listener in listeners))
        for holder in holders
    )
    return Known(service, unit, companion, None, dependents, manager, along=along)


def _read_others(manager: Manager, units: Mapping[str, Union[Unit, str]]) -> dict[str, Union[Unit, str]]:
    """Those units, what belongs to them, what belongs to that, and so on."""
    known = dict(units)
    for _round in range(_ROUNDS):
        related = {
            name
            for unit in known.values()
            if isinstance(unit, Unit)
            for name in (*_find_linked(unit), *unit.restarted_along)
        }
        fresh = sorted(related - set(known))
        if not fresh:
            break
        known.update(read_units(manager, fresh))
    return known


def _find_linked(unit: Unit) -> list[str]:
    return [name for name in (*unit.triggers, *unit.triggered_by) if name.endswith(_KINDS)]


def _find_companions(unit: Unit, others: Mapping[str, Union[Unit, str]]) -> list[Unit]:
    """The service of a .socket, and those that have it in their Sockets=; systemd.service(5).

    One with Accept=yes has an instance per connection, which a restart leaves alone.
    """
    if not unit.name.endswith(".socket") or unit.accept:
        return []
    return [found for found in map(others.get, unit.triggers) if isinstance(found, Unit)]


def _find_siblings(unit: Unit, companion: Optional[Unit], others: Mapping[str, Union[Unit, str]]) -> list[Unit]:
    """The other sockets of the service, UNIX ones mostly: they are stopped with it, as a connection would start it in
    between. Raises _Lost.
    """
    found = [others.get(name) for name in (companion or unit).triggered_by if name.endswith(".socket")]
    siblings = [other for other in found if isinstance(other, Unit) and other.is_active and other.name != unit.name]
    for other in siblings:
        _require_startable(other)
        if other.refuse_manual_stop:
            raise _Lost(other.name)
    return siblings


def _require_startable(unit: Unit) -> None:
    if unit.transient or unit.refuse_manual_start or not unit.can_start:
        raise _Lost(unit.name)


def _find_along(stopped: Sequence[Unit], others: Mapping[str, Union[Unit, str]]) -> tuple[Unit, ...]:
    """What is active and would be stopped with these units, and with that, and so on: services, targets, mounts, …

    What is not active stops nothing, systemd drops its job. Raises _Unread, _Lost.
    """
    own = [unit.name for unit in stopped]
    found: list[Unit] = []
    pending = list(stopped)
    while pending:
        for name in pending.pop(0).restarted_along:
            other = others.get(name)
            if name in own or other in found:
                continue
            if not isinstance(other, Unit):
                raise _Unread(name, other or "it is too far away to be looked at")
            if other.is_active and other.name not in own:  # by another name: Alias=
                _require_startable(other)
                found.append(other)
                pending.append(other)
    return tuple(found)


def find_own(known: Optional[Known], listeners: Sequence[bindings.Listener]) -> list[bindings.Listener]:
    """What the unit holds, and the service that is stopped with it."""
    if known is None:
        return []
    services = [known.service]
    if known.companion is not None:
        services.append(known.service._replace(unit=known.companion.name))
    return [listener for listener in listeners if listener.ownership.service in services]
