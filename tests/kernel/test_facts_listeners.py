# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our rules take for granted about Linux: what pins a listener, and what becomes of it when its address goes.

One test for each quirk, which makes the truth that it checks. When one of these fails, the kernel is another than the
rules were written for, whatever the random worlds say.
"""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.infracheck.bindings.tests.kernel.facts import (
    LO,
    TCP_ESTABLISHED,
    VETH,
    bind_error,
    in_namespace,
    open_socket,
    reach_error,
    read_tcp_state,
    settle,
)
from ansible_collections.infracheck.bindings.tests.kernel.worlds.build import Namespaces

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")


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
