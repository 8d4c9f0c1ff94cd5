# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    DENIED,
    FOUND,
    KERNEL,
    Options,
    Owner,
    Ownership,
    Service,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import (
    BOUND,
    ESTABLISHED,
    LISTENING,
    TIME_WAIT,
    Occupant,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.findings import FAIL, INFO, UNKNOWN, WARNING
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import (
    BLOCKED,
    OK,
    UNAVAILABLE,
    BindWish,
    Outlook,
    Restarts,
    Rights,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.bind_outlook import foresee_bind
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.blockers import (
    describe_blockers,
    group_blockers,
    list_blockers,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality, View
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.no_reuseaddr import find_missing_reuseaddr
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_blocked import find_blocked_restarts
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_outlook import (
    PortUse,
    foresee_restart,
    needs_connections,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.reuse import infer_flags
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.shared_binding import find_shared_bindings
from builders import REUSES, SEES_ALL, make_address, make_link, make_listener, make_network
from contracts import find_violations

NETWORK = make_network(
    [make_link(1, "lo"), make_link(2, "eth0")],
    [
        make_address("192.0.2.5/24"),
        make_address("2001:db8::5/64"),
        make_address("2001:db8::6/64", flags=0xC0),  # tentative
        make_address("fe80::5/64"),
    ],
)
LOCALITY = Locality(NETWORK)
NOT_SET = Options(False, False, False, 0)


def service(unit):
    return Ownership((Owner(7, "x", None, None, 3),), FOUND, Service("systemd", unit, "system"))


def row(state=TIME_WAIT, address="192.0.2.5", inode=0, clears_in=None, peer_port=50000, **fields):
    packed = ip_address(address).packed
    family = "ipv4" if len(packed) == 4 else "ipv6"
    given = Occupant(
        "tcp", family, packed, 443, packed, peer_port, state, 0, None if clears_in else 0, inode, clears_in, None
    )
    return given._replace(**fields)


def use(*rows, readings=None):
    return PortUse({("tcp", 443): infer_flags(rows, readings or {})}, {}, False)


# -- a restart


def bound(**fields):
    return make_listener(options=NOT_SET, **fields)._replace(binding=LOCALITY.judge(make_listener(**fields).socket))


TEST_RESTARTS = [
    ({}, [], OK, None),
    ({}, [row(clears_in=9000)], BLOCKED, "EADDRINUSE"),
    ({"address": "192.0.2.9"}, [], UNAVAILABLE, "EADDRNOTAVAIL"),
    ({"address": "192.0.2.9", "freebind": True}, [], OK, None),
    ({"address": "2001:db8::6"}, [], UNAVAILABLE, "EADDRNOTAVAIL"),
    ({"address": "0.0.0.0"}, [], OK, None),
    # A dead interface: the name that a restart would pin to cannot be seen.
    ({"ifindex": 9}, [], "unknown", None),
    ({"address": "192.0.2.9", "freebind": None}, [], "unknown", None),
    ({"ifindex": None}, [], "unknown", None),
    ({"inode": 0}, [], "unknown", None),
]


@pytest.mark.parametrize(("fields", "rows", "verdict", "code"), TEST_RESTARTS)
def test_restarts(fields, rows, verdict, code):
    outlook = foresee_restart(bound(**fields), use(*rows), LOCALITY)
    assert (outlook.verdict, outlook.errno) == (verdict, code)
    assert (outlook.reason is None) == (verdict in (OK, BLOCKED))


def test_with_reuseaddr_connections_are_not_looked_at():
    listener = bound()._replace(options=REUSES)
    assert not needs_connections(listener)
    assert foresee_restart(listener, use(row(clears_in=9000)), LOCALITY).verdict == OK
    assert needs_connections(bound(protocol="udp")._replace(options=REUSES))


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.5"])
def test_an_unseen_pin_is_named(address):
    outlook = foresee_restart(bound(address=address, ifindex=None), use(), LOCALITY)
    assert outlook.reason == "whether the socket is pinned to an interface, which may be gone, cannot be seen"


SIBLING = 99
# What else is on the port of a listener with SO_REUSEADDR, its options now, and what a restart meets.
TEST_SIBLINGS = [
    (BOUND, "192.0.2.5", (True, False), OK),
    (BOUND, "192.0.2.5", (False, False), BLOCKED),
    (BOUND, "192.0.2.6", (False, False), OK),
    (LISTENING, "192.0.2.5", (True, True), BLOCKED),
    (LISTENING, "192.0.2.6", (False, False), OK),
    (BOUND, "0.0.0.0", (None, None), "unknown"),
]


@pytest.mark.parametrize(("state", "address", "reading", "verdict"), TEST_SIBLINGS)
def test_with_reuseaddr_a_sibling_that_has_changed_is_in_the_way(state, address, reading, verdict):
    listener = bound()._replace(options=REUSES)
    own = row(LISTENING, inode=listener.socket.inode, peer_port=0)
    sibling = row(state, inode=SIBLING, peer_port=0, address=address)
    rows = use(own, sibling, readings={listener.socket.inode: (True, False), SIBLING: reading})
    assert foresee_restart(listener, rows, LOCALITY).verdict == verdict


def test_with_reuseaddr_connections_of_a_sibling_without_it_are_looked_at():
    """They share by SO_REUSEPORT; what one of them left behind belongs to another user, so that it does not share. What
    is bound to another address makes the kernel forget that the port is shared."""
    listener = bound(uid=1000)._replace(options=REUSES._replace(reuseport=True))
    own = row(LISTENING, inode=listener.socket.inode, peer_port=0, uid=1000)
    sibling = own._replace(inode=SIBLING)
    orphan = row("last_ack", uid=0)
    other = row(BOUND, inode=100, peer_port=0, address="192.0.2.6")
    for reuseaddr, verdict in ((True, OK), (False, "unknown")):
        readings = {own.inode: (True, True), SIBLING: (reuseaddr, True), 100: (True, False)}
        rows = use(own, sibling, orphan, other, readings=readings)
        assert foresee_restart(listener, rows, LOCALITY).verdict == verdict


def test_with_reuseaddr_an_unread_port_is_unknown():
    outlook = foresee_restart(bound()._replace(options=REUSES), PortUse({}, {"tcp": "no such module"}, False), LOCALITY)
    assert (outlook.verdict, outlook.reason) == ("unknown", "no such module")


def test_unread_options_decide_only_where_something_is_on_the_port():
    listener = bound()._replace(options=Options(reason="no right"))
    assert foresee_restart(listener, use(), LOCALITY).verdict == OK
    outlook = foresee_restart(listener, use(row(clears_in=9000)), LOCALITY)
    assert (outlook.verdict, outlook.reason, outlook.clear_in_seconds) == ("unknown", "no right", 9)


def test_an_unread_port_is_unknown():
    outlook = foresee_restart(bound(), PortUse({}, {"tcp": "no such module"}, False), LOCALITY)
    assert (outlook.verdict, outlook.reason) == ("unknown", "no such module")


def test_a_vrf_has_ports_of_its_own():
    links = [make_link(2, "eth0"), make_link(5, "red", kind="vrf", vrf_table=10), make_link(6, "eth1", master=5)]
    locality = Locality(NETWORK._replace(links=tuple(links)))
    inside = row(LISTENING, inode=3, ifindex=6, address="0.0.0.0")
    outside = bound(address="0.0.0.0")
    assert foresee_restart(outside, use(inside), locality).verdict == OK
    assert foresee_restart(outside, use(inside)._replace(is_shared=True), locality).verdict == BLOCKED
    unread = foresee_restart(outside, use(inside)._replace(is_shared=None), locality)
    assert unread.verdict == "unknown"
    assert "tcp_l3mdev_accept" in (unread.reason or "")
    assert foresee_restart(outside, use()._replace(is_shared=None), locality).verdict == OK, "nothing depends on it"
    reusing = outside._replace(options=REUSES)
    assert foresee_restart(reusing, use(inside)._replace(is_shared=None), locality).verdict == "unknown"


# -- a bind

ROOT = Rights("root", 0, True, 1024)
NOBODY = Rights("user nobody", 65534, False, 1024)


def wish(address="192.0.2.5", **fields):
    packed = ip_address(address).packed
    family = "ipv4" if len(packed) == 4 else "ipv6"
    return BindWish("tcp", family, packed, 443, None, False, False, False, False)._replace(**fields)


TEST_BINDS = [
    (wish(), ROOT, OK, None),
    (wish(), NOBODY, "denied", "EACCES"),
    (wish(port=1024), NOBODY, OK, None),
    (wish(), NOBODY._replace(lowest_free_port=80), OK, None),
    (wish(), NOBODY._replace(may_bind=None), "unknown", None),
    (wish(), NOBODY._replace(lowest_free_port=None), "unknown", None),
    # IPv4 asks for the address first, IPv6 for the right.
    (wish("192.0.2.9"), NOBODY, UNAVAILABLE, "EADDRNOTAVAIL"),
    (wish("2001:db8::9"), NOBODY, "denied", "EACCES"),
    (wish("2001:db8::9"), ROOT, UNAVAILABLE, "EADDRNOTAVAIL"),
    (wish("2001:db8::6"), ROOT, UNAVAILABLE, "EADDRNOTAVAIL"),
    (wish("2001:db8::6", freebind=True), ROOT, OK, None),
    (wish(interface="eth7"), ROOT, UNAVAILABLE, "ENODEV"),
    (wish(interface="eth0"), ROOT, OK, None),
    (wish("fe80::5"), ROOT, UNAVAILABLE, "EINVAL"),
    (wish("fe80::5", interface="eth0"), ROOT, OK, None),
    (wish("fe80::5", interface="lo"), ROOT, UNAVAILABLE, "EADDRNOTAVAIL"),
    (wish("::ffff:192.0.2.5", v6only=True), ROOT, UNAVAILABLE, "EINVAL"),
    (wish("::ffff:192.0.2.5"), ROOT, OK, None),
    (wish("ff02::1", interface="eth0"), ROOT, UNAVAILABLE, "EINVAL"),
    # The right is asked for after multicast, and before what else is EINVAL.
    (wish("ff02::1", interface="eth0"), NOBODY, UNAVAILABLE, "EINVAL"),
    (wish("::ffff:192.0.2.5", v6only=True), NOBODY, "denied", "EACCES"),
    (wish("::ffff:192.0.2.5", v6only=True, port=1024), NOBODY, UNAVAILABLE, "EINVAL"),
    (wish("fe80::5"), NOBODY, "denied", "EACCES"),
    (wish("fe80::5", port=1024), NOBODY, UNAVAILABLE, "EINVAL"),
    (wish("ff02::fb", protocol="udp"), ROOT, UNAVAILABLE, "EINVAL"),
    (wish("ff02::fb", protocol="udp", interface="eth0"), ROOT, OK, None),
]


@pytest.mark.parametrize(("asked", "rights", "verdict", "code"), TEST_BINDS)
def test_binds(asked, rights, verdict, code):
    outlook = foresee_bind(asked, rights, use(), LOCALITY)
    assert (outlook.verdict, outlook.errno) == (verdict, code)
    assert (outlook.reason is None) == (verdict == OK)


def test_what_is_closed_before_is_not_in_the_way():
    listener = row(LISTENING, inode=3, peer_port=0)
    taken = use(listener, readings={3: (False, False)})
    assert foresee_bind(wish(), ROOT, taken, LOCALITY).blockers == (listener,)
    assert foresee_bind(wish(), ROOT, taken, LOCALITY, {3}).verdict == OK


# -- what is said of it


def test_blockers_that_are_alike_are_one():
    rows = [row(clears_in=1000 * number, peer_port=50000 + number) for number in range(1, 9)]
    rows += [row(ESTABLISHED, inode=7), row(LISTENING, inode=8, peer_port=0, address="0.0.0.0")]
    groups = group_blockers(rows, {7: service("a.service"), 8: service("b.service")})
    assert [(group.state, group.sockets, group.clear_in_seconds) for group in groups] == [
        ("established", 1, None),
        ("listening", 1, None),
        ("time_wait", 8, 8),
    ]
    assert describe_blockers(groups) == (
        "a connection in established of a.service, a listener on 0.0.0.0 of b.service,"
        " 8 connections in time_wait (for 8 s)"
    )
    for group in list_blockers(groups, {}):
        assert find_violations("blocker", group) == []
    assert [peer["port"] for peer in list_blockers(groups, {})[2]["peers"]] == [50001, 50002, 50003, 50004, 50005]


def test_connections_of_one_process_are_one():
    def held(pid, descriptor):
        return Ownership(
            (Owner(pid, "nginx", None, None, descriptor),), FOUND, Service("systemd", "n.service", "system")
        )

    rows = [row(ESTABLISHED, inode=number, peer_port=50000 + number) for number in range(1, 41)]
    holders = {one.inode: held(7 if one.inode <= 30 else 8, one.inode) for one in rows}
    groups = group_blockers(rows, holders)
    assert sorted(group.sockets for group in groups) == [10, 30]
    owners = [group.ownership.owners for group in groups if group.ownership]
    assert sorted(owner.pid for found in owners for owner in found) == [7, 8]


def view(*listeners, outlooks=None, holders=None):
    restarts = None if outlooks is None else Restarts(outlooks, holders or {})
    return View(tuple(listeners), SEES_ALL, LOCALITY, restarts=restarts)


TEST_MISSING = [
    (NOT_SET, {}, WARNING),
    (REUSES, {}, None),
    (NOT_SET._replace(reuseport=True), {}, None),
    (NOT_SET, {"protocol": "udp"}, None),
]


@pytest.mark.parametrize(("options", "fields", "severity"), TEST_MISSING)
def test_no_reuseaddr(options, fields, severity):
    found = list(find_missing_reuseaddr(view(make_listener(options=options, **fields))))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_unread_options_are_one_unknown_and_those_of_the_kernel_none():
    unread = Options(reason="no right")
    hidden = [make_listener(port=port, options=unread, ownership=Ownership((), DENIED, None)) for port in (1, 2)]
    own = make_listener(port=3, options=unread, ownership=Ownership((), KERNEL, None))
    (finding,) = find_missing_reuseaddr(view(*hidden, own))
    assert (finding.verdict, finding.evidence["listeners"], finding.listener) == (UNKNOWN, 2, None)
    assert "no right" in finding.message


def blocked(*rows, seconds=None):
    return Outlook(BLOCKED, "EADDRINUSE", rows, seconds, None)


def test_restart_blocked_says_by_whom_and_until_when():
    listener = make_listener(options=NOT_SET, ownership=service("nginx.service"))
    timed = blocked(row(clears_in=9000), seconds=9)
    (finding,) = find_blocked_restarts(view(listener, outlooks={listener.socket: timed}))
    assert (finding.verdict, finding.severity, finding.remedy) == (FAIL, WARNING, "wait")
    assert finding.message == (
        "a restart of nginx.service would fail now with EADDRINUSE: 192.0.2.5:443/tcp is kept busy by a connection in"
        " time_wait (for 9 s)"
    )
    open_one = blocked(row(ESTABLISHED, inode=7))
    (finding,) = find_blocked_restarts(view(listener, outlooks={listener.socket: open_one}))
    assert finding.remedy == "manual"


@pytest.mark.parametrize("state", ["stale_address", "stale_interface", "pending", "unknown"])
def test_restart_blocked_is_silent_where_another_rule_speaks(state):
    listener = make_listener(options=NOT_SET, state=state)
    assert not list(find_blocked_restarts(view(listener, outlooks={listener.socket: blocked(row())})))


def test_nothing_is_said_of_ports_that_were_not_looked_at():
    assert not list(find_blocked_restarts(view(make_listener(options=NOT_SET))))


TEST_SHARED = [
    (["a.service", "b.service"], {}, [WARNING]),
    (["a.service", "a.service"], {}, []),
    (["a.service"], {}, []),
    (["a.service", "b.service"], {"protocol": "udp", "port": 5353}, [INFO]),
    (["a.service", "b.service"], {"protocol": "udp", "port": 514}, [WARNING]),
    (["a.service", "b.service"], {"protocol": "tcp", "port": 5353}, [WARNING]),
]


@pytest.mark.parametrize(("units", "fields", "severities"), TEST_SHARED)
def test_shared_binding(units, fields, severities):
    listeners = [make_listener(inode=number, ownership=service(unit), **fields) for number, unit in enumerate(units, 1)]
    found = list(find_shared_bindings(view(*listeners)))
    assert [finding.severity for finding in found] == severities
    assert all(finding.evidence == {"holders": sorted(set(units)), "sockets": len(units)} for finding in found)


def test_another_pin_is_another_binding():
    listeners = [
        make_listener(inode=number, ifindex=number, ownership=service(f"{number}.service")) for number in (1, 2)
    ]
    assert not list(find_shared_bindings(view(*listeners)))


def test_shared_with_somebody_unseen_is_unknown():
    seen = make_listener(inode=1, ownership=service("a.service"))
    unseen = make_listener(inode=2, ownership=Ownership((), DENIED, None))
    (finding,) = find_shared_bindings(view(seen, unseen))
    assert finding.verdict == UNKNOWN


def test_a_bound_socket_is_named_as_such():
    assert describe_blockers(group_blockers([row(BOUND, peer_port=0)], {})) == "a bound socket on 192.0.2.5"
