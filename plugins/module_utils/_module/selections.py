# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which listeners a caller asked for: the options that say so, and what they leave."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import Any, NamedTuple

from .._model import addresses, bindings, prefixes
from . import arguments

_PORT_FORM = r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z"  # as text: compiled only where ports are named


class Selection(NamedTuple):
    """What to look at. Empty = everything; several options narrow down together."""

    protocols: tuple[str, ...]
    ports: tuple[range, ...]
    addresses: tuple[prefixes.Prefix, ...]  # a v4-mapped address counts as its IPv4 address
    units: tuple[str, ...]  # globs on unit names and container names


def parse_selection(params: dict[str, Any]) -> Selection:
    """The part of LISTENER_OPTIONS that narrows down. Raises InvalidOption."""
    return Selection(
        protocols=tuple(dict.fromkeys(params["protocols"])),
        ports=tuple(_parse_ports(text) for text in params["ports"]),
        addresses=parse_prefixes("addresses", params["addresses"]),
        units=arguments.parse_globs("units", params["units"]),
    )


def parse_prefixes(option: str, values: Sequence[str]) -> tuple[prefixes.Prefix, ...]:
    """Addresses and CIDR blocks. Raises InvalidOption."""
    return tuple(_parse_prefix(option, value) for value in values)


def _parse_prefix(option: str, value: str) -> prefixes.Prefix:
    allowed = "an IPv4 or IPv6 address, or a block in CIDR form whose host bits are zero, such as 192.0.2.0/24"
    if "%" in value:  # which ip_network() would pass over, so that every interface was meant
        raise arguments.InvalidOption(option, value, f"{allowed}; without a scope id")
    try:
        network = ip_network(value.strip())
    except ValueError:
        raise arguments.InvalidOption(option, value, allowed) from None
    packed, prefixlen = network.network_address.packed, network.prefixlen
    if prefixlen >= 96 and addresses.unmap(packed) != packed:  # v4-mapped bind addresses are compared as what they map
        return prefixes.Prefix(addresses.unmap(packed), prefixlen - 96)
    return prefixes.Prefix(packed, prefixlen)


def _parse_ports(text: str) -> range:
    match = re.match(_PORT_FORM, text.strip())
    first = int(match.group(1)) if match else 0
    last = int(match.group(2) or first) if match else 0
    if not 1 <= first <= last <= 65535:
        raise arguments.InvalidOption(
            "ports", text, "a port or a range of ports from 1 to 65535, such as 443 or 8000-8010"
        )
    return range(first, last + 1)


def make_socket_filter(selection: Selection) -> Callable[[bindings.Socket], bool]:
    """What can be decided before anything but the socket is known."""
    ports, blocks = selection.ports, selection.addresses

    def is_wanted(socket: bindings.Socket) -> bool:
        if ports and not any(socket.port in some for some in ports):
            return False
        return not blocks or any(block.covers(addresses.unmap(socket.packed)) for block in blocks)

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
            undecided += not sees_services or listener.ownership.status in (bindings.DENIED, bindings.UNKNOWN)
        elif any(fnmatchcase(service.unit, pattern) for pattern in units):
            matching.append(listener)
    return matching, undecided
