# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in the way of a bind, put together so that a person can read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from .._model import addresses, bindings, connections, restarts
from .._wire import spelling

_PEERS = 5  # shown of each group
_GROUPS = 3  # named in a message


def group_blockers(
    blockers: Iterable[connections.Occupant], holders: Mapping[int, bindings.Ownership]
) -> list[restarts.Blockers]:
    """Those that differ only in the peer and the descriptor are one entry. Sorted: what no process holds last."""
    groups: dict[tuple[object, ...], list[connections.Occupant]] = {}
    for row in blockers:
        key = (row.state, row.packed, row.port, row.ifindex, row.is_timed, _identify(holders.get(row.inode)))
        groups.setdefault(key, []).append(row)
    found = [_make_group(rows, holders) for rows in groups.values()]
    return sorted(found, key=lambda group: (group.ownership is None, group.state, group.packed, group.ifindex))


def _identify(ownership: Optional[bindings.Ownership]) -> Optional[tuple[object, ...]]:
    """Processes and unit; every connection of a process has a descriptor of its own."""
    if ownership is None:
        return None
    return (frozenset(owner.pid for owner in ownership.owners), ownership.status, ownership.service)


def _make_group(rows: Sequence[connections.Occupant], holders: Mapping[int, bindings.Ownership]) -> restarts.Blockers:
    first = rows[0]
    waits = [row.clears_in for row in rows if row.clears_in is not None]
    peers = sorted((row.peer_packed, row.peer_port) for row in rows if row.peer_port)
    return restarts.Blockers(
        first.state, first.packed, first.port, first.ifindex, len(rows), tuple(peers[:_PEERS]),
        -(-max(waits) // 1000) if len(waits) == len(rows) else None,
        holders.get(first.inode),
    )  # fmt: skip


def describe_blockers(groups: Sequence[restarts.Blockers]) -> str:
    """2 connections in time_wait (for 43 s), a listener of haproxy.service on 0.0.0.0."""
    told = [_describe(group) for group in groups[:_GROUPS]]
    more = sum(group.sockets for group in groups[_GROUPS:])
    return ", ".join(told) + (f" and {more} more" if more else "")


def _describe(group: restarts.Blockers) -> str:
    many = f"{group.sockets} " if group.sockets > 1 else "a "
    ending = "s" if group.sockets > 1 else ""
    if group.state == connections.LISTENING:
        what = f"{many}listener{ending} on {spelling.format_address(group.packed)}"
    elif group.state == connections.BOUND:
        what = f"{many}bound socket{ending} on {spelling.format_address(group.packed)}"
    else:
        what = f"{many}connection{ending} in {group.state}"
    holder = name_holder(group.ownership)
    what += f" of {holder}" if holder else ""
    return what + (f" (for {group.clear_in_seconds} s)" if group.clear_in_seconds is not None else "")


def name_holder(ownership: Optional[bindings.Ownership]) -> str:
    if ownership is None:
        return ""
    if ownership.service is not None:
        return ownership.service.unit
    return ", ".join(sorted({owner.name for owner in ownership.owners}))


def list_blockers(groups: Iterable[restarts.Blockers], links: Mapping[int, addresses.Link]) -> list[dict[str, Any]]:
    """As JSON values (docs/schemas/blocker.json); `links` by ifindex."""
    return [
        {
            "state": group.state,
            "address": spelling.format_address(group.packed),
            "port": group.port,
            "interface": links[group.ifindex].name if group.ifindex in links else None,
            "ifindex": group.ifindex or None,
            "count": group.sockets,
            "peers": [{"address": spelling.format_address(packed), "port": port} for packed, port in group.peers],
            "clear_in_seconds": group.clear_in_seconds,
            "owners": [owner._asdict() for owner in group.ownership.owners] if group.ownership else [],
            "service": group.ownership.service._asdict() if group.ownership and group.ownership.service else None,
        }
        for group in groups
    ]
