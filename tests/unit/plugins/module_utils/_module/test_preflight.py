# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import BOUND, Occupant
from ansible_collections.infracheck.bindings.plugins.module_utils._module import restarts
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.preflight import WISH_OPTIONS, preflight
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import bound_sockets
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.bound_sockets import Bound


def ask(**wish):
    defaults = {name: option.get("default") for name, option in WISH_OPTIONS.items()}
    wishes = [{**defaults, "address": "127.0.0.1", "port": 50000, **wish}]
    return preflight({"backend": "auto", "unit": None, "wishes": wishes})[0]["results"][0]


TEST_WRONG = [
    (
        {"address": "fe80::1%1"},
        "option wishes[0].address: 'fe80::1%1' is not allowed; it takes an address whose scope id",
    ),
    (
        {"address": "fe80::1%"},
        "option wishes[0].address: 'fe80::1%' is not allowed; it takes an address whose scope id",
    ),
    ({"address": "\u0661.2.3.4"}, "option wishes[0].address: "),
    ({"address": "::1\0"}, "option wishes[0].address: "),
    ({"interface": ""}, "option wishes[0].interface: '' is not allowed; it takes the name of an interface"),
    ({"user": "a\0b"}, "option wishes[0].user: 'a\\x00b' is not allowed; it takes the name or number of a user"),
    ({"user": "9" * 30}, "option wishes[0].user: "),
    ({"port": 65536}, "option wishes[0].port: 65536 is not allowed; it takes a port from 1 to 65535"),
]


@pytest.mark.parametrize(("wish", "message"), TEST_WRONG)
def test_a_wrong_wish_is_told(wish, message):
    with pytest.raises(InvalidOption) as told:
        ask(**wish)
    assert str(told.value).startswith(message)


class Old:
    """A kernel that lists no bound sockets, and what is found at the processes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bound = Bound((), {}, frozenset(), None)
        self.asked: list[list[int]] = []
        monkeypatch.setattr(restarts, "read_occupants", self.read_occupants)
        monkeypatch.setattr(bound_sockets, "read_bound", self.read_bound)

    def read_occupants(
        self, ports: Collection[str], **_options: bool
    ) -> tuple[dict[str, list[Occupant]], Sequence[Gap]]:
        return {name: [] for name in ports}, (UNLISTED,) if "tcp" in ports else ()

    def read_bound(self, ports: Collection[int]) -> Bound:
        self.asked.append(sorted(ports))
        return self.bound


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Old:
    return Old(monkeypatch)


def holding(*rows: Occupant, doubtful: Collection[int] = (), unseen: Optional[str] = None) -> Bound:
    return Bound(rows, {row.inode: (False, False) for row in rows}, frozenset(doubtful), unseen)


UNLISTED = Gap("bound", "tcp sockets that are bound", "kernel 6.1 does not list them")
ROW = Occupant("tcp", "ipv4", bytes(4), 50000, bytes(4), 0, BOUND, 0, 0, 77, None, None)


def test_before_linux_6_8_bound_sockets_are_looked_for_at_their_processes(old):
    assert ask()["verdict"] == "ok"
    old.bound = holding(ROW)
    answer = ask()
    assert (answer["verdict"], answer["errno"]) == ("blocked", "EADDRINUSE")
    assert [blocker["state"] for blocker in answer["blockers"]] == ["bound"]
    assert old.asked == [[50000]] * 2
    assert ask(protocol="udp")["verdict"] == "ok"
    assert len(old.asked) == 2, "UDP sockets are listed by every kernel"


def test_there_is_a_gap_where_not_every_process_could_be_looked_into(old):
    defaults = {name: option.get("default") for name, option in WISH_OPTIONS.items()}
    params = {"backend": "netlink", "unit": None, "wishes": [{**defaults, "address": "127.0.0.1", "port": 50000}]}
    assert preflight(params)[1] == ()
    old.bound = holding(unseen="2 processes are hidden")
    assert preflight(params)[1] == (UNLISTED._replace(reason=f"{UNLISTED.reason}; 2 processes are hidden"),)


TEST_DOUBTFUL = [
    ({}, "unknown", "blocked"),
    ({"reuseaddr": False}, "unknown", "blocked"),
    ({"address": "::1"}, "ok", "ok"),
]


@pytest.mark.parametrize(("wish", "alone", "beside_another"), TEST_DOUBTFUL)
def test_a_socket_that_may_have_lost_its_port_leaves_it_open_where_it_decides(old, wish, alone, beside_another):
    old.bound = holding(ROW, doubtful=[77])
    answer = ask(**wish)
    assert answer["verdict"] == alone
    if alone == "unknown":
        assert (answer["errno"], answer["blockers"][0]["state"]) == (None, "bound")
        assert answer["reason"].startswith("whether a socket whose connection has ended still holds its port")
    old.bound = holding(ROW, ROW._replace(inode=78), doubtful=[77])
    assert ask(**wish)["verdict"] == beside_another


def test_before_linux_6_8_a_wish_is_not_simply_ok_where_processes_are_not_seen(old):
    old.bound = holding(unseen="2 processes are hidden")
    answer = ask()
    assert (answer["verdict"], answer["errno"]) == ("unknown", None)
    assert answer["reason"].endswith("there and not listen: kernel 6.1 does not list them; 2 processes are hidden")
    assert ask(protocol="udp")["verdict"] == "ok", "UDP sockets are listed by every kernel"
    assert ask(address="192.0.2.77")["verdict"] == "unavailable", "what is certain stays"
