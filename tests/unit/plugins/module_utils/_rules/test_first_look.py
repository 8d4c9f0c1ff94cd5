# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Worlds as records, and where a bind address stands in them: one row per kernel fact, named by it.

That the kernel really does so is for tests/kernel to show; VRFs are here alone where no kernel at hand can make one.
"""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_OPTIMISTIC,
    IFA_F_TENTATIVE,
    NO_NETWORK,
    RTN_ANYCAST,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    RTN_UNICAST,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    INTENDED,
    PENDING,
    STALE_ADDRESS,
    STALE_INTERFACE,
    UNKNOWN,
    VALID,
    WILDCARD,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.prefixes import Prefix
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from builders import make_address, make_link, make_network, make_route, make_socket

LO = make_link(1, "lo", flags=0x10049, operstate="unknown")
ETH0, ETH1 = make_link(2, "eth0"), make_link(3, "eth1")
RED = make_link(8, "red", kind="vrf", vrf_table=10)
RED_PORT = make_link(4, "eth2", master=8)
BRIDGE_IN_RED = make_link(5, "br0", kind="bridge", master=8)
BRIDGE_PORT = make_link(6, "eth3", master=5)
LINKS = [LO, ETH0, ETH1, RED, RED_PORT, BRIDGE_IN_RED, BRIDGE_PORT]
ADDRESSES = [
    make_address("127.0.0.1/8", 1),
    make_address("::1/128", 1),
    make_address("192.0.2.5/24", 2),
    make_address("2001:db8::5/64", 2),
    make_address("fe80::5/64", 2),
]
ROUTES = [
    make_route("127.0.0.0/8", 1),
    make_route("127.255.255.255", 1, RTN_BROADCAST),
    make_route("192.0.2.255", 2, RTN_BROADCAST),
    make_route("ff00::/8", 2, RTN_MULTICAST),
]


def world(*routes, addresses=(), **fields):
    """Two ordinary links and a VRF, one address of each kind, more where asked for."""
    return make_network(LINKS, [*ADDRESSES, *addresses], [*ROUTES, *routes], **{"ipv4_merged": False, **fields})


def looked_up(address, kind, vrf=0):
    """The kernel's own route lookup says: RTN_*, 0 = no route, None = it could not be asked."""
    return {"lookups": {(vrf, ip_address(address).packed): kind}}


def v6(text, flags, ifindex=2):
    return [make_address(text, ifindex, flags)]


GONE = "192.0.2.99"
GONE6 = "2001:db8::99"
ANYIP = make_route("203.0.113.0/24", 1)
NO_ROUTE, NO_ROUTE6 = looked_up(GONE, 0), looked_up(GONE6, 0)

