# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener, Owner
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import (
    DECLARED,
    LISTEN_STREAM,
    NGINX,
    NO_METHOD,
    SSHD,
    Proof,
    Prospect,
    Wish,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import (
    BLOCKED,
    DENIED,
    UNAVAILABLE,
    UNKNOWN,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_proof import (
    covers,
    describe_wish,
    judge_proof,
)
from builders import make_ownership
from plans import listens, make_case, make_unit, prospect, wish

STALE = (listens("192.0.2.10:80", "stale_address"),)
PINNED = (listens("0.0.0.0:8443", "stale_interface", ifindex=7),)
HEALTHY = (listens("127.0.0.1:8080"),)

NEW = prospect("192.0.2.20:80")
OLD = prospect("127.0.0.1:8080")
GONE = prospect("192.0.2.10:80", UNAVAILABLE, "no local route for 192.0.2.10")
TAKEN = prospect("192.0.2.20:80", BLOCKED, held_by=("redis-server.service",))
FORBIDDEN = prospect("192.0.2.20:80", DENIED, "ports below 1024 are privileged")
HIDDEN = prospect("192.0.2.20:80", UNKNOWN, "the local table could not be read")
TIMED = prospect("127.0.0.1:8080", BLOCKED, clear_in=30)
HIDDEN_AND_TIMED = prospect("127.0.0.1:8080", UNKNOWN, "flags cannot be seen", clear_in=20)
OPEN = prospect("127.0.0.1:8080", BLOCKED, own=True)

# stale, healthy, method, prospects → state, a part of the reason, seconds
TEST_PROOFS: list[
    tuple[tuple[Listener, ...], tuple[Listener, ...], str, tuple[Prospect, ...], str, str, Optional[int]]
] = [
    (STALE, HEALTHY, DECLARED, (NEW, OLD), "proven", "(declared)", None),
    (STALE, HEALTHY, NGINX, (NEW, OLD), "proven", "nginx -t bound all of it", None),
    (STALE, (), SSHD, (NEW,), "proven", "(sshd -T)", None),
    (STALE, (), LISTEN_STREAM, (NEW,), "proven", "ListenStream=", None),
    (STALE, HEALTHY, DECLARED, (NEW, prospect("0.0.0.0:8080")), "proven", "0.0.0.0:8080", None),
    (PINNED, (), DECLARED, (prospect("0.0.0.0:8443", interface="eth1"),), "proven", "on eth1", None),
    (STALE, HEALTHY, NO_METHOD, (), "no_proof", "nothing tells", None),
    (STALE, HEALTHY, DECLARED, (NEW,), "uncovered", "127.0.0.1:8080/tcp", None),
    (STALE, (listens("127.0.0.1:53/udp"),), DECLARED, (NEW, prospect("127.0.0.1:53")), "uncovered", "/udp", None),
    (STALE, HEALTHY, DECLARED, (NEW, prospect("[::]:8080")), "uncovered", "127.0.0.1:8080", None),
    (STALE, HEALTHY, DECLARED, (NEW, prospect("127.0.0.1:8080", interface="eth1")), "uncovered", "8080", None),
    (
        PINNED,
        (listens("0.0.0.0:8443", ifindex=2),),
        DECLARED,
        (prospect("0.0.0.0:8443", interface="eth1"),),
        "uncovered",
        "0.0.0.0:8443/tcp on eth0",
        None,
    ),
    (PINNED, (), DECLARED, (prospect("0.0.0.0:8443"),), "interface_unknown", "pinned", None),
    (PINNED, (), SSHD, (prospect("0.0.0.0:8443"),), "interface_unknown", "sshd -T", None),
    (PINNED, (), DECLARED, (prospect("0.0.0.0:9", interface="eth1"),), "interface_unknown", "pinned", None),
    (STALE, HEALTHY, DECLARED, (GONE, OLD), "address_missing", "192.0.2.10:80 cannot be bound", None),
    # That the address is missing comes before what is not named: it is what to look at first.
    (STALE, HEALTHY, DECLARED, (GONE,), "address_missing", "no local route", None),
    (STALE, HEALTHY, DECLARED, (TAKEN, OLD), "port_taken", "redis-server.service", None),
    (STALE, HEALTHY, DECLARED, (TAKEN,), "port_taken", "in use", None),
    (STALE, HEALTHY, DECLARED, (FORBIDDEN, OLD), "port_denied", "privileged", None),
    (STALE, HEALTHY, DECLARED, (HIDDEN, OLD), "outlook_unknown", "could not be read", None),
    (STALE, HEALTHY, DECLARED, (NEW, TIMED), "port_busy", "clear in 30 s", 30),
    (STALE, HEALTHY, DECLARED, (NEW, HIDDEN_AND_TIMED), "port_busy", "clear in 20 s", 20),
    (STALE, HEALTHY, DECLARED, (NEW, TIMED, HIDDEN_AND_TIMED), "port_busy", "30 s", 30),
    (STALE, HEALTHY, DECLARED, (NEW, TIMED, OPEN), "port_busy", "", None),
    (STALE, HEALTHY, DECLARED, (NEW, OPEN), "port_busy", "connections are open", None),
    (STALE, HEALTHY, DECLARED, (HIDDEN, TIMED), "outlook_unknown", "could not be read", None),
]


@pytest.mark.parametrize(("stale", "healthy", "method", "prospects", "state", "reason", "seconds"), TEST_PROOFS)
def test_proof(
    stale: tuple[Listener, ...],
    healthy: tuple[Listener, ...],
    method: str,
    prospects: tuple[Prospect, ...],
    state: str,
    reason: str,
    seconds: Optional[int],
) -> None:
    bound = True if method == NGINX else None
    judgement = judge_proof(make_case(stale=stale, healthy=healthy, proof=Proof(method, prospects, None, bound)))
    assert judgement.state == state
    assert reason in judgement.reason
    assert judgement.clear_in == seconds
    assert bool(judgement.advice) == (state != "proven")


def test_nginx_that_could_not_bind_everything_is_no_proof_whatever_it_printed() -> None:
    judgement = judge_proof(make_case(proof=Proof(NGINX, (NEW, OLD), None, bound=False)))
    assert judgement.state == "address_missing"
    assert "nginx -t" in judgement.reason


def test_a_method_with_a_problem_is_no_proof() -> None:
    judgement = judge_proof(make_case(proof=Proof(SSHD, (), "sshd -T names no listenaddress")))
    assert (judgement.state, judgement.reason) == ("no_proof", "sshd -T names no listenaddress")


TEST_COVERS = [
    (wish("192.0.2.5:443"), listens("192.0.2.5:443"), True),
    (wish("0.0.0.0:443"), listens("192.0.2.5:443"), True),
    (wish("[::]:443"), listens("[2001:db8::5]:443"), True),
    (wish("[::]:443"), listens("192.0.2.5:443"), False),
    (wish("192.0.2.5:443"), listens("0.0.0.0:443"), False),
    (wish("192.0.2.5:443"), listens("192.0.2.5:444"), False),
    (wish("192.0.2.5:443"), listens("192.0.2.5:443/udp"), False),
    (wish("192.0.2.5:443", "eth1"), listens("192.0.2.5:443", ifindex=3), True),
    (wish("192.0.2.5:443", "eth1"), listens("192.0.2.5:443"), False),
    (wish("192.0.2.5:443"), listens("192.0.2.5:443", ifindex=3), True),
    # The one on eth2 is another one, and so is a link-local address there; nor does eth1 stand for an unnamed link.
    (wish("0.0.0.0:443", "eth1"), listens("0.0.0.0:443", ifindex=3), True),
    (wish("0.0.0.0:443", "eth1"), listens("0.0.0.0:443", ifindex=4), False),
    (wish("[fe80::5]:443", "eth1"), listens("[fe80::5]:443", ifindex=4), False),
    (wish("0.0.0.0:443", "eth1"), listens("0.0.0.0:443", ifindex=9), False),
]


@pytest.mark.parametrize(("claim", "listener", "expected"), TEST_COVERS)
def test_covers(claim: Wish, listener: Listener, expected: bool) -> None:
    assert covers(claim, listener, {3: "eth1", 4: "eth2"}) is expected


def test_a_wish_is_told_as_people_write_it() -> None:
    assert describe_wish(wish("[2001:db8::5]:53/udp", "eth1")) == "[2001:db8::5]:53/udp on eth1"


OTHER_PID = (
    listens("127.0.0.1:8080", ownership=make_ownership()._replace(owners=(Owner(813, "x", None, "root", 6),))),
)
BY_SYSTEMD = (
    listens("127.0.0.1:8080", ownership=make_ownership()._replace(owners=(Owner(1, "systemd", None, "root", 6),))),
)

# Of a unit whose main process is 812, as that of its stale listener is.
TEST_SURVIVORS = [
    ("control-group", OTHER_PID, "proven"),
    ("mixed", OTHER_PID, "proven"),
    ("process", HEALTHY, "proven"),
    ("process", BY_SYSTEMD, "proven"),
    ("process", OTHER_PID, "outlook_unknown"),
    ("none", OTHER_PID, "outlook_unknown"),
]


@pytest.mark.parametrize(("mode", "healthy", "state"), TEST_SURVIVORS)
def test_what_a_stop_leaves_alive_holds_on_to_its_listeners(
    mode: str, healthy: tuple[Listener, ...], state: str
) -> None:
    case = make_case(unit=make_unit(kill_mode=mode), healthy=healthy)
    judgement = judge_proof(case)
    assert judgement.state == state
    assert ("x (pid 813) may outlive a stop" in judgement.reason) == (state != "proven")
    as_socket = case._replace(unit=make_unit("a.socket", kill_mode="none"), companion=case.unit)
    assert judge_proof(as_socket).state == state
