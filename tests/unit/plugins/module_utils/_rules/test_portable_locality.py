# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the list of addresses alone can say, platform by platform, and that it never contradicts the kernel's tables."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    IFF_LOOPBACK,
    IFF_RUNNING,
    IFF_UP,
    NO_NETWORK,
    RTN_BROADCAST,
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
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.psutil_backend import find_capabilities
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.portable_locality import PortableLocality
from builders import make_address, make_link, make_network, make_route, make_socket
from hypothesis import given
from hypothesis import strategies as st

LINUX, MACOS, FREEBSD = "linux", "darwin", "freebsd14"
LINKS = [
    make_link(1, "lo0", flags=IFF_UP | IFF_LOOPBACK),
    make_link(2, "en0", flags=IFF_UP | IFF_RUNNING),
    make_link(3, "en1", flags=0),
    make_link(4, "en2", flags=IFF_UP),
]
ADDRESSES = [
    make_address("127.0.0.1/8", 1),
    make_address("::1/128", 1),
    make_address("192.0.2.5/24", 2, broadcast=ip_address("192.0.2.255").packed),
    make_address("198.51.100.5/24", 3, broadcast=ip_address("198.51.100.255").packed),
    make_address("203.0.113.5/24", 4, broadcast=ip_address("203.0.113.255").packed),
    make_address("2001:db8::5/64", 2),
    make_address("fe80::5/64", 2),
]
NETWORK = NO_NETWORK._replace(links=tuple(LINKS), addresses=tuple(ADDRESSES))


def portable_socket(address, **fields):
    """As psutil gives it."""
    unseen = dict.fromkeys(("ifindex", "v6only", "backlog", "queued", "uid", "cgroup_id", "freebind", "transparent"))
    return make_socket(address, **{**unseen, "inode": 0, **fields})


def judge(platform, address, network=NETWORK, intended=(), **fields):
    return PortableLocality(network, find_capabilities(platform), intended).judge(portable_socket(address, **fields))


# what, address, what Linux, FreeBSD and macOS say
TEST_STATES = [
    ("a wildcard", "0.0.0.0", WILDCARD, WILDCARD, WILDCARD),
    ("the IPv6 wildcard", "::", WILDCARD, WILDCARD, WILDCARD),
    ("the IPv4 wildcard of an IPv6 socket", "::ffff:0.0.0.0", WILDCARD, WILDCARD, WILDCARD),
    ("multicast is never stale", "224.0.0.251", VALID, VALID, VALID),
    ("IPv6 multicast neither", "ff02::fb", VALID, VALID, VALID),
    ("the limited broadcast neither", "255.255.255.255", VALID, VALID, VALID),
    ("an address of the list", "192.0.2.5", VALID, VALID, VALID),
    ("one on a link that is down", "198.51.100.5", VALID, VALID, VALID),
    ("an IPv6 address of the list", "2001:db8::5", VALID, VALID, VALID),
    ("v4-mapped", "::ffff:192.0.2.5", VALID, VALID, VALID),
    ("loopback", "127.0.0.1", VALID, VALID, VALID),
    ("IPv6 loopback", "::1", VALID, VALID, VALID),
    ("the rest of 127/8 is local on Linux alone", "127.3.4.5", VALID, UNKNOWN, STALE_ADDRESS),
    ("v4-mapped too", "::ffff:127.3.4.5", VALID, UNKNOWN, STALE_ADDRESS),
    ("the broadcast address of a link", "192.0.2.255", VALID, VALID, VALID),
    ("of a link that is down", "198.51.100.255", UNKNOWN, UNKNOWN, UNKNOWN),
    ("of a link without a carrier", "203.0.113.255", UNKNOWN, UNKNOWN, UNKNOWN),
    ("a missing address may be meant, but not on macOS", "192.0.2.99", UNKNOWN, UNKNOWN, STALE_ADDRESS),
    ("v4-mapped, missing", "::ffff:192.0.2.99", UNKNOWN, UNKNOWN, STALE_ADDRESS),
    ("IPv6, missing", "2001:db8::99", UNKNOWN, UNKNOWN, STALE_ADDRESS),
    ("a link-local address needs a pin that is not seen", "fe80::5", UNKNOWN, UNKNOWN, UNKNOWN),
    ("a missing link-local address", "fe80::99", UNKNOWN, UNKNOWN, STALE_ADDRESS),
]


