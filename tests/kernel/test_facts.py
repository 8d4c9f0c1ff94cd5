# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our rules take for granted about Linux: one test for each quirk, which makes the truth that it checks.

When one of these fails, the kernel is another than the rules were written for, whatever the random worlds say.
"""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.infracheck.bindings.tests.kernel.facts import (
    FREEBIND,
    TRANSPARENT,
    bind_error,
    comes_true,
    in_namespace,
    open_socket,
    reach_error,
    route_type,
)
from ansible_collections.infracheck.bindings.tests.kernel.worlds.build import Namespaces
from ansible_collections.infracheck.bindings.tests.kernel.worlds.view import read_ipv6_addresses

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")

LO = "ip link set lo up"
VETH = (
    LO,
    "ip link add v0a type veth peer name v0b",
    "ip link set v0a up",
    "ip link set v0b up",
)
RTN_UNICAST, RTN_LOCAL = 1, 2
TCP_ESTABLISHED = 1


def read_tcp_state(connection: socket.socket) -> int:
    """tcpi_state, the first byte of struct tcp_info."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def settle(address: str) -> None:
    """The route of an IPv6 address comes from a work queue (addrconf_dad_work)."""
    assert comes_true(lambda: route_type(address) == RTN_LOCAL)


# --- What IPv4 lets bind ---


@in_namespace
def test_before_its_first_address_a_namespace_lets_any_ipv4_address_bind(namespaces: Namespaces) -> None:
    """inet_addr_type_table: without a table the answer stays RTN_BROADCAST."""
    assert bind_error("198.51.100.9") == ""
    assert bind_error("::ffff:198.51.100.9") == ""
    assert route_type("198.51.100.9") == 0
    namespaces.run([LO])
    assert bind_error("198.51.100.9") == "EADDRNOTAVAIL"


@in_namespace
def test_the_whole_of_127_8_is_local_while_lo_has_its_address(namespaces: Namespaces) -> None:
    namespaces.run([LO])
    with open_socket("127.9.8.7") as listening:
        assert reach_error(listening, "127.9.8.7") == ""
        namespaces.run(["ip addr del 127.0.0.1/8 dev lo"])
        assert bind_error("127.9.8.7") == "EADDRNOTAVAIL"
        assert reach_error(listening, "127.9.8.7") != ""


@in_namespace
def test_broadcast_addresses_bind_but_only_datagrams_arrive(namespaces: Namespaces) -> None:
    namespaces.run([*VETH, "ip addr add 192.0.2.1/24 brd + dev v0a"])
    for address in ("192.0.2.255", "255.255.255.255"):
        assert bind_error(address) == ""
        assert bind_error(address, udp=True) == ""
    with open_socket("192.0.2.255") as tcp, open_socket("192.0.2.255", udp=True) as udp:
        assert reach_error(tcp, "192.0.2.255") == "ENETUNREACH"
        assert reach_error(udp, "192.0.2.255") == ""
    with open_socket("255.255.255.255", udp=True) as udp:
        assert reach_error(udp, "255.255.255.255", pin="v0a") == ""
    namespaces.run(["ip link set v0a down"])
    assert bind_error("192.0.2.255") == "EADDRNOTAVAIL"
    assert bind_error("255.255.255.255") == ""


@in_namespace
def test_broadcast_without_carrier_is_passed_over_on_request(namespaces: Namespaces) -> None:
    namespaces.run([*VETH, "ip addr add 192.0.2.1/24 brd + dev v0a", "ip link set v0b down"])
    assert bind_error("192.0.2.255") == ""
    namespaces.run(["sysctl net/ipv4/conf/v0a/ignore_routes_with_linkdown=1"])
    assert comes_true(lambda: bind_error("192.0.2.255") == "EADDRNOTAVAIL")  # a lost carrier is noticed within a second
    assert bind_error("192.0.2.1") == ""


