# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linux, macOS and FreeBSD as psutil shows them, with their peculiarities; the live comparison is in
test_psutil_live.py.
"""

from __future__ import annotations

import os
import socket
import sys
from ipaddress import ip_address
from types import SimpleNamespace

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import (
    BackendUnavailable,
    UnreadableTable,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Options, Ownership
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import select_backend
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.psutil_backend import (
    find_capabilities,
    make_backend,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.psutil_network import read_address
from builders import make_socket
from fake_psutil import (
    AF_LINK,
    AccessDenied,
    Connection,
    Endpoint,
    Error,
    NicAddress,
    NicStats,
    OldNicStats,
    Proc,
    make_psutil,
    tcp,
    udp,
)
from hypothesis import given
from hypothesis import strategies as st

LINUX, MACOS, FREEBSD = "linux", "darwin", "freebsd14"
INDEXES = [(1, "lo"), (2, "eth0"), (3, "lo0"), (4, "en0"), (5, "em0"), (6, "wg0")]


@pytest.fixture(autouse=True)
def _one_host(monkeypatch):
    monkeypatch.setattr(socket, "if_nameindex", lambda: INDEXES)
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def packed(text):
    return ip_address(text).packed


def endpoints(sockets):
    return [(row.protocol, row.family, row.packed, row.port) for row in sockets]


# -- getting it


@pytest.mark.parametrize("error", [ImportError("No module named 'psutil'"), NotImplementedError("platform haiku1")])
def test_without_psutil_the_error_says_how_to_get_it(monkeypatch, error):
    class Finder:
        @staticmethod
        def find_spec(name, *_rest):
            if name == "psutil":
                raise error

    monkeypatch.delitem(sys.modules, "psutil", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    monkeypatch.setattr(sys, "platform", LINUX)
    with pytest.raises(BackendUnavailable) as caught:
        select_backend("psutil")
    text = str(caught.value)
    assert str(error) in text
    assert sys.executable in text
    assert "pip install psutil" in text
    assert "backend=netlink" in text


def test_psutil_too_old_is_named_with_what_it_lacks(monkeypatch):
    old = SimpleNamespace(__version__="2.2.1", net_connections=None, pids=None, Process=None)
    monkeypatch.setitem(sys.modules, "psutil", old)
    with pytest.raises(BackendUnavailable, match=r"psutil 2.2.1 is too old: it has no net_if_addrs, net_if_stats"):
        select_backend("psutil")


@pytest.mark.parametrize(("name", "platform"), [("psutil", LINUX), ("psutil", MACOS), ("auto", FREEBSD)])
def test_selected(monkeypatch, name, platform):
    monkeypatch.setitem(sys.modules, "psutil", make_psutil())
    monkeypatch.setattr(sys, "platform", platform)
    backend = select_backend(name)
    assert backend.name == "psutil"
    assert backend.capabilities == find_capabilities(platform)


TEST_CAPABILITIES = [(LINUX, True, True), (MACOS, False, False), (FREEBSD, True, False), ("sunos5", True, False)]


@pytest.mark.parametrize(("platform", "nonlocal_binds", "whole_loopback"), TEST_CAPABILITIES)
def test_capabilities(platform, nonlocal_binds, whole_loopback):
    found = find_capabilities(platform)
    assert (found.pins, found.address_flags, found.link_state, found.routes) == (False, False, False, False)
    assert (found.nonlocal_binds, found.whole_loopback) == (nonlocal_binds, whole_loopback)
    assert (found.options, found.services) == (False, False)


def test_options_of_sockets_are_unknown_and_a_gap_already():
    options, gaps = make_backend(make_psutil(), LINUX).read_options(
        [make_socket()] * 2, [Ownership((), "found", None)] * 2
    )
    assert (options, gaps) == ([Options(reason="backend psutil cannot read them")] * 2, ())


# -- sockets

ROWS = [
    tcp(812, 6, "192.0.2.5", 443),
    tcp(813, 6, "192.0.2.5", 443),  # a worker of it
    tcp(812, 7, "192.0.2.5", 443),  # a duplicate
    tcp(812, 9, "192.0.2.5", 443, "ESTABLISHED", Endpoint("198.51.100.1", 50000)),
    tcp(900, 3, "::", 22),
    tcp(900, 4, "::ffff:192.0.2.5", 80),
    tcp(901, 3, "127.0.0.1", 40000, "SYN_SENT", Endpoint("127.0.0.1", 1)),
    udp(902, 5, "0.0.0.0", 53),
    udp(902, 6, "192.0.2.5", 50001, Endpoint("192.0.2.53", 53)),  # connected
    Connection(7, socket.AF_INET, socket.SOCK_DGRAM, (), (), "NONE", 902),  # not bound
    Connection(8, socket.AF_INET, socket.SOCK_STREAM, (), (), "CLOSE", 902),
]
PROCESSES = [
    Proc(812),
    Proc(813, uid=65534),
    Proc(900, "sshd", "/usr/sbin/sshd"),
    Proc(901, "curl", "/usr/bin/curl"),
    Proc(902, "unbound", "/usr/sbin/unbound"),
]
SEEN = [
    ("tcp", "ipv6", packed("::"), 22),
    ("tcp", "ipv6", packed("::ffff:192.0.2.5"), 80),
    ("tcp", "ipv4", packed("192.0.2.5"), 443),
]


@pytest.mark.parametrize("platform", [LINUX, MACOS, FREEBSD])
def test_listeners_and_bound_udp_sockets_each_once(platform):
    backend = make_backend(make_psutil(ROWS, PROCESSES), platform)
    sockets, gaps = backend.read_sockets(("tcp", "udp"))
    assert endpoints(sockets) == [*SEEN, ("udp", "ipv4", bytes(4), 53)]
    assert endpoints(backend.read_sockets(("tcp",))[0]) == SEEN
    assert {gap.subject for gap in gaps} == {"pinned interfaces", "socket options", "socket details"}
    for row in sockets:
        unseen = (row.ifindex, row.v6only, row.backlog, row.queued, row.uid, row.cgroup_id, row.freebind)
        assert unseen == (None,) * 7
        assert (row.inode, row.transparent) == (0, None)


def test_sockets_are_sorted_and_the_same_in_any_order_of_the_table():
    forward = make_backend(make_psutil(ROWS), LINUX).read_sockets(("tcp", "udp"))
    assert make_backend(make_psutil(ROWS[::-1]), LINUX).read_sockets(("udp", "tcp")) == forward
    assert list(forward[0]) == sorted(forward[0], key=lambda row: row.sort_key)


def test_kame_keeps_the_scope_inside_the_address():
    rows = [tcp(1, 3, "fe80:4::1", 22), tcp(1, 4, "fe80::2", 22), udp(1, 5, "ff02:4::fb", 5353)]
    sockets, _gaps = make_backend(make_psutil(rows), MACOS).read_sockets(("tcp", "udp"))
    assert [(row.packed, row.ifindex) for row in sockets] == [
        (packed("fe80::1"), 4),
        (packed("fe80::2"), None),
        (packed("ff02::fb"), 4),
    ]
    sockets, _gaps = make_backend(make_psutil(rows), LINUX).read_sockets(("tcp",))
    assert [(row.packed, row.ifindex) for row in sockets] == [(packed("fe80::2"), None), (packed("fe80:4::1"), None)]


def odd(family, *place):
    return Connection(3, family, socket.SOCK_STREAM, place, (), "LISTEN", 1)


TEST_ODD_ROWS = [
    ("an asterisk", odd(socket.AF_INET, "*", 22), "0.0.0.0"),
    ("an IPv6 asterisk", odd(socket.AF_INET6, "*", 22), "::"),
    ("a plain tuple", odd(socket.AF_INET, "192.0.2.5", 22), "192.0.2.5"),
    ("IPv4 on an IPv6 socket", odd(socket.AF_INET6, "192.0.2.5", 22), "::ffff:192.0.2.5"),
    ("a scope", tcp(1, 3, "fe80::1%eth0", 22), "fe80::1"),
]


@pytest.mark.parametrize(("_what", "row", "expected"), TEST_ODD_ROWS)
def test_odd_rows(_what, row, expected):
    ((found,), _gaps) = make_backend(make_psutil([row]), LINUX).read_sockets(("tcp",))
    assert (found.packed, found.port) == (packed(expected), 22)


def test_connected_udp_with_an_empty_peer_is_bound_and_not_connected():
    rows = [udp(1, 3, "192.0.2.5", 53, Endpoint("0.0.0.0", 0))]
    assert len(make_backend(make_psutil(rows), "sunos5").read_sockets(("udp",))[0]) == 1


def test_address_that_cannot_be_read_is_a_gap_and_not_a_shorter_list():
    rows = [tcp(1, 3, "what is this", 22), tcp(1, 4, "192.0.2.5", 23)]
    sockets, gaps = make_backend(make_psutil(rows), LINUX).read_sockets(("tcp",))
    assert len(sockets) == 1
    assert ("tcp listeners", "the addresses of 1 could not be read") in [(gap.subject, gap.reason) for gap in gaps]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("malformed line"), Error("psutil")])
def test_table_that_cannot_be_read_is_an_error(error):
    backend = make_backend(make_psutil(ROWS, net_connections=error), LINUX)
    with pytest.raises(UnreadableTable, match="tcp sockets could not be read through psutil"):
        backend.read_sockets(("tcp",))


@pytest.mark.parametrize("old_names", [False, True])
def test_macos_refuses_the_table_and_is_read_process_by_process(old_names):
    processes = [Proc(812), Proc(813, gone=True), Proc(900, denied=True), Proc(901, denied=True), Proc(902)]
    library = make_psutil(ROWS, processes, all_or_nothing=True, old_names=old_names)
    sockets, gaps = make_backend(library, MACOS).read_sockets(("tcp", "udp"))
    assert endpoints(sockets) == [("tcp", "ipv4", packed("192.0.2.5"), 443), ("udp", "ipv4", bytes(4), 53)]
    reasons = {gap.subject: gap.reason for gap in gaps if "other users" in gap.subject}
    assert set(reasons) == {"tcp listeners of other users", "udp listeners of other users"}
    assert reasons["tcp listeners of other users"].startswith("2 processes cannot be looked into")


# -- owners


def owners_of(backend, every_holder):
    sockets, _gaps = backend.read_sockets(("tcp", "udp"))
    ownerships, gaps = backend.read_owners(sockets, range(len(sockets)) if every_holder else ())
    named = {(row.protocol, row.port): ownership for row, ownership in zip(sockets, ownerships)}
    return named, {gap.subject for gap in gaps}


def holders(ownership):
    return [(owner.pid, owner.fd) for owner in ownership.owners]


@pytest.mark.parametrize("platform", [LINUX, FREEBSD])
def test_one_holder_of_each_socket_is_said_to_be_one(platform):
    named, subjects = owners_of(make_backend(make_psutil(ROWS, PROCESSES), platform), every_holder=False)
    assert holders(named["tcp", 443]) == [(812, 6)]
    assert (named["tcp", 443].status, named["tcp", 443].complete, named["tcp", 443].service) == ("found", False, None)
    assert subjects == {"services", "further holders of a socket"}


@pytest.mark.parametrize("platform", [LINUX, FREEBSD])
def test_every_holder_is_found_process_by_process(platform):
    named, subjects = owners_of(make_backend(make_psutil(ROWS, PROCESSES), platform), every_holder=True)
    assert holders(named["tcp", 443]) == [(812, 6), (812, 7), (813, 6)]
    assert all(ownership.complete for ownership in named.values())
    assert subjects == {"services"}


def test_macos_names_every_holder_at_once():
    library = make_psutil(ROWS, PROCESSES, one_holder=False, all_or_nothing=True)
    named, subjects = owners_of(make_backend(library, MACOS), every_holder=False)
    assert holders(named["tcp", 443]) == [(812, 6), (812, 7), (813, 6)]
    assert subjects == {"services"}


def test_owner_has_a_name_a_program_and_the_effective_user():
    named, _subjects = owners_of(make_backend(make_psutil(ROWS, PROCESSES), LINUX), every_holder=False)
    (owner,) = named["udp", 53].owners
    assert (owner.name, owner.exe, owner.user) == ("unbound", "/usr/sbin/unbound", "root")


def test_what_an_owner_does_not_tell_is_none_and_what_it_tells_is_harmless():
    processes = [Proc(1, "a\x1b[2J", AccessDenied(1), uid=3999999999)]
    named, _subjects = owners_of(make_backend(make_psutil([tcp(1, 3, "::", 22)], processes), LINUX), False)
    (owner,) = named["tcp", 22].owners
    assert (owner.name, owner.exe, owner.user) == ("a\\x1b[2J", None, "3999999999")
    processes = [Proc(1, Error(), "")]
    named, _subjects = owners_of(make_backend(make_psutil([tcp(1, 3, "::", 22)], processes), LINUX), False)
    assert (named["tcp", 22].owners[0].name, named["tcp", 22].owners[0].exe) == ("", None)


def test_process_that_ended_meanwhile_holds_nothing():
    named, _subjects = owners_of(make_backend(make_psutil([tcp(1, 3, "::", 22)], [Proc(1, gone=True)]), LINUX), False)
    assert (named["tcp", 22].owners, named["tcp", 22].status) == ((), "unknown")


@pytest.mark.parametrize("every_holder", [False, True])
def test_socket_of_a_process_that_is_closed_to_us_is_denied(monkeypatch, every_holder):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    processes = [Proc(1, denied=True), Proc(2)]
    rows = [tcp(1, 3, "::", 22), tcp(2, 3, "::", 23)]
    named, _subjects = owners_of(make_backend(make_psutil(rows, processes), LINUX), every_holder)
    assert [(named["tcp", port].status, named["tcp", port].complete) for port in (22, 23)] == [
        ("denied", False),
        ("found", False),
    ]


def test_owners_of_nothing_and_owners_that_cannot_be_read():
    backend = make_backend(make_psutil(ROWS, PROCESSES), LINUX)
    assert backend.read_owners([], ()) == ([], ())
    sockets, _gaps = backend.read_sockets(("tcp",))
    broken = make_backend(make_psutil(ROWS, net_connections=OSError(5, "Input/output error")), LINUX)
    ownerships, gaps = broken.read_owners(sockets, ())
    assert {ownership.status for ownership in ownerships} == {"unknown"}
    assert "owners of tcp listeners" in {gap.subject for gap in gaps}


# -- links and addresses


def network_of(nics, stats, platform=LINUX, **failing):
    return make_backend(make_psutil(nics=nics, stats=stats, **failing), platform).read_network()


LO = [NicAddress(socket.AF_INET, "127.0.0.1", "255.0.0.0"), NicAddress(socket.AF_INET6, "::1", "ffff:" * 7 + "ffff")]
MASK64 = "ffff:ffff:ffff:ffff::"


def test_linux_host():
    nics = {
        "lo": [*LO, NicAddress(AF_LINK, "00:00:00:00:00:00")],
        "eth0": [
            NicAddress(socket.AF_INET, "192.0.2.5", "255.255.255.0", "192.0.2.255"),
            NicAddress(socket.AF_INET6, "fe80::1%eth0", MASK64),
            NicAddress(AF_LINK, "02:00:00:00:00:0A", None, "ff:ff:ff:ff:ff:ff"),
            NicAddress(0, None),  # an interface without an address, since psutil 7.2
        ],
        "eth0:two": [NicAddress(socket.AF_INET, "192.0.2.6", "255.255.255.0")],
    }
    stats = {
        "lo": NicStats(True, 0, 0, 65536, "up,loopback,running"),
        "eth0": NicStats(False, 0, 0, 1500, "up,broadcast"),
    }
    network, gaps = network_of(nics, stats)
    assert [(link.ifindex, link.name, link.flags, link.mtu, link.mac) for link in network.links] == [
        (1, "lo", 0x49, 65536, "00:00:00:00:00:00"),
        (2, "eth0", 0x1, 1500, "02:00:00:00:00:0a"),
    ]
    assert [(row.ifindex, row.packed, row.prefixlen, row.broadcast, row.label) for row in network.addresses] == [
        (1, packed("127.0.0.1"), 8, None, "lo"),
        (1, packed("::1"), 128, None, None),
        (2, packed("192.0.2.5"), 24, packed("192.0.2.255"), "eth0"),
        (2, packed("fe80::1"), 64, None, None),
        (2, packed("192.0.2.6"), 24, None, "eth0:two"),
    ]
    assert all(row.flags is None and row.scope is None and row.valid_lifetime is None for row in network.addresses)
    assert all(
        (link.kind, link.operstate, link.master, link.vrf_table) == (None, None, 0, None) for link in network.links
    )
    assert (network.routes_ipv4, network.routes_ipv6, network.local_first) == (None, None, None)
    assert (network.nonlocal_bind_ipv4, network.nonlocal_bind_ipv6) == (None, None)
    assert {gap.subject for gap in gaps} == {"address flags", "link details", "local routes"}


TEST_BROADCASTS = [
    ("of its network", LINUX, "255.255.255.0", "192.0.2.255", "192.0.2.255"),
    ("a veth's peer address in the same place", LINUX, "255.255.255.255", "192.0.2.77", None),
    ("a peer in the same network", LINUX, "255.255.255.0", "192.0.2.77", None),
    ("two addresses have no broadcast", LINUX, "255.255.255.254", "192.0.2.5", None),
    ("macOS has places for both", MACOS, "255.255.255.0", "192.0.2.0", "192.0.2.0"),
]


@pytest.mark.parametrize(("_what", "platform", "mask", "told", "expected"), TEST_BROADCASTS)
def test_broadcast(_what, platform, mask, told, expected):
    network, _gaps = network_of({"en0": [NicAddress(socket.AF_INET, "192.0.2.5", mask, told)]}, {}, platform)
    assert network.addresses[0].broadcast == (expected and packed(expected))


def test_macos_and_freebsd_hosts():
    nics = {
        "lo0": [*LO, NicAddress(socket.AF_INET6, "fe80::1%lo0", MASK64)],
        "en0": [NicAddress(socket.AF_INET6, "fe80:4::2%en0", MASK64)],
        "wg0": [NicAddress(socket.AF_INET, "10.0.0.1", "255.255.255.255", None, "10.0.0.2")],
        "utun9": [NicAddress(socket.AF_INET, "10.1.0.1", None, None, "10.1.0.1")],
    }
    for platform in (MACOS, FREEBSD):
        network, _gaps = network_of(nics, {"lo0": NicStats(True, 0, 0, 16384)}, platform)
        by_link = {row.packed: (row.ifindex, row.prefixlen, row.peer) for row in network.addresses}
        assert by_link[packed("fe80::1")] == (3, 64, None)
        assert by_link[packed("fe80::2")] == (4, 64, None)
        assert by_link[packed("10.0.0.1")] == (6, 32, packed("10.0.0.2"))
        assert by_link[packed("10.1.0.1")] == (0, 32, None)  # no index, no mask, itself as the peer
        assert {link.name: link.flags for link in network.links}["lo0"] is None


def test_psutil_before_5_9_3_has_no_flags():
    network, _gaps = network_of({"lo": LO}, {"lo": OldNicStats(True, 0, 0, 65536)})
    assert (network.links[0].flags, network.links[0].mtu) == (None, 65536)


def test_names_are_harmless():
    network, _gaps = network_of({"e\x1b[m": LO}, {})
    assert network.links[0].name == "e\\x1b[m"


TEST_UNREADABLE = [
    ("addresses", {"net_if_addrs": OSError(1, "Operation not permitted")}, True, False),
    ("links", {"net_if_stats": RuntimeError("no")}, True, True),
    ("both", {"net_if_addrs": OSError(1, "no"), "net_if_stats": OSError(1, "no")}, False, False),
]


@pytest.mark.parametrize(("_what", "failing", "has_links", "has_addresses"), TEST_UNREADABLE)
def test_what_cannot_be_read_is_none_and_a_gap(_what, failing, has_links, has_addresses):
    network, gaps = network_of({"lo": LO}, {"lo": NicStats(True, 0, 0, 1)}, **failing)
    assert (network.links is not None, network.addresses is not None) == (has_links, has_addresses)
    assert len([gap for gap in gaps if gap.subject in ("addresses", "links")]) == len(failing)


def test_address_of_a_link_that_cannot_be_read_makes_the_list_unknown():
    network, gaps = network_of({"lo": LO, "eth0": [NicAddress(socket.AF_INET, "nonsense\n", None)]}, {})
    assert network.addresses is None
    assert "eth0 has the address 'nonsense\\n'" in {gap.reason for gap in gaps}


def test_indexes_that_cannot_be_read_are_a_gap(monkeypatch):
    def refuse():
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "if_nameindex", refuse)
    network, gaps = network_of({"lo": LO}, {})
    assert network.links[0].ifindex == 0
    assert "interface indexes" in {gap.subject for gap in gaps}


def test_lookups_and_merged_are_not_to_be_had():
    backend = make_backend(make_psutil(), LINUX)
    network, _gaps = backend.read_network()
    assert backend.read_lookups(network, [(0, bytes(4))]) == (network, ())
    assert backend.read_merged(network) == (network, ())


@given(st.one_of(st.text(max_size=30), st.from_regex(r"[0-9a-f:.%/]{0,30}")), st.sampled_from([LINUX, MACOS]))
def test_any_text_is_an_address_or_none(text, platform):
    found = read_address(text, platform)
    assert found is None or len(found.packed) in (4, 16)
