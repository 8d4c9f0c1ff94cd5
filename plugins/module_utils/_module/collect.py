# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run over a host: sockets, then the network, then whatever looks wrong once more; then who holds it.

The order matters (a socket that is gone when the addresses are read must not be called stale), and every reading
happens in this one run:
facts gathered earlier are never the source of a verdict.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Callable, NamedTuple, Protocol

from .._model.addresses import Network, Prefix
from .._model.listeners import PENDING, STALE_ADDRESS, STALE_INTERFACE, Binding, Listener, Socket
from .._model.owners import Ownership
from .._model.snapshot import Capabilities, Gap
from .._readers.backends import Backend
from .._rules.locality import Locality

# What a second look can take back. Unknown and intended are no accusations.
_DOUBTFUL = frozenset((STALE_ADDRESS, STALE_INTERFACE, PENDING))


class Judge(Protocol):
    """_rules.locality.Locality, or its portable sibling for what psutil can see."""

    def judge(self, socket: Socket) -> Binding: ...


class Sample(NamedTuple):
    """Sockets with their verdicts, as one moment showed them. `bindings` in the order of `sockets`."""

    sockets: tuple[Socket, ...]
    bindings: list[Binding]
    network: Network
    gaps: tuple[Gap, ...]


class Collected(NamedTuple):
    listeners: list[Listener]
    network: Network
    capabilities: Capabilities
    gaps: tuple[Gap, ...]
    unconfirmed: frozenset[tuple[str, str, bytes, int, int]]  # identities that looked wrong in only one of two samples


def collect(
    backend: Backend,
    protocols: Sequence[str] = ("tcp", "udp"),
    wanted: Callable[[Socket], bool] = lambda socket: True,
    intended: Sequence[Prefix] = (),
    confirm_after: float = 0,
    all_owners: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Collected:
    """Every wanted listener with its binding and its owners. Raises UnreadableTable."""
    sample = _drop_vanished(backend, protocols, take_sample(backend, protocols, wanted, intended))
    unconfirmed: frozenset[tuple[str, str, bytes, int, int]] = frozenset()
    doubtful = _find_doubtful(sample)
    if confirm_after and doubtful:
        sleep(confirm_after)
        sample = _drop_vanished(backend, protocols, take_sample(backend, protocols, wanted, intended))
        unconfirmed = frozenset(
            identity for identity, state in _find_doubtful(sample).items() if doubtful.get(identity) != state
        )
    # Nothing is decided on a holder that was missed: whatever is not plainly in order is looked for in every process.
    every_holder: Collection[int] = range(len(sample.sockets))
    if not all_owners:
        every_holder = [position for position, binding in enumerate(sample.bindings) if binding.state in _DOUBTFUL]
    ownerships, gaps = backend.read_owners(sample.sockets, every_holder)
    return Collected(
        _assemble(sample, ownerships),
        sample.network,
        backend.capabilities,
        sample.gaps + tuple(gap for gap in gaps if gap not in sample.gaps),
        unconfirmed,
    )


def take_sample(
    backend: Backend, protocols: Sequence[str], wanted: Callable[[Socket], bool], intended: Sequence[Prefix]
) -> Sample:
    """Sockets first, then everything that decides whether their addresses are there."""
    rows, socket_gaps = backend.read_sockets(protocols)
    sockets = tuple(filter(wanted, rows))
    network, network_gaps = backend.read_network()
    judge: Judge
    lookup_gaps: tuple[Gap, ...] = ()
    if backend.name == "netlink":
        locality = Locality(network, intended)
        network, lookup_gaps = backend.read_lookups(network, locality.find_open_lookups(sockets))
        judge = Locality(network, intended) if network.lookups else locality
    else:
        from .._rules.portable_locality import PortableLocality

        judge = PortableLocality(network, backend.capabilities, intended)
    return Sample(
        sockets, [judge.judge(socket) for socket in sockets], network, socket_gaps + network_gaps + lookup_gaps
    )


def _drop_vanished(backend: Backend, protocols: Sequence[str], sample: Sample) -> Sample:
    """Read the doubtful ones once more: a socket that closed before the addresses were read proves nothing."""
    if not _find_doubtful(sample):
        return sample
    present = {socket.sort_key for socket in backend.read_sockets(protocols)[0]}
    kept = [
        (socket, binding)
        for socket, binding in zip(sample.sockets, sample.bindings)
        if binding.state not in _DOUBTFUL or socket.sort_key in present
    ]
    return sample._replace(
        sockets=tuple(socket for socket, _binding in kept), bindings=[binding for _socket, binding in kept]
    )


def _find_doubtful(sample: Sample) -> dict[tuple[str, str, bytes, int, int], str]:
    return {
        socket.identity: binding.state
        for socket, binding in zip(sample.sockets, sample.bindings)
        if binding.state in _DOUBTFUL
    }


def _assemble(sample: Sample, ownerships: Sequence[Ownership]) -> list[Listener]:
    return [Listener(*found) for found in zip(sample.sockets, sample.bindings, ownerships)]
