# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a connect shows that a unit serves: never at an address that leads to another host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import NO_NETWORK
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import Proof
from ansible_collections.infracheck.bindings.plugins.module_utils._module.plan_endpoints import find_endpoints
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from builders import make_address, make_link, make_listener, make_network
from plans import listens, make_case, prospect

LINKS = [make_link(1, "lo"), make_link(2, "eth1")]
ADDRESSES = [make_address("192.0.2.20/24"), make_address("127.0.0.1/8", 1)]
IPV4_ALONE = make_network(LINKS, ADDRESSES)  # net.ipv6.conf.all.disable_ipv6=1
BOTH = make_network(LINKS, [*ADDRESSES, make_address("::1/128", 1)])


def find(listener: Listener, network: Any = IPV4_ALONE) -> list[tuple[str, int, Any]]:
    found = find_endpoints(make_case(healthy=(listener,)), Locality(network), False)
    return [(row["host"], row["port"], row["interface"]) for row in found]


TEST_HERE: list[tuple[Listener, Any, list[tuple[str, int, Any]]]] = [
    (make_listener("::", 80), BOTH, [("::1", 80, None)]),
    (make_listener("::", 80), IPV4_ALONE, [("127.0.0.1", 80, None)]),
    (make_listener("::", 80, v6only=True), IPV4_ALONE, []),
    (listens("127.0.0.2:80"), IPV4_ALONE, []),
    (listens("192.0.2.20:80"), IPV4_ALONE, [("192.0.2.20", 80, None)]),
    # Intended and away: whoever has it now would be asked.
    (listens("192.0.2.99:80", "intended"), IPV4_ALONE, []),
    (listens("192.0.2.99:80", "intended", ifindex=2), IPV4_ALONE, []),
    # Nothing could be read of the host's network: then a connect is all there is.
    (listens("192.0.2.99:80", "unknown"), NO_NETWORK, [("192.0.2.99", 80, None)]),
]


@pytest.mark.parametrize(("listener", "network", "expected"), TEST_HERE)
def test_only_what_is_here(listener: Listener, network: Any, expected: list[tuple[str, int, Any]]) -> None:
    assert find(listener, network) == expected


def test_what_it_is_to_have_is_tried_only_here_too() -> None:
    """FreeBind= and ip_nonlocal_bind let it have an address that another host has."""
    proof = Proof("declared", (prospect("192.0.2.20:80"), prospect("192.0.2.99:80")), None)
    found = find_endpoints(make_case(healthy=(), proof=proof), Locality(IPV4_ALONE), True)
    assert [row["host"] for row in found] == ["192.0.2.20"]
