# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which listeners and rules a caller asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from .._model import bindings, owners
from .._model.addresses import Prefix, unmap


class Selection(NamedTuple):
    """What to look at. Empty = everything; several options narrow down together."""

    protocols: tuple[str, ...]
    ports: tuple[range, ...]
    addresses: tuple[Prefix, ...]  # a v4-mapped address counts as its IPv4 address
    units: tuple[str, ...]  # globs on unit names and container names


def make_socket_filter(selection: Selection) -> Callable[[bindings.Socket], bool]:
    """What can be decided before anything but the socket is known."""
    ports, addresses = selection.ports, selection.addresses

    def is_wanted(socket: bindings.Socket) -> bool:
        if ports and not any(socket.port in block for block in ports):
            return False
        return not addresses or any(prefix.covers(unmap(socket.packed)) for prefix in addresses)

    return is_wanted


def select_units(
    listeners: Sequence[bindings.Listener], units: Sequence[str], sees_services: bool = True
) -> tuple[list[bindings.Listener], int]:
    """Those whose unit matches a glob, and how many could not be decided because their unit cannot be seen.

    sees_services: whether a holder without a unit is known to have none.
    """
    if not units:
        return list(listeners), 0
    matching, undecided = [], 0
    for listener in listeners:
        service = listener.ownership.service
        if service is None:
            undecided += not sees_services or listener.ownership.status in (owners.DENIED, owners.UNKNOWN)
        elif any(fnmatchcase(service.unit, pattern) for pattern in units):
            matching.append(listener)
    return matching, undecided
