# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds ports without being listed, before Linux 6.8: TCP sockets that are merely bound."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .._model import backends, bindings
from .._readers import bound_sockets
from .._rules import restart_outlook, reuse


def add_bound(
    use: restart_outlook.PortUse, gaps: Sequence[backends.Gap], ports: Collection[int]
) -> tuple[restart_outlook.PortUse, tuple[backends.Gap, ...]]:
    """With those on the given TCP ports, found at their processes; unchanged where the kernel lists them itself.

    Where every process could be looked into, nothing is left unlisted. Where not, the gap says both: why they are not
    listed, and why they may not all have been found.
    """
    if use.unlisted is None or not ports:
        return use, tuple(gaps)
    found = bound_sockets.read_bound(ports)
    held: dict[tuple[str, int], Sequence[reuse.Held]] = dict(use.held)
    for row in reuse.infer_flags(found.occupants, found.readings):
        place = (bindings.TCP, row.occupant.port)
        if all(known.occupant.inode != row.occupant.inode for known in held.get(place, ())):
            held[place] = [*held.get(place, ()), row]
    unlisted = f"{use.unlisted}; {found.unseen}" if found.unseen else None
    told = [gap for gap in gaps if gap.source != "bound"]
    told += [gap._replace(reason=unlisted) for gap in gaps if gap.source == "bound" and unlisted]
    return use._replace(held=held, unlisted=unlisted, doubtful=found.doubtful), tuple(told)
