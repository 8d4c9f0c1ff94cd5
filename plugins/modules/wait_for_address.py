#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits, by kernel event and not by polling, until an address is there, usable or gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_for_address
short_description: Wait until an address is present, bindable or gone
version_added: 0.1.0
description:
  - Blocks until an address of the managed host is there, can be bound, or is gone. The kernel tells of every change
    (rtnetlink), so nothing
    is polled, the answer comes within milliseconds of the change, and an address that comes and goes in between is
    seen too.
  - A listening socket is told nothing when its address goes. This is how to know it from elsewhere, and how to wait
    before a service is restarted.
  - It subscribes first and reads the present state then, so that nothing falls in between. When notifications were
    lost, because they came faster
    than they could be read, everything is read anew, and O(settle) starts again. An interface may vanish, come back
    or be renamed meanwhile.
  - What it looks at are the addresses B(on interfaces). What else can be bound (all of 127.0.0.0/8, AnyIP routes,
    anything with
    C(ip_nonlocal_bind)) is not waited for.
extends_documentation_fragment:
  - infracheck.bindings.attributes
  - infracheck.bindings.listeners.backend
options:
  address:
    description:
      - An IPv4 or IPv6 address, or a block in CIDR form. Of a block any address will do (and for O(state=absent)
        all must be gone).
      - One of O(address) and O(interface) is needed.
    type: str
  interface:
    description: Count only addresses on this interface. Without O(address) any address on it counts, link-local
      ones too.
    type: str
  state:
    description:
      - "V(present): the address is on an interface, whatever its flags."
      - "V(bindable): it is there and a plain bind would succeed: duplicate address detection of an IPv6 address is
        over and did not fail, or it is
        optimistic. IPv4 addresses have no such detection in the kernel. Whether a I(port) is free is another
        question."
      - "V(absent): it is on no interface (with O(interface): not on that one), or the interface itself is gone."
    type: str
    choices: [present, absent, bindable]
    default: present
  timeout:
    description: Seconds to wait. The module fails when it is not so by then. V(0) looks once.
    type: float
    default: 60
  settle:
    description: Seconds for which it must be so without a break. Every break starts the count anew.
    type: float
    default: 0
  poll_interval:
    description: Seconds between two readings where there is no netlink, see O(backend).
    type: float
    default: 1
  backend:
    description:
      - With V(auto) the kernel's notifications, and psutil where they cannot be had. Reading through psutil means
        reading again every O(poll_interval); it is
        a gap in RV(gaps), and O(state=bindable) is then possible for IPv4 only.
notes:
  - An address that is V(bindable) can still be refused to a socket that is pinned to another interface or lives in
    another VRF.
  - In check mode it waits as well, since it changes nothing.
seealso:
  - module: infracheck.bindings.connect_check
  - module: infracheck.bindings.interface_address_info
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: Restart a service only once its IPv6 address has passed duplicate address detection
  infracheck.bindings.wait_for_address:
    address: 2001:db8::5
    state: bindable
    timeout: 10

- name: Wait until this node holds the VIP, and has held it for three seconds
  infracheck.bindings.wait_for_address:
    address: 192.0.2.100
    state: present
    settle: 3
    timeout: 120

- name: Before the old network is switched off, its last address must be gone from the host
  infracheck.bindings.wait_for_address:
    address: 198.51.100.0/24
    state: absent

- name: After a VLAN was created anew, wait for any IPv4 address from DHCP on it
  infracheck.bindings.wait_for_address:
    interface: eth0.20
    address: 0.0.0.0/0
"""

RETURN = r"""
met:
  description: Whether it is so.
  returned: unless an option is wrong
  type: bool
  sample: true
state:
  description: What was waited for.
  returned: unless an option is wrong
  type: str
  sample: bindable
elapsed:
  description: Seconds that it took.
  returned: unless an option is wrong
  type: float
  sample: 1.842719
