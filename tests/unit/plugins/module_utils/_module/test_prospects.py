# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel would say to the binds of a restart. What is on the ports is made up, at the edge."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener, Options, Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import (
    BOUND,
    ESTABLISHED,
    LISTENING,
    Occupant,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import Prospect, Wish
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import Rights
from ansible_collections.infracheck.bindings.plugins.module_utils._module import restarts
from ansible_collections.infracheck.bindings.plugins.module_utils._module.prospects import Wanted, foresee_wishes
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import bind_rights, bound_sockets
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.bound_sockets import Bound
from builders import make_address, make_backend, make_link, make_listener, make_network, make_ownership
from plans import NGINX, wish

ADDRESS = "192.0.2.20"
NETWORK = make_network([make_link()], [make_address(f"{ADDRESS}/24"), make_address("2001:db8::5/64")])
UNLISTED = Gap("bound", "tcp sockets that are bound", "kernel 6.1 does not list them; Linux 6.8 does")
RUDE = Options(False, False, False, 0)
USERS_NGINX = NGINX._replace(scope="user", uid=1000)


def occupant(
    state: str = LISTENING, address: bytes = bytes((192, 0, 2, 20)), port: int = 80, inode: int = 77, **fields: Any
) -> Occupant:
    row = Occupant("tcp", "ipv4", address, port, bytes(4), 0, state, 0, 0, inode, None, None)
    return row._replace(**fields)