@in_namespace
def test_broadcast_of_127_8_binds_on_any_link_though_no_route_lookup_finds_it(namespaces: Namespaces) -> None:
    namespaces.run([*VETH[1:], "ip addr add 127.0.0.6/8 brd + dev v0a"])
    assert bind_error("127.255.255.255") == ""
    assert route_type("127.255.255.255") == 0


@in_namespace
def test_multicast_binds_without_any_membership(namespaces: Namespaces) -> None:
    namespaces.run([LO])
    for udp in (False, True):
        assert bind_error("224.0.0.251", udp=udp) == ""
        assert bind_error("::ffff:224.0.0.251", udp=udp) == ""


@in_namespace
def test_an_address_stays_local_on_a_link_that_is_down(namespaces: Namespaces) -> None:
    namespaces.run([*VETH, "ip addr add 192.0.2.1/24 dev v0a", "ip link set v0a down"])
    with open_socket("192.0.2.1") as listening:
        assert reach_error(listening, "192.0.2.1") == ""


@in_namespace
def test_other_addresses_of_an_own_subnet_do_not_bind(namespaces: Namespaces) -> None:
    namespaces.run([*VETH, "ip addr add 192.0.2.1/24 brd + dev v0a"])
    assert bind_error("192.0.2.77") == "EADDRNOTAVAIL"
    assert bind_error("0.0.0.5") == "EADDRNOTAVAIL"


@in_namespace
def test_the_network_address_does_not_bind(namespaces: Namespaces) -> None:
    """It is one of the broadcast addresses up to Linux 5.13."""
    namespaces.run([*VETH, "ip addr add 192.0.2.1/24 brd + dev v0a"])
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    assert bind_error("192.0.2.0") == ("EADDRNOTAVAIL" if release >= (5, 14) else "")


@in_namespace
def test_anyip_makes_a_whole_block_local_for_as_long_as_its_route_is_there(namespaces: Namespaces) -> None:
    namespaces.run([LO, "ip route add local 198.51.100.0/24 dev lo"])
    with open_socket("198.51.100.200") as listening:
        assert reach_error(listening, "198.51.100.200") == ""
        namespaces.run(["ip route del local 198.51.100.0/24 dev lo"])
        assert reach_error(listening, "198.51.100.200") != ""
        assert bind_error("198.51.100.200") == "EADDRNOTAVAIL"


@in_namespace
def test_v4_mapped_addresses_follow_the_ipv4_rules(namespaces: Namespaces) -> None:
    namespaces.run([LO, "ip route add local 198.51.100.0/24 dev lo"])
    assert bind_error("::ffff:198.51.100.1") == ""
    assert bind_error("::ffff:203.0.113.1") == "EADDRNOTAVAIL"
    assert bind_error("::ffff:198.51.100.1", v6only=True) == "EINVAL"
    namespaces.run(["sysctl net/ipv4/ip_nonlocal_bind=1"])
    assert bind_error("::ffff:203.0.113.1") == ""


# --- Tables and rules ---


@in_namespace
def test_bind_asks_table_local_alone(namespaces: Namespaces) -> None:
    namespaces.run(
        [LO, "ip route add local 198.51.100.0/24 dev lo table 100", "ip rule add to 198.51.100.0/24 lookup 100"]
    )
    assert route_type("198.51.100.1") == RTN_LOCAL
    assert bind_error("198.51.100.1") == "EADDRNOTAVAIL"


@in_namespace
def test_no_tcp_from_an_address_that_only_a_rule_makes_local(namespaces: Namespaces) -> None:
    """__ip_dev_find refuses it as a source, so no SYN is answered; IP_TRANSPARENT passes by (FLOWI_FLAG_ANYSRC)."""
    namespaces.run(
        [
            *VETH[:3],
            "ip link set v0b netns OTHER",
            "ip addr add 192.0.2.1/24 dev v0a",
            "other ip link set v0b up",
            "other ip addr add 192.0.2.2/24 dev v0b",
            "other ip route add 198.51.100.0/24 via 192.0.2.1",
            "ip route add local 198.51.100.0/24 dev lo table 100",
            "ip rule add to 198.51.100.0/24 lookup 100",
        ]
    )
    for udp, options in ((True, FREEBIND), (False, TRANSPARENT)):
        with open_socket("198.51.100.1", udp=udp, options=options) as listening, namespaces.elsewhere():
            assert comes_true(lambda: reach_error(listening, "198.51.100.1") == "")
    with open_socket("198.51.100.1", options=FREEBIND) as listening, namespaces.elsewhere():
        assert reach_error(listening, "198.51.100.1") == "ETIMEDOUT"


