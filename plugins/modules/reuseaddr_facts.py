#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts: the live reuse settings of every listener, and what a restart would meet."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reuseaddr_facts
short_description: Gather live SO_REUSEADDR and SO_REUSEPORT of listeners, and whether a restart would succeed
version_added: 0.1.0
description:
  - Gathers, as C(ansible_facts.reuseaddr), every listener with its live socket options, what is on its port beside it,
    and the answer that the kernel would give to a restart now.
  - The question is exact. If this listener were closed now, and bound and listened on again with the same options,
    everything else on the port staying as it is, what would the kernel answer?
  - The options are read from the running program's socket, through a duplicate of its descriptor that lives for some
    ten microseconds (C(pidfd_getfd), Linux 5.6, root or CAP_SYS_PTRACE). Nothing is set on it.
  - It also runs while facts are gathered, when C(ansible_facts_modules) names it; its options then come from
    C(module_defaults).
extends_documentation_fragment:
  - infracheck.bindings.attributes
  - infracheck.bindings.attributes.facts
  - infracheck.bindings.listeners
  - infracheck.bindings.listeners.backend
notes:
  - The live value is evidence and no proof. A program that sets the option only after C(bind()) reads as one that sets
    it before, and one that was given it after its first connections ended reads as fine while the kernel still refuses.
  - While a duplicate exists its port stays busy. A program that closes and binds again in that very instant may see
    EADDRINUSE; each socket is read once in a run.
seealso:
  - module: infracheck.bindings.bind_preflight
  - module: infracheck.bindings.bind_check
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: Gather the reuse settings of what listens on the ports of the web server
  infracheck.bindings.reuseaddr_facts:
    ports: [80, 443]

- name: Name the programs that do not set SO_REUSEADDR
  ansible.builtin.debug:
    msg: "{{ item.address }}:{{ item.port }} {{ item.service.unit | default('no unit', true) }}"
  loop: "{{ ansible_facts.reuseaddr | selectattr('options.reuseaddr', 'false') | selectattr('protocol', 'eq', 'tcp') }}"
  loop_control:
    label: "{{ item.port }}"

- name: Do not restart into a port that is busy
  ansible.builtin.assert:
    that: ansible_facts.reuseaddr | selectattr('restart.verdict', 'eq', 'blocked') | length == 0
    fail_msg: "{{ ansible_facts.reuseaddr | selectattr('restart.verdict', 'eq', 'blocked') }}"
"""

RETURN = r"""
ansible_facts:
  description: Facts to add to ansible_facts.
  returned: always
  type: dict
  contains:
    reuseaddr:
      description: Every listener, with C(restart) beside what M(infracheck.bindings.listener_info) returns.
      returned: always
      type: list
      elements: dict
      contains:
        protocol:
          description: Protocol.
          type: str
          sample: tcp
        family:
          description: V(ipv4) or V(ipv6).
          type: str
          sample: ipv4
        address:
          description: Bind address.
          type: str
          sample: 192.0.2.5
        port:
          description: Port.
          type: int
          sample: 443
        interface:
          description: Interface that the socket is pinned to.
          type: str
          sample: null
        ifindex:
          description: Its index.
          type: int
          sample: null
        netns:
          description: Null; the network namespace of the run.
          type: dict
          sample: null
        v6only:
          description: Whether an IPv6 socket leaves IPv4 alone.
          type: bool
          sample: null
        backlog:
          description: Limit of the accept queue.
          type: int
          sample: 511
        queued:
          description: Connections that wait to be accepted.
          type: int
          sample: 0
        uid:
          description: User id of the socket, which SO_REUSEPORT compares.
          type: int
          sample: 0
        inode:
          description: Number of the socket.
          type: int
          sample: 30211
        owners:
          description: As RV(infracheck.bindings.listener_info#module:listeners[].owners).
          type: list
          elements: dict
        owner_status:
          description: As RV(infracheck.bindings.listener_info#module:listeners[].owner_status).
          type: str
          sample: found
        service:
          description: As RV(infracheck.bindings.listener_info#module:listeners[].service).
          type: dict
        options:
          description:
            - As RV(infracheck.bindings.listener_info#module:listeners[].options), read from the live socket.
          type: dict
        binding:
          description: As RV(infracheck.bindings.listener_info#module:listeners[].binding).
          type: dict
        restart:
          description:
            - What the kernel would answer to a restart now.
          type: dict
          contains:
            verdict:
              description:
                - V(ok), V(blocked) (the port is in use), V(unavailable) (the address cannot be bound) or V(unknown).
              type: str
              sample: blocked
            errno:
              description: What the kernel would answer, by name; null for V(ok) and V(unknown).
              type: str
              sample: EADDRINUSE
            blockers:
              description:
                - What is in the way; for V(unknown), what may be. As
                  RV(infracheck.bindings.bind_preflight#module:results[].blockers).
              type: list
              elements: dict
            clear_in_seconds:
              description: When the last blocker is gone by itself; null unless every blocker has a timer.
              type: int
              sample: 43
            reason:
              description: Why, for a person; null for V(ok).
              type: str
              sample: the port is kept busy by what `blockers` lists
    binding_gaps:
      description:
        - What could not be read, and why, in the form of RV(infracheck.bindings.listener_info#module:gaps).
      returned: always
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

# First of ours, as it imports the others. pylint: disable-next=unused-import
from ansible_collections.infracheck.bindings.plugins.module_utils._module import quick_start  # noqa: F401

# isort: split
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments, facts, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={**arguments.BACKEND_OPTION, **arguments.LISTENER_OPTIONS}, supports_check_mode=True
    )
    results.run_module(module, facts.gather_reuse_settings)


if __name__ == "__main__":
    main()