class Ports:
    """What is on them, and who holds it by port; in place of the reading."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[Occupant] = []
        self.gaps: tuple[Gap, ...] = ()
        self.holder: Optional[Service] = Service("systemd", "other.service", "system")
        self.rights = Rights("nginx.service", None, True, 1024)
        monkeypatch.setattr(
            restarts, "read_occupants", lambda ports, **_options: (dict.fromkeys(ports, self.rows), self.gaps)
        )
        self.bound = Bound((), {}, frozenset(), "some processes are hidden")
        self.asked: list[list[int]] = []
        monkeypatch.setattr(bound_sockets, "read_bound", self.read_bound)
        monkeypatch.setattr(bind_rights, "read_unit_rights", lambda _unit: self.rights)
        monkeypatch.setattr(bind_rights, "read_user_rights", lambda user: Rights(f"user {user}", 1000, False, 1024))

    def read_bound(self, ports: Collection[int]) -> Bound:
        self.asked.append(sorted(ports))
        return self.bound

    def foresee(
        self, *wishes: Wish, own: tuple[Listener, ...] = (), service: Service = NGINX, free_bind: bool = False
    ) -> tuple[Prospect, ...]:
        backend = make_backend([((), NETWORK)])
        held = make_ownership(None)._replace(service=self.holder)
        backend = backend._replace(read_owners=lambda sockets, _every: ([held] * len(sockets), ()))
        unit = Wanted(wishes, service, own, (service.unit,), free_bind)
        found, gaps = foresee_wishes(backend, [unit], own)
        assert {gap.subject for gap in gaps} >= ({gap.subject for gap in self.gaps} if self.bound.unseen else set())
        return found[0]


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Ports:
    return Ports(monkeypatch)


TEST_VERDICTS: list[tuple[str, str, Optional[str]]] = [
    (f"{ADDRESS}:80", "ok", None),
    ("0.0.0.0:80", "ok", None),
    ("[2001:db8::5]:80", "ok", None),
    ("192.0.2.10:80", "unavailable", "EADDRNOTAVAIL"),
    ("[2001:db8::6]:80", "unavailable", "EADDRNOTAVAIL"),
]


@pytest.mark.parametrize(("text", "verdict", "errno"), TEST_VERDICTS)
def test_a_free_port(ports: Ports, text: str, verdict: str, errno: Optional[str]) -> None:
    (prospect,) = ports.foresee(wish(text))
    assert (prospect.wish, prospect.outlook.verdict, prospect.outlook.errno) == (wish(text), verdict, errno)


def test_each_bind_has_its_own_answer_in_its_place(ports: Ports) -> None:
    ports.rows = [occupant()]
    found = ports.foresee(wish(f"{ADDRESS}:80"), wish(f"{ADDRESS}:81"), wish("192.0.2.10:82"))
    assert [prospect.outlook.verdict for prospect in found] == ["blocked", "ok", "unavailable"]
    assert [prospect.wish.port for prospect in found] == [80, 81, 82]


def test_an_interface_that_is_not_there(ports: Ports) -> None:
    (prospect,) = ports.foresee(wish("0.0.0.0:80", "eth7"))
    assert (prospect.outlook.verdict, prospect.outlook.errno) == ("unavailable", "ENODEV")


def test_a_privileged_port_that_the_unit_may_not_bind(ports: Ports) -> None:
    ports.rights = ports.rights._replace(may_bind=False)
    assert ports.foresee(wish(f"{ADDRESS}:80"))[0].outlook.verdict == "denied"
    assert ports.foresee(wish(f"{ADDRESS}:8080"))[0].outlook.verdict == "ok"
    assert ports.foresee(wish(f"{ADDRESS}:80"), service=USERS_NGINX)[0].outlook.verdict == "denied"


def test_another_that_listens_there_is_named(ports: Ports) -> None:
    ports.rows = [occupant()]
    (prospect,) = ports.foresee(wish(f"{ADDRESS}:80"))
    assert (prospect.outlook.verdict, prospect.held_by, prospect.by_own_connections) == (
        "blocked",
        ("other.service",),
        False,
    )
    ports.holder = None
    assert ports.foresee(wish(f"{ADDRESS}:80"))[0].held_by == ("nginx (pid 812)",)


def test_what_the_unit_itself_closes_is_not_in_the_way(ports: Ports) -> None:
    own = make_listener(ADDRESS, 80, inode=77)
    ports.rows = [occupant(inode=77)]
    assert ports.foresee(wish(f"{ADDRESS}:80"), own=(own,))[0].outlook.verdict == "ok"


# whose connection is on the port → whether it is the unit's own
TEST_CONNECTIONS = [
    (NGINX, NGINX, True),
    (NGINX, Service("systemd", "other.service", "system"), False),
    (NGINX, USERS_NGINX, False),
    (NGINX, Service("lxc", "nginx.service", "container"), False),
    (USERS_NGINX, USERS_NGINX, True),
    (USERS_NGINX, NGINX, False),
    (NGINX, None, False),
]


@pytest.mark.parametrize(("service", "holder", "is_own"), TEST_CONNECTIONS)
def test_open_connections_of_a_unit_are_its_own_by_more_than_its_name(
    ports: Ports, service: Service, holder: Optional[Service], is_own: bool
) -> None:
    own = make_listener(ADDRESS, 8080, inode=76, options=RUDE)
    ports.holder = holder
    ports.rows = [occupant(ESTABLISHED, port=8080, peer_packed=bytes((192, 0, 2, 9)), peer_port=5000)]
    (prospect,) = ports.foresee(wish(f"{ADDRESS}:8080"), own=(own,), service=service)
    assert (prospect.outlook.verdict, prospect.by_own_connections) == ("blocked", is_own)


def test_a_unit_that_reuses_its_addresses_has_no_connection_in_its_way(ports: Ports) -> None:
    own = make_listener(ADDRESS, 80, inode=76)
    ports.rows = [occupant(inode=76), occupant(ESTABLISHED, peer_packed=bytes((192, 0, 2, 9)), peer_port=5000)]
    assert ports.foresee(wish(f"{ADDRESS}:80"), own=(own,))[0].outlook.verdict == "ok"


def test_a_wildcard_that_may_serve_both_families_is_asked_about_both_ways(ports: Ports) -> None:
    ports.rows = [occupant(address=bytes(4))]
    assert ports.foresee(wish("[::]:80"))[0].outlook.verdict == "blocked"
    alone = make_listener("::", 80, inode=76, v6only=True)
    assert ports.foresee(wish("[::]:80"), own=(alone,))[0].outlook.verdict == "ok"


def test_before_linux_6_8_a_new_place_is_not_simply_ok(ports: Ports) -> None:
    """As bind_preflight has it; but what the unit holds now shows that nothing unlisted is in the way there."""
    ports.gaps = (UNLISTED,)
    own = make_listener(ADDRESS, 80)
    moved, stays, udp = ports.foresee(
        wish(f"{ADDRESS}:81"), wish(f"{ADDRESS}:80"), wish(f"{ADDRESS}:80/udp"), own=(own,)
    )
    assert moved.outlook.verdict == "unknown"
    assert moved.outlook.reason is not None
    assert moved.outlook.reason.endswith("kernel 6.1 does not list them; Linux 6.8 does; some processes are hidden")
    assert (stays.outlook.verdict, udp.outlook.verdict) == ("ok", "ok")
    assert ports.asked == [[81]], "where the unit listens already, nobody has to be looked for"


def test_before_linux_6_8_a_new_place_is_ok_where_nobody_is_bound_there(ports: Ports) -> None:
    ports.gaps = (UNLISTED,)
    ports.bound = Bound((), {}, frozenset(), None)
    own = make_listener("192.0.2.10", 80, "stale_address")
    assert ports.foresee(wish(f"{ADDRESS}:80"), own=(own,))[0].outlook.verdict == "ok"
    ports.bound = Bound((occupant(BOUND),), {77: (False, False)}, frozenset(), None)
    prospect = ports.foresee(wish(f"{ADDRESS}:80"), own=(own,))[0]
    assert (prospect.outlook.verdict, prospect.held_by) == ("blocked", ("other.service",))
    assert ports.foresee(wish(f"{ADDRESS}:81"), own=(own,))[0].outlook.verdict == "ok"


def test_a_restart_in_place_looks_into_no_process(ports: Ports) -> None:
    ports.gaps = (UNLISTED,)
    assert ports.foresee(wish(f"{ADDRESS}:80"), own=(make_listener(ADDRESS, 80),))[0].outlook.verdict == "ok"
    assert ports.asked == []


def test_a_pin_makes_it_another_place(ports: Ports) -> None:
    ports.gaps = (UNLISTED,)
    own = make_listener("0.0.0.0", 80, ifindex=2)
    pinned, free = ports.foresee(wish("0.0.0.0:80", "eth0"), wish("0.0.0.0:80"), own=(own,))
    assert (pinned.outlook.verdict, free.outlook.verdict) == ("ok", "unknown")


def test_a_listener_that_is_bound_to_an_absent_address_on_purpose_comes_back(ports: Ports) -> None:
    own = make_listener("192.0.2.10", 80, "intended", freebind=True)
    assert ports.foresee(wish("192.0.2.10:80"), own=(own,))[0].outlook.verdict == "ok"
    assert ports.foresee(wish("192.0.2.11:80"), own=(own,))[0].outlook.verdict == "unavailable"
    assert ports.foresee(wish("192.0.2.11:80"), free_bind=True)[0].outlook.verdict == "ok"


def test_what_is_merely_bound_is_another_program_even_where_it_is_not_known_whose(ports: Ports) -> None:
    ports.rows = [occupant(BOUND)]
    (prospect,) = ports.foresee(wish(f"{ADDRESS}:80"))
    assert (prospect.outlook.verdict in ("blocked", "unknown"), prospect.by_own_connections) == (True, False)


def test_nothing_wished_nothing_read(ports: Ports) -> None:
    def refuse(*_arguments: Any) -> Any:
        pytest.fail("something was read")

    backend = make_backend([((), NETWORK)])._replace(read_network=refuse)
    unit = Wanted((), NGINX, (), (), False)
    assert foresee_wishes(backend, [unit, unit], []) == ([(), ()], ())
