# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which source a host is read through. A backend is a value: what it can see, and the functions that read."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Callable, NamedTuple

from .._model import addresses, bindings
from .._model.gaps import Capabilities, Gap

NAMES = ("auto", "netlink", "psutil")

Sockets = tuple[tuple[bindings.Socket, ...], tuple[Gap, ...]]
Networks = tuple[addresses.Network, tuple[Gap, ...]]
Ownerships = tuple[list[bindings.Ownership], tuple[Gap, ...]]
LiveOptions = tuple[list[bindings.Options], tuple[Gap, ...]]


class BackendUnavailable(Exception):
    """That backend cannot be used on this host; the text says why and what could be done."""


class UnreadableTable(Exception):
    """The sockets themselves cannot be read, so that nothing at all can be said."""


class Backend(NamedTuple):
    """read_sockets(protocols): sorted; raises UnreadableTable.
    read_network(): never raises; what is missing is None and a gap.
    read_lookups(network, wanted): the network with the kernel's answers for the (VRF, address) pairs.
    read_merged(network): the network with `ipv4_merged`.
    read_owners(sockets, every_holder): one Ownership per socket in their order; those at the positions `every_holder`
    are looked for in every process of the host. A service may still be to be named (Ownership.cgroup): services.py.
    read_options(sockets, ownerships): one Options per socket in their order.
    """

    name: str
    capabilities: Capabilities
    read_sockets: Callable[[Sequence[str]], Sockets]
    read_network: Callable[[], Networks]
    read_lookups: Callable[[addresses.Network, Collection[tuple[int, bytes]]], Networks]
    read_merged: Callable[[addresses.Network], Networks]
    read_owners: Callable[[Sequence[bindings.Socket], Collection[int]], Ownerships]
    read_options: Callable[[Sequence[bindings.Socket], Sequence[bindings.Ownership]], LiveOptions]


def select_backend(name: str) -> Backend:
    """The backend of that name; `auto` is netlink on Linux, psutil elsewhere. Raises BackendUnavailable."""
    is_linux = sys.platform.startswith("linux")
    if name == "netlink" or (name == "auto" and is_linux):
        if not is_linux:
            raise BackendUnavailable(
                f"backend netlink reads Linux only, and this host runs {sys.platform}; use backend=psutil"
            )
        from . import netlink_backend

        return netlink_backend.NETLINK
    from . import psutil_backend

    return psutil_backend.load_psutil_backend()
