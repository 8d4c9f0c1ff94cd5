# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the first look at a host does not settle it: the kernel is asked about single addresses, and whether sockets in
question are still there.

Those that closed meanwhile are left out. They prove nothing: neither that an address is missing, nor that nobody holds
them.
"""

from __future__ import annotations

from collections.abc import Sequence

from .._model import backends, bindings
from .._rules import first_look
from . import collect


def complete_network(
    backend: backends.Backend, locality: first_look.Locality, sockets: Sequence[bindings.Socket]
) -> tuple[first_look.Locality, tuple[backends.Gap, ...]]:
    """With whatever the verdict on these sockets needs besides the tables."""
    wanted = locality.closer.find_open_lookups(sockets)
    if not wanted:
        return locality, ()
    network, gaps = backend.read_lookups(locality.network, wanted)
    locality = first_look.Locality(network, locality.intended)
    if locality.closer.needs_merged(sockets):
        network, merged_gaps = backend.read_merged(network)
        locality, gaps = first_look.Locality(network, locality.intended), gaps + merged_gaps
    return locality, gaps


def drop_vanished(backend: backends.Backend, sample: collect.Sample, doubtful: Sequence[int]) -> collect.Sample:
    """Without the doubtful ones (by position) that closed before the addresses were read. Raises UnreadableTable."""
    vanished = _find_vanished(backend, [sample.sockets[position] for position in doubtful])
    pairs = zip(sample.sockets, sample.verdicts)
    kept = [pair for pair in pairs if pair[0].sort_key not in vanished]
    return sample._replace(sockets=tuple(pair[0] for pair in kept), verdicts=[pair[1] for pair in kept])


def drop_closed(backend: backends.Backend, listeners: Sequence[bindings.Listener]) -> list[bindings.Listener]:
    """Without those that closed while their holder was looked for: a socket without any would be the kernel's own.
    Raises UnreadableTable.
    """
    unheld = [found.socket for found in listeners if found.ownership.status == bindings.KERNEL and found.socket.inode]
    vanished = _find_vanished(backend, unheld)
    return [found for found in listeners if found.socket.sort_key not in vanished]


def _find_vanished(backend: backends.Backend, sockets: Sequence[bindings.Socket]) -> set[tuple[object, ...]]:
    """The keys of those that a new look does not show any more."""
    if not sockets:
        return set()
    protocols = sorted({socket.protocol for socket in sockets})
    present = {socket.sort_key for socket in backend.read_sockets(protocols)[0]}
    return {socket.sort_key for socket in sockets if socket.sort_key not in present}
