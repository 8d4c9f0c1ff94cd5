# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a connect shows that a restarted unit serves, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from .._model import addresses, bindings, plans
from .._rules import first_look
from .._wire import spelling
from . import results

_LOOPBACK4 = bytes((127, 0, 0, 1))
_LOOPBACK6 = bytes(15) + b"\1"


def find_endpoints(case: plans.Case, locality: first_look.Locality, proven: bool) -> list[results.Json]:
    """Each TCP listener that the unit had, and each that it is to have. Left out is what no connect from here would
    reach it at: an address that is not the host's leads to whoever has it.
    """
    wishes = [_as_wish(listener, locality.links) for listener in case.healthy]
    if proven:
        wishes += [prospect.wish for prospect in case.proof.prospects]
    ipv6_only = {listener.socket.port for listener in case.healthy if listener.socket.v6only}
    found = []
    for wish in dict.fromkeys(wishes):
        host = _find_host(wish, locality, wish.port in ipv6_only) if wish.protocol == bindings.TCP else None
        if host is not None:
            found.append({"host": spelling.format_address(host), "port": wish.port, "interface": wish.interface})
    return found


def _as_wish(listener: bindings.Listener, links: Mapping[int, addresses.Link]) -> plans.Wish:
    socket = listener.socket
    link = links.get(socket.ifindex or 0)
    return plans.Wish(socket.protocol, socket.family, socket.packed, socket.port, link.name if link else None)


def _find_host(wish: plans.Wish, locality: first_look.Locality, ipv6_only: bool) -> Optional[bytes]:
    """Of a wildcard the loopback address, or an address of the interface that it is pinned to. One of both families
    also has the IPv4 one, which is there where disable_ipv6 has taken ::1 away.
    """
    hosts: Sequence[bytes] = [wish.packed]
    if not any(wish.packed) and wish.interface is None:
        hosts = [_LOOPBACK4] if len(wish.packed) == 4 else [_LOOPBACK6] + [_LOOPBACK4] * (not ipv6_only)
    elif not any(wish.packed):
        pins = {index for index, link in locality.links.items() if link.name == wish.interface}
        on_link = [address.packed for address in locality.network.addresses or () if address.ifindex in pins]
        hosts = [packed for packed in on_link if len(packed) == len(wish.packed)]
    return next((host for host in hosts if _is_here(host, wish, locality)), None)


def _is_here(packed: bytes, wish: plans.Wish, locality: first_look.Locality) -> bool:
    """Whether what is sent there stays on this host. Where no interfaces could be read, it is tried."""
    if locality.addresses_of(packed) or not locality.links:
        return True
    pin = next((index for index, link in locality.links.items() if link.name == wish.interface), 0)
    probe = bindings.Socket(
        wish.protocol, bindings.IPV6 if len(packed) == 16 else bindings.IPV4, packed, wish.port, pin, None, None, None,
        None, 0, None, False, False,
    )  # fmt: skip
    return locality.judge(probe).reachable is True
