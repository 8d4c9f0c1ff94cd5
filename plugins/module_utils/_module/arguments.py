# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that several modules share, and the backend that one of them names.

Every error names the option, the value and what is allowed. What narrows a look down is read in selections.py.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from .._model import backends

_LONGEST_CONFIRMATION = 3600.0  # seconds; beyond that a task would look hung

_BACKENDS = ("auto", "netlink", "psutil")
BACKEND_OPTION: dict[str, Any] = {"backend": {"type": "str", "choices": list(_BACKENDS), "default": "auto"}}

# Which listeners to look at, and how.
LISTENER_OPTIONS: dict[str, Any] = {
    "protocols": {"type": "list", "elements": "str", "choices": ["tcp", "udp"], "default": ["tcp", "udp"]},
    "ports": {"type": "list", "elements": "str", "default": []},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "units": {"type": "list", "elements": "str", "default": []},
    "intended_addresses": {"type": "list", "elements": "str", "default": []},
    "all_owners": {"type": "bool", "default": False},
}

# The rules by their stable names, in the order of their findings where nothing else decides. `_rules/engine.py` has the
# rules themselves, which a host where all is well never loads.
RULES = (
    "stale-address",
    "stale-interface",
    "pending-address",
    "link-down",
    "pinned-elsewhere",
    "no-reuseaddr",
    "restart-blocked",
    "shared-binding",
)

RULE_OPTIONS: dict[str, Any] = {
    name: {"type": "list", "elements": "str", "choices": list(RULES), "default": []} for name in ("rules", "skip_rules")
}

CONFIRM_OPTION: dict[str, Any] = {"confirm_after": {"type": "raw", "default": 0}}


class InvalidOption(Exception):
    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"option {option}: {value!r} is not allowed; it takes {allowed}")


def select_backend(name: str) -> backends.Backend:
    """The backend of that name; `auto` is netlink on Linux, psutil elsewhere. Raises BackendUnavailable."""
    if name != "psutil" and sys.platform.startswith("linux"):
        from .._readers import netlink_backend

        return netlink_backend.NETLINK
    from .._readers import psutil_backend

    return psutil_backend.load_backend(name)


def parse_confirm_after(value: object) -> float:
    """Seconds. Taken as it was given, since the error of type float names no value. Raises InvalidOption."""
    try:
        seconds = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_CONFIRMATION:  # refuses nan as well
        raise InvalidOption("confirm_after", value, f"seconds from 0 to {_LONGEST_CONFIRMATION:.0f}")
    return seconds


def parse_globs(option: str, values: Sequence[str]) -> tuple[str, ...]:
    """Raises InvalidOption."""
    for value in values:
        if not value.strip():
            raise InvalidOption(option, value, "a name, or a glob such as nginx* or eth*")
    return tuple(value.strip() for value in values)