@in_namespace
def test_tables_local_and_main_are_one_trie_until_the_first_rule(namespaces: Namespaces) -> None:
    """fib_trie_unmerge: once apart, they stay apart, also after the rule is gone."""
    namespaces.run(
        [
            *VETH,
            "ip addr add 192.0.2.3/29 dev v0a",
            "ip route add local 192.0.2.0/24 dev lo table local",
            "ip route add local 198.51.100.0/24 dev lo table main",
        ]
    )
    # The longer prefix wins, from whichever table; a local route in main lets bind.
    assert bind_error("192.0.2.5") == "EADDRNOTAVAIL"
    assert route_type("192.0.2.5") == RTN_UNICAST
    assert bind_error("192.0.2.200") == ""
    assert bind_error("198.51.100.1") == ""
    for step in ("ip rule add pref 50 to 203.0.113.1 lookup 100", "ip rule del pref 50"):
        namespaces.run([step])
        assert bind_error("192.0.2.5") == ""
        assert route_type("192.0.2.5") == RTN_LOCAL
        assert bind_error("198.51.100.1") == "EADDRNOTAVAIL"
        assert route_type("198.51.100.1") == RTN_LOCAL


@in_namespace
def test_with_nonlocal_bind_bind_is_no_oracle(namespaces: Namespaces) -> None:
    namespaces.run([LO, "sysctl net/ipv4/ip_nonlocal_bind=1", "sysctl net/ipv6/ip_nonlocal_bind=1"])
    assert bind_error("198.51.100.1") == ""
    assert bind_error("2001:db8:1::1") == ""
    assert route_type("198.51.100.1") == 0
    assert route_type("2001:db8:1::1") == 0


# --- What IPv6 lets bind ---


@in_namespace
def test_ipv6_bind_asks_the_addresses_and_delivery_the_routes(namespaces: Namespaces) -> None:
    namespaces.run([LO, "ip route add local 2001:db8:5::/64 dev lo", "ip addr add 2001:db8:6::1/128 dev lo nodad"])
    settle("2001:db8:6::1")
    assert bind_error("2001:db8:5::9") == "EADDRNOTAVAIL"
    with open_socket("2001:db8:5::9", options=FREEBIND) as listening:
        assert reach_error(listening, "2001:db8:5::9") == ""
    with open_socket("2001:db8:6::1") as listening:
        namespaces.run(["ip route del local 2001:db8:6::1 dev lo table local"])
        assert bind_error("2001:db8:6::1") == ""
        assert reach_error(listening, "2001:db8:6::1") != ""


@in_namespace
def test_a_tentative_address_is_not_yet_and_an_optimistic_one_is(namespaces: Namespaces) -> None:
    slow = ["sysctl net/ipv6/conf/v0a/accept_dad=1", "sysctl net/ipv6/conf/v0a/dad_transmits=1000"]
    namespaces.run([*VETH, *slow, "ip addr add 2001:db8:1::1/64 dev v0a"])
    assert bind_error("2001:db8:1::1") == "EADDRNOTAVAIL"
    namespaces.run(["ip addr del 2001:db8:1::1/64 dev v0a", "sysctl net/ipv6/conf/v0a/dad_transmits=0"])
    namespaces.run(["ip addr add 2001:db8:1::1/64 dev v0a"])
    settle("2001:db8:1::1")
    assert bind_error("2001:db8:1::1") == ""
    namespaces.run(
        [*slow, "sysctl net/ipv6/conf/v0a/optimistic_dad=1", "ip addr add 2001:db8:1::2/64 dev v0a optimistic"]
    )
    assert [row.flags & 0x44 for row in read_ipv6_addresses() if row.address == "2001:db8:1::2"] == [0x44]
    assert bind_error("2001:db8:1::2") == ""


