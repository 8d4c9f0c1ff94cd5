# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The closer look says the same where the first one is enough, and the first one is silent where it is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_UNICAST,
    RTNH_F_DEAD,
    Network,
    Route,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from builders import make_address, make_link, make_network, make_route, make_socket
from hypothesis import event, given, settings
from hypothesis import strategies as st

# Worlds in which most is well: links, in a VRF or not, that have some of these addresses, with the rows of table local
# that belong to them, and one or two things that are otherwise.
VRF = make_link(8, "vrf8", kind="vrf", vrf_table=100)
BLOCKS = ("192.0.2.0/24", "2001:db8::/32", "fe80::/64", "0.0.0.0/0", "::/0")
HOSTS = ("192.0.2.5", "192.0.2.0", "2001:db8::5", "2001:db8::", "fe80::5", "::1", "224.0.0.99", "ff05::99")
OTHERS = ("::ffff:192.0.2.5", "0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255", "203.0.113.9")
SEEN = [0x80, 0x80, 0x80, 0x80, 0x40, 0x44, 0x48]
NOTHING: dict[str, Any] = {}
OTHERWISE: list[dict[str, Any]] = [
    {"local_first": False}, {"local_first": None}, {"ipv4_merged": True}, {"ipv4_merged": None}, {"links": None},
    {"missing_tables_ipv4": frozenset((255,))}, {"addresses": None}, {"routes_ipv4": None}, {"routes_ipv6": None},
    {"nonlocal_bind_ipv4": True}, {"nonlocal_bind_ipv6": None},
    {"lookups": {(vrf, make_socket(host).packed): kind for host in HOSTS for vrf, kind in ((0, RTN_UNICAST), (8, 0))}},
]  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Network, Socket]:
    masters = draw(st.sampled_from([(0, 0), (0, 8), (8, 8)]))
    hosts = draw(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=3))
    found = [make_address(f"{host}/24", draw(st.integers(1, 2)), draw(st.sampled_from(SEEN))) for host in hosts]
    rows = [
        make_route(host, address.ifindex, table=100 if masters[address.ifindex - 1] else 255)
        for host, address in zip(hosts, found)
        if draw(st.sampled_from([True, True, True, False]))
    ]
    more = st.builds(
        make_route,
        st.sampled_from([*hosts, *hosts, *BLOCKS]),
        st.integers(1, 2),
        st.sampled_from([RTN_LOCAL, RTN_UNICAST, RTN_BROADCAST]),
        table=st.sampled_from([255, 100]),
        priority=st.sampled_from([-10, 0, 10]),
        flags=st.sampled_from([0, 0, 0, RTNH_F_DEAD]),
        tos=st.sampled_from([0, 0, 0, 16]),
    )
    rows = draw(st.permutations(rows + draw(st.lists(more, max_size=2))))
    gone = draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2]))
    links = [make_link(index, f"eth{index}", master=vrf) for index, vrf in enumerate(masters, 1) if index != gone]
    network = make_network([*links, VRF], [], rows)._replace(addresses=tuple(found))
    socket = make_socket(
        draw(st.sampled_from([*hosts * 4, *OTHERS])),
        protocol=draw(st.sampled_from(["tcp", "udp"])),
        ifindex=draw(st.sampled_from([0, 0, 1, 2, 8, 8, 9, None])),
        freebind=draw(st.sampled_from([False, True, None])),
        transparent=draw(st.sampled_from([False, True, None])),
    )
    return network._replace(**draw(st.sampled_from([*[NOTHING] * 16, *OTHERWISE]))), socket


@settings(max_examples=1000, deadline=None)
@given(worlds())
def test_the_closer_look_agrees_with_the_first_one(world: tuple[Network, Socket]) -> None:
    network, socket = world
    locality = Locality(network)
    plain = locality.judge_plainly(socket)
    event("an own address" if plain is not None and plain.reachable and any(socket.packed) else "other")
    if plain is not None:
        assert locality.closer.judge(socket) == plain
        assert locality.closer.find_open_lookups([socket]) == set()
        assert not locality.closer.needs_merged([socket])


def stage(rows: list[Route], masters: tuple[int, int] = (0, 0), **fields: Any) -> Network:
    """Two links with the same IPv6 addresses, the second one with an IPv4 address besides."""
    found = [make_address(f"{host}/64", index) for host in ("fe80::5", "2001:db8::5") for index in (1, 2)]
    found += [make_address("192.0.2.5/24", 2), make_address("192.0.2.0/24", 2)]
    links = [make_link(index, f"eth{index}", master=master) for index, master in enumerate(masters, 1)]
    return make_network([*links, VRF], [], rows, **fields)._replace(addresses=tuple(found))


OWN = make_route("192.0.2.5", 2)
# None of them is plain: something that decides is otherwise than it seems.
TEST_NOT_PLAIN = [
    (
        "a row that is asked before says no",
        stage([OWN, OWN._replace(type=RTN_UNICAST, priority=-10)]),
        ("192.0.2.5", 0),
    ),
    ("the link's own row is missing", stage([make_route("fe80::5", 1)]), ("fe80::5", 2)),
    ("the next hop is dead", stage([OWN._replace(flags=RTNH_F_DEAD)]), ("192.0.2.5", 0)),
    ("the row is for one TOS", stage([OWN._replace(tos=16)]), ("192.0.2.5", 0)),
    ("the row is a block's", stage([make_route("192.0.2.0/24", 2)], ipv4_merged=None), ("192.0.2.0", 0)),
    ("the row is in another table", stage([OWN], (0, 8)), ("192.0.2.5", 2)),
    ("a policy rule is asked before", stage([OWN], local_first=False), ("192.0.2.5", 0)),
    ("nobody knows what is asked before", stage([OWN], local_first=None), ("192.0.2.5", 0)),
]


def test_what_they_are_otherwise_than_is_plain() -> None:
    assert Locality(stage([OWN])).judge_plainly(make_socket("192.0.2.5", ifindex=2)) is not None
    in_vrf = stage([OWN._replace(table=100)], (0, 8))
    assert Locality(in_vrf).judge_plainly(make_socket("192.0.2.5", ifindex=2)) is not None


@pytest.mark.parametrize(("_what", "network", "bound"), TEST_NOT_PLAIN)
def test_not_plain(_what: str, network: Network, bound: tuple[str, int]) -> None:
    assert Locality(network).judge_plainly(make_socket(bound[0], ifindex=bound[1])) is None
