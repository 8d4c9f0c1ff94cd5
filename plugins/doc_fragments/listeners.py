# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of every module that looks at listeners; their specification is in module_utils/_module/arguments.py."""

from __future__ import annotations


class ModuleDocFragment:
    # Which source to read.
    BACKEND = r"""
options:
  backend:
    description:
      - How to read the host.
      - V(netlink) asks the Linux kernel itself and needs nothing but Python.
      - V(psutil) uses that library, which must be installed on the host. It cannot see pins, address flags, routes
        or socket options, so that more is unknown.
      - V(auto) is V(netlink) on Linux and V(psutil) elsewhere.
    type: str
    choices: [auto, netlink, psutil]
    default: auto
"""

    DOCUMENTATION = r"""
options:
  protocols:
    description: Which protocols to look at.
    type: list
    elements: str
    choices: [tcp, udp]
    default: [tcp, udp]
  ports:
    description: Look only at these local ports. Each entry is a port, or a range such as V(8000-8010).
    type: list
    elements: str
    default: []
  addresses:
    description:
      - Look only at listeners bound to these addresses. Each entry is an address or a block in CIDR form.
      - A listener on a wildcard address is one on V(0.0.0.0) or V(::). A v4-mapped address counts as its IPv4 address.
    type: list
    elements: str
    default: []
  units:
    description:
      - Look only at listeners of these units or containers. Each entry is a name or a glob, such as V(nginx*).
      - Listeners whose unit cannot be seen are left out, and a gap says how many.
    type: list
    elements: str
    default: []
  intended_addresses:
    description:
      - Addresses that need not be there, such as the virtual addresses of a standby node. Each entry is an address
        or a block in CIDR form.
      - A listener on one of them is C(intended) and not stale while the address is away.
    type: list
    elements: str
    default: []
  all_owners:
    description:
      - Look through every process of the host for every listener, so that all holders of each are found.
      - Without this, all holders are found of every listener that is not plainly in order, and of the others those in
        the control group that made the socket.
    type: bool
    default: false
"""

    # A second sample against flaps.
    CONFIRM = r"""
options:
  confirm_after:
    description:
      - If something looks wrong that may pass by itself, wait so many seconds, look again, and report only what both
        looks show.
      - A number from 0 to 3600.
      - An address that is taken away and given back, as when a DHCP lease is renewed, is then no finding.
    type: raw
    default: 0
"""