@in_namespace
def test_an_address_that_failed_detection_does_not_bind(namespaces: Namespaces) -> None:
    complaints = namespaces.run(
        [
            *VETH,
            "ip addr add 2001:db8:1::1/64 dev v0b nodad",
            "sysctl net/ipv6/conf/v0a/accept_dad=1",
            "ip addr add 2001:db8:1::1/64 dev v0a",
            "wait v0a 2001:db8:1::1 dadfailed",
        ]
    )
    assert complaints == []
    assert bind_error("2001:db8:1::1") == ""  # the other end's own
    namespaces.run(["ip addr del 2001:db8:1::1/64 dev v0b"])
    assert bind_error("2001:db8:1::1") == "EADDRNOTAVAIL"


@in_namespace
def test_link_down_takes_ipv6_addresses_and_leaves_ipv4_ones(namespaces: Namespaces) -> None:
    addresses = ["ip addr add 192.0.2.1/24 dev v0a", "ip addr add 2001:db8:1::1/64 dev v0a nodad"]
    namespaces.run([*VETH, *addresses])
    settle("2001:db8:1::1")
    namespaces.run(["ip link set v0a down"])
    assert bind_error("192.0.2.1") == ""
    assert bind_error("2001:db8:1::1") == "EADDRNOTAVAIL"


@in_namespace
def test_an_ipv6_address_kept_on_a_link_that_is_down_binds_and_is_not_reached(namespaces: Namespaces) -> None:
    namespaces.run(
        [*VETH, "sysctl net/ipv6/conf/v0a/keep_addr_on_down=1", "ip addr add 2001:db8:1::1/64 dev v0a nodad"]
    )
    settle("2001:db8:1::1")
    with open_socket("2001:db8:1::1") as listening:
        assert reach_error(listening, "2001:db8:1::1") == ""
        namespaces.run(["ip link set v0a down"])
        assert bind_error("2001:db8:1::1") == ""
        assert reach_error(listening, "2001:db8:1::1") != ""


@in_namespace
def test_ipv6_multicast_of_link_scope_needs_a_link(namespaces: Namespaces) -> None:
    namespaces.run(VETH)
    index = socket.if_nametoindex("v0a")
    assert bind_error("ff02::fb", udp=True) == "EINVAL"
    assert bind_error("ff02::fb", udp=True, scope=index) == ""
    assert bind_error("ff0e::1:3", udp=True) == ""
    assert bind_error("ff02::fb", scope=index) == "EINVAL"  # no stream to a group


@in_namespace
def test_a_link_local_address_belongs_to_its_link(namespaces: Namespaces) -> None:
    namespaces.run([*VETH, "ip addr add fe80::1/64 dev v0a nodad"])
    assert bind_error("fe80::1") == "EINVAL"
    assert bind_error("fe80::1", scope=socket.if_nametoindex("v0a")) == ""
    assert bind_error("fe80::1", scope=socket.if_nametoindex("v0b")) == "EADDRNOTAVAIL"
    assert bind_error("fe80::1", scope=4242) == "ENODEV"


# --- Pins ---


@in_namespace
def test_pinned_ipv6_sockets_need_the_address_on_that_link_only_if_it_is_scoped(namespaces: Namespaces) -> None:
    namespaces.run([*VETH, "ip addr add 2001:db8:1::1/64 dev v0a nodad"])
    settle("2001:db8:1::1")
    assert bind_error("2001:db8:1::1", pin="v0b") == ""
    assert bind_error("::1", pin="lo") == ""
    assert bind_error("::1", pin="v0b") == "EADDRNOTAVAIL"