@pytest.mark.parametrize(
    ("address", "linux", "freebsd", "macos"), [row[1:] for row in TEST_STATES], ids=[row[0] for row in TEST_STATES]
)
def test_states(address, linux, freebsd, macos):
    found = {platform: judge(platform, address) for platform in (LINUX, FREEBSD, MACOS)}
    assert {platform: binding.state for platform, binding in found.items()} == {
        LINUX: linux,
        FREEBSD: freebsd,
        MACOS: macos,
    }
    for binding in found.values():
        assert binding.reason
        gone = binding.state == STALE_ADDRESS
        assert (binding.reachable, binding.rebindable) == ((False, False) if gone else (None, None))


TEST_SCOPED = [
    ("on its link", "fe80::5", 2, VALID),
    ("on another link", "fe80::5", 3, STALE_ADDRESS),
    ("on a link that is gone", "fe80::5", 9, STALE_INTERFACE),
    ("a link that is gone, whatever the address", "ff02::fb", 9, STALE_INTERFACE),
]


@pytest.mark.parametrize(("_what", "address", "ifindex", "state"), TEST_SCOPED)
def test_scope_that_the_address_itself_tells(_what, address, ifindex, state):
    assert judge(MACOS, address, ifindex=ifindex).state == state


def test_scope_says_nothing_where_the_indexes_of_the_links_are_not_known():
    nameless = NETWORK._replace(links=tuple(link._replace(ifindex=0) for link in LINKS))
    assert judge(MACOS, "fe80::5", nameless, ifindex=9).state == UNKNOWN
    assert judge(MACOS, "fe80::5", NETWORK._replace(links=None), ifindex=9).state == UNKNOWN


TEST_UNREAD = [
    ("0.0.0.0", WILDCARD),
    ("224.0.0.251", VALID),
    ("255.255.255.255", VALID),
    ("127.0.0.1", UNKNOWN),
    ("192.0.2.5", UNKNOWN),
    ("192.0.2.99", UNKNOWN),
    ("fe80::5", UNKNOWN),
]


@pytest.mark.parametrize(("address", "state"), TEST_UNREAD)
@pytest.mark.parametrize("platform", [LINUX, FREEBSD, MACOS])
def test_without_the_addresses_little_is_known(address, state, platform):
    intended = [Prefix(ip_address("192.0.2.0").packed, 24)]
    assert judge(platform, address, NO_NETWORK, intended).state == state


def test_without_the_links_flags_nothing_is_said_of_127_8_and_broadcast():
    bare = NETWORK._replace(links=tuple(link._replace(flags=None) for link in LINKS))
    assert judge(LINUX, "127.3.4.5", bare).state == UNKNOWN
    assert judge(LINUX, "192.0.2.255", bare).state == UNKNOWN
    assert judge(LINUX, "127.0.0.1", bare).state == VALID


@pytest.mark.parametrize("platform", [LINUX, FREEBSD, MACOS])
def test_intended_addresses(platform):
    intended = [Prefix(ip_address("192.0.2.96").packed, 28)]
    for address in ("192.0.2.99", "::ffff:192.0.2.99"):
        binding = judge(platform, address, intended=intended)
        assert binding.state == INTENDED
        assert binding.reason.endswith("listed in intended_addresses")
    assert judge(platform, "192.0.2.5", intended=[Prefix(bytes(4), 0)]).state == VALID


def test_reason_of_an_unknown_does_not_name_the_address_so_that_one_cause_is_one_finding():
    assert judge(LINUX, "192.0.2.99").reason == judge(LINUX, "2001:db8::99").reason


# -- never a contradiction: random hosts as Linux and as a system without nonlocal binds would have them

V4 = ["192.0.2.1", "192.0.2.2", "192.0.2.255", "198.51.100.1", "203.0.113.7", "127.0.0.1", "127.9.9.9", "10.0.0.255"]
V6 = ["2001:db8::1", "2001:db8::2", "2001:db8:5::1", "fe80::1", "fe80::2", "::1", "ff02::fb"]
POOL = [*V4, *V6, "0.0.0.0", "::", "::ffff:192.0.2.1", "::ffff:203.0.113.7", "255.255.255.255", "224.0.0.251"]
FLAGS = st.sampled_from([0x80, 0x80, 0x80, 0x40, 0x44, 0x48, 0xA0])


