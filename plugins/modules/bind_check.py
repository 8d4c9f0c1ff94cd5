#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict for a host: which listeners are bound to something that is no longer there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bind_check
short_description: Find listeners whose address or interface is gone
version_added: 0.1.0
description:
  - A service that listens on an address gets no error when that address is taken away. It stays in LISTEN and nobody
    can reach it. This module compares every listening TCP and bound UDP socket of a host with the addresses, links and
    local routes that the host has now, and fails when something is wrong.
  - The rules C(stale-address), C(stale-interface), C(pending-address), C(link-down) and C(pinned-elsewhere) look at
    what a listener is bound to; C(no-reuseaddr), C(restart-blocked) and C(shared-binding) at what else is on its port,
    now and after a restart.
  - What could not be read is reported as unknown, with the reason, and never as fine.
  - It reads only. No privilege is needed for the verdicts; to see the processes of other users takes root.
extends_documentation_fragment:
  - infracheck.bindings.attributes
  - infracheck.bindings.listeners
  - infracheck.bindings.listeners.backend
  - infracheck.bindings.listeners.confirm
options:
  fail_on:
    description:
      - Fail when there is a finding of this severity or a worse one.
      - V(never) only reports.
    type: str
    choices: [info, warning, error, never]
    default: error
  fail_on_unknown:
    description: Let findings whose verdict is unknown count for O(fail_on) as well.
    type: bool
    default: false
  rules:
    description: Run only these rules. Empty runs all.
    type: list
    elements: str
    choices:
      - stale-address
      - stale-interface
      - pending-address
      - link-down
      - pinned-elsewhere
      - no-reuseaddr
      - restart-blocked
      - shared-binding
    default: []
  skip_rules:
    description: Leave these rules out.
    type: list
    elements: str
    choices:
      - stale-address
      - stale-interface
      - pending-address
      - link-down
      - pinned-elsewhere
      - no-reuseaddr
      - restart-blocked
      - shared-binding
    default: []
  include_listeners:
    description: Return all listeners that were looked at, and not only those with a finding.
    type: bool
    default: false
seealso:
  - module: infracheck.bindings.listener_info
  - module: infracheck.bindings.stale_binding_facts
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: Fail if a service listens on an address that is gone
  infracheck.bindings.bind_check:

- name: The same for web servers only, and look twice so that a flap is no finding
  infracheck.bindings.bind_check:
    units: ["nginx*", "haproxy.service"]
    confirm_after: 5

- name: On a standby node, the virtual addresses may be away
  infracheck.bindings.bind_check:
    intended_addresses: [192.0.2.100, 2001:db8:100::/64]

- name: Only report, and go on
  infracheck.bindings.bind_check:
    fail_on: never
  register: bindings

- name: Show what was found, line by line
  ansible.builtin.debug:
    msg: "{{ bindings.msg.splitlines() }}"
"""

RETURN = r"""
findings:
  description: What is wrong or unknown, the worst first, then in the order of listeners.
  returned: always
  type: list
  elements: dict
  contains:
    rule:
      description: Name of the rule.
      type: str
      sample: stale-address
    verdict:
      description: V(fail), or V(unknown) when something that the rule needs could not be read.
      type: str
      sample: fail
    severity:
      description: V(error), V(warning) or V(info).
      type: str
      sample: error
    message:
      description: One sentence for a person.
      type: str
      sample: "nginx.service listens on 192.0.2.5:443/tcp, but 192.0.2.5 is no longer an address of this host"
    listener:
      description:
        - The listener, as RV(infracheck.bindings.listener_info#module:listeners) describes it.
        - Null for an unknown that concerns many listeners.
      type: dict
    remedy:
      description: V(restart), V(restart_socket), V(reconfigure), V(wait), V(manual) or V(none).
      type: str
      sample: reconfigure
    remedy_reason:
      description: Why that, and how.
      type: str
      sample: >-
        add 192.0.2.5 again (the listener then serves at once), or configure an address that exists and restart; a
        restart with the present configuration fails with EADDRNOTAVAIL
    evidence:
      description: What was read that leads to the verdict.
      type: dict
      sample: {"reason": "no local route for 192.0.2.5", "reachable": false, "rebindable": false}
summary:
  description: Counts.
  returned: always
  type: dict
  contains:
    listeners:
      description: How many listeners were looked at.
      type: int
      sample: 12
    valid:
      description: How many of them are bound to something that is there, wildcards included.
      type: int
      sample: 11
    intended:
      description: How many are meant to be bound to an address that is not there.
      type: int
      sample: 0
    unknown:
      description: How many could not be judged.
      type: int
      sample: 0
    findings:
      description: How many findings there are, unknown ones included.
      type: int
      sample: 1
    errors:
      description: How many findings are errors. Unknown ones do not count here.
      type: int
      sample: 1
    warnings:
      description: How many are warnings.
      type: int
      sample: 0
    infos:
      description: How many are for information.
      type: int
      sample: 0
failing:
  description:
    - How many findings make this check fail, with the given O(fail_on) and O(fail_on_unknown).
    - With O(fail_on_unknown), a listener of which it cannot be seen whether it matches O(units) counts as one.
  returned: always
  type: int
  sample: 1
msg:
  description: The whole result as text, one line per finding.
  returned: always
  type: str
  sample: All 12 bindings are valid
listeners:
  description: All listeners, as RV(infracheck.bindings.listener_info#module:listeners) describes them.
  returned: with O(include_listeners=true)
  type: list
  elements: dict
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
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments, check, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **arguments.BACKEND_OPTION,
            **arguments.LISTENER_OPTIONS,
            **arguments.CONFIRM_OPTION,
            **arguments.RULE_OPTIONS,
            "fail_on": {"type": "str", "choices": ["info", "warning", "error", "never"], "default": "error"},
            "fail_on_unknown": {"type": "bool", "default": False},
            "include_listeners": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    results.run_module(module, check.check_bindings)


if __name__ == "__main__":
    main()
