# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a host is read from. A backend is a value: what it can see at all, and the functions that read. What they could
not see is a Gap.
"""

from collections.abc import Collection, Sequence
from typing import Callable, NamedTuple

from . import addresses, bindings


class Gap(NamedTuple):
    """Something that could not be read. Gaps are data: a rule that needed it says unknown, nothing unread is ever
    fine.
    """

    source: str  # what was to be read: sock_diag, /proc/net/tcp, rtnetlink, owners, pins, …
    subject: str  # what it would have told
    reason: str


class Capabilities(NamedTuple):
    """What a backend can see at all. What it cannot see is a Gap as well; here it is in the form that rules ask for."""

    pins: bool  # SO_BINDTODEVICE and scope ids: without them a dead interface cannot be told
    address_flags: bool  # tentative, dadfailed, …
    link_state: bool
    routes: bool  # local tables, rules and the kernel's own lookup; without them only the list of addresses speaks
    # can a socket here be bound to an address that is not local, without the backend seeing that this is meant
    nonlocal_binds: bool
    whole_loopback: bool = False  # all of 127/8 is local through one address on the loopback link, as Linux has it
    options: bool = True  # live socket options, and what else is on a port
    services: bool = True  # the unit or container of a process


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
