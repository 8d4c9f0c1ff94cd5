# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Service
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.rebind_outcome import (
    OUTCOMES,
    Before,
    Place,
    Refused,
    describe_place,
    is_of,
    judge_outcome,
)

OLD = Place("tcp", "192.0.2.10", 80, None)
NEW = Place("tcp", "192.0.2.20", 80, None)
LOCAL = Place("tcp", "127.0.0.1", 8080, None)
ANY = Place("tcp", "0.0.0.0", 443, None)
DNS = Place("udp", "127.0.0.1", 53, None)
PINNED = Place("tcp", "0.0.0.0", 8443, "eth1")
PINNED6 = Place("tcp", "::", 8443, "eth1")
BOTH = Place("tcp", "192.0.2.20", 8443, "eth1")
ON_ETH1 = {Refused("192.0.2.20", 8443, "eth1")}
ON_ETH1_6 = {Refused("2001:db8::5", 8443, "eth1")}
OFF_ETH1 = {Refused("192.0.2.20", 8443, None), Refused("192.0.2.20", 8443, "eth2"), Refused("192.0.2.20", 8444, "eth1")}


def make_before(
    action: str = "restart",
    healthy: tuple[Place, ...] = (LOCAL,),
    wished: tuple[Place, ...] = (NEW, LOCAL),
    failed: Optional[str] = None,
    rescued: bool = False,
) -> Before:
    return Before("nginx.service", action, (OLD,), healthy, wished, failed, rescued)


ANY6 = Place("tcp", "::", 443, None)
LOOPBACK4, LOOPBACK6 = Refused("127.0.0.1", 443, None), Refused("::1", 443, None)
DUAL = make_before(healthy=(ANY6,), wished=())
FINE = {NEW: "valid", LOCAL: "valid"}

# before, what is there now, what gave no connect → outcome, what is missing
TEST_OUTCOMES: list[tuple[Before, dict[Place, str], set[Refused], str, tuple[Place, ...]]] = [
    (make_before(), FINE, set(), "fixed", ()),
    (make_before(wished=()), {LOCAL: "valid"}, set(), "fixed", ()),
    (make_before(), {Place("tcp", "0.0.0.0", 80, None): "wildcard", LOCAL: "valid"}, set(), "fixed", ()),
    (make_before(healthy=(DNS,), wished=(DNS,)), {DNS: "valid"}, {Refused("127.0.0.1", 53, None)}, "fixed", ()),
    (make_before(healthy=(PINNED,), wished=(PINNED,)), {PINNED: "wildcard"}, set(), "fixed", ()),
    # A pinned wildcard is tried at an address of its interface: only a connect through that counts.
    (make_before(healthy=(PINNED,), wished=()), {PINNED: "wildcard"}, ON_ETH1, "missing", (PINNED,)),
    (make_before(healthy=(PINNED,), wished=()), {PINNED: "wildcard"}, OFF_ETH1, "fixed", ()),
    (make_before(healthy=(PINNED6,), wished=()), {PINNED6: "wildcard"}, ON_ETH1, "fixed", ()),
    (make_before(healthy=(PINNED6,), wished=()), {PINNED6: "wildcard"}, ON_ETH1_6, "missing", (PINNED6,)),
    (make_before(healthy=(BOTH,), wished=()), {BOTH: "valid"}, ON_ETH1, "missing", (BOTH,)),
    (make_before(healthy=(BOTH,), wished=()), {BOTH: "valid"}, OFF_ETH1, "fixed", ()),
    (make_before(), {LOCAL: "valid"}, set(), "missing", (NEW,)),
    (make_before(), {NEW: "valid"}, set(), "missing", (LOCAL,)),
    (make_before(), FINE, {Refused("127.0.0.1", 8080, None)}, "missing", (LOCAL,)),
    (make_before(healthy=(ANY,), wished=()), {ANY: "wildcard"}, {Refused("127.0.0.1", 443, None)}, "missing", (ANY,)),
    # ::1, or where that is not there the other loopback address.
    (DUAL._replace(tried=frozenset([LOOPBACK6])), {ANY6: "wildcard"}, {LOOPBACK6}, "missing", (ANY6,)),
    (DUAL._replace(tried=frozenset([LOOPBACK6])), {ANY6: "wildcard"}, {LOOPBACK4}, "fixed", ()),
    (DUAL._replace(tried=frozenset([LOOPBACK4])), {ANY6: "wildcard"}, {LOOPBACK4}, "missing", (ANY6,)),
    (make_before(), {NEW: "stale_address", LOCAL: "valid"}, set(), "missing", (NEW,)),
    (make_before(wished=()), {OLD: "stale_address", LOCAL: "valid"}, set(), "still_stale", ()),
    # What it lost is worse than what it did not gain.
    (make_before(wished=()), {OLD: "stale_address"}, set(), "missing", (LOCAL,)),
    (make_before(rescued=True, wished=()), {OLD: "stale_address", LOCAL: "valid"}, set(), "rescued", ()),
    (make_before(failed="it is down"), {}, set(), "failed", (LOCAL, NEW)),
    (make_before(failed="it is down", rescued=True), FINE, set(), "failed", ()),
    (make_before("none"), {OLD: "stale_address"}, set(), "untouched", ()),
    (make_before("none"), {OLD: "stale_interface"}, set(), "untouched", ()),
    (make_before("none")._replace(left="clear in 40 s", waited=True), {OLD: "stale_address"}, set(), "not_clear", ()),
    (make_before("none")._replace(left="clear in 40 s", waited=True), {OLD: "valid"}, set(), "healed", ()),
    (make_before("none"), {OLD: "valid"}, set(), "healed", ()),
    (make_before("none"), {}, set(), "healed", ()),
]


