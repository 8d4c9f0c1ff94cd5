# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a host: sockets, then the network, then whatever looks wrong once more; then who holds it.

The order matters (a socket that is gone when the addresses are read must not be called stale), and every reading
happens in this one run: facts gathered earlier are never the source of a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from .._model import addresses, bindings, owners
from .._model.gaps import Gap
from .._readers import backends
from .._rules import policy, views
from .._rules.locality import Locality
from . import arguments

# What a second look can take back. Unknown and intended are no accusations.
DOUBTFUL = frozenset((bindings.STALE_ADDRESS, bindings.STALE_INTERFACE, bindings.PENDING))

EVERYTHING = policy.Selection(protocols=("tcp", "udp"), ports=(), addresses=(), units=())


class Sample(NamedTuple):
    """Sockets with their verdicts, as one moment showed them. `verdicts` in the order of `sockets`."""

    sockets: tuple[bindings.Socket, ...]
    verdicts: list[bindings.Binding]
    locality: Locality
    gaps: tuple[Gap, ...]


class Collected(NamedTuple):
    view: views.View
    gaps: tuple[Gap, ...]
    undecided: int = 0  # listeners left out because it cannot be seen whether they match `units`


def collect_asked(params: dict[str, Any]) -> Collected:
    """What a module's shared options ask for. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    selection = arguments.parse_selection(params)
    intended = arguments.parse_prefixes("intended_addresses", params["intended_addresses"])
    return collect(backends.select_backend(params["backend"]), selection, intended, params["all_owners"])


def collect(
    backend: backends.Backend,
    selection: policy.Selection = EVERYTHING,
    intended: Sequence[addresses.Prefix] = (),
    all_owners: bool = False,
) -> Collected:
    """Every selected listener with its binding and its owners. Raises UnreadableTable."""
    sample = drop_vanished(backend, selection, take_sample(backend, selection, intended))
    # Nothing is decided on a holder that was missed: whatever is not plainly in order is looked for in every process.
    every_holder: Collection[int] = range(len(sample.sockets))
    if not all_owners:
        every_holder = [position for position, binding in enumerate(sample.verdicts) if binding.state in DOUBTFUL]
    ownerships, owner_gaps = backend.read_owners(sample.sockets, every_holder)
    options, option_gaps = read_options(backend, sample.sockets, ownerships)
    # A socket without a holder is the kernel's own, or one that closed while its holder was looked for.
    unheld = [
        socket for socket, found in zip(sample.sockets, ownerships) if found.status == owners.KERNEL and socket.inode
    ]
    vanished = find_vanished(backend, selection, unheld)
    found_out = zip(sample.sockets, sample.verdicts, ownerships, options)
    judged = [bindings.Listener(*found) for found in found_out if found[0].sort_key not in vanished]
    listeners, undecided = policy.select_units(judged, selection.units, backend.capabilities.services)
    gaps = list(dict.fromkeys(sample.gaps + owner_gaps + option_gaps))
    if undecided:
        gaps.append(Gap("owners", f"whether {undecided} listeners match `units`", "their unit cannot be seen"))
    return Collected(views.View(tuple(listeners), backend.capabilities, sample.locality), tuple(gaps), undecided)


def read_options(
    backend: backends.Backend, sockets: Sequence[bindings.Socket], ownerships: Sequence[owners.Ownership]
) -> backends.LiveOptions:
    """The live options of each socket."""
    if backend.read_options is None:  # which that backend's own gaps say
        return [bindings.Options(reason=f"backend {backend.name} cannot read them")] * len(sockets), ()
    return backend.read_options(sockets, ownerships)


def take_sample(backend: backends.Backend, selection: policy.Selection, intended: Sequence[addresses.Prefix]) -> Sample:
    """Sockets first, then everything that decides whether their addresses are there."""
    rows, socket_gaps = backend.read_sockets(selection.protocols)
    sockets = tuple(filter(policy.make_socket_filter(selection), rows))
    network, network_gaps = backend.read_network()
    gaps = socket_gaps + network_gaps
    if not backend.capabilities.routes:
        from .._rules import portable_locality

        portable = portable_locality.PortableLocality(network, backend.capabilities, intended)
        return Sample(sockets, [portable.judge(socket) for socket in sockets], Locality(network, intended), gaps)
    locality, more_gaps = complete_network(backend, network, sockets, intended)
    return Sample(sockets, [locality.judge(socket) for socket in sockets], locality, gaps + more_gaps)


def complete_network(
    backend: backends.Backend,
    network: addresses.Network,
    sockets: Sequence[bindings.Socket],
    intended: Sequence[addresses.Prefix] = (),
) -> tuple[Locality, tuple[Gap, ...]]:
    """With whatever the verdict on these sockets needs besides the tables."""
    locality = Locality(network, intended)
    gaps: tuple[Gap, ...] = ()
    wanted = locality.find_open_lookups(sockets)
    if wanted:
        network, gaps = backend.read_lookups(network, wanted)
        locality = Locality(network, intended)
    if locality.needs_merged(sockets):
        network, merged_gaps = backend.read_merged(network)
        locality, gaps = Locality(network, intended), gaps + merged_gaps
    return locality, gaps


def drop_vanished(backend: backends.Backend, selection: policy.Selection, sample: Sample) -> Sample:
    """Without the doubtful ones that closed before the addresses were read: they prove nothing."""
    pairs = list(zip(sample.sockets, sample.verdicts))
    vanished = find_vanished(backend, selection, [socket for socket, binding in pairs if binding.state in DOUBTFUL])
    kept = [pair for pair in pairs if pair[0].sort_key not in vanished]
    return sample._replace(sockets=tuple(pair[0] for pair in kept), verdicts=[pair[1] for pair in kept])


def find_vanished(
    backend: backends.Backend, selection: policy.Selection, sockets: Sequence[bindings.Socket]
) -> set[tuple[object, ...]]:
    """The keys of those that a new look does not show any more; there is none where nothing is in question."""
    if not sockets:
        return set()
    present = {socket.sort_key for socket in backend.read_sockets(selection.protocols)[0]}
    return {socket.sort_key for socket in sockets if socket.sort_key not in present}
