#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Would this bind, or this unit's restart, succeed now? If not: why, who is in the way, and for how long."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bind_preflight
short_description: Foretell whether a bind, or a unit's restart, would succeed now
version_added: 0.1.0
description:
  - Answers for a list of wishes, or for everything that a unit listens on, what the kernel would say to C(bind()) and
    C(listen()) now.
  - It never binds anything, so it is safe beside a running service. The answer comes from the kernel's own rules over
    what is really on the port, and a test holds it against the kernel in thousands of random cases.
  - Blockers are named with their processes and unit, and with the seconds until they are gone, where they have a timer.
options:
  wishes:
    description: What is to be bound. The answers come in the same order.
    type: list
    elements: dict
    suboptions:
      address:
        description: Address, V(0.0.0.0) or V(::). A scope id (V(fe80::1%eth0)) is the same as C(interface).
        type: str
        required: true
      port:
        description: Port, 1 to 65535.
        type: int
        required: true
      protocol:
        description: Protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      interface:
        description: Interface that the socket is to be pinned to (SO_BINDTODEVICE).
        type: str
      reuseaddr:
        description:
          - Whether the program sets SO_REUSEADDR before C(bind()).
          - When it is left out, both are looked at, and the verdict is V(unknown) where they differ.
        type: bool
      reuseport:
        description: Whether the program sets SO_REUSEPORT.
        type: bool
        default: false
      v6only:
        description: Whether an IPv6 socket leaves IPv4 alone (IPV6_V6ONLY).
        type: bool
        default: false
      freebind:
        description: Whether the program sets IP_FREEBIND or IP_TRANSPARENT, so that the address need not be there.
        type: bool
        default: false
      user:
        description:
          - User that the program runs as when it binds, by name or number. It matters for privileged ports and for
            SO_REUSEPORT.
          - By default the user that this module runs as.
        type: str
  unit:
    description:
      - Name of a unit, such as V(nginx.service) or V(ssh.socket). All its present listeners are looked at, as after a
        stop, with the options that they have now.
      - A name without the suffix of a unit type gets C(.service).
      - Where no listener of the unit is seen (it is stopped, there is none of that name, or units cannot be seen),
        there is one result, whose verdict is V(unknown) and whose protocol, address and port are null.
    type: str
extends_documentation_fragment:
  - infracheck.bindings.attributes
  - infracheck.bindings.listeners.backend
notes:
  - Between the answer and the bind, things may change.
  - Linux before 6.8 does not list TCP sockets that are bound and do not listen. There they are looked for in every
    process, for TCP wishes alone, as the answers for O(unit) do not depend on them. That takes root. Where a process
    cannot be looked into, or Linux is older than 5.6 and there are such sockets, a TCP wish that nothing else is in the
    way of is V(unknown).
  - A user other than root is taken to lack CAP_NET_BIND_SERVICE. Capabilities of a program's file are not looked at.
    Root has it where this run's bounding set does, and where the user namespace of this run owns the network.
  - What is left of connections of a program that has ended (V(time_wait) and orphans) does not tell whether its socket
    had SO_REUSEADDR. Where the answer depends on that, it is V(unknown), and C(clear_in_seconds) says how long at most.
seealso:
  - module: infracheck.bindings.reuseaddr_facts
  - module: infracheck.bindings.bind_check
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: Would nginx come back after a restart?
  infracheck.bindings.bind_preflight:
    unit: nginx.service
  register: preflight
  failed_when: preflight.results | rejectattr('verdict', 'eq', 'ok') | length > 0

- name: Are the ports for the new service free?
  infracheck.bindings.bind_preflight:
    wishes:
      - {address: 192.0.2.5, port: 443, reuseaddr: true, user: www-data}
      - {address: "::", port: 8080, reuseaddr: true}
      - {address: 192.0.2.5, port: 53, protocol: udp}
  register: preflight

- name: Wait for what is left of the old service
  ansible.builtin.pause:
    seconds: "{{ preflight.results | map(attribute='clear_in_seconds') | select('number') | max }}"
  when: preflight.results | map(attribute='clear_in_seconds') | select('number') | length > 0
"""

RETURN = r"""
results:
  description:
    - One answer per wish, in their order; for O(unit) one per listener, in the order of listeners, or one that says why
      none is seen.
  returned: always
  type: list
  elements: dict
  contains:
    protocol:
      description: Protocol; null where no listener of O(unit) is seen, as are the next two.
      type: str
      sample: tcp
    address:
      description: Address.
      type: str
      sample: 192.0.2.5
    port:
      description: Port.
      type: int
      sample: 443
    interface:
      description: Interface that the socket is pinned to; null when it is not.
      type: str
      sample: null
    verdict:
      description:
        - "V(ok): bind and listen would succeed."
        - "V(blocked): the port is in use (EADDRINUSE)."
        - "V(unavailable): the address or the interface cannot be bound (EADDRNOTAVAIL, ENODEV, EINVAL)."
        - "V(denied): the port is privileged, and the user lacks the right (EACCES)."
        - "V(unknown): something that decides it cannot be seen."
      type: str
      sample: blocked
    errno:
      description: What the kernel would answer, by name; null for V(ok) and V(unknown).
      type: str
      sample: EADDRINUSE
    blockers:
      description:
        - What is in the way; for V(unknown), what may be.
        - Entries that differ in nothing but the peer and the descriptor are one; the descriptor is that of the first.
      type: list
      elements: dict
      contains:
        state:
          description:
            - V(listening), V(bound) (neither listens nor is connected), or the state of a connection.
          type: str
          sample: time_wait
        address:
          description: Its local address.
          type: str
          sample: 192.0.2.5
        port:
          description: Its local port.
          type: int
          sample: 443
        interface:
          description: Interface that it is pinned to; null when it is not, or that is gone.
          type: str
          sample: null
        ifindex:
          description: Index of that interface.
          type: int
          sample: null
        count:
          description: How many there are.
          type: int
          sample: 3
        peers:
          description: The other ends of the first five.
          type: list
          elements: dict
          contains:
            address:
              description: Address.
              type: str
              sample: 198.51.100.7
            port:
              description: Port.
              type: int
              sample: 50312
        clear_in_seconds:
          description: When the last of them is gone by itself; null when nobody can say.
          type: int
          sample: 43
        owners:
          description:
            - The processes that hold it, as in RV(infracheck.bindings.listener_info#module:listeners[].owners).
          type: list
          elements: dict
          sample: []
        service:
          description: Its unit or container, as in RV(infracheck.bindings.listener_info#module:listeners[].service).
          type: dict
          sample: null
    clear_in_seconds:
      description: When the last blocker is gone by itself; null unless every blocker has a timer.
      type: int
      sample: 43
    reason:
      description: Why, for a person; null for V(ok).
      type: str
      sample: the port is kept busy by what `blockers` lists
gaps:
  description:
    - What could not be read, and why. Each gap is a warning as well.
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
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments, preflight, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **arguments.BACKEND_OPTION,
            "wishes": {"type": "list", "elements": "dict", "options": preflight.WISH_OPTIONS},
            "unit": {"type": "str"},
        },
        mutually_exclusive=[("wishes", "unit")],
        required_one_of=[("wishes", "unit")],
        supports_check_mode=True,
    )
    results.run_module(module, preflight.preflight)


if __name__ == "__main__":
    main()
