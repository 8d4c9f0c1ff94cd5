# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bind_preflight: would these binds succeed now?"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple, Optional

from .._model import backends, bindings, connections, restarts
from .._readers import bind_rights
from .._rules import bind_outlook, first_look, restart_outlook
from .._wire import spelling
from . import arguments, collect, restart_results, selections, unit_names, unlisted, wished_places
from .restarts import find_ports, read_holders, read_port_use
from .results import Json, render_gaps

_STAYS_OPEN = (
    "connections of the unit that are open now stay on the port for about a minute after a stop, unless SO_REUSEADDR is"
    " set"
)

WISH_OPTIONS: dict[str, Any] = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
    "interface": {"type": "str"},
    "reuseaddr": {"type": "bool"},
    "reuseport": {"type": "bool", "default": False},
    "v6only": {"type": "bool", "default": False},
    "freebind": {"type": "bool", "default": False},
    "user": {"type": "str"},
}


class Answer(NamedTuple):
    """None: nothing is known to be bound."""

    protocol: Optional[str]
    packed: Optional[bytes]
    port: Optional[int]
    interface: Optional[str]
    outlook: restarts.Outlook


def preflight(params: dict[str, Any]) -> tuple[Json, Sequence[backends.Gap]]:
    """What bind_preflight returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    backend = arguments.select_backend(params["backend"])
    if params["unit"] is not None:
        answers, holders, locality, gaps = _ask_for_unit(backend, unit_names.complete_name(params["unit"]))
    else:
        answers, holders, locality, gaps = _ask_for_wishes(backend, params["wishes"])
    results = [
        {
            "protocol": answer.protocol,
            "address": None if answer.packed is None else spelling.format_address(answer.packed),
            "port": answer.port,
            "interface": answer.interface,
            **restart_results.render_outlook(answer.outlook, holders, locality.links),
        }
        for answer in answers
    ]
    return {"results": results, "gaps": render_gaps(gaps)}, gaps


_Asked = tuple[list[Answer], dict[int, bindings.Ownership], first_look.Locality, tuple[backends.Gap, ...]]


def _ask_for_wishes(backend: backends.Backend, given: Sequence[dict[str, Any]]) -> _Asked:
    wishes = [parse_wish(f"wishes[{number}]", wish) for number, wish in enumerate(given)]
    known: dict[Optional[str], restarts.Rights] = {}
    for number, raw in enumerate(given):
        if raw["user"] not in known:
            known[raw["user"]] = _read_rights(f"wishes[{number}].user", raw["user"])
    locality, gaps = wished_places.read_locality(backend, wishes)
    ports: dict[str, set[int]] = {}
    for wish in wishes:
        ports.setdefault(wish.protocol, set()).add(wish.port)
    use, use_gaps = unlisted.add_bound(*read_port_use(backend, locality, ports, ()), ports.get(bindings.TCP, ()))
    outlooks = [
        bind_outlook.doubt_unlisted(wish, bind_outlook.foresee_bind(wish, known[raw["user"]], use, locality), use)
        for wish, raw in zip(wishes, given)
    ]
    holders, holder_gaps = read_holders(backend, outlooks, ())
    answers = [
        Answer(wish.protocol, wish.packed, wish.port, wish.interface, outlook)
        for wish, outlook in zip(wishes, outlooks)
    ]
    return answers, holders, locality, gaps + use_gaps + holder_gaps


def parse_wish(option: str, given: dict[str, Any]) -> restarts.BindWish:
    """Raises InvalidOption."""
    text, percent, scope = given["address"].strip().partition("%")
    try:
        packed = ip_address(text).packed
    except ValueError:
        allowed = "an IPv4 or IPv6 address, 0.0.0.0 or ::"
        raise arguments.InvalidOption(f"{option}.address", given["address"], allowed) from None
    if percent and (not scope or scope.isdecimal()):  # an interface of such a name can be given as `interface`
        allowed = "an address whose scope id is the name of an interface, such as fe80::1%eth0"
        raise arguments.InvalidOption(f"{option}.address", given["address"], allowed)
    if given["interface"] is not None and not given["interface"].strip():
        raise arguments.InvalidOption(f"{option}.interface", given["interface"], "the name of an interface")
    if not 1 <= given["port"] <= 65535:
        raise arguments.InvalidOption(f"{option}.port", given["port"], "a port from 1 to 65535")
    if scope and given["interface"] not in (None, scope):
        raise arguments.InvalidOption(
            f"{option}.interface", given["interface"], "the interface of the scope id, or none"
        )
    return restarts.BindWish(
        given["protocol"],
        bindings.IPV4 if len(packed) == 4 else bindings.IPV6,
        packed,
        given["port"],
        scope or given["interface"],
        given["v6only"] and len(packed) == 16,
        given["reuseaddr"],
        given["reuseport"],
        given["freebind"],
    )


def _read_rights(option: str, user: Optional[str]) -> restarts.Rights:
    try:
        return bind_rights.read_user_rights(user)
    except bind_rights.UnknownUser:
        raise arguments.InvalidOption(option, user, "the name or number of a user of the host") from None


def _ask_for_unit(backend: backends.Backend, unit: str) -> _Asked:
    pattern = unit.replace("[", "[[]")
    collected = collect.collect(backend, selections.Selection(("tcp", "udp"), (), (), (pattern,)), all_owners=True)
    view = collected.view
    locality, listeners = view.locality, view.listeners
    gaps = collected.gaps
    if not listeners:
        reason = _explain_nothing(unit, collected.undecided)
        gaps += (backends.Gap("listeners", f"what {unit} would bind", reason),)
        outlook = restarts.Outlook(restarts.UNKNOWN, None, (), None, f"what {unit} would bind is not known: {reason}")
        return [Answer(None, None, None, None, outlook)], {}, locality, gaps
    rights = bind_rights.read_unit_rights(unit)
    use, use_gaps = read_port_use(backend, locality, find_ports(listeners), listeners)
    closing = {found.socket.inode for found in listeners if found.socket.inode}
    outlooks = [_foresee(found, rights, use, locality, closing) for found in listeners]
    holders, holder_gaps = read_holders(backend, outlooks, listeners)
    quiet = _find_quiet(outlooks, holders, unit)
    if quiet:
        outlooks = [_foresee(found, rights, use, locality, closing | quiet) for found in listeners]
    answers = [
        Answer(
            found.socket.protocol, found.socket.packed, found.socket.port, _find_name(found, locality),
            _explain_own(outlook, holders, unit),
        )
        for found, outlook in zip(listeners, outlooks)
    ]  # fmt: skip
    return answers, holders, locality, gaps + use_gaps + holder_gaps


def _explain_nothing(unit: str, undecided: int) -> str:
    if undecided:
        return f"no listener of it is seen, and of {undecided} listener{'s' * (undecided > 1)} the unit cannot be seen"
    return "it has no listener now: it is stopped, binds nothing, or is not there; name the binds in `wishes`"


def _foresee(
    listener: bindings.Listener,
    rights: restarts.Rights,
    use: restart_outlook.PortUse,
    locality: first_look.Locality,
    closing: set[int],
) -> restarts.Outlook:
    claim = restart_outlook.make_claim(listener)
    if claim is None:
        return restarts.Outlook(restarts.UNKNOWN, None, (), None, "this backend does not tell enough of the socket")
    return bind_outlook.foresee_claim(
        claim, listener.binding, restart_outlook.may_be_anywhere(listener.socket), rights, use, locality, closing
    )


def _find_quiet(outlooks: Sequence[restarts.Outlook], holders: dict[int, bindings.Ownership], unit: str) -> set[int]:
    """Sockets of the unit itself that are merely bound: they go with it, and leave nothing behind."""
    return {
        row.inode
        for outlook in outlooks
        for row in outlook.blockers
        if row.state == connections.BOUND and _is_of(holders.get(row.inode), unit)
    }


def _explain_own(outlook: restarts.Outlook, holders: dict[int, bindings.Ownership], unit: str) -> restarts.Outlook:
    own = any(row.inode and _is_of(holders.get(row.inode), unit) for row in outlook.blockers)
    return outlook._replace(reason=_STAYS_OPEN) if own and outlook.verdict == restarts.BLOCKED else outlook


def _is_of(ownership: Optional[bindings.Ownership], unit: str) -> bool:
    return ownership is not None and ownership.service is not None and ownership.service.unit == unit


def _find_name(listener: bindings.Listener, locality: first_look.Locality) -> Optional[str]:
    link = locality.links.get(listener.socket.ifindex or 0)
    return link.name if link is not None else None
