#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every listener of a host, with its holders and the state of its binding."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_info
short_description: List listening TCP and bound UDP sockets, with the state of each binding
version_added: 0.1.0
description:
  - Lists every listening TCP and every bound, unconnected UDP socket of a host. It tells the bind address, the
    interface it is pinned to, all processes that hold it, their unit or container, and whether the address is still
    there.
  - It reads only. Without root, the processes of other users cannot be seen.
extends_documentation_fragment:
  - infracheck.bindings.attributes
  - infracheck.bindings.listeners
  - infracheck.bindings.listeners.backend
seealso:
  - module: infracheck.bindings.bind_check
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: All listeners
  infracheck.bindings.listener_info:
  register: host

- name: Who listens on every address
  ansible.builtin.debug:
    msg: "{{ item.port }}/{{ item.protocol }} {{ item.service.unit | default('no unit') }}"
  loop: "{{ host.listeners | selectattr('binding.state', 'eq', 'wildcard') }}"

- name: Everything that listens on the loopback addresses, with all holders
  infracheck.bindings.listener_info:
    addresses: [127.0.0.0/8, "::1"]
    all_owners: true
"""

RETURN = r"""
listeners:
  description: The listeners, in the order of protocol, address, port, interface and inode.
  returned: always
  type: list
  elements: dict
  contains:
    protocol:
      description: V(tcp) or V(udp).
      type: str
      sample: tcp
    family:
      description: V(ipv4) or V(ipv6).
      type: str
      sample: ipv4
    address:
      description: Bind address, as RFC 5952 spells it; V(0.0.0.0) and V(::) are wildcards.
      type: str
      sample: 192.0.2.5
    port:
      description: Local port.
      type: int
      sample: 443
    interface:
      description: Interface that the socket is pinned to; null when it is not pinned, or that interface has gone.
      type: str
      sample: eth1
    ifindex:
      description: Index of that interface, also when no such interface exists any more; null when not pinned.
      type: int
      sample: 3
    netns:
      description: Null, which is the network namespace of the run.
      type: dict
    v6only:
      description: Whether an IPv6 socket leaves IPv4 alone; null for IPv4.
      type: bool
    backlog:
      description: Limit of the accept queue, connections; null for UDP.
      type: int
      sample: 511
    queued:
      description: Connections that wait to be accepted; null for UDP.
      type: int
      sample: 0
    uid:
      description: User id of the socket.
      type: int
      sample: 0
    inode:
      description: Number of the socket.
      type: int
      sample: 30211
    owners:
      description:
        - The processes that hold the socket. Names are shown with control characters escaped.
      type: list
      elements: dict
      contains:
        pid:
          description: Process id.
          type: int
          sample: 812
        name:
          description: Name of the process.
          type: str
          sample: nginx
        exe:
          description: Path of its executable; null when it cannot be seen.
          type: str
          sample: /usr/sbin/nginx
        user:
          description: Its effective user.
          type: str
          sample: root
        fd:
          description: Its descriptor of the socket.
          type: int
          sample: 6
    owner_status:
      description:
        - V(found), or why there is no owner. V(denied) is a lack of rights.
        - V(kernel) is a socket of the kernel's own, after a complete and privileged look.
        - V(unknown) is everything else.
      type: str
      sample: found
    service:
      description: What starts and stops the holder; null when there is none, or it cannot be seen.
      type: dict
      contains:
        manager:
          description: V(systemd), or the container engine.
          type: str
          sample: systemd
        unit:
          description: Name of the unit, or id or name of the container, also of one whose port docker-proxy, conmon,
            rootlessport or pasta publishes.
          type: str
          sample: nginx.service
        scope:
          description: V(system), V(user) or V(container).
          type: str
          sample: system
        uid:
          description: Whose manager it is, for scope V(user) and for containers of a user.
          type: int
    options:
      description: Live options of the socket; null is unknown.
      type: dict
      contains:
        reuseaddr:
          description: SO_REUSEADDR.
          type: bool
        reuseport:
          description: SO_REUSEPORT.
          type: bool
        freebind:
          description: IP_FREEBIND.
          type: bool
          sample: false
        transparent:
          description: IP_TRANSPARENT.
          type: bool
          sample: false
        keepalive:
          description: SO_KEEPALIVE.
          type: bool
        defer_accept:
          description: TCP_DEFER_ACCEPT, seconds.
          type: int
        bind_device:
          description: The interface that the socket is pinned to; null when not pinned.
          type: dict
          contains:
            name:
              description: Its name; null when no such interface exists any more.
              type: str
              sample: eth1
            ifindex:
              description: Its index.
              type: int
              sample: 3
    binding:
      description: Where the bind address stands.
      type: dict
      contains:
        state:
          description:
            - V(stale_interface), V(wildcard), V(pending), V(valid), V(intended), V(stale_address) or V(unknown).
          type: str
          sample: stale_address
        reachable:
          description: Whether the kernel would deliver to the address; null is unknown, or does not apply.
          type: bool
          sample: false
        rebindable:
          description: Whether a plain bind of the address would succeed now; never about port conflicts.
          type: bool
          sample: false
        reason:
          description: What that rests on.
          type: str
          sample: no local route for 192.0.2.5
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
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments, listing, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={**arguments.BACKEND_OPTION, **arguments.LISTENER_OPTIONS}, supports_check_mode=True
    )
    results.run_module(module, listing.list_listeners)


if __name__ == "__main__":
    main()
