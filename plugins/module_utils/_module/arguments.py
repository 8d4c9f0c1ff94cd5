# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that several modules share, and their values as records.

Every error names the option, the value and what is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from .._model import addresses
from .._readers import backends
from .._rules import policy

_PORT_FORM = r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z"  # as text: compiled only where ports are named
_LONGEST_CONFIRMATION = 3600.0  # seconds; beyond that a task would look hung

BACKEND_OPTION: dict[str, Any] = {"backend": {"type": "str", "choices": list(backends.NAMES), "default": "auto"}}

# Which listeners to look at, and how.
LISTENER_OPTIONS: dict[str, Any] = {
    "protocols": {"type": "list", "elements": "str", "choices": ["tcp", "udp"], "default": ["tcp", "udp"]},
    "ports": {"type": "list", "elements": "str", "default": []},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "units": {"type": "list", "elements": "str", "default": []},
    "intended_addresses": {"type": "list", "elements": "str", "default": []},
    "all_owners": {"type": "bool", "default": False},
}

CONFIRM_OPTION: dict[str, Any] = {"confirm_after": {"type": "raw", "default": 0}}


class InvalidOption(Exception):
    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"option {option}: {value!r} is not allowed; it takes {allowed}")


def parse_selection(params: dict[str, Any]) -> policy.Selection:
    """The part of LISTENER_OPTIONS that narrows down. Raises InvalidOption."""
    return policy.Selection(
        protocols=tuple(dict.fromkeys(params["protocols"])),
        ports=tuple(_parse_ports(text) for text in params["ports"]),
        addresses=parse_prefixes("addresses", params["addresses"]),
        units=parse_globs("units", params["units"]),
    )


def parse_prefixes(option: str, values: Sequence[str]) -> tuple[addresses.Prefix, ...]:
    """Addresses and CIDR blocks. Raises InvalidOption."""
    return tuple(_parse_prefix(option, value) for value in values)


def parse_globs(option: str, values: Sequence[str]) -> tuple[str, ...]:
    """Raises InvalidOption."""
    for value in values:
        if not value.strip():
            raise InvalidOption(option, value, "a name, or a glob such as nginx* or eth*")
    return tuple(value.strip() for value in values)


def parse_confirm_after(value: object) -> float:
    """Seconds. Taken as it was given, since the error of type float names no value. Raises InvalidOption."""
    try:
        seconds = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_CONFIRMATION:  # refuses nan as well
        raise InvalidOption("confirm_after", value, f"seconds from 0 to {_LONGEST_CONFIRMATION:.0f}")
    return seconds


def _parse_prefix(option: str, value: str) -> addresses.Prefix:
    from ipaddress import ip_network  # takes a millisecond, and few name any address

    allowed = "an IPv4 or IPv6 address, or a block in CIDR form whose host bits are zero, such as 192.0.2.0/24"
    if "%" in value:  # which ip_network() would pass over, so that every interface was meant
        raise InvalidOption(option, value, f"{allowed}; without a scope id")
    try:
        network = ip_network(value.strip())
    except ValueError:
        raise InvalidOption(option, value, allowed) from None
    packed, prefixlen = network.network_address.packed, network.prefixlen
    if prefixlen >= 96 and addresses.unmap(packed) != packed:  # v4-mapped bind addresses are compared as what they map
        return addresses.Prefix(addresses.unmap(packed), prefixlen - 96)
    return addresses.Prefix(packed, prefixlen)


def _parse_ports(text: str) -> range:
    match = re.match(_PORT_FORM, text.strip())
    first = int(match.group(1)) if match else 0
    last = int(match.group(2) or first) if match else 0
    if not 1 <= first <= last <= 65535:
        raise InvalidOption("ports", text, "a port or a range of ports from 1 to 65535, such as 443 or 8000-8010")
    return range(first, last + 1)