# what, network, socket, state, reachable, rebindable
TEST_WORLDS = [
    # -- what never goes stale
    ("0.0.0.0 is every address", world(), make_socket("0.0.0.0"), WILDCARD, True, True),
    (":: too", world(), make_socket("::"), WILDCARD, True, True),
    ("::ffff:0.0.0.0 is the IPv4 wildcard", world(), make_socket("::ffff:0.0.0.0"), WILDCARD, True, True),
    ("a multicast group needs no address", world(), make_socket("224.0.0.251", protocol="udp"), VALID, None, True),
    ("an IPv6 group neither", world(), make_socket("ff02::fb", protocol="udp", ifindex=2), VALID, None, True),
    # -- IPv4 goes by table local
    ("an assigned address has its route", world(), make_socket("192.0.2.5"), VALID, True, True),
    ("all of 127/8 is local", world(), make_socket("127.5.6.7"), VALID, True, True),
    ("an address without its route is gone",
     world(routes_ipv4=(), **looked_up("192.0.2.5", RTN_UNICAST)),
     make_socket("192.0.2.5"), STALE_ADDRESS, False, False),
    ("an unassigned address of one's own subnet", world(**NO_ROUTE), make_socket(GONE), STALE_ADDRESS, False, False),
    ("a unicast row in table local is not local",
     world(make_route("203.0.113.0/24", 2, RTN_UNICAST), **looked_up("203.0.113.9", RTN_UNICAST)),
     make_socket("203.0.113.9"), STALE_ADDRESS, False, False),
    ("AnyIP: a prefix can be local",
     world(ANYIP, **looked_up("203.0.113.9", RTN_LOCAL)),
     make_socket("203.0.113.9"), VALID, True, True),
    ("the longest prefix decides",
     world(ANYIP, make_route("203.0.113.9", 2, RTN_UNICAST), **looked_up("203.0.113.9", RTN_UNICAST)),
     make_socket("203.0.113.9"), STALE_ADDRESS, False, False),
    ("the smallest priority decides",
     world(make_route("203.0.113.9", 2, RTN_UNICAST, priority=5), make_route("203.0.113.9", 1, priority=1)),
     make_socket("203.0.113.9"), VALID, True, True),
    ("a route for one TOS is for no plain packet",
     world(make_route("203.0.113.9", 1, tos=16), **looked_up("203.0.113.9", 0)),
     make_socket("203.0.113.9"), STALE_ADDRESS, False, False),
    ("a dead next hop is passed over",
     world(make_route("203.0.113.9", 1, flags=1), **looked_up("203.0.113.9", 0)),
     make_socket("203.0.113.9"), STALE_ADDRESS, False, False),
    ("a dead next hop uncovers the next row",
     world(make_route("203.0.113.9", 1, flags=1), ANYIP, **looked_up("203.0.113.9", RTN_LOCAL)),
     make_socket("203.0.113.9"), VALID, True, True),
    ("before the first address any bind succeeds",
     world(missing_tables_ipv4=frozenset({255}), routes_ipv4=(), **NO_ROUTE), make_socket(GONE), VALID, False, True),
    ("a route of another table says nothing",
     world(make_route(GONE, 2, table=100), **NO_ROUTE), make_socket(GONE), STALE_ADDRESS, False, False),
    # -- broadcast
    ("the subnet's broadcast: bound, TCP never answers",
     world(**looked_up("192.0.2.255", RTN_BROADCAST)), make_socket("192.0.2.255"), VALID, False, True),
    ("the subnet's broadcast: UDP is delivered",
     world(**looked_up("192.0.2.255", RTN_BROADCAST)), make_socket("192.0.2.255", protocol="udp"), VALID, True, True),
    ("a broadcast address whose route went",
     world(**looked_up("203.0.113.255", RTN_UNICAST)),
     make_socket("203.0.113.255", protocol="udp"), STALE_ADDRESS, False, False),
    ("255.255.255.255 needs no route: UDP", world(), make_socket("255.255.255.255", protocol="udp"), VALID, True, True),
    ("255.255.255.255 needs no route: TCP",
     world(**looked_up("255.255.255.255", RTN_BROADCAST)), make_socket("255.255.255.255"), VALID, False, True),
    # -- IPv6 goes by the list of addresses
    ("an assigned IPv6 address", world(), make_socket("2001:db8::5"), VALID, True, True),
    ("an IPv6 address that is gone", world(**NO_ROUTE6), make_socket(GONE6), STALE_ADDRESS, False, False),
    ("AnyIP for IPv6: reachable and not rebindable",
     world(make_route("2001:db8:5::/64", 1), **looked_up("2001:db8:5::1", RTN_LOCAL)),
     make_socket("2001:db8:5::1"), VALID, True, False),
    ("an address without its route: rebindable and not reachable",
     world(routes_ipv6=(), **looked_up("2001:db8::5", 0)), make_socket("2001:db8::5"), VALID, False, True),
    ("an anycast address is reached by UDP",
     world(make_route("2001:db8::", 2, RTN_ANYCAST), **looked_up("2001:db8::", RTN_ANYCAST)),
     make_socket("2001:db8::", protocol="udp"), VALID, True, False),
    ("an anycast address is refused for TCP",
     world(make_route("2001:db8::", 2, RTN_ANYCAST), **looked_up("2001:db8::", RTN_ANYCAST)),
     make_socket("2001:db8::"), STALE_ADDRESS, False, False),
    ("a tentative address is not yet there",
     world(addresses=v6("2001:db8::7/64", IFA_F_TENTATIVE), **looked_up("2001:db8::7", 0)),
     make_socket("2001:db8::7"), PENDING, False, False),
    ("a tentative address under ip_nonlocal_bind",
     world(addresses=v6("2001:db8::7/64", IFA_F_TENTATIVE), nonlocal_bind_ipv6=True, **looked_up("2001:db8::7", 0)),
     make_socket("2001:db8::7"), PENDING, False, True),
    ("a duplicate never comes",
     world(addresses=v6("2001:db8::7/64", IFA_F_TENTATIVE | IFA_F_DADFAILED), **looked_up("2001:db8::7", 0)),
     make_socket("2001:db8::7"), PENDING, False, False),
    ("an optimistic address counts while it is tentative",
     world(addresses=v6("2001:db8::7/64", IFA_F_TENTATIVE | IFA_F_OPTIMISTIC), **looked_up("2001:db8::7", 0)),
     make_socket("2001:db8::7"), VALID, False, True),
    ("a deprecated address serves",
     world(addresses=v6("2001:db8::7/64", IFA_F_DEPRECATED)), make_socket("2001:db8::7"), VALID, True, True),
    ("tentative on one link, sound on another",
     world(addresses=[*v6("2001:db8::7/64", IFA_F_TENTATIVE), *v6("2001:db8::7/64", 0x80, 3)]),
     make_socket("2001:db8::7"), VALID, True, True),
    # -- v4-mapped follows the IPv4 rules
    ("v4-mapped, assigned", world(), make_socket("::ffff:192.0.2.5"), VALID, True, True),
    ("v4-mapped, gone", world(**NO_ROUTE), make_socket("::ffff:192.0.2.99"), STALE_ADDRESS, False, False),
    ("v4-mapped, AnyIP is rebindable",
     world(ANYIP, **looked_up("203.0.113.9", RTN_LOCAL)),
     make_socket("::ffff:203.0.113.9"), VALID, True, True),
    ("v4-mapped goes by IPv4's ip_nonlocal_bind",
     world(nonlocal_bind_ipv6=True, **NO_ROUTE), make_socket("::ffff:192.0.2.99"), STALE_ADDRESS, False, False),
    # -- pins
    ("a dead index, address or not", world(), make_socket("192.0.2.5", ifindex=99), STALE_INTERFACE, False, None),
    ("a dead index under a wildcard", world(), make_socket("0.0.0.0", ifindex=99), STALE_INTERFACE, False, None),
    ("a dead index under a multicast group",
     world(), make_socket("224.0.0.251", ifindex=99), STALE_INTERFACE, False, None),
    ("freebind does not bring an interface back",
     world(), make_socket("192.0.2.5", ifindex=99, freebind=True), STALE_INTERFACE, False, None),
    ("a link-local address on its link", world(), make_socket("fe80::5", ifindex=2), VALID, True, True),
    ("a link-local address of another link", world(), make_socket("fe80::5", ifindex=3), STALE_ADDRESS, False, False),
    ("::1 pinned to another link than lo", world(), make_socket("::1", ifindex=2), STALE_ADDRESS, False, False),
    ("::1 pinned to lo", world(), make_socket("::1", ifindex=1), VALID, True, True),
    ("a global address may be on another link", world(), make_socket("2001:db8::5", ifindex=3), VALID, None, True),
    ("an IPv4 address may be on another link", world(), make_socket("192.0.2.5", ifindex=3), VALID, None, True),
    ("tentative on the pinned link",
     world(addresses=v6("fe80::7/64", IFA_F_TENTATIVE)), make_socket("fe80::7", ifindex=2), PENDING, False, False),
    # -- VRF: the socket's own L3 domain
    ("an address of the VRF, pinned to the VRF",
     world(make_route("10.1.1.1", 4, table=10)), make_socket("10.1.1.1", ifindex=8), VALID, True, True),
    ("the same, pinned to a port of the VRF",
     world(make_route("10.1.1.1", 4, table=10)), make_socket("10.1.1.1", ifindex=4), VALID, True, True),
    ("the same, pinned to a bridge in the VRF",
     world(make_route("10.1.1.1", 4, table=10)), make_socket("10.1.1.1", ifindex=5), VALID, True, True),
    ("an address of the VRF is not local outside",
     world(make_route("10.1.1.1", 4, table=10), **looked_up("10.1.1.1", 0)),
     make_socket("10.1.1.1"), STALE_ADDRESS, False, False),
    ("an address outside is not local in the VRF",
     world(make_route("10.1.1.1", 4, table=10), **looked_up("192.0.2.5", 0, 8)),
     make_socket("192.0.2.5", ifindex=8), STALE_ADDRESS, False, False),
    ("policy rules do not stand before a VRF's table",
     world(make_route("10.1.1.1", 4, table=10), local_first=False),
     make_socket("10.1.1.1", ifindex=8), VALID, True, True),
    ("a VRF without a table accepts any IPv4 bind",
     world(missing_tables_ipv4=frozenset({10}), **looked_up("10.1.1.1", 0, 8)),
     make_socket("10.1.1.1", ifindex=8), VALID, False, True),
    ("an IPv6 address of the VRF",
     world(make_route("2001:db8:a::1", 4, table=10), addresses=[make_address("2001:db8:a::1/64", 4)]),
     make_socket("2001:db8:a::1", ifindex=8), VALID, True, True),
    ("an IPv6 address of the VRF does not count outside",
     world(addresses=[make_address("2001:db8:a::1/64", 4)], routes_ipv6=(), **looked_up("2001:db8:a::1", 0)),
     make_socket("2001:db8:a::1"), STALE_ADDRESS, False, False),
    ("an IPv6 address outside does not count in the VRF",
     world(**looked_up("2001:db8::5", 0, 8)), make_socket("2001:db8::5", ifindex=8), STALE_ADDRESS, False, False),
    # -- policy rules
    ("a rule before local sends the address elsewhere",
     world(local_first=False, **looked_up("192.0.2.5", RTN_UNICAST)), make_socket("192.0.2.5"), VALID, False, True),
    ("a rule before local that changes nothing",
     world(local_first=False, **looked_up("192.0.2.5", RTN_LOCAL)), make_socket("192.0.2.5"), VALID, True, True),
    ("a local route in another table: UDP only is reached",
     world(**looked_up(GONE, RTN_LOCAL)), make_socket(GONE, protocol="udp"), VALID, True, False),
    ("no SYN is answered from there",
     world(**looked_up(GONE, RTN_LOCAL)), make_socket(GONE), STALE_ADDRESS, False, False),
    ("by an IPv6 rule it is reached", world(**looked_up(GONE6, RTN_LOCAL)), make_socket(GONE6), VALID, True, False),
    # -- one trie for local and main, until the first rule
    ("one trie: a longer prefix in main hides a local one",
     world(ANYIP, ipv4_merged=True, **looked_up("203.0.113.9", RTN_UNICAST)),
     make_socket("203.0.113.9"), STALE_ADDRESS, False, False),
    ("two tries: it hides nothing",
     world(ANYIP, ipv4_merged=False, **looked_up("203.0.113.9", RTN_UNICAST)),
     make_socket("203.0.113.9"), VALID, True, True),
    ("one trie: a local row of main is bindable",
     world(ipv4_merged=True, **looked_up(GONE, RTN_LOCAL)), make_socket(GONE, protocol="udp"), VALID, True, True),
    ("nobody knows whether it is one trie",
     world(ipv4_merged=None, **looked_up(GONE, RTN_LOCAL)), make_socket(GONE, protocol="udp"), VALID, True, None),
    # -- intended
    ("IP_FREEBIND says so", world(**NO_ROUTE), make_socket(GONE, freebind=True), INTENDED, False, False),
    ("IP_TRANSPARENT says so", world(**NO_ROUTE), make_socket(GONE, transparent=True), INTENDED, False, False),
    ("ip_nonlocal_bind says so, and binds it",
     world(nonlocal_bind_ipv4=True, **NO_ROUTE), make_socket(GONE), INTENDED, False, True),
    ("IPv6 has its own ip_nonlocal_bind",
     world(nonlocal_bind_ipv6=True, **NO_ROUTE6), make_socket(GONE6), INTENDED, False, True),
    ("which is not that of IPv4",
     world(nonlocal_bind_ipv4=True, **NO_ROUTE6), make_socket(GONE6), STALE_ADDRESS, False, False),
    ("valid comes before intended", world(), make_socket("192.0.2.5", freebind=True), VALID, True, True),
    ("a transparent listener answers a SYN from anywhere",
     world(**looked_up(GONE, RTN_LOCAL)), make_socket(GONE, transparent=True), VALID, True, False),
    # -- unread
    ("table local unread", world(routes_ipv4=None), make_socket("192.0.2.5"), UNKNOWN, None, None),
    ("table local unread is nothing to IPv6", world(routes_ipv4=None), make_socket("2001:db8::5"), VALID, True, True),
    ("addresses unread", make_network(LINKS, None), make_socket("2001:db8::5"), UNKNOWN, None, None),
    ("addresses unread is nothing to IPv4",
     make_network(LINKS, None, [make_route("192.0.2.5")]), make_socket("192.0.2.5"), VALID, True, True),
    ("links unread, pinned", make_network(None, ADDRESSES), make_socket("192.0.2.5", ifindex=2), UNKNOWN, None, None),
    ("links unread, pinned wildcard",
     make_network(None, ADDRESSES), make_socket("0.0.0.0", ifindex=2), UNKNOWN, None, None),
    ("links unread, not pinned", make_network(None, ADDRESSES), make_socket("192.0.2.5"), VALID, True, True),
    ("links unread: an IPv6 address may be in a VRF",
     make_network(None, ADDRESSES), make_socket("2001:db8::5"), UNKNOWN, None, None),
    ("IPv6 routes unread: the address is there, more is not known",
     world(routes_ipv6=None), make_socket("2001:db8::5"), VALID, None, True),
    ("IPv6 routes unread, pinned: the same",
     world(routes_ipv6=None), make_socket("fe80::5", ifindex=2), VALID, None, True),
    ("policy rules unread, and no lookup", world(local_first=None), make_socket("192.0.2.5"), VALID, None, True),
    ("policy rules unread, but the lookup",
     world(local_first=None, **looked_up("192.0.2.5", RTN_LOCAL)), make_socket("192.0.2.5"), VALID, True, True),
    ("the lookup could not be asked", world(**looked_up(GONE, None)), make_socket(GONE), UNKNOWN, None, False),
    ("the lookup was not asked", world(), make_socket(GONE), UNKNOWN, None, False),
    ("ip_nonlocal_bind unread, address gone",
     world(nonlocal_bind_ipv4=None, **NO_ROUTE), make_socket(GONE), UNKNOWN, False, None),
    ("ip_nonlocal_bind unread, address there",
     world(nonlocal_bind_ipv4=None), make_socket("192.0.2.5"), VALID, True, True),
    ("ip_nonlocal_bind unread, but freebind",
     world(nonlocal_bind_ipv4=None, **NO_ROUTE), make_socket(GONE, freebind=True), INTENDED, False, None),
    ("ip_nonlocal_bind unread, tentative",
     world(addresses=v6("2001:db8::7/64", IFA_F_TENTATIVE), nonlocal_bind_ipv6=None, **looked_up("2001:db8::7", 0)),
     make_socket("2001:db8::7"), PENDING, False, None),
    ("pin unread, address there: a dead pin is not excluded",
     world(), make_socket("192.0.2.5", ifindex=None), VALID, None, None),
    ("pin unread, wildcard", world(), make_socket("0.0.0.0", ifindex=None), WILDCARD, None, None),
    ("pin unread, address gone", world(**NO_ROUTE), make_socket(GONE, ifindex=None), UNKNOWN, False, False),
    ("options unread, address gone",
     world(**NO_ROUTE), make_socket(GONE, freebind=None, transparent=None), UNKNOWN, False, False),
    ("transparent alone unread, address gone",
     world(**NO_ROUTE), make_socket(GONE, transparent=None), UNKNOWN, False, False),
    ("options unread, address there",
     world(), make_socket("192.0.2.5", freebind=None, transparent=None), VALID, True, True),
    ("nothing read at all: IPv4", NO_NETWORK, make_socket("192.0.2.5"), UNKNOWN, None, None),
    ("nothing read at all: IPv6", NO_NETWORK, make_socket("2001:db8::5"), UNKNOWN, None, None),
    ("nothing read at all: pinned", NO_NETWORK, make_socket("2001:db8::5", ifindex=2), UNKNOWN, None, None),
    ("nothing read at all: a wildcard stays one", NO_NETWORK, make_socket("::"), WILDCARD, True, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("network", "socket", "state", "reachable", "rebindable"),
    [row[1:] for row in TEST_WORLDS],
    ids=[row[0] for row in TEST_WORLDS],
)
def test_judge(network, socket, state, reachable, rebindable):
    binding = Locality(network).judge(socket)
    assert (binding.state, binding.reachable, binding.rebindable) == (state, reachable, rebindable), binding.reason
    assert binding.reason


def test_intended_addresses():
    intended = [Prefix(ip_address("192.0.2.96").packed, 28), Prefix(ip_address("2001:db8::").packed, 64)]
    locality = Locality(world(lookups={**NO_ROUTE["lookups"], **NO_ROUTE6["lookups"]}), intended)
    for address in (GONE, GONE6, f"::ffff:{GONE}"):
        binding = locality.judge(make_socket(address))
        assert (binding.state, binding.reachable, binding.rebindable) == (INTENDED, False, False)
        assert binding.reason.endswith("listed in intended_addresses")
    assert locality.judge(make_socket("192.0.2.5")).state == VALID
    assert locality.judge(make_socket(GONE, ifindex=99)).state == STALE_INTERFACE


def test_equal_bindings_get_equal_answers_whatever_else_differs():
    locality = Locality(world(**NO_ROUTE))
    assert locality.judge(make_socket(GONE, 80, uid=1)) is locality.judge(make_socket(GONE, 81, uid=2))
    assert locality.judge(make_socket(GONE, 80)) != locality.judge(make_socket(GONE, 80, freebind=True))


TEST_REASONS = [
    (make_socket("192.0.2.5"), "192.0.2.5 is assigned to eth0"),
    (make_socket("127.5.6.7"), "local 127.0.0.0/8 dev lo"),
    (make_socket("192.0.2.255"), "broadcast 192.0.2.255/32 dev eth0"),
    (make_socket(GONE), "no local route for 192.0.2.99"),
    (make_socket("2001:db8::5", ifindex=99), "pinned to interface index 99, which no longer exists"),
]


@pytest.mark.parametrize(("socket", "reason"), TEST_REASONS)
def test_reasons_say_what_was_seen(socket, reason):
    assert Locality(world(**NO_ROUTE)).judge(socket).reason == reason


# -- what the kernel has to be asked

TEST_OPEN = [
    ("local by its own row", world(), make_socket("192.0.2.5"), set()),
    ("gone", world(), make_socket(GONE), {(0, ip_address(GONE).packed)}),
    ("v4-mapped is asked as IPv4", world(), make_socket(f"::ffff:{GONE}"), {(0, ip_address(GONE).packed)}),
    ("in a VRF", world(), make_socket(GONE, ifindex=4), {(8, ip_address(GONE).packed)}),
    ("behind policy rules", world(local_first=False), make_socket("192.0.2.5"), {(0, b"\xc0\0\2\5")}),
    ("rules unread", world(local_first=None), make_socket("192.0.2.5"), {(0, b"\xc0\0\2\5")}),
    ("broadcast", world(), make_socket("192.0.2.255"), {(0, b"\xc0\0\2\xff")}),
    ("a wildcard", world(), make_socket("::ffff:0.0.0.0"), set()),
    ("multicast", world(), make_socket("ff02::1", ifindex=2), set()),
    ("a dead index", world(), make_socket(GONE, ifindex=99), set()),
    ("link-local and pinned", world(), make_socket("fe80::99", ifindex=2), set()),
    ("pin unread", world(), make_socket(GONE, ifindex=None), {(0, ip_address(GONE).packed)}),
]


@pytest.mark.parametrize(("_what", "network", "socket", "expected"), TEST_OPEN)
def test_find_open_lookups(_what, network, socket, expected):
    assert Locality(network).closer.find_open_lookups([socket]) == expected


TEST_LINKS_OF = [
    ("where the address is", make_socket("192.0.2.5"), [ETH0]),
    ("where the route is", make_socket("127.5.6.7"), [LO]),
    ("the pin, wherever the address is", make_socket("192.0.2.5", ifindex=3), [ETH1]),
    ("a dead pin", make_socket("192.0.2.5", ifindex=99), []),
    ("nowhere", make_socket(GONE), []),
]


@pytest.mark.parametrize(("_what", "socket", "expected"), TEST_LINKS_OF)
def test_links_of(_what, socket, expected):
    assert Locality(world()).closer.links_of(socket) == expected


def test_a_wildcard_is_on_no_link_even_where_one_makes_everything_local():
    assert Locality(world(make_route("0.0.0.0/0", 3))).closer.links_of(make_socket("0.0.0.0")) == []
