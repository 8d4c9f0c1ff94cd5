# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    FOUND,
    UNKNOWN,
    Options,
    Owner,
    Ownership,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import BOUND, Occupant
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import BLOCKED, Claim, Outlook
from ansible_collections.infracheck.bindings.plugins.module_utils._module import restarts
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_backend import NETLINK
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.reuse import UNREAD_FLAGS, foresee
from builders import make_network

LIMIT = 200
LOCALITY = Locality(make_network([], []))
BACKEND = NETLINK._replace(
    read_owners=lambda sockets, _thorough: (
        [Ownership((Owner(7, "x", None, None, 3),), FOUND, None)] * len(sockets),
        (),
    ),
    read_options=lambda sockets, _ownerships: ([Options(True, False, False, 0)] * len(sockets), ()),
)


def bound(inode):
    return Occupant("tcp", "ipv4", b"\x7f\0\0\1", 80, bytes(4), 0, BOUND, 0, 0, inode, None, None)


def read(monkeypatch, count):
    rows = [bound(inode) for inode in range(1, count + 1)]
    monkeypatch.setattr(restarts, "read_occupants", lambda _ports, **_options: ({"tcp": rows}, ()))
    return restarts.read_port_use(BACKEND, LOCALITY, {"tcp": {80}}, ())


def test_the_options_of_many_sockets_are_read(monkeypatch):
    use, gaps = read(monkeypatch, LIMIT)
    assert gaps == ()
    assert all(len(held.flags) == 1 for held in use.held["tcp", 80])


def test_a_backend_without_options_says_that_it_does_not_see_what_is_on_a_port(monkeypatch):
    monkeypatch.setattr(restarts, "read_occupants", lambda *_ports, **_options: pytest.fail("was asked"))
    blind = BACKEND._replace(name="psutil", capabilities=BACKEND.capabilities._replace(options=False))
    use, gaps = restarts.read_port_use(blind, LOCALITY, {"tcp": {80}, "udp": {53}}, ())
    assert (use.held, gaps) == ({}, ())
    assert use.unread == dict.fromkeys(("tcp", "udp"), "backend psutil cannot see what else is on a port")


def test_what_is_beyond_the_limit_is_unknown_and_a_gap(monkeypatch):
    use, gaps = read(monkeypatch, LIMIT + 3)
    (gap,) = gaps
    assert gap.subject == "SO_REUSEADDR and other options of 3 more sockets on a port"
    assert "more than 200" in gap.reason
    claim = Claim("tcp", "ipv4", b"\x7f\0\0\1", 80, 0, False, True, False, 0)
    outlook = foresee(claim, use.held["tcp", 80])
    assert (outlook.verdict, outlook.reason, len(outlook.blockers)) == ("unknown", UNREAD_FLAGS, 3)


def test_holders_beyond_the_limit_are_a_gap():
    blocked = Outlook(BLOCKED, "EADDRINUSE", tuple(map(bound, range(1, LIMIT + 4))), None, None)
    holders, gaps = restarts.read_holders(BACKEND, [blocked], ())
    assert [gap.subject for gap in gaps] == ["the holders of 3 more blockers"]
    assert [inode for inode, ownership in holders.items() if ownership.status == UNKNOWN] == [201, 202, 203]
    few = blocked._replace(blockers=blocked.blockers[:LIMIT])
    assert restarts.read_holders(BACKEND, [few], ())[1] == ()
