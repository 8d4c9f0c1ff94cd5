# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a host: sockets, then the network, then whatever looks wrong once more; then who holds it.

The order matters (a socket that is gone when the addresses are read must not be called stale), and every reading
happens in this one run: facts gathered earlier are never the source of a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from .._model import backends, bindings
from .._rules import first_look
from . import arguments

if TYPE_CHECKING:  # loaded only where a caller narrows the look down
    from .._model import prefixes
    from . import selections

# What a second look can take back. Unknown and intended are no accusations.
DOUBTFUL = frozenset((bindings.STALE_ADDRESS, bindings.STALE_INTERFACE, bindings.PENDING))

_PROTOCOLS = (bindings.TCP, bindings.UDP)
_NARROWING = ("ports", "addresses", "units", "intended_addresses")


class Sample(NamedTuple):
    """Sockets with their verdicts, as one moment showed them. `verdicts` in the order of `sockets`."""

    sockets: tuple[bindings.Socket, ...]
    verdicts: list[bindings.Binding]
    locality: first_look.Locality
    gaps: tuple[backends.Gap, ...]


class Collected(NamedTuple):
    view: first_look.View
    gaps: tuple[backends.Gap, ...]
    undecided: int = 0  # listeners left out because it cannot be seen whether they match `units`


def collect_asked(params: dict[str, Any], named: bool = True) -> Collected:
    """What a module's shared options ask for. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    selection: Optional[selections.Selection] = None
    intended: tuple[prefixes.Prefix, ...] = ()
    if any(params[option] for option in _NARROWING) or tuple(params["protocols"]) != _PROTOCOLS:
        from . import selections

        selection = selections.parse_selection(params)
        intended = selections.parse_prefixes("intended_addresses", params["intended_addresses"])
    return collect(arguments.select_backend(params["backend"]), selection, intended, params["all_owners"], named)


def collect(
    backend: backends.Backend,
    selection: Optional[selections.Selection] = None,
    intended: Sequence[prefixes.Prefix] = (),
    all_owners: bool = False,
    named: bool = True,
) -> Collected:
    """Every selected listener with its binding and its owners; None selects all of them. Raises UnreadableTable.

    named: with their services; without, they are still to be named where somebody asks for them.
    """
    sample = take_sample(backend, selection, intended)
    doubtful = _find_doubtful(sample)
    if doubtful:
        from . import second_look

        sample = second_look.drop_vanished(backend, sample, doubtful)
        doubtful = _find_doubtful(sample)
    # Nothing is decided on a holder that was missed: whatever is not plainly in order is looked for in every process.
    every_holder = range(len(sample.sockets)) if all_owners else doubtful
    ownerships, owner_gaps = backend.read_owners(sample.sockets, every_holder)
    options, option_gaps = backend.read_options(sample.sockets, ownerships)
    judged = list(map(bindings.Listener, sample.sockets, sample.verdicts, ownerships, options))
    if any(owned.status == bindings.KERNEL for owned in ownerships):
        from . import second_look

        judged = second_look.drop_closed(backend, judged)
    gaps = list(dict.fromkeys(sample.gaps + owner_gaps + option_gaps))
    if named or (selection is not None and selection.units):
        from .._readers import services

        judged = services.name_services(judged)
    undecided = 0
    if selection is not None:
        from . import selections

        judged, undecided = selections.select_units(judged, selection.units, backend.capabilities.services)
        if undecided:
            gaps.append(
                backends.Gap("owners", f"whether {undecided} listeners match `units`", "their unit cannot be seen")
            )
    return Collected(first_look.View(tuple(judged), backend.capabilities, sample.locality), tuple(gaps), undecided)


def take_sample(
    backend: backends.Backend,
    selection: Optional[selections.Selection] = None,
    intended: Sequence[prefixes.Prefix] = (),
) -> Sample:
    """Sockets first, then everything that decides whether their addresses are there."""
    sockets, socket_gaps = backend.read_sockets(_PROTOCOLS if selection is None else selection.protocols)
    if selection is not None:
        from . import selections

        sockets = tuple(filter(selections.make_socket_filter(selection), sockets))
    network, network_gaps = backend.read_network()
    gaps = socket_gaps + network_gaps
    if not backend.capabilities.routes:
        from .._rules import portable_locality

        portable = portable_locality.PortableLocality(network, backend.capabilities, intended)
        return Sample(
            sockets, [portable.judge(socket) for socket in sockets], first_look.Locality(network, intended), gaps
        )
    locality = first_look.Locality(network, intended)
    verdicts = [binding for binding in map(locality.judge_plainly, sockets) if binding is not None]
    if len(verdicts) < len(sockets):
        from . import second_look

        locality, more_gaps = second_look.complete_network(backend, locality, sockets)
        verdicts, gaps = list(map(locality.judge, sockets)), gaps + more_gaps
    return Sample(sockets, verdicts, locality, gaps)


def _find_doubtful(sample: Sample) -> list[int]:
    """The positions of what a second look may take back."""
    return [position for position, binding in enumerate(sample.verdicts) if binding.state in DOUBTFUL]
