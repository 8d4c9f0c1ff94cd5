# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else holds the ports of listeners, who that is, and what a restart would meet there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from .._model import backends, bindings, connections, restarts
from .._readers import sysctls
from .._readers.connections import read_occupants
from .._rules import first_look, restart_outlook, reuse
from . import collect

_MOST_SOCKETS = 200  # whose holders are looked for; beyond that, a blocker has no owner, and options are unknown
_TOO_MANY = f"there are more than {_MOST_SOCKETS}, and only those are looked into"


def add_restarts(
    backend: backends.Backend,
    collected: collect.Collected,
    wanted: Callable[[bindings.Listener], bool] = lambda listener: True,
) -> collect.Collected:
    """With the outlook of each wanted listener; connections are read only on ports where a restart depends on them."""
    every, locality = collected.view.listeners, collected.view.locality
    listeners = [found for found in every if wanted(found)]
    quick = [found for found in listeners if not restart_outlook.needs_connections(found)]
    open_ones = [found for found in listeners if restart_outlook.needs_connections(found)]
    use, gaps = read_port_use(backend, locality, find_ports(quick), every, unconnected=True)
    outlooks = {found.socket: restart_outlook.foresee_restart(found, use, locality) for found in quick}
    open_ones += [found for found in quick if not restart_outlook.stands_free(found, use, locality)]
    use, more_gaps = read_port_use(backend, locality, find_ports(open_ones), every)
    outlooks.update((found.socket, restart_outlook.foresee_restart(found, use, locality)) for found in open_ones)
    gaps += more_gaps
    holders, holder_gaps = read_holders(backend, outlooks.values(), every)
    gaps += holder_gaps
    return collected._replace(
        view=collected.view._replace(restarts=restarts.Restarts(outlooks, holders)),
        gaps=tuple(dict.fromkeys(collected.gaps + gaps)),
    )


def read_port_use(
    backend: backends.Backend,
    locality: first_look.Locality,
    ports: Mapping[str, set[int]],
    listeners: Sequence[bindings.Listener],
    unconnected: bool = False,
) -> tuple[restart_outlook.PortUse, tuple[backends.Gap, ...]]:
    """Everything on those ports, by protocol; `unconnected`: only what listens there or is merely bound.

    The options of `listeners` are known, those of other sockets are read.
    """
    if not backend.capabilities.options:
        reason = f"backend {backend.name} cannot see what else is on a port"
        return restart_outlook.PortUse({}, dict.fromkeys(ports, reason), False), ()
    occupants, gaps = read_occupants(ports, unconnected=unconnected)
    readings = {found.socket.inode: (found.options.reuseaddr, found.options.reuseport) for found in listeners}
    others = [
        held.occupant
        for rows in occupants.values()
        for held in reuse.infer_flags(rows, readings)
        # Bound by itself, so that its options are inherited from nobody.
        if held.occupant.inode and held.occupant.inode not in readings and not held.is_descendant
    ]
    left_out, others = len(others[_MOST_SOCKETS:]), others[:_MOST_SOCKETS]
    if left_out:
        gaps += (
            backends.Gap("options", f"SO_REUSEADDR and other options of {left_out} more sockets on a port", _TOO_MANY),
        )
    if others:
        sockets = list(map(_as_socket, others))
        ownerships, _owner_gaps = backend.read_owners(sockets, range(len(sockets)))
        options, option_gaps = backend.read_options(sockets, ownerships)
        gaps += option_gaps
        readings.update((row.inode, (read.reuseaddr, read.reuseport)) for row, read in zip(others, options))
    by_port: dict[tuple[str, int], list[reuse.Held]] = {}
    for protocol, rows in occupants.items():
        for held in reuse.infer_flags(rows, readings):
            by_port.setdefault((protocol, held.occupant.port), []).append(held)
    unread = {protocol: "; ".join(gap.reason for gap in gaps) for protocol in ports if protocol not in occupants}
    has_vrf = any(link.kind == "vrf" for link in locality.links.values())
    unlisted = next((gap.reason for gap in gaps if gap.source == "bound"), None)
    return restart_outlook.PortUse(by_port, unread, has_vrf and sysctls.read_shared_domains(), unlisted), gaps


def read_holders(
    backend: backends.Backend, outlooks: Iterable[restarts.Outlook], listeners: Sequence[bindings.Listener]
) -> tuple[dict[int, bindings.Ownership], tuple[backends.Gap, ...]]:
    """Who holds the blockers, by inode. Those that are beyond the limit are of no known owner, and a gap says so."""
    known = {found.socket.inode: found.ownership for found in listeners}
    rows = {row.inode: row for outlook in outlooks for row in outlook.blockers if row.inode}
    wanted = [_as_socket(row) for inode, row in sorted(rows.items()) if inode not in known]
    left_out, wanted = wanted[_MOST_SOCKETS:], wanted[:_MOST_SOCKETS]
    gaps = (backends.Gap("owners", f"the holders of {len(left_out)} more blockers", _TOO_MANY),) if left_out else ()
    known.update((socket.inode, bindings.Ownership((), bindings.UNKNOWN, None)) for socket in left_out)
    if wanted:
        ownerships, _gaps = backend.read_owners(wanted, range(len(wanted)))
        known.update((socket.inode, ownership) for socket, ownership in zip(wanted, ownerships))
    return {inode: known[inode] for inode in rows if inode in known}, gaps


def find_ports(listeners: Iterable[bindings.Listener]) -> dict[str, set[int]]:
    ports: dict[str, set[int]] = {}
    for found in listeners:
        ports.setdefault(found.socket.protocol, set()).add(found.socket.port)
    return ports


def _as_socket(row: connections.Occupant) -> bindings.Socket:
    """For the readers of owners and options, which look at the inode."""
    return bindings.Socket(
        row.protocol, row.family, row.packed, row.port, row.ifindex, row.v6only, None, None, row.uid, row.inode,
        None, None, None,
    )  # fmt: skip
