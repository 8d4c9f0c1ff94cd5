# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our rules take for granted about Linux: which IPv6 addresses bind and are reached.

One test for each quirk, which makes the truth that it checks. When one of these fails, the kernel is another than the
rules were written for, whatever the random worlds say.
"""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.infracheck.bindings.tests.kernel.facts import (
    FREEBIND,
    LO,
    RTN_LOCAL,
    VETH,
    bind_error,
    in_namespace,
    open_socket,
    reach_error,
    route_type,
    settle,
)
from ansible_collections.infracheck.bindings.tests.kernel.worlds.build import Namespaces
from ansible_collections.infracheck.bindings.tests.kernel.worlds.view import read_ipv6_addresses

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")


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


@in_namespace
def test_the_rules_of_ipv6_count_from_the_first_that_is_added(namespaces: Namespaces) -> None:
    """fib6_has_custom_rules: taking out the rule for table local alone does nothing, so the rules cannot be believed.

    IPv4 notices at once (fib4_rule_delete).
    """
    namespaces.run([LO])
    settle("::1")
    namespaces.run(["ip -6 rule del pref 0", "ip rule del pref 0"])
    assert route_type("127.0.0.1") == 0
    assert route_type("::1") == RTN_LOCAL
    namespaces.run(["ip -6 rule add pref 50 to 2001:db8:1::1 lookup 100"])
    assert route_type("::1") == 0
    assert bind_error("127.0.0.1") == ""
    assert bind_error("::1") == ""
