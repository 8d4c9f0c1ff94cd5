# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The row of a table that decides; and that the closer look says the same where the first one is enough."""

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_UNICAST,
    RTNH_F_DEAD,
    Route,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.closer_look import TableIndex
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.locality import Locality
from builders import make_address, make_link, make_network, make_route, make_socket
from hypothesis import event, given, settings
from hypothesis import strategies as st

FIRST, SECOND = make_route("203.0.113.9", 1), make_route("203.0.113.9", 2, RTN_UNICAST)
BLOCK, DEFAULT = make_route("203.0.113.0/24", 3), make_route("0.0.0.0/0", 4)
BLOCK6, DEFAULT6 = make_route("2001:db8::/32", 3), make_route("::/0", 4)

# rows in the order of the dump, link → what decides for 203.0.113.9
TEST_ROWS: list[tuple[str, list[Route], int, Optional[Route]]] = [
    ("no rows", [], 0, None),
    ("no row for it", [make_route("203.0.113.8", 1)], 0, None),
    ("the longest, first", [FIRST, BLOCK, DEFAULT], 0, FIRST),
    ("the longest, last", [DEFAULT, BLOCK, FIRST], 0, FIRST),
    ("a block", [DEFAULT, BLOCK], 0, BLOCK),
    ("what matches everything", [DEFAULT], 0, DEFAULT),
    ("among equals the order of the dump", [FIRST, SECOND], 0, FIRST),
    ("the other way round", [SECOND, FIRST], 0, SECOND),
    ("the lower metric comes first", [FIRST._replace(priority=20), SECOND._replace(priority=10)], 0,
     SECOND._replace(priority=10)),
    ("the link's own", [SECOND, FIRST], 1, FIRST),
    ("the link's own, though shorter", [FIRST, SECOND, BLOCK], 3, BLOCK),
    ("a link without rows", [FIRST, SECOND], 9, None),
    ("a row for one TOS", [FIRST._replace(tos=16), BLOCK], 0, BLOCK),
    ("a dead next hop", [FIRST._replace(flags=RTNH_F_DEAD), BLOCK], 0, BLOCK),
]  # fmt: skip


@pytest.mark.parametrize(("_what", "rows", "ifindex", "expected"), TEST_ROWS)
def test_the_row_that_decides(_what: str, rows: list[Route], ifindex: int, expected: Optional[Route]) -> None:
    assert TableIndex(rows).find(FIRST.packed, ifindex) == expected


def test_ipv6() -> None:
    table = TableIndex([DEFAULT6, BLOCK6])
    assert table.find(BLOCK6.packed[:-1] + b"\1") == BLOCK6
    assert table.find(bytes(15) + b"\1") == DEFAULT6


# Worlds around four addresses that links may have, in a VRF and outside of it, with the rows of table local or without.
VRF = make_link(8, "vrf8", kind="vrf", vrf_table=100)
HOSTS = ("192.0.2.5", "2001:db8::5", "fe80::5", "::1")
links = st.builds(
    lambda masters, missing: [
        *(
            make_link(index, f"eth{index}", master=master)
            for index, master in enumerate(masters, 1)
            if index != missing
        ),
        VRF,
    ],
    st.tuples(st.sampled_from([0, 0, 8]), st.sampled_from([0, 0, 8])),
    st.sampled_from([0, 0, 0, 1, 2]),
)
present = st.lists(
    st.builds(
        make_address,
        st.sampled_from(HOSTS).map(lambda host: f"{host}/{64 if ':' in host else 24}"),
        st.integers(1, 2),
        st.sampled_from([0x80, 0x80, 0x80, 0x40, 0x44, 0x48]),
    ),
    min_size=1,
    max_size=4,
)
rows = st.lists(
    st.builds(
        make_route,
        st.sampled_from([*HOSTS, "192.0.2.0/24", "2001:db8::/32", "fe80::/64", "0.0.0.0/0", "::/0"]),
        st.integers(1, 2),
        st.sampled_from([RTN_LOCAL, RTN_LOCAL, RTN_UNICAST, RTN_BROADCAST]),
        table=st.sampled_from([255, 255, 100]),
        priority=st.sampled_from([0, 0, 10]),
        flags=st.sampled_from([0, 0, 0, RTNH_F_DEAD]),
        tos=st.sampled_from([0, 0, 0, 16]),
    ),
    max_size=4,
)
lookups = st.dictionaries(
    st.tuples(st.sampled_from([0, 8]), st.sampled_from([FIRST.packed, *(make_socket(host).packed for host in HOSTS)])),
    st.sampled_from([None, 0, RTN_LOCAL, RTN_UNICAST, RTN_BROADCAST]),
)
networks = st.builds(
    make_network,
    st.one_of(links, links, links, st.none()),
    st.one_of(present, present, present, st.none()),
    rows,
    local_first=st.sampled_from([True, True, True, True, False, None]),
    ipv4_merged=st.sampled_from([False, True, None]),
    missing_tables_ipv4=st.sampled_from([frozenset(), frozenset((255,)), frozenset((100,))]),
    nonlocal_bind_ipv4=st.sampled_from([False, True, None]),
    nonlocal_bind_ipv6=st.sampled_from([False, True, None]),
    lookups=lookups,
)
sockets = st.builds(
    make_socket,
    st.sampled_from(
        [*HOSTS, *HOSTS, "::ffff:192.0.2.5", "0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255"]
    ),
    protocol=st.sampled_from(["tcp", "udp"]),
    ifindex=st.sampled_from([0, 0, 0, 0, 1, 2, 8, 9, None]),
    freebind=st.sampled_from([False, True, None]),
    transparent=st.sampled_from([False, True, None]),
)


@settings(max_examples=1000, deadline=None)
@given(networks, sockets)
def test_the_closer_look_agrees_with_the_first_one(network, socket):
    locality = Locality(network)
    plain = locality.judge_plainly(socket)
    event("plain" if plain is not None else "not plain")
    if plain is not None:
        assert locality.closer.judge(socket) == plain
        assert locality.closer.find_open_lookups([socket]) == set()
        assert not locality.closer.needs_merged([socket])
