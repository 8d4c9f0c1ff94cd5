# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of links and addresses as the kernel tells them, and what somebody waits for."""

from typing import NamedTuple, Optional, Union

from . import addresses, prefixes

PRESENT = "present"
ABSENT = "absent"
BINDABLE = "bindable"
STATES = (PRESENT, ABSENT, BINDABLE)

ADDED = "added"
CHANGED = "changed"  # the same address with other flags or lifetimes
REMOVED = "removed"
LINK_ADDED = "link_added"
LINK_CHANGED = "link_changed"
LINK_REMOVED = "link_removed"
REREAD = "reread"  # events were lost: everything was read anew


class Change(NamedTuple):
    """One notification. `gone`: RTM_DELLINK, RTM_DELADDR."""

    subject: Union[addresses.Link, addresses.Address]
    gone: bool


class Batch(NamedTuple):
    """What one wait brought."""

    changes: list[Change]
    lost: bool = False  # at least one notification never arrived: only a new reading tells the present state
    more: bool = False  # others are waiting already, so the state after these changes is not the present one
    polled: bool = False  # nothing is told here: a new reading is the only way to see a change


class Wish(NamedTuple):
    """What somebody waits for: at least one of `prefix` and `interface`."""

    prefix: Optional[prefixes.Prefix]
    interface: Optional[str]
    state: str  # one of STATES
    settle: float  # seconds for which it must hold without a break


class Event(NamedTuple):
    """A change that concerns the wish, as it was seen."""

    at: float  # seconds on the clock of whoever watches
    event: str  # ADDED, …
    interface: Optional[str]
    ifindex: Optional[int]
    address: Optional[addresses.Address]  # None for events of links
    flags: tuple[str, ...]
