# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network as it is now, as far as it decides on binds that are only wished for."""

from __future__ import annotations

from collections.abc import Sequence

from .._model import backends, bindings, restarts
from .._rules import bind_outlook, first_look
from . import second_look


def read_locality(
    backend: backends.Backend, wishes: Sequence[restarts.BindWish]
) -> tuple[first_look.Locality, tuple[backends.Gap, ...]]:
    """Addresses, links and routes as they are now, with whatever the verdict on these wishes needs besides."""
    network, gaps = backend.read_network()
    locality = first_look.Locality(network)
    probes = [
        bindings.Socket(
            wish.protocol, wish.family, wish.packed, wish.port, bind_outlook.find_interface(wish, locality), None, None,
            None, None, 0, None, wish.freebind, False,
        )
        for wish in wishes
    ]  # fmt: skip
    locality, more_gaps = second_look.complete_network(backend, locality, probes)
    return locality, gaps + more_gaps
