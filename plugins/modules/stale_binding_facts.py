#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts: the listeners whose address or interface is gone, or whose state is unknown."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stale_binding_facts
short_description: Gather listeners that are bound to something that is gone
version_added: 0.1.0
description:
  - Gathers, as C(ansible_facts.stale_bindings), the listeners whose address or interface is gone, and those of which
    that could not be told.
  - It also runs while facts are gathered, when C(ansible_facts_modules) names it; its options then come from
    C(module_defaults).
  - Cached facts are a record of the past. For a verdict, use M(infracheck.bindings.bind_check), which always looks.
extends_documentation_fragment:
  - infracheck.bindings.attributes
  - infracheck.bindings.attributes.facts
  - infracheck.bindings.listeners
  - infracheck.bindings.listeners.backend
  - infracheck.bindings.listeners.confirm
seealso:
  - module: infracheck.bindings.bind_check
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: Gather stale bindings
  infracheck.bindings.stale_binding_facts:

- name: Name the units concerned
  ansible.builtin.debug:
    msg: "{{ ansible_facts.stale_bindings | map(attribute='service.unit') | unique }}"
  when: ansible_facts.stale_bindings | length > 0

- name: Gather them together with the ordinary facts
  hosts: all
  gather_facts: true
  vars:
    ansible_facts_modules: [ansible.builtin.setup, infracheck.bindings.stale_binding_facts]
  tasks:
    - name: Say so
      ansible.builtin.debug:
        msg: "{{ ansible_facts.stale_bindings | length }} stale bindings"
"""

RETURN = r"""
ansible_facts:
  description: Facts to add to ansible_facts.
  returned: always
  type: dict
  contains:
    stale_bindings:
      description:
        - The listeners whose C(binding.state) is V(stale_address), V(stale_interface) or V(unknown), in the form of
          RV(infracheck.bindings.listener_info#module:listeners).
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

# First of ours, as it imports the others. pylint: disable-next=unused-import
from ansible_collections.infracheck.bindings.plugins.module_utils._module import quick_start  # noqa: F401

# isort: split
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments, facts, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={**arguments.BACKEND_OPTION, **arguments.LISTENER_OPTIONS, **arguments.CONFIRM_OPTION},
        supports_check_mode=True,
    )
    results.run_module(module, facts.gather_stale_bindings)


if __name__ == "__main__":
    main()
