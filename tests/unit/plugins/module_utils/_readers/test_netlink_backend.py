# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The netlink backend before a kernel that has it all, lacks parts, or refuses: what is not read is None, a Gap, and in
the end the verdict `unknown`.
"""

from __future__ import annotations

import errno
import struct
from ipaddress import ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import RTN_LOCAL, RTN_UNICAST
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import (
    BackendUnavailable,
    Gap,
    UnreadableTable,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    UNKNOWN,
    VALID,
    Options,
    Ownership,
    Service,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import select_backend
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import (
    commands,
    netlink_backend,
    netlink_socket,
    proc_sockets,
    socket_options,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_backend import (
    NETLINK,
    read_live_options,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from builders import make_link, make_route, make_socket
from fake_kernel import FakeHost
from recorded import read_dump

ROUTE, SOCK_DIAG = 0, 4
GETLINK, GETADDR, GETROUTE, GETRULE = 18, 22, 26, 34
AF_INET, AF_INET6 = 2, 10
IPPROTO_TCP, IPPROTO_UDP = 6, 17
RECORDED = {
    (ROUTE, GETLINK, 0): "links",
    (ROUTE, GETADDR, 0): "addresses",
    (ROUTE, GETROUTE, AF_INET): "local_ipv4",
    (ROUTE, GETROUTE, AF_INET6): "local_ipv6",
    (ROUTE, GETRULE, AF_INET): "rules_ipv4",
    (ROUTE, GETRULE, AF_INET6): "rules_ipv6",
}


def answer_as_recorded(protocol, kind, payload):
    if protocol == SOCK_DIAG:
        family, number = {AF_INET: "ipv4", AF_INET6: "ipv6"}[payload[0]], payload[1]
        return read_dump(f"{'tcp' if number == IPPROTO_TCP else 'udp'}_{family}")
    return read_dump(RECORDED[protocol, kind, payload[0]])


@pytest.fixture
def kernel(monkeypatch):
    """Puts a kernel in place that answers as recorded, but for `changes`: (protocol, type, family or None) → answer."""

    def put(changes=None, **options):
        def answer(protocol, kind, payload):
            for family in (payload[0], None):
                if (protocol, kind, family) in (changes or {}):
                    found = (changes or {})[protocol, kind, family]
                    return found(payload) if callable(found) else found
            return answer_as_recorded(protocol, kind, payload)

        host = FakeHost(answer, **options)
        monkeypatch.setattr(netlink_socket, "_open_channel", host.open)
        return host

    monkeypatch.setattr(netlink_backend, "read_nonlocal_bind", lambda _family: False)
    return put


@pytest.fixture
def proc_net(monkeypatch):
    """What /proc/net shows where it is read instead; the list collects (protocol, reason)."""
    asked = []

    def read(protocol, reason):
        asked.append((protocol, reason))
        return [make_socket("198.51.100.1", 25, protocol=protocol, ifindex=None)], (Gap("/proc/net", protocol, reason),)

    monkeypatch.setattr(proc_sockets, "read_proc_sockets", read)
    return asked


# -- sockets


def test_sockets_of_both_protocols_and_families_sorted(kernel):
    host = kernel()
    sockets, gaps = NETLINK.read_sockets(("tcp", "udp"))
    assert gaps == ()
    assert [(row.protocol, row.port) for row in sockets] == [
        ("tcp", 83),
        ("tcp", 84),
        ("tcp", 85),
        ("tcp", 80),
        ("tcp", 82),
        ("tcp", 81),
        ("udp", 53),
        ("udp", 5353),
        ("udp", 547),
    ]
    assert all(channel.closed for channel in host.channels)


def test_socket_that_a_changing_hash_shows_twice_is_one(kernel):
    kernel({(SOCK_DIAG, 20, AF_INET): lambda _payload: read_dump("tcp_ipv4") * 2, (SOCK_DIAG, 20, AF_INET6): []})
    assert len(NETLINK.read_sockets(("tcp",))[0]) == 3


TEST_NO_DIAG = [errno.ENOENT, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EINVAL]


@pytest.mark.parametrize("code", TEST_NO_DIAG)
def test_without_sock_diag_proc_net_is_read_and_a_gap_says_so(kernel, proc_net, code):
    kernel({(SOCK_DIAG, 20, None): code})
    sockets, gaps = NETLINK.read_sockets(("tcp", "udp"))
    assert [(row.protocol, row.port, row.ifindex) for row in sockets] == [("tcp", 25, None), ("udp", 25, None)]
    assert [protocol for protocol, _reason in proc_net] == ["tcp", "udp"]
    assert all(reason for _protocol, reason in proc_net)
    assert [gap.subject for gap in gaps] == ["tcp", "udp"]


def test_only_the_protocol_without_its_module_is_read_from_proc_net(kernel, proc_net):
    kernel({(SOCK_DIAG, 20, None): lambda payload: errno.ENOENT if payload[1] == IPPROTO_UDP else []})
    sockets, _gaps = NETLINK.read_sockets(("tcp", "udp"))
    assert [row.protocol for row in sockets] == ["udp"]
    assert [protocol for protocol, _reason in proc_net] == ["udp"]


def test_rows_of_one_family_are_forgotten_when_the_other_is_refused(kernel, proc_net):
    kernel({(SOCK_DIAG, 20, AF_INET6): errno.ENOENT})
    assert [row.port for row in NETLINK.read_sockets(("tcp",))[0]] == [25]
    assert len(proc_net) == 1


@pytest.mark.parametrize("code", [errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EPERM])
def test_without_a_netlink_socket_proc_net_is_read(kernel, proc_net, code):
    kernel(closed_protocols={SOCK_DIAG: code})
    assert [row.port for row in NETLINK.read_sockets(("tcp",))[0]] == [25]
    assert proc_net[0][1].startswith("a netlink socket cannot be opened")


TEST_UNREADABLE = [
    ("another error", errno.ENOMEM, "Cannot allocate memory"),
    ("a row cut off", [bytes(20)], "a socket row of 20 bytes"),
    ("a row of another family", [b"\x01" + bytes(71)], "address family 1"),
]


@pytest.mark.parametrize(("_what", "answer", "text"), TEST_UNREADABLE)
def test_any_other_trouble_is_an_error_and_never_a_shorter_list(kernel, proc_net, _what, answer, text):
    kernel({(SOCK_DIAG, 20, AF_INET6): answer})
    with pytest.raises(UnreadableTable, match=f"the tcp sockets could not be read from sock_diag.*{text}"):
        NETLINK.read_sockets(("tcp",))
    assert not proc_net


# -- the network


def test_network_as_recorded(kernel):
    kernel()
    network, gaps = NETLINK.read_network()
    assert gaps == ()
    assert [link.name for link in network.links or ()] == ["lo", "veth1", "veth0", "br0"]
    rows = (network.addresses, network.routes_ipv4, network.routes_ipv6)
    assert [len(part or ()) for part in rows] == [11, 11, 9]
    assert (network.local_first, network.missing_tables_ipv4) == (True, frozenset())
    assert (network.nonlocal_bind_ipv4, network.nonlocal_bind_ipv6, network.lookups) == (False, False, {})


TEST_PARTS = [
    ("links", {(ROUTE, GETLINK, None): errno.EPERM}, ["links"], {"links"}),
    ("addresses", {(ROUTE, GETADDR, None): errno.ENOMEM}, ["addresses"], {"addresses"}),
    ("IPv4 local routes", {(ROUTE, GETROUTE, AF_INET): errno.EPERM}, ["IPv4 local routes"], {"routes_ipv4"}),
    ("IPv6 local routes", {(ROUTE, GETROUTE, AF_INET6): errno.EPERM}, ["IPv6 local routes"], {"routes_ipv6"}),
    ("rules", {(ROUTE, GETRULE, AF_INET): errno.EPERM}, ["policy rules"], {"local_first"}),
    ("a link cut off", {(ROUTE, GETLINK, None): [bytes(8)]}, ["links"], {"links"}),
    ("an address cut off", {(ROUTE, GETADDR, None): [b"\x02" + bytes(7)]}, ["addresses"], {"addresses"}),
    ("a route cut off", {(ROUTE, GETROUTE, AF_INET6): [b"\x0a"]}, ["IPv6 local routes"], {"routes_ipv6"}),
    ("a rule cut off", {(ROUTE, GETRULE, AF_INET6): [b"\x0a"]}, ["policy rules"], {"local_first"}),
]


@pytest.mark.parametrize(("_what", "changes", "subjects", "missing"), TEST_PARTS)
def test_part_that_cannot_be_read_is_none_and_its_gap_while_the_others_are_read(
    kernel, _what, changes, subjects, missing
):
    kernel(changes)
    network, gaps = NETLINK.read_network()
    assert [gap.subject for gap in gaps] == subjects
    assert all(gap.source == "rtnetlink" and gap.reason for gap in gaps)
    parts = ("links", "addresses", "routes_ipv4", "routes_ipv6", "local_first")
    assert {name for name in parts if getattr(network, name) is None} == missing


def test_without_a_netlink_socket_nothing_is_known_but_the_settings(kernel):
    kernel(closed_protocols={ROUTE: errno.EAFNOSUPPORT})
    network, gaps = NETLINK.read_network()
    assert [gap.subject for gap in gaps] == ["links, addresses and routes"]
    assert (network.links, network.addresses, network.routes_ipv4, network.local_first) == (None, None, None, None)
    assert network.nonlocal_bind_ipv4 is False


def test_settings_that_cannot_be_read(kernel, monkeypatch):
    def refuse(family):
        raise FileNotFoundError(2, "No such file or directory") if family == "ipv6" else PermissionError(13, "denied")

    kernel()
    monkeypatch.setattr(netlink_backend, "read_nonlocal_bind", refuse)
    network, gaps = NETLINK.read_network()
    assert (network.nonlocal_bind_ipv4, network.nonlocal_bind_ipv6) == (None, None)
    # A host without IPv6 has no such file, and no IPv6 socket that it could concern.
    assert [(gap.source, gap.subject) for gap in gaps] == [("/proc/sys", "net.ipv4.ip_nonlocal_bind")]


def test_table_that_does_not_exist_yet(kernel):
    kernel({(ROUTE, GETROUTE, AF_INET): errno.ENOENT, (ROUTE, GETROUTE, AF_INET6): errno.ENOENT})
    network, gaps = NETLINK.read_network()
    assert gaps == ()
    assert (network.routes_ipv4, network.routes_ipv6, network.missing_tables_ipv4) == ((), (), frozenset({255}))


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EAFNOSUPPORT])
def test_kernel_without_ipv6_or_without_policy_rules(kernel, code):
    kernel({(ROUTE, GETROUTE, AF_INET6): code, (ROUTE, GETRULE, None): code})
    network, gaps = NETLINK.read_network()
    assert gaps == ()
    assert (network.routes_ipv6, network.local_first) == ((), True)


def test_kernel_without_strict_checks_sends_all_tables_and_they_are_filtered_here(kernel):
    local = read_dump("local_ipv4")
    # The same rows once more, in table main: RTA_TABLE is the first attribute.
    main = [payload[:4] + b"\xfe" + payload[5:16] + struct.pack("=I", 254) + payload[20:] for payload in local]
    kernel({(ROUTE, GETROUTE, AF_INET): [*main, *local]})
    network, _gaps = NETLINK.read_network()
    assert [row.table for row in network.routes_ipv4 or ()] == [255] * len(local)


def rule(priority, table, family=AF_INET, source=0):
    header = struct.pack("=BBBBBBBBI", family, 0, source, 0, table, 0, 0, 1, 0)
    return header + struct.pack("=HHI", 8, 6, priority)


TEST_RULES = [
    ("as the kernel makes them", [rule(0, 255), rule(32766, 254), rule(32767, 253)], True),
    ("a rule behind local", [rule(0, 255), rule(100, 100), rule(32766, 254)], True),
    ("a rule before local", [rule(5, 100), rule(10, 255), rule(32766, 254)], False),
    ("in any order of the dump", [rule(32766, 254), rule(10, 255), rule(5, 100)], False),
    ("local for some packets only", [rule(0, 255, source=8), rule(32766, 254)], False),
    ("local deleted", [rule(32766, 254)], False),
    ("rules of another family do not count", [rule(0, 255), rule(0, 100, family=128)], True),
    ("no rules at all", [], True),
]


@pytest.mark.parametrize(("_what", "rules", "expected"), TEST_RULES)
def test_whether_local_is_asked_first(kernel, _what, rules, expected):
    kernel({(ROUTE, GETRULE, AF_INET): rules})
    assert NETLINK.read_network()[0].local_first is expected


def test_ipv6_rules_count_too(kernel):
    kernel({(ROUTE, GETRULE, AF_INET6): [rule(5, 100, AF_INET6), rule(10, 255, AF_INET6)]})
    assert NETLINK.read_network()[0].local_first is False


def test_table_of_a_vrf_is_read_as_well(kernel):
    def attribute(kind, value):
        return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    info = attribute(1, b"vrf\0") + attribute(2, attribute(1, struct.pack("=I", 1001)))
    vrf = struct.pack("=BxHiII", 0, 1, 9, 0x41, 0) + attribute(3, b"red\0") + attribute(18, info)

    def routes(payload):
        (table,) = struct.unpack_from("=I", payload, 16)
        local = struct.pack("=BBBBBBBBI", AF_INET, 32, 0, 0, 252, 2, 254, 2, 0)
        row = local + attribute(15, struct.pack("=I", 1001)) + attribute(1, b"\x0a\1\1\1") + attribute(4, b"\x09\0\0\0")
        return [row] if table == 1001 else errno.ENOENT

    kernel({(ROUTE, GETLINK, None): [vrf], (ROUTE, GETROUTE, AF_INET): routes, (ROUTE, GETROUTE, AF_INET6): []})
    network, gaps = NETLINK.read_network()
    assert gaps == ()
    assert network.links == (make_link(9, "red", kind="vrf", vrf_table=1001, flags=0x41, operstate=None, mtu=None),)
    assert network.routes_ipv4 == (make_route("10.1.1.1", 9, table=1001),)
    assert network.missing_tables_ipv4 == {255}


# -- the kernel's own lookup


def route_answer(kind):
    return struct.pack("=BBBBBBBBI", AF_INET, 32, 0, 0, 255, 0, 0, kind, 0)


PACKED = ip_address("192.0.2.5").packed
TEST_LOOKUPS = [
    ("local", [route_answer(RTN_LOCAL)], RTN_LOCAL),
    ("unicast", [route_answer(RTN_UNICAST)], RTN_UNICAST),
    ("no route", errno.ENETUNREACH, 0),
    ("unreachable", errno.EHOSTUNREACH, 0),
    ("prohibit", errno.EACCES, 0),
    ("blackhole", errno.EINVAL, 0),
    ("could not be asked", errno.ENOBUFS, None),
]


@pytest.mark.parametrize(("_what", "answer", "expected"), TEST_LOOKUPS)
def test_lookups(kernel, _what, answer, expected):
    kernel()
    network, _gaps = NETLINK.read_network()
    kernel({(ROUTE, GETROUTE, None): answer})
    found, gaps = NETLINK.read_lookups(network, [(0, PACKED)])
    assert found == network._replace(lookups={(0, PACKED): expected})
    assert gaps == ()


@pytest.mark.parametrize("answer", [[b"\x02"], [b""]])
def test_lookup_that_is_no_route_is_a_gap(kernel, answer):
    kernel()
    network, _gaps = NETLINK.read_network()
    kernel({(ROUTE, GETROUTE, None): answer})
    found, gaps = NETLINK.read_lookups(network, [(0, PACKED)])
    assert found == network
    assert [(gap.source, gap.subject) for gap in gaps] == [("rtnetlink", "route lookups")]


# -- what it means for a verdict

TEST_VERDICTS = [
    ("IPv4 routes", {(ROUTE, GETROUTE, AF_INET): errno.EPERM}, "192.0.2.1", 0, UNKNOWN),
    ("IPv4 routes, for IPv6", {(ROUTE, GETROUTE, AF_INET): errno.EPERM}, "2001:db8::1", 0, VALID),
    ("addresses", {(ROUTE, GETADDR, None): errno.EPERM}, "2001:db8::1", 0, UNKNOWN),
    ("addresses, for IPv4", {(ROUTE, GETADDR, None): errno.EPERM}, "192.0.2.1", 0, VALID),
    ("links, pinned", {(ROUTE, GETLINK, None): errno.EPERM}, "192.0.2.1", 3, UNKNOWN),
    ("links, not pinned", {(ROUTE, GETLINK, None): errno.EPERM}, "192.0.2.1", 0, VALID),
    ("nothing", {}, "192.0.2.1", 0, VALID),
]


@pytest.mark.parametrize(("_unread", "changes", "address", "ifindex", "state"), TEST_VERDICTS)
def test_verdict_that_needed_what_was_not_read_is_unknown(kernel, _unread, changes, address, ifindex, state):
    kernel(changes)
    network, _gaps = NETLINK.read_network()
    assert Locality(network).judge(make_socket(address, ifindex=ifindex)).state == state


@pytest.mark.parametrize("unread", ["nonlocal_bind_ipv4", "lookups"])
def test_missing_address_is_unknown_where_a_setting_or_the_lookup_was_not_read(kernel, unread):
    kernel()
    network, _gaps = NETLINK.read_network()
    packed = ip_address("192.0.2.77").packed
    whole = network._replace(lookups={(0, packed): 0}, ipv4_merged=False)
    assert Locality(whole).judge(make_socket("192.0.2.77")).state == "stale_address"
    part = whole._replace(lookups={}) if unread == "lookups" else whole._replace(nonlocal_bind_ipv4=None)
    assert Locality(part).judge(make_socket("192.0.2.77")).state == UNKNOWN


def test_netlink_is_for_linux(monkeypatch):
    monkeypatch.setattr("sys.platform", "freebsd14")
    with pytest.raises(BackendUnavailable, match="this host runs freebsd14; use backend=psutil"):
        select_backend("netlink")


TEST_UNREAD = [
    (Ownership((), "found", None, cgroup=b"0::/system.slice/web.socket\n"), ["web.socket"]),
    (Ownership((), "found", Service("systemd", "web.socket", "system")), ["web.socket"]),
    (Ownership((), "found", None, cgroup=b"0::/system.slice/web.service\n"), []),
    (Ownership((), "found", Service("systemd", "web.service", "system")), []),
    (Ownership((), "kernel", None), []),
]


@pytest.mark.parametrize(("ownership", "asked_for"), TEST_UNREAD)
def test_systemd_is_asked_only_for_options_of_what_may_be_its_own(monkeypatch, ownership, asked_for):
    asked: list[str] = []
    unread = [Options(reason="denied")]
    monkeypatch.setattr(socket_options, "read_options", lambda _sockets, _ownerships: (unread, ()))

    def run_command(command, timeout):
        assert timeout
        asked.append(command[-1])
        return commands.Done(1, "Connection refused", "", "")

    monkeypatch.setattr(commands, "run_command", run_command)
    options, gaps = read_live_options([make_socket()], [ownership])
    assert (options, asked) == (unread, asked_for)
    assert [gap.reason for gap in gaps] == ["Connection refused"] * len(asked_for)


def test_of_options_that_were_read_systemd_is_not_asked(monkeypatch):
    monkeypatch.setattr(socket_options, "read_options", lambda _sockets, _ownerships: ([Options(reuseaddr=True)], ()))
    monkeypatch.setattr(commands, "run_command", lambda *_command, **_options: pytest.fail("systemd was asked"))
    owned = Ownership((), "found", Service("systemd", "web.socket", "system"))
    assert read_live_options([make_socket()], [owned]) == ([Options(reuseaddr=True)], ())
