# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our rules take for granted about Linux: which IPv4 addresses bind and are reached.

One test for each quirk, which makes the truth that it checks. When one of these fails, the kernel is another than the
rules were written for, whatever the random worlds say.
"""

from __future__ import annotations

import os

import pytest
from ansible_collections.infracheck.bindings.tests.kernel.facts import (
    FREEBIND,
    LO,
    RTN_LOCAL,
    RTN_UNICAST,
    TRANSPARENT,
    VETH,
    bind_error,
    comes_true,
    in_namespace,
    open_socket,
    reach_error,
    route_type,
)
from ansible_collections.infracheck.bindings.tests.kernel.worlds.build import Namespaces

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")


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