@in_namespace
def test_pinned_ipv4_sockets_may_have_the_address_of_any_link(namespaces: Namespaces) -> None:
    namespaces.run([*VETH, "ip addr add 192.0.2.1/24 dev v0a"])
    assert bind_error("192.0.2.1", pin="v0b") == ""
    assert bind_error("::ffff:192.0.2.1", pin="v0b") == ""


@in_namespace
def test_a_pin_may_name_an_index_that_never_was(namespaces: Namespaces) -> None:
    namespaces.run([LO])
    assert bind_error("127.0.0.1", pin=4242) == ""
    assert bind_error("::1", pin=4242) == "ENODEV"


@in_namespace
def test_a_recreated_link_is_another_link(namespaces: Namespaces) -> None:
    make = ["ip link add v0a type veth peer name v0b", "ip link set v0a up", "ip link set v0b up"]
    address = "ip addr add 192.0.2.1/24 dev v0a"
    namespaces.run([LO, *make, address])
    index = socket.if_nametoindex("v0a")
    with open_socket("192.0.2.1", pin="v0a") as listening:
        assert reach_error(listening, "192.0.2.1", pin="v0a") == ""
        namespaces.run(["ip link del v0a", *make, address])
        assert socket.if_nametoindex("v0a") != index
        assert reach_error(listening, "192.0.2.1", pin="v0a") == "ECONNREFUSED"
        assert bind_error("192.0.2.1", pin="v0a") == ""
        namespaces.run(
            ["ip link del v0a", f"ip link add v0a index {index} type veth peer name v0b", *make[1:], address]
        )
        assert reach_error(listening, "192.0.2.1", pin="v0a") == ""


# --- Listeners that outlive their address ---


@in_namespace
def test_a_listener_and_its_connections_outlive_the_address_and_come_back_with_it(namespaces: Namespaces) -> None:
    namespaces.run([*VETH, "ip addr add 192.0.2.1/24 dev v0a"])
    with open_socket("192.0.2.1") as listening, socket.socket() as client:
        client.connect(listening.getsockname())
        accepted = listening.accept()[0]
        namespaces.run(["ip addr del 192.0.2.1/24 dev v0a"])
        assert reach_error(listening, "192.0.2.1") != ""
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        assert [read_tcp_state(end) for end in (client, accepted)] == [TCP_ESTABLISHED, TCP_ESTABLISHED]
        namespaces.run(["ip addr add 192.0.2.1/24 dev v0a"])
        assert reach_error(listening, "192.0.2.1") == ""
        client.sendall(b"still there")
        accepted.settimeout(1)
        assert accepted.recv(16) == b"still there"
        accepted.close()


@in_namespace
def test_a_primary_address_takes_its_secondaries_with_it(namespaces: Namespaces) -> None:
    for promote in (0, 1):
        namespaces.run(
            [
                f"ip link add w{promote} type veth peer name x{promote}",
                f"sysctl net/ipv4/conf/w{promote}/promote_secondaries={promote}",
                f"ip addr add 192.0.{promote}.1/24 dev w{promote}",
                f"ip addr add 192.0.{promote}.2/24 dev w{promote}",
                f"ip addr del 192.0.{promote}.1/24 dev w{promote}",
            ]
        )
    assert bind_error("192.0.0.2") == "EADDRNOTAVAIL"
    assert bind_error("192.0.1.2") == ""


@in_namespace
def test_the_ipv6_wildcard_serves_ipv4_unless_v6only(namespaces: Namespaces) -> None:
    namespaces.run([LO])
    with open_socket("::", v6only=False) as dual, open_socket("::", v6only=True) as narrow:
        assert reach_error(dual, "127.0.0.1") == ""
        assert reach_error(narrow, "127.0.0.1") == "ECONNREFUSED"
        assert reach_error(narrow, "::1") == ""


@in_namespace
def test_a_socket_bound_to_one_ipv6_address_is_v6only(namespaces: Namespaces) -> None:
    namespaces.run([LO])
    with open_socket("::1", v6only=False) as listening:
        assert listening.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
