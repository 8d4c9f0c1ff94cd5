#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do with each unit that holds a stale listener, and why."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rebind_plan
short_description: Plan which services to restart so that they bind again, and which to leave alone
version_added: 0.1.0
description:
  - Looks for listeners whose address or interface is gone, finds the systemd units that hold them, and says of each
    unit what to do (restart it, restart its socket, reload it, run a command, or nothing), and why.
  - A restart is planned only with proof that every bind of the unit will succeed, those that work now included. Else a
    restart would turn one dead listener into a dead service. What counts as proof is told under O(expected) and in the
    notes.
  - This is the assessment of the role P(infracheck.bindings.rebind#role), and useful alone.
  - It restarts nothing. It runs the configuration checks of the programs concerned (see O(checks)), also in check mode.
extends_documentation_fragment:
  - infracheck.bindings.attributes
options:
  expected:
    description:
      - "Where units are to listen after a restart, all of it: unit name to a list."
      - An entry is V(ADDRESS:PORT), V([IPV6]:PORT), either with V(/udp) behind it, or a dictionary with C(address),
        C(port), and optionally C(protocol) (V(tcp) or V(udp)) and C(interface) (what the socket will be pinned to,
        by name).
      - It is proof when every bind in it would succeed now. It has to name what the unit serves now as well.
      - UDP sockets on ports that the kernel may have chosen (C(net.ipv4.ip_local_port_range), mostly 32768 to 60999)
        need not be named, as they are taken for a client's. Whether a service that listens there on purpose, as some
        VPN and game servers do, comes back there is seen to only if it is named.
    type: dict
    default: {}
  checks:
    description:
      - Commands that check the configuration of a unit, unit name to command. They run without a shell, as the user of
        the unit. What is built in does so as well. A unit whose check fails is not restarted.
      - A check never is proof. Built in are those of sshd, nginx, haproxy, Apache, unbound and named. A command for
        a unit replaces the one built in, and an empty one switches it off.
    type: dict
    default: {}
  actions:
    description:
      - What to do for a unit in place of a restart. V(reload), V(restart), or a command, which runs without a shell.
      - A command needs proof as a restart does. A reload is taken to end nothing, and needs none; that this is so is
        for you to know. It is not so for sshd, Apache and unbound, which bind anew and end where they cannot, nor for
        what this very run came in by. Those need it.
      - A command that is to be planned and whose program is not on the host is an error.
      - A container is named by its RV(plan[].label), such as V(docker container ID) with the whole id. V(restart) is
        possible for those of root's docker and podman; for all others name the command.
    type: dict
    default: {}
  unproven:
    description:
      - What to do without proof. V(restart) takes the risk.
      - A port that is in use by others, or that the unit may not bind, is never tried.
    type: str
    choices: [refuse, restart]
    default: refuse
  containers:
    description:
      - Plan what O(actions) has for a container. Without it, and for those that O(actions) does not name, containers
        are only reported.
      - As for a unit, nothing is done without proof, which for a container is O(expected).
    type: bool
    default: false
  never_restart:
    description: Units that are never restarted, glob to reason. The role has a list of its own.
    type: dict
    default: {}
  units:
    description: Restart only units that match one of these globs. Empty allows all.
    type: list
    elements: str
    default: []
  max_units:
    description: Plan at most this many actions.
    type: int
    default: 5
  max_wait:
    description:
      - A service that does not set SO_REUSEADDR cannot be restarted while anything is left of its connections. Plan
        to wait up to so many seconds until it is. V(0) refuses.
    type: float
    default: 0
  allow_downtime:
    description: Plan to stop such a service first, and to wait then. Open connections need this, and O(max_wait) of
      60 or more.
    type: bool
    default: false
  intended_addresses:
    description: Addresses and blocks (CIDR) that may be away, as for M(infracheck.bindings.bind_check).
    type: list
    elements: str
    default: []
  confirm_after:
    description: Look twice, so many seconds (0 to 3600) apart, and take for stale what both looks show.
    type: raw
    default: 0
  since:
    description:
      - RV(plan) of an earlier run. Given this, the module makes no plan, and says in RV(outcomes) what became of
        that one.
    type: list
    elements: dict
  connects:
    description: RV(infracheck.bindings.connect_check#module:endpoints), tried after the restarts; for O(since).
    type: list
    elements: dict
    default: []
  failed:
    description: Units that did not come back, label to reason; for O(since).
    type: dict
    default: {}
  rescued:
    description: Labels of units that only came back with C(ip_nonlocal_bind); for O(since).
    type: list
    elements: str
    default: []
  left:
    description:
      - What was planned and then not done, as the last look before it had it, entries of RV(plan); for O(since).
      - Of one that still had to wait, or whose port was busy, the outcome is V(not_clear).
    type: list
    elements: dict
    default: []
notes:
  - "Proof is one of these, and that every bind in it would succeed now: O(expected); for a V(.socket) unit its
    C(ListenStream=) and C(BindToDevice=); for sshd what C(sshd -T) prints; for nginx that C(nginx -t), which binds
    all it is to listen on, passes, and what C(nginx -T) prints. All other configuration checks pass with an address
    that is gone."
  - C(nginx -t) binds for an instant whatever nginx does not listen on yet.
  - Whether a bind would succeed is worked out from the addresses, links and sockets of the host; nothing is bound.
  - Linux before 6.8 does not list TCP sockets that are bound and do not listen. There, for a bind at a place where the
    unit does not listen yet, they are looked for in every process, as with M(infracheck.bindings.bind_preflight). Where
    one cannot be looked into, and nothing else is in the way, the bind is V(outlook_unknown).
  - To see all holders, and to run checks, takes root. Without, units of the system are reported and never planned.
  - In options by unit, the unit of a user is named by its label, V(NAME of uid 1000), and a container by V(ENGINE
    container ID). Their names alone mean units of the system, as anybody can give their own unit any name.
  - In those options a name without its kind, such as V(nginx), is that of a service, as for C(systemctl). What can be
    the name of nothing is an error. A C(.socket) and the service that it starts are one, and either name will do.
  - What is stopped along is told from C(RequiredBy=), C(RequisiteOf=), C(BoundBy=), C(ConsistsOf=) and
    C(PropagatesStopTo=). If that holds one that is on the list of what is never restarted, that this run came in by, or
    that could not be started again, the unit is left alone.
  - Before a restart is planned its C(ExecStart=) is looked for, and C(systemd-analyze condition) is asked for its
    C(Condition…=) and C(Assert…=), for units of the system and from systemd 250 on.
  - The program of another user's unit is not asked anything, as that user chose what it is. A check that O(checks) has
    for it runs as that user.
  - A port that docker-proxy publishes is that of the container whose network has the address on docker-proxy's command
    line; for conmon, rootlessport and pasta it is told by their scope, child and network. No engine is asked. Where
    it cannot be told, the engine is named, and the reason.
  - It asks systemd of Linux hosts. A unit is restarted as systemd has it in memory; the file on disk may be newer.
seealso:
  - module: infracheck.bindings.bind_check
  - module: infracheck.bindings.connect_check
  - name: Remediation
    description: The guide, with a table of what to do for each decision.
    link: https://github.com/infracheck/infracheck.bindings/blob/main/docs/guides/remediation.md
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: What could be restarted, and what would a restart break
  infracheck.bindings.rebind_plan:
    confirm_after: 5
  register: assessment

- name: Show it, one line for each unit
  ansible.builtin.debug:
    msg: "{{ assessment.msg.splitlines() }}"

- name: The configuration of redis names the new address, which nothing but its operator knows
  infracheck.bindings.rebind_plan:
    expected:
      redis-server.service: ["192.0.2.20:6379", "127.0.0.1:6379"]
      haproxy.service:
        - {address: 0.0.0.0, port: 443, interface: eth1}
    units: [redis-server.service, haproxy.service]
"""

RETURN = r"""
plan:
  description: One entry for each unit that holds a stale listener, those that act first and in their order.
  returned: without O(since)
  type: list
  elements: dict
  contains:
    label:
      description: Name of the unit, with V( of uid 1000) behind it for a user's, or V(ENGINE container ID); empty where
        no single unit holds it. Options by unit use it.
      type: str
      sample: nginx.service
    unit:
      description: Name of the unit, or name or id of the container. Null where no single unit holds it.
      type: str
      sample: nginx.service
    manager:
      description: V(systemd), or the container engine.
      type: str
      sample: systemd
    scope:
      description: V(system), V(user) or V(container).
      type: str
      sample: system
    uid:
      description: Whose manager it is, for the scope V(user).
      type: int
    companion:
      description: Of a C(.socket) unit, the service that it starts, which is stopped and started with it. Else null.
        Options by unit may name either.
      type: str
      sample: ssh.service
    action:
      description: V(restart), V(restart_socket), V(reload), V(custom) or V(none).
      type: str
      sample: restart
    decision:
      description:
        - Why, as one word.
        - "Acting: V(proven), V(after_wait), V(forced), V(reload)."
        - "Not acting: V(no_unit), V(no_owner), V(container), V(unit_unknown), V(transient), V(never_restart),
          V(not_listed), V(manual_refused), V(cannot_reload), V(no_rights), V(kills_run), V(check_failed),
          V(dependents), V(cannot_start), V(carries_run), V(no_proof), V(uncovered), V(interface_unknown),
          V(address_missing), V(outlook_unknown), V(port_taken), V(port_denied), V(port_busy), V(limit)."
      type: str
      sample: proven
    reason:
      description: Why, for a person.
      type: str
      sample: it will listen on 192.0.2.20:443 (nginx -t bound all of it), and every bind will succeed
    advice:
      description: How to go on where nothing is done.
      type: str
      sample: ""
    proven:
      description: Whether it is proven that every bind will succeed.
      type: bool
      sample: true
    stale:
      description: Its stale listeners, as RV(infracheck.bindings.listener_info#module:listeners) describes them.
      type: list
      elements: dict
    healthy:
      description: What else it listens on, as RV(infracheck.bindings.listener_info#module:listeners) describes it.
      type: list
      elements: dict
    proof:
      description: Where it will listen, and how that is known.
      type: dict
      contains:
        method:
          description: V(declared), V(ListenStream), V(sshd -T), V(nginx -t) or V(none).
          type: str
          sample: nginx -t
        problem:
          description: Why the method says nothing, or null.
          type: str
        binds:
          description: Each bind that the restart is to make.
          type: list
          elements: dict
          contains:
            protocol:
              description: Protocol.
              type: str
              sample: tcp
            address:
              description: Address.
              type: str
              sample: 192.0.2.20
            port:
              description: Port.
              type: int
              sample: 443
            interface:
              description: Interface that it will be pinned to, or null.
              type: str
            verdict:
              description: What the kernel would say, as M(infracheck.bindings.bind_preflight) has it.
              type: str
              sample: ok
            errno:
              description: What it would answer, by name; null for V(ok) and V(unknown).
              type: str
            reason:
              description: Why, for a person; null for V(ok).
              type: str
            clear_in_seconds:
              description: When the last blocker is gone by itself; null when nobody can say.
              type: int
    check:
      description: The configuration check that was run, or null.
      type: dict
      contains:
        command:
          description: Its words.
          type: list
          elements: str
          sample: [/usr/sbin/nginx, -t]
        status:
          description: Its exit status; null where it could not be run.
          type: int
          sample: 0
        output:
          description: The last lines that it printed.
          type: str
          sample: "nginx: configuration file /etc/nginx/nginx.conf test is successful"
    dependents:
      description: Active units of any kind that systemd would stop along, by way of others too. Where one of them
        listens the decision is V(dependents).
      type: list
      elements: dict
      contains:
        unit:
          description: Its name.
          type: str
          sample: app.service
        listeners:
          description: How many listeners it holds.
          type: int
          sample: 0
    carries_run:
      description: Why this very run hangs on the unit, or null.
      type: str
    wait:
      description: What a restart has to wait for, or null.
      type: dict
      contains:
        seconds:
          description: Until the ports are clear; null where nobody can say.
          type: int
          sample: 42
        stop_first:
          description: Whether it is stopped meanwhile.
          type: bool
          sample: false
    commands:
      description: What carries it out, as lists of words; all empty where nothing is done.
      type: dict
      contains:
        restart:
          description: All of it, one command after the other.
          type: list
          elements: list
          sample: [[systemctl, --no-ask-password, restart, --, nginx.service]]
        systemctl:
          description: What C(systemctl) is for its manager.
          type: list
          elements: str
          sample: [systemctl, --no-ask-password]
        survive:
          description: What goes before a command that is to go on when whoever started it is gone. The role stops and
            starts units in this way.
          type: list
          elements: str
          sample: [systemd-run, --no-ask-password, --quiet, --collect, --property=Type=oneshot]
        units:
          description: What has to be stopped together, in the order of a start.
          type: list
          elements: str
          sample: [nginx.service]
        along:
          description: What systemd stops along with them, and what is to be started again after them.
          type: list
          elements: str
          sample: []
        state:
          description: Says whether it is active.
          type: list
          elements: str
        journal:
          description: Prints its last log lines.
          type: list
          elements: str
    endpoints:
      description: What M(infracheck.bindings.connect_check) is to reach afterwards.
      type: list
      elements: dict
      contains:
        host:
          description: Address.
          type: str
          sample: 192.0.2.20
        port:
          description: Port.
          type: int
          sample: 443
        interface:
          description: Interface to go through, or null.
          type: str
awaited:
  description: Addresses and interfaces that are missing, and are all that keeps units from being restarted.
  returned: without O(since)
  type: list
  elements: dict
  contains:
    address:
      description: The address, or null for any.
      type: str
      sample: 192.0.2.20
    interface:
      description: The interface, or null for any.
      type: str
acting:
  description: How many entries act.
  returned: without O(since)
  type: int
  sample: 1
outcomes:
  description: What became of each unit of O(since), the worst first.
  returned: with O(since)
  type: list
  elements: dict
  contains:
    label:
      description: As in RV(plan).
      type: str
      sample: nginx.service
    outcome:
      description: V(failed), V(rescued), V(missing), V(still_stale), V(fixed), V(healed), V(not_clear) (its port was
        not clear in time, so nothing was done) or V(untouched).
      type: str
      sample: fixed
    reason:
      description: For a person.
      type: str
      sample: it listens on 192.0.2.20:443/tcp
    missing:
      description: Where it served before, or should serve now, and does not.
      type: list
      elements: str
broken:
  description: How many of them failed, had to be rescued, miss a listener or are still stale after an action.
  returned: with O(since)
  type: int
  sample: 0
msg:
  description: The whole result as text, one line for each unit.
  returned: always
  type: str
  sample: No stale listener was found; nothing to restart
gaps:
  description: What could not be read, and why. Each gap is a warning as well.
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
      sample: the processes that hold a socket
    reason:
      description: Why it could not be read.
      type: str
      sample: 212 of 230 processes cannot be looked into (Permission denied); needs root with CAP_SYS_PTRACE
"""

from ansible.module_utils.basic import AnsibleModule

# First of ours, as it imports the others. pylint: disable-next=unused-import
from ansible_collections.infracheck.bindings.plugins.module_utils._module import quick_start  # noqa: F401

# isort: split
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments, plan, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **arguments.CONFIRM_OPTION,
            "expected": {"type": "dict", "default": {}},
            "checks": {"type": "dict", "default": {}},
            "actions": {"type": "dict", "default": {}},
            "unproven": {"type": "str", "choices": ["refuse", "restart"], "default": "refuse"},
            "containers": {"type": "bool", "default": False},
            "never_restart": {"type": "dict", "default": {}},
            "units": {"type": "list", "elements": "str", "default": []},
            "max_units": {"type": "int", "default": 5},
            "max_wait": {"type": "float", "default": 0},
            "allow_downtime": {"type": "bool", "default": False},
            "intended_addresses": {"type": "list", "elements": "str", "default": []},
            "since": {"type": "list", "elements": "dict"},
            "connects": {"type": "list", "elements": "dict", "default": []},
            "failed": {"type": "dict", "default": {}},
            "rescued": {"type": "list", "elements": "str", "default": []},
            "left": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    results.run_module(module, plan.plan_rebind)


if __name__ == "__main__":
    main()