@pytest.mark.parametrize(("before", "states", "refused", "outcome", "missing"), TEST_OUTCOMES)
def test_outcome(
    before: Before,
    states: dict[Place, str],
    refused: set[Refused],
    outcome: str,
    missing: tuple[Place, ...],
) -> None:
    found = judge_outcome(before, states, refused)
    assert (found.label, found.outcome, set(found.missing)) == ("nginx.service", outcome, set(missing))
    assert found.reason


def test_the_report_of_a_rescue_names_what_the_configuration_still_has() -> None:
    found = judge_outcome(make_before(rescued=True), {OLD: "stale_address", LOCAL: "valid"}, set())
    assert (
        found.reason
        == "it serves again, but only with ip_nonlocal_bind: its configuration still names 192.0.2.10:80/tcp"
    )
    found = judge_outcome(make_before(rescued=True), {LOCAL: "valid"}, set())
    assert "192.0.2.10" not in found.reason


@pytest.mark.parametrize(
    ("action", "reason"),
    [("restart", "it took 192.0.2.10:80/tcp again"), ("reload", "it still holds 192.0.2.10:80/tcp")],
)
def test_what_was_never_closed_is_not_called_taken_again(action: str, reason: str) -> None:
    found = judge_outcome(make_before(action, wished=()), {OLD: "stale_address", LOCAL: "valid"}, set())
    assert (found.outcome, found.reason) == ("still_stale", reason)


def test_a_place_is_told_as_people_write_it() -> None:
    assert describe_place(Place("udp", "2001:db8::5", 53, "eth1")) == "[2001:db8::5]:53/udp on eth1"


def test_nothing_done_says_why_and_how_to_go_on() -> None:
    states = {OLD: "stale_address"}
    plain = judge_outcome(make_before("none"), states, set())
    told = judge_outcome(make_before("none")._replace(left="no proof; declare it"), states, set())
    waited = judge_outcome(make_before("none")._replace(left="clear in 40 s", waited=True), states, set())
    assert (plain.reason, told.reason) == ("nothing was done", "nothing was done: no proof; declare it")
    assert waited.reason == (
        "nothing was done, as its port was not clear in time: clear in 40 s; wait longer (rebind_max_wait), or let it"
        " be stopped meanwhile (rebind_allow_downtime)"
    )


def test_the_worst_comes_first_and_every_outcome_has_its_place() -> None:
    assert {row[3] for row in TEST_OUTCOMES} == set(OUTCOMES)
    assert OUTCOMES.index("failed") < OUTCOMES.index("missing") < OUTCOMES.index("fixed") < OUTCOMES.index("untouched")


NGINX = Service("systemd", "nginx.service", "system")
OF_SOCKET = make_before()._replace(label="ssh.socket", companion="ssh.service")
OF_NOBODY = make_before("none")._replace(label="")
OF_CONTAINER = make_before()._replace(label="docker container 4c01", engine="docker")
TEST_OWN: list[tuple[Before, Optional[Service], bool]] = [
    (make_before(), NGINX, True),
    (make_before(), NGINX._replace(unit="u@2.service"), False),
    (make_before(), NGINX._replace(scope="user", uid=1000), False),
    (make_before(), None, False),
    (OF_SOCKET, NGINX._replace(unit="ssh.socket"), True),
    (OF_SOCKET, NGINX._replace(unit="ssh.service"), True),
    (OF_SOCKET, NGINX, False),
    (OF_NOBODY, None, True),
    (OF_NOBODY, NGINX, False),
    (OF_CONTAINER, Service("docker", "9f02", "container"), True),
    (OF_CONTAINER, None, True),
    (OF_CONTAINER, Service("podman", "9f02", "container"), False),
    (OF_CONTAINER, NGINX, False),
]


@pytest.mark.parametrize(("before", "service", "own"), TEST_OWN)
def test_only_what_the_unit_itself_holds_counts(before: Before, service: Optional[Service], own: bool) -> None:
    assert is_of(before, service) is own
