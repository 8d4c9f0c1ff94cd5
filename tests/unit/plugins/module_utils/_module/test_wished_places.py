# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read before a wish is judged, and that nothing is read which decides nothing."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import RTN_LOCAL, Network
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import BindWish
from ansible_collections.infracheck.bindings.plugins.module_utils._module.wished_places import read_locality
from builders import make_address, make_backend, make_link, make_network, make_socket

LINK = make_link(2, "eth0")
NETWORK = make_network([LINK], [make_address("192.0.2.20/24"), make_address("fe80::20/64")], ipv4_merged=None)
GONE = ip_address("192.0.2.99").packed


def make_wish(address: str, interface: Optional[str] = None) -> BindWish:
    packed = ip_address(address).packed
    family = "ipv4" if len(packed) == 4 else "ipv6"
    return BindWish("tcp", family, packed, 80, interface, False, None, False, False)


TEST_READ: list[tuple[list[BindWish], list[Any]]] = [
    ([], []),
    ([make_wish("192.0.2.20")], []),
    ([make_wish("0.0.0.0")], []),
    ([make_wish("fe80::20", "eth0")], []),
    ([make_wish("192.0.2.20"), make_wish("192.0.2.99"), make_wish("192.0.2.99")], [("lookups", [(0, GONE)])]),
]


@pytest.mark.parametrize(("wishes", "more"), TEST_READ)
def test_only_what_decides_is_read(wishes: list[BindWish], more: list[Any]) -> None:
    asked: list[Any] = []
    locality, gaps = read_locality(make_backend([((), NETWORK)], asked=asked), wishes)
    assert asked == [("network",), *more]
    assert (locality.links, gaps) == ({2: LINK}, ())


def test_each_reading_counts_and_tells_its_gaps() -> None:
    """Here the lookup says local and no table does, so that it matters whether local and main are one."""

    def read_lookups(network: Network, wanted: Collection[tuple[int, bytes]]) -> Any:
        return network._replace(lookups=dict.fromkeys(wanted, RTN_LOCAL)), (Gap("lookups", "b", "c"),)

    def read_merged(network: Network) -> Any:
        return network._replace(ipv4_merged=True), (Gap("merged", "b", "c"),)

    backend = make_backend([((), NETWORK)], gaps=[Gap("network", "b", "c")])
    backend = backend._replace(read_lookups=read_lookups, read_merged=read_merged)
    locality, gaps = read_locality(backend, [make_wish("192.0.2.99")])
    assert [gap.source for gap in gaps] == ["network", "lookups", "merged"]
    assert locality.judge(make_socket("192.0.2.99")).rebindable is True, "which all three readings together say"
