# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""shared-binding: one address and port, several units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .._model import bindings, findings
from .._wire import spelling
from . import first_look, wording

SLUG = "shared-binding"

# Multicast services, which every program on a host binds for itself: SSDP, WS-Discovery, mDNS, LLMNR (IANA registry).
_MULTICAST_PORTS = (1900, 3702, 5353, 5355)


def find_shared_bindings(view: first_look.View) -> Iterator[findings.Finding]:
    """The same address and port are held by different units (SO_REUSEPORT, or UDP with SO_REUSEADDR)."""
    groups: dict[tuple[object, ...], list[bindings.Listener]] = {}
    for listener in view.listeners:
        groups.setdefault(listener.socket.identity, []).append(listener)
    hidden: list[bindings.Listener] = []
    for listeners in groups.values():
        if len(listeners) < 2:
            continue
        holders = {_find_holder(listener) for listener in listeners}
        if len(holders - {None}) > 1:
            yield _tell(listeners)
        elif None in holders:
            hidden.append(listeners[0])
    yield from wording.find_unknown(
        SLUG, findings.WARNING, hidden, "several sockets share it, and not all of their holders can be seen"
    )


def _find_holder(listener: bindings.Listener) -> Optional[object]:
    ownership = listener.ownership
    if ownership.service is not None:
        return ownership.service
    return frozenset(owner.name for owner in ownership.owners) or None


def _tell(listeners: list[bindings.Listener]) -> findings.Finding:
    socket = listeners[0].socket
    names = sorted({wording.describe_holder(listener) for listener in listeners})
    usual = socket.protocol == bindings.UDP and socket.port in _MULTICAST_PORTS
    takes = (
        "each datagram goes to one of them"
        if socket.protocol == bindings.UDP
        else "each connection goes to one of them"
    )
    return findings.Finding(
        rule=SLUG,
        verdict=findings.FAIL,
        severity=findings.INFO if usual else findings.WARNING,
        message=f"{spelling.format_endpoint(socket)} is held by {', '.join(names)}"
        + ("" if usual else f": {takes}, and whichever was not meant takes away the other's"),
        listener=listeners[0],
        remedy=findings.MANUAL,
        remedy_reason="usual for a multicast service" if usual else "stop or move the one that does not belong there",
        evidence={"holders": names, "sockets": len(listeners)},
    )
