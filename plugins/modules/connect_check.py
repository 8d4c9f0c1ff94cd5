#!/usr/bin/python
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connects to many endpoints at once and says of each what the kernel said."""

from __future__ import annotations

DOCUMENTATION = r"""
module: connect_check
short_description: Connect to many endpoints at once, with the kernel's answer for each
version_added: 0.1.0
description:
  - Starts a non-blocking TCP connect to every endpoint and reads the outcome once, with C(getsockopt(SO_ERROR)),
    from its own sockets.
    The answer is a class (refused is not a timeout, and a missing source address is neither), the name of the
    errno, and how long it took.
  - The connects are made B(from the managed host). Nothing is sent over a connection, and it is closed at once in
    the ordinary way.
  - "A name is looked up by the system's resolver, and B(every) address that it has is tried and reported.
    C(expect=connected)
    is met by one of them, as a client tries one after the other; any other expectation only when all of them show
    it."
  - Thousands of endpoints need one task, one process and one thread; O(concurrency) bounds the sockets that are
    open at the same time. Names
    are looked up by four threads, within the same O(timeout).
  - What a connect B(does not prove) is told in the notes.
options:
  endpoints:
    description:
      - What to connect to. An entry is V(host:port), V([IPv6 address]:port), or a dictionary. In YAML the form with
        brackets needs quotes.
      - "The dictionary has C(host): an IPv4 or IPv6 address, with or without brackets, or a name (C(host) may be
        V(host:port) as well)."
      - "C(port): 1 to 65535."
      - "C(source): the address to connect from; one of the managed host."
      - "C(interface): connect through this interface and no other (SO_BINDTODEVICE, Linux only). Also the scope of
        a link-local
        address that has none; else such an address needs a scope id, V(fe80::1%eth0)."
      - "C(expect): the class that is wanted, V(connected) by default. See RV(endpoints[].class) for all of them."
    type: list
    elements: raw
    required: true
  timeout:
    description:
      - Seconds for each endpoint to answer, the look-up of its name included. Without an answer its class is
        V(timed_out), or V(name_unresolved) where
        it was the resolver that did not answer.
      - Silence takes this long. A host that is missing on the very link is known after about three seconds
        (V(unreachable)) when O(timeout) is longer.
    type: float
    default: 5
  attempts:
    description: How often to try an endpoint that is not as expected. Names are looked up anew each time.
    type: int
    default: 1
  delay:
    description: Seconds between two attempts.
    type: float
    default: 1
  settle:
    description:
      - Seconds to wait between the handshake and the one read of SO_ERROR.
      - A server that accepts and resets at once (a proxy without a backend, a TCP wrapper, a full process) may show
        as V(connected) or as V(reset)
        without it, depending on which comes first. V(0.2) is enough in a local network.
    type: float
    default: 0
  concurrency:
    description:
      - How many connects may be under way at the same time. The others wait for their turn; their time starts only
        then.
      - So the run takes at most about C(timeout × endpoints / concurrency), and O(timeout) alone with
        O(concurrency) at the number of endpoints.
      - Where the limit on open files (RLIMIT_NOFILE) does not allow as many, it is a gap in RV(gaps), and the
        outcomes are the same.
    type: int
    default: 1000
  family:
    description: Which addresses of a name to try. An address of the other family among O(endpoints) is an error.
    type: str
    choices: [any, ipv4, ipv6]
    default: any
  fail:
    description: Whether the module fails when an endpoint is not as expected. With V(false) it only reports.
    type: bool
    default: true
extends_documentation_fragment:
  - infracheck.bindings.attributes