held:
  description: Seconds for which it had been so without a break, as far as was seen; null when it is not so.
  returned: unless an option is wrong
  type: float
  sample: 0.000061
source:
  description: V(netlink) when the kernel told, V(psutil) when it was polled.
  returned: unless an option is wrong
  type: str
  sample: netlink
addresses:
  description: The addresses asked for, as they were at the end, each as in
    RV(infracheck.bindings.interface_address_info#module:interfaces[].addresses).
  returned: unless an option is wrong
  type: list
  elements: dict
  contains:
    interface:
      description: Name of the interface.
      type: str
      sample: eth0
    ifindex:
      description: Its index.
      type: int
      sample: 2
    family:
      description: V(ipv4) or V(ipv6).
      type: str
      sample: ipv6
    address:
      description: The address.
      type: str
      sample: 2001:db8::5
    prefixlen:
      description: Length of its prefix, bits.
      type: int
      sample: 64
    peer:
      description: The other end of a point-to-point link.
      type: str
    broadcast:
      description: Broadcast address.
      type: str
    label:
      description: Label of an IPv4 address.
      type: str
    scope:
      description: V(global), V(site), V(link), V(host), or a number.
      type: str
      sample: global
    secondary:
      description: Secondary IPv4 address of its subnet.
      type: bool
      sample: false
    temporary:
      description: Temporary IPv6 address.
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
      description: May be used while it is tentative.
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
events:
  description: What was seen of the addresses and the interface asked for, in that order; the last 1,000.
  returned: unless an option is wrong
  type: list
  elements: dict
  contains:
    at:
      description: Seconds from the start.
      type: float
      sample: 0.214087
    event:
      description:
        - V(added), V(changed) (other flags or lifetimes) and V(removed) for addresses, V(link_added),
          V(link_changed) and V(link_removed) for the
          interface, V(reread) where notifications were lost and everything was read anew.
      type: str
      sample: added
    interface:
      description: Name of the interface.
      type: str
      sample: eth0
    ifindex:
      description: Its index. An interface that was created anew has another one.
      type: int
      sample: 2
    address:
      description: The address; null for events of the interface.
      type: str
      sample: 2001:db8::5
    prefixlen:
      description: Length of its prefix, bits.
      type: int
      sample: 64
    flags:
      description: Of an address those of tentative, optimistic, dadfailed and deprecated that are set; of an
        interface up or down.
      type: list
      elements: str
      sample: [tentative]
events_dropped:
  description: How many more there were, before those in RV(events).
  returned: unless an option is wrong
  type: int
  sample: 0
gaps:
  description: What could not be seen. Each gap is a warning as well.
  returned: unless an option is wrong
  type: list
  elements: dict
  contains:
    source:
      description: What was to be used.
      type: str
      sample: rtnetlink
    subject:
      description: What it would have given.
      type: str
      sample: changes as they happen
    reason:
      description: Why it could not.
      type: str
msg:
  description: The outcome in one line. When the time was over, what was seen last.
  returned: always
  type: str
  sample: 2001:db8::5 is bindable (waited 1.843 s)
"""

from ansible.module_utils.basic import AnsibleModule

# First of ours, as it imports the others. pylint: disable-next=unused-import
from ansible_collections.infracheck.bindings.plugins.module_utils._module import quick_start  # noqa: F401

# isort: split
from ansible_collections.infracheck.bindings.plugins.module_utils._module import address_wait, arguments, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **arguments.BACKEND_OPTION,
            "address": {"type": "str"},
            "interface": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent", "bindable"], "default": "present"},
            "timeout": {"type": "float", "default": 60},
            "settle": {"type": "float", "default": 0},
            "poll_interval": {"type": "float", "default": 1},
        },
        required_one_of=[("address", "interface")],
        supports_check_mode=True,
    )
    results.run_module(module, address_wait.wait_for_address)


if __name__ == "__main__":
    main()
