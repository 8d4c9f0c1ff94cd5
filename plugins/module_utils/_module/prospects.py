# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel would say to each bind that a restart is to make, with the unit's own sockets closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from .._model import backends, bindings, connections, plans, restarts
from .._readers import bind_rights
from .._rules import bind_outlook, first_look, restart_outlook
from . import unlisted, wished_places
from .restarts import read_holders, read_port_use


class Wanted(NamedTuple):
    """The binds of one unit."""

    wishes: tuple[plans.Wish, ...]
    service: Optional[bindings.Service]
    own: tuple[bindings.Listener, ...]  # what it holds now, and closes
    names: tuple[str, ...]  # of the units that are stopped
    free_bind: bool  # it binds with IP_FREEBIND


def foresee_wishes(
    backend: backends.Backend, wanted: Sequence[Wanted], listeners: Sequence[bindings.Listener]
) -> tuple[list[tuple[plans.Prospect, ...]], tuple[backends.Gap, ...]]:
    """One tuple of prospects for each unit, in the order of its wishes."""
    plain = [bind for unit in wanted for wish in unit.wishes for bind in _make_binds(unit, wish)]
    if not plain:
        return [()] * len(wanted), ()
    locality, gaps = wished_places.read_locality(backend, plain)
    ports: dict[str, set[int]] = {}
    for bind in plain:
        ports.setdefault(bind.protocol, set()).add(bind.port)
    # Where a unit binds already, what is not listed is not in the way.
    new = [wish for unit in wanted for wish in unit.wishes if _is_new(unit, wish, locality)]
    new_ports = {wish.port for wish in new if wish.protocol == bindings.TCP}
    use, use_gaps = unlisted.add_bound(*read_port_use(backend, locality, ports, listeners), new_ports)
    outlooks = [_foresee(unit, use, locality) for unit in wanted]
    holders, holder_gaps = read_holders(backend, [outlook for unit in outlooks for outlook in unit], listeners)
    return [
        tuple(
            plans.Prospect(wish, found, _is_own(found, unit, holders), _name_holders(found, holders))
            for wish, found in zip(unit.wishes, answers)
        )
        for unit, answers in zip(wanted, outlooks)
    ], gaps + use_gaps + holder_gaps


def _foresee(unit: Wanted, use: restart_outlook.PortUse, locality: first_look.Locality) -> list[restarts.Outlook]:
    rights = _read_rights(unit.service)
    closing = {found.socket.inode for found in unit.own}
    outlooks = []
    for wish in unit.wishes:
        like = _find_like(unit.own, wish)
        own_rights = rights._replace(uid=like.socket.uid if like else rights.uid)
        guesses = _make_binds(unit, wish)
        is_new = _is_new(unit, wish, locality)
        if like is not None and not is_new and restart_outlook.may_be_anywhere(like.socket):
            guesses = [guess._replace(freebind=True) for guess in guesses]
        answers = [bind_outlook.foresee_bind(guess, own_rights, use, locality, closing) for guess in guesses]
        if is_new:
            answers = [bind_outlook.doubt_unlisted(guess, answer, use) for guess, answer in zip(guesses, answers)]
        outlooks.append(next((answer for answer in answers if answer.verdict != restarts.OK), answers[0]))
    return outlooks


def _make_binds(unit: Wanted, wish: plans.Wish) -> list[restarts.BindWish]:
    """With the options that the unit sets now, and both ways where it is not known whether :: will be IPv6-only."""
    like = _find_like(unit.own, wish)
    reuseaddr, reuseport = (like.options.reuseaddr, like.options.reuseport) if like else (None, None)
    return [
        restarts.BindWish(
            wish.protocol, wish.family, wish.packed, wish.port, wish.interface, v6only, reuseaddr, reuseport,
            unit.free_bind,
        )
        for v6only in _guess_v6only(wish, like)
    ]  # fmt: skip


def _find_like(own: Sequence[bindings.Listener], wish: plans.Wish) -> Optional[bindings.Listener]:
    """The unit's listener that is most like the wish: programs mostly set the same options on all of them."""
    same = [found for found in own if found.socket.protocol == wish.protocol]
    return min(
        same, key=lambda found: (found.socket.port != wish.port, found.socket.packed != wish.packed), default=None
    )


def _is_new(unit: Wanted, wish: plans.Wish, locality: first_look.Locality) -> bool:
    """Whether the unit does not bind there yet; where it does, what is not listed is not in the way, see
    foresee_restart()."""
    like = _find_like(unit.own, wish)
    if like is None:
        return True
    socket = like.socket
    link = locality.links.get(socket.ifindex or 0)
    return (socket.packed, socket.port, link.name if link else None) != (wish.packed, wish.port, wish.interface)


def _guess_v6only(wish: plans.Wish, like: Optional[bindings.Listener]) -> Sequence[bool]:
    if wish.family != bindings.IPV6 or any(wish.packed):
        return (False,)
    if like is not None and like.socket.packed == wish.packed and like.socket.v6only is not None:
        return (like.socket.v6only,)
    return (True, False)


def _read_rights(service: Optional[bindings.Service]) -> restarts.Rights:
    if service is None or service.scope == "container":
        return bind_rights.read_user_rights(None)
    if service.uid is None:
        return bind_rights.read_unit_rights(service.unit)
    try:
        return bind_rights.read_user_rights(str(service.uid))
    except bind_rights.UnknownUser:
        return bind_rights.read_unit_rights(service.unit)._replace(may_bind=None)


def _is_own(outlook: restarts.Outlook, unit: Wanted, holders: Mapping[int, bindings.Ownership]) -> bool:
    """Whether nothing is in the way but connections of the unit itself, and what is left of connections."""
    rows = [row for row in outlook.blockers if not row.is_timed]
    return bool(rows) and all(_is_connection(row) and _is_of(holders.get(row.inode), unit) for row in rows)


def _name_holders(outlook: restarts.Outlook, holders: Mapping[int, bindings.Ownership]) -> tuple[str, ...]:
    """The units that hold what is in the way, or the processes that belong to none."""
    names: set[str] = set()
    for row in outlook.blockers:
        ownership = holders.get(row.inode)
        if ownership is not None and ownership.service is not None:
            names.add(ownership.service.unit)
        elif ownership is not None:
            names.update(f"{owner.name} (pid {owner.pid})" for owner in ownership.owners)
    return tuple(sorted(names))


def _is_connection(row: connections.Occupant) -> bool:
    return row.state not in (connections.LISTENING, connections.BOUND)


def _is_of(ownership: Optional[bindings.Ownership], unit: Wanted) -> bool:
    """By name, and of the same manager: a user may call a unit what one of the system is called."""
    holder = ownership.service if ownership is not None else None
    return any(unit.service is not None and holder == unit.service._replace(unit=name) for name in unit.names)
