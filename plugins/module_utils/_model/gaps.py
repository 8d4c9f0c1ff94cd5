# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look at a host could not see."""

from typing import NamedTuple


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
