#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links, their addresses, and what the routing holds for local."""

from __future__ import annotations

DOCUMENTATION = r"""
module: interface_address_info
short_description: List interfaces, addresses with their flags, and local routes
version_added: 0.1.0
description:
  - Lists the interfaces of a host, every address with what decides whether it can be used (tentative, dadfailed,
    deprecated, secondary, lifetimes, peer), and the local routes, which say what the kernel delivers to this host.
  - It reads only, and needs no privilege.
extends_documentation_fragment:
  - infracheck.bindings.attributes
  - infracheck.bindings.listeners.backend
options:
  interfaces:
    description: List only these interfaces. Each entry is a name or a glob, such as V(eth*).
    type: list
    elements: str
    default: []
seealso:
  - module: infracheck.bindings.bind_check
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: All interfaces
  infracheck.bindings.interface_address_info:
  register: net

- name: Addresses that duplicate address detection has not accepted
  ansible.builtin.debug:
    msg: "{{ addresses | selectattr('tentative') | map(attribute='address') }}"
  vars:
    addresses: "{{ net.interfaces | map(attribute='addresses') | flatten }}"

- name: What the kernel takes for its own, beyond the addresses of interfaces
  ansible.builtin.debug:
    msg: "{{ net.local_routes | rejectattr('prefixlen', 'in', [32, 128]) }}"
"""

RETURN = r"""
interfaces:
  description: The interfaces, by index. A field that the backend does not see is null.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the interface.
      type: str
      sample: eth0
    ifindex:
      description: Its index. An interface that is deleted and created again has another one.
      type: int
      sample: 2
    kind:
      description: Kind of a virtual interface, such as V(veth), V(bridge) or V(vrf); null for a physical one.
      type: str
    up:
      description: Whether it is switched on.
      type: bool
      sample: true
    operstate:
      description: Operational state (RFC 2863).
      type: str
      sample: up
    mtu:
      description: Largest packet, bytes.
      type: int
      sample: 1500
    mac:
      description: Link-layer address.
      type: str
      sample: "52:54:00:12:34:56"
    master:
      description: Name of the bridge, bond or VRF above it.
      type: str
    vrf_table:
      description: Routing table of a VRF.
      type: int
    addresses:
      description: Its addresses, sorted.
      type: list
      elements: dict
      contains:
        family:
          description: V(ipv4) or V(ipv6).
          type: str
          sample: ipv4
        address:
          description: The address of this host.
          type: str
          sample: 192.0.2.5
        prefixlen:
          description: Length of its prefix, bits.
          type: int
          sample: 24
        peer:
          description: The other end of a point-to-point link.
          type: str
        broadcast:
          description: Broadcast address.
          type: str
          sample: 192.0.2.255
        label:
          description: Label of an IPv4 address.
          type: str
          sample: eth0
        scope:
          description: V(global), V(site), V(link), V(host), or a number.
          type: str
          sample: global
        secondary:
          description: Secondary IPv4 address of its subnet, which can go with its primary.
          type: bool
          sample: false
        temporary:
          description: Temporary IPv6 address (RFC 8981).
          type: bool
          sample: false
        permanent:
          description: Without an end of its lifetime.
          type: bool
          sample: true
        deprecated:
          description: Its preferred lifetime is over.
          type: bool
          sample: false
        tentative:
          description: Duplicate address detection has not accepted it.
          type: bool
          sample: false
        optimistic:
          description: May be used while it is tentative (RFC 4429).
          type: bool
          sample: false
        dadfailed:
          description: Duplicate address detection found another holder.
          type: bool
          sample: false
        preferred_lifetime:
          description: Seconds until it is deprecated; null is for ever.
          type: int
        valid_lifetime:
          description: Seconds until it is removed; null is for ever.
          type: int
local_routes:
  description: Rows of the tables that decide what is local. Null when they could not be read.
  returned: always
  type: list
  elements: dict
  contains:
    family:
      description: V(ipv4) or V(ipv6).
      type: str
      sample: ipv4
    table:
      description: Number of the table; 255 is V(local), another one belongs to a VRF.
      type: int
      sample: 255
    type:
      description: V(local), V(broadcast), V(anycast), V(multicast), V(unicast), or another name of a route type.
      type: str
      sample: local
    address:
      description: Destination.
      type: str
      sample: 192.0.2.5
    prefixlen:
      description: Length of its prefix, bits.
      type: int
      sample: 32
    interface:
      description: Name of its interface.
      type: str
      sample: eth0
    ifindex:
      description: Index of its interface.
      type: int
      sample: 2
    priority:
      description: Metric.
      type: int
      sample: 0
gaps:
  description:
    - What could not be read, and why. Each gap is a warning as well.
    - A verdict that needed it is unknown.
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: What was to be read.
      type: str
      sample: owners
    subject:
      description: What it would have told.
      type: str
      sample: the holders of 12 sockets
    reason:
      description: Why it could not be read.
      type: str
      sample: 212 processes of other users cannot be looked into without CAP_SYS_PTRACE
"""

from ansible.module_utils.basic import AnsibleModule

# First of ours, as it imports the others. pylint: disable-next=unused-import
from ansible_collections.infracheck.bindings.plugins.module_utils._module import quick_start  # noqa: F401

# isort: split
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments, interfaces, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={**arguments.BACKEND_OPTION, "interfaces": {"type": "list", "elements": "str", "default": []}},
        supports_check_mode=True,
    )
    results.run_module(module, interfaces.list_interfaces)


if __name__ == "__main__":
    main()