@st.composite
def networks(draw, linux=True):
    """A host, as Linux or as macOS would have it. No VRFs, no routes taken away by hand: no list of addresses tells."""
    indexes = draw(st.sets(st.integers(2, 4), max_size=3))
    links = [make_link(1, "lo", flags=draw(st.sampled_from([IFF_UP, 0])) | IFF_LOOPBACK)]
    states = st.sampled_from([IFF_UP | IFF_RUNNING, IFF_UP, 0])
    links += [make_link(index, f"eth{index}", flags=draw(states)) for index in sorted(indexes)]
    addresses, routes = [], []
    for link in links:
        link_flags = link.flags or 0
        for text in draw(st.lists(st.sampled_from([text for text in V4 + V6 if text != "ff02::fb"]), max_size=3)):
            is_v4 = ":" not in text
            length = (8 if text.startswith("127.") else 24) if is_v4 else 64
            broadcast = None
            is_loopback = bool(link_flags & IFF_LOOPBACK)
            if is_v4 and (linux or not is_loopback):
                size = 1 << (32 - length)
                first = int(ip_address(text)) // size * size
                last = make_route(str(ip_address(first + size - 1)), link.ifindex, RTN_BROADCAST)
                broadcast = None if is_loopback else last.packed
                if link_flags & IFF_UP:  # without it only the address's own route is there
                    routes.append(last)
                    routes += [make_route(f"{ip_address(first)}/{length}", 1)] if is_loopback else []
            flags = 0x80 if is_v4 else draw(FLAGS)
            addresses.append(make_address(f"{text}/{length}", link.ifindex, flags, broadcast=broadcast))
    for block in draw(st.sets(st.sampled_from(["203.0.113.0/24", "2001:db8:5::/64"]), max_size=2)) if linux else ():
        routes.append(make_route(block, 1))
    network = make_network(links, addresses, routes, ipv4_merged=draw(st.booleans()))
    nonlocal_bind = draw(st.booleans()) if linux else False
    return network._replace(
        nonlocal_bind_ipv4=nonlocal_bind,
        nonlocal_bind_ipv6=nonlocal_bind,
        local_first=True,
        missing_tables_ipv4=frozenset() if network.routes_ipv4 or not linux else frozenset({255}),
    )


def look_up(network, sockets):
    """What the kernel's route lookup says in such a world."""
    tables = Locality(network)
    rows = (*network.routes_ipv4, *network.routes_ipv6)
    answers = {}
    for vrf, packed in tables.closer.find_open_lookups(sockets):
        covering = [row for row in rows if Prefix(row.packed, row.prefixlen).covers(packed)]
        best = max(covering, key=lambda row: row.prefixlen, default=None)
        answers[vrf, packed] = 0 if best is None else best.type
    return network._replace(lookups=answers)


def as_psutil_sees(network):
    """Less the kernel's tables and flags; links with what `ifconfig` shows."""
    addresses = tuple(address._replace(flags=None, scope=None) for address in network.addresses)
    return NO_NETWORK._replace(links=network.links, addresses=addresses)


def compare(network, platform, pins, freebind):
    """(socket, what Locality says, what PortableLocality says) for each address, protocol and pin."""
    sockets = [
        make_socket(address, protocol=protocol, ifindex=pin, freebind=freebind)
        for address in POOL
        for protocol in ("tcp", "udp")
        for pin in pins
        # ::1 pinned away from lo is the one address of scope host: a pin that decides, and that psutil does not see.
        if not (address == "::1" and pin)
    ]
    whole = Locality(look_up(network, sockets))
    part = PortableLocality(as_psutil_sees(network), find_capabilities(platform))
    return [
        (
            socket,
            whole.judge(socket),
            part.judge(socket._replace(ifindex=None, freebind=None, transparent=None, v6only=None)),
        )
        for socket in sockets
    ]


@given(networks(), st.booleans())
def test_on_linux_it_never_contradicts(network, freebind):
    for socket, whole, part in compare(network, LINUX, (0, 1, 2, 3, 9), freebind):
        if whole.state in (STALE_INTERFACE, PENDING):
            continue  # neither pins nor address flags are seen, which two gaps say
        assert part.state in (whole.state, UNKNOWN), (socket, whole, part)
        assert part.reachable in (whole.reachable, None), (socket, whole, part)
        assert part.rebindable in (whole.rebindable, None), (socket, whole, part)


@given(networks(linux=False))
def test_where_no_address_can_be_meant_stale_is_never_said_of_what_is_there(network):
    for socket, whole, part in compare(network, MACOS, (0,), False):
        if part.state == STALE_ADDRESS:
            assert whole.state != VALID, (socket, whole, part)
        if part.state == VALID:
            assert whole.state != STALE_ADDRESS, (socket, whole, part)


@given(networks(), st.binary(min_size=16, max_size=16), st.sampled_from([LINUX, FREEBSD, MACOS]), st.integers(0, 9))
def test_any_address_gets_a_verdict_with_a_reason(network, packed, platform, ifindex):
    capabilities = find_capabilities(platform)
    for raw, family in ((packed, "ipv6"), (packed[:4], "ipv4")):
        socket = portable_socket("::")._replace(packed=raw, family=family, ifindex=ifindex or None)
        binding = PortableLocality(as_psutil_sees(network), capabilities).judge(socket)
        assert binding.reason
        assert binding.rebindable is None or binding.state == STALE_ADDRESS