notes:
  - B(A connect to an address of the host itself does not leave the host.) It goes through the loopback interface,
    whatever interface carries the
    address, so it does not show that the cable, the switch, the firewall or a route on the way works, and not even
    that the interface is up.
    To verify a service from outside, let another host connect, with C(delegate_to).
  - B(A completed handshake does not prove that a program answers.) The kernel completes it on behalf of whoever
    called listen(), and keeps the
    connection in the accept queue; a program that hangs still has one. Only when that queue is full do connects
    time out.
    M(infracheck.bindings.listener_info) shows the queue,
    RV(infracheck.bindings.listener_info#module:listeners[].queued) against
    RV(infracheck.bindings.listener_info#module:listeners[].backlog); a C(queued) that does not go down is a program
    that does not accept.
  - It only ever reads SO_ERROR from sockets that it opened itself. Reading clears the value, so on a socket of
    another program it would steal the error.
  - Connecting makes an entry in the log of a server that logs connections, and a row in TIME_WAIT on the managed
    host for a minute, on an
    ephemeral port where it is in nobody's way.
  - "Compared with M(ansible.builtin.wait_for): that module takes one endpoint per task, and says C(Timeout when
    waiting for) for every failure."
seealso:
  - module: infracheck.bindings.listener_info
  - module: infracheck.bindings.wait_for_address
  - module: ansible.builtin.wait_for
author:
  - The infracheck.bindings contributors (@infracheck)
"""

EXAMPLES = r"""
- name: Verify a deployment from the host itself
  infracheck.bindings.connect_check:
    endpoints:
      - 127.0.0.1:8080
      - "[::1]:8080"
      - db.example.com:5432
    timeout: 3

- name: Verify from outside, where it counts, and give the service half a minute to come up
  infracheck.bindings.connect_check:
    endpoints: ["{{ inventory_hostname }}:443"]
    attempts: 30
    delay: 1
  delegate_to: monitoring.example.com

- name: The admin port must be closed, the old address must be gone, and the peer must be in reach through eth1 only
  infracheck.bindings.connect_check:
    endpoints:
      - {host: 192.0.2.10, port: 8081, expect: refused}
      - {host: 192.0.2.99, port: 443, expect: unreachable}
      - {host: fe80::2, port: 179, interface: eth1}
      - {host: 203.0.113.7, port: 443, source: 192.0.2.10}

- name: Find the servers that accept and then hang up
  infracheck.bindings.connect_check:
    endpoints: "{{ backends }}"
    settle: 0.2
    fail: false
  register: backends_checked

- name: Say which ones
  ansible.builtin.debug:
    msg: "{{ backends_checked.endpoints | selectattr('class', 'eq', 'reset') | map(attribute='host') }}"
"""

RETURN = r"""
endpoints:
  description: One record per entry of O(endpoints), in the same order.
  returned: unless an option is wrong
  type: list
  elements: dict
  contains:
    host:
      description: Host as given, without brackets.
      type: str
      sample: 192.0.2.10
    port:
      description: Port.
      type: int
      sample: 443
    source:
      description: Source address asked for.
      type: str
      sample: null
    interface:
      description: Interface asked for.
      type: str
      sample: null
    expect:
      description: The class that was wanted.
      type: str
      sample: connected
    met:
      description: Whether it is as wanted.
      type: bool
      sample: false
    attempts:
      description: How many attempts were made; everything here is about the last one.
      type: int
      sample: 1
    connected:
      description: Whether the class is V(connected).
      type: bool
      sample: false
    class:
      description:
        - "V(connected): the handshake was completed, and nothing was reset until SO_ERROR was read."
        - "V(refused): ECONNREFUSED; nothing listens there, or a firewall rejects with a reset."
        - "V(timed_out): no answer within O(timeout): a silent host or firewall, or a server whose accept queue is
          full."
        - "V(unreachable): no route, a blackhole route, a neighbour that does not answer, or a router that says so."
        - "V(no_source): the source address or interface is not there (any more), or the host has no address to
          connect from."
        - "V(denied): EACCES or EPERM; a prohibit route, a firewall, a security module."
        - "V(reset): accepted, then reset. See O(settle)."
        - "V(local_limit): the managed host has no port, descriptor or memory left for one more connection; or four
          names that the resolver does not answer kept this one from being looked up."
        - "V(name_unresolved): the resolver has no address, or did not answer in time."
        - "V(invalid): the kernel does not take it at all, such as a family that the host lacks, or a source that
          cannot be combined with the destination."
      type: str
      sample: refused
    reason:
      description: The same for a person.
      type: str
      sample: nothing listens there, or a firewall says so
    so_error:
      description: The value that SO_ERROR had, 0 when connected; null when it was not read, as connect() had failed
        at once or nothing was decided in time.
      type: int
      sample: 111
    errno:
      description: Name of the errno, whichever system call it came from; null when there is none.
      type: str
      sample: ECONNREFUSED
    address:
      description: The address tried that decides; null when the name was not resolved.
      type: str
      sample: 192.0.2.10
    scope:
      description: Interface of a link-local address, by name or index.
      type: str
      sample: null
    local_address:
      description: The address that the kernel connected from; null when connect() failed at once.
      type: str
      sample: 192.0.2.77
    elapsed_ms:
      description: Milliseconds from connect() to its outcome, without O(settle); null when the name was not resolved.
      type: float
      sample: 0.412
    others:
      description: The other addresses of the name, with what came of each.
      type: list
      elements: dict
      contains:
        connected:
          description: Whether the class is V(connected).
          type: bool
        class:
          description: As above.
          type: str
        reason:
          description: The same for a person.
          type: str
        so_error:
          description: Value of SO_ERROR.
          type: int
        errno:
          description: Name of the errno.
          type: str
        address:
          description: The address.
          type: str
        scope:
          description: Interface of a link-local address.
          type: str
        local_address:
          description: The address that the kernel connected from.
          type: str
        elapsed_ms:
          description: Milliseconds from connect() to its outcome.
          type: float
summary:
  description: Counts.
  returned: unless an option is wrong
  type: dict
  contains:
    endpoints:
      description: How many endpoints there are.
      type: int
      sample: 3
    met:
      description: How many are as expected.
      type: int
      sample: 2
    unmet:
      description: How many are not.
      type: int
      sample: 1
    classes:
      description: How many are of each class, of those that occur.
      type: dict
      sample: {connected: 2, refused: 1}
gaps:
  description: What could not be done as asked. Each gap is a warning as well.
  returned: unless an option is wrong
  type: list
  elements: dict
  contains:
    source:
      description: What was to be used.
      type: str
      sample: RLIMIT_NOFILE
    subject:
      description: What it would have given.
      type: str
      sample: concurrency
    reason:
      description: Why it could not.
      type: str
msg:
  description: One line per endpoint that is not as expected.
  returned: always
  type: str
  sample: |-
    1 of 3 endpoints is not as expected:
    192.0.2.10:443 refused (ECONNREFUSED): nothing listens there, or a firewall says so; expected connected
"""

from ansible.module_utils.basic import AnsibleModule

# First of ours, as it imports the others. pylint: disable-next=unused-import
from ansible_collections.infracheck.bindings.plugins.module_utils._module import quick_start  # noqa: F401

# isort: split
from ansible_collections.infracheck.bindings.plugins.module_utils._module import connects, results


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "raw", "required": True},
            "timeout": {"type": "float", "default": 5},
            "attempts": {"type": "int", "default": 1},
            "delay": {"type": "float", "default": 1},
            "settle": {"type": "float", "default": 0},
            "concurrency": {"type": "int", "default": 1000},
            "family": {"type": "str", "choices": ["any", "ipv4", "ipv6"], "default": "any"},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    results.run_module(module, connects.check_connects)


if __name__ == "__main__":
    main()
