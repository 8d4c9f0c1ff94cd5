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
      description:
        - The listeners, in the form of RV(infracheck.bindings.listener_info#module:listeners), each with C(restart).
        - "C(restart.verdict): V(ok), V(blocked) (the port is in use), V(unavailable) (the address cannot be bound) or
          V(unknown)."
        - "C(restart.errno): what the kernel would answer, by name; null for V(ok) and V(unknown)."
        - "C(restart.blockers): what is in the way. Entries that differ only in the peer are one, with a C(count), the
          first five C(peers), and who holds them. For V(unknown) it is what may be in the way."
        - "C(restart.clear_in_seconds): when the last blocker is gone by itself; null unless all of them have a timer."
        - "C(restart.reason): why, for a person."
      returned: always
      type: list
      elements: dict
    binding_gaps:
      description:
        - What could not be read, and why, in the form of RV(infracheck.bindings.listener_info#module:gaps).
      returned: always
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import (
    BACKEND_OPTION,
    LISTENER_OPTIONS,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._module.facts import gather_reuse_settings
from ansible_collections.infracheck.bindings.plugins.module_utils._module.run import run_module


def main() -> None:
    module = AnsibleModule(argument_spec={**BACKEND_OPTION, **LISTENER_OPTIONS}, supports_check_mode=True)
    run_module(module, gather_reuse_settings)


if __name__ == "__main__":
    main()
