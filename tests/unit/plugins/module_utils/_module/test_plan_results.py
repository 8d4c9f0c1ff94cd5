# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans as JSON: the commands that carry them out, and where a connect shows that a unit serves."""

from __future__ import annotations

import os
from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.listeners import Listener
from ansible_collections.infracheck.bindings.plugins.module_utils._model.owners import Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import (
    CUSTOM,
    NONE,
    RELOAD,
    RESTART,
    RESTART_SOCKET,
    Case,
    Dependent,
    Plan,
    Proof,
    Prospect,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import BLOCKED, UNAVAILABLE
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.plan_results import (
    compose_outcome_message,
    compose_plan_message,
    find_awaited,
    index_states,
    make_commands,
    render_outcome,
    render_plan,
    require_commands,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.locality import Locality
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.rebind_outcome import Outcome, Place
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_plan import plan_unit
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.view import View
from builders import SEES_ALL, make_address, make_link, make_network
from plans import listens, make_case, make_settings, make_unit, prospect

NETWORK = make_network(
    [make_link(1, "lo"), make_link(2, "eth1"), make_link(3, "bare0")],
    [
        make_address("192.0.2.20/24"),
        make_address("2001:db8::20/64"),
        make_address("127.0.0.1/8", 1),
        make_address("::1/128", 1),
    ],
)
VIEW = View((), SEES_ALL, Locality(NETWORK))
SYSTEMCTL = ["systemctl", "--no-ask-password"]
SSH_SOCKET = Service("systemd", "ssh.socket", "system")
CONTAINER = Service("podman", "ab" * 32, "container")


def make_plan(action: str = RESTART, decision: str = "proven", **fields: Any) -> Plan:
    return Plan(make_case(**fields), action, decision, "a reason", "", None)


def socket_case(active_state: str) -> dict[str, Any]:
    companion = make_unit("ssh.service", active_state=active_state)
    return {"service": SSH_SOCKET, "unit": make_unit("ssh.socket"), "companion": companion}


TEST_RESTARTS: list[tuple[Plan, dict[str, str], list[list[str]]]] = [
    (make_plan(), {}, [[*SYSTEMCTL, "restart", "--", "nginx.service"]]),
    (make_plan(RELOAD), {"nginx.service": "reload"}, [[*SYSTEMCTL, "reload", "--", "nginx.service"]]),
    (make_plan(CUSTOM), {"nginx.service": "nginx -s 'a b'"}, [["nginx", "-s", "a b"]]),
    (make_plan(CUSTOM, service=CONTAINER, unit=None), {f"podman container {'ab' * 32}": "again"}, [["again"]]),
    (
        make_plan(CUSTOM, service=CONTAINER, unit=None),
        {f"podman container {'ab' * 32}": "restart"},
        [["podman", "restart", "ab" * 32]],
    ),
    (
        make_plan(RESTART_SOCKET, **socket_case("active")),
        {},
        [
            [*SYSTEMCTL, "stop", "--", "ssh.socket", "ssh.service"],
            [*SYSTEMCTL, "start", "--", "ssh.socket"],
            [*SYSTEMCTL, "start", "--", "ssh.service"],
        ],
    ),
    (
        make_plan(RESTART_SOCKET, **socket_case("inactive")),
        {},
        [[*SYSTEMCTL, "stop", "--", "ssh.socket", "ssh.service"], [*SYSTEMCTL, "start", "--", "ssh.socket"]],
    ),
    (
        make_plan(RESTART_SOCKET, service=SSH_SOCKET, unit=make_unit("ssh.socket")),
        {},
        [[*SYSTEMCTL, "restart", "--", "ssh.socket"]],
    ),
    # What was stopped along is started again, which a restart by itself does.
    (
        make_plan(
            RESTART_SOCKET, **socket_case("inactive"), dependents=(Dependent("a.service", 0), Dependent("b.target", 0))
        ),
        {},
        [
            [*SYSTEMCTL, "stop", "--", "ssh.socket", "ssh.service"],
            [*SYSTEMCTL, "start", "--", "ssh.socket"],
            [*SYSTEMCTL, "start", "--", "a.service", "b.target"],
        ],
    ),
    (
        make_plan(dependents=(Dependent("a.service", 0),)),
        {},
        [[*SYSTEMCTL, "restart", "--", "nginx.service"]],
    ),
    (make_plan(NONE, "no_proof"), {"nginx.service": "reload"}, []),
    (make_plan(NONE, "no_unit", service=None, unit=None), {"": "reload"}, []),
]


@pytest.mark.parametrize(("plan", "actions", "restart"), TEST_RESTARTS)
def test_restart(plan: Plan, actions: dict[str, str], restart: list[list[str]]) -> None:
    assert make_commands(plan, make_settings(actions=actions))["restart"] == restart


@pytest.mark.parametrize("action", [RESTART, RESTART_SOCKET])
def test_a_restart_is_its_halves_and_a_recovery_is_more_than_a_start(action: str) -> None:
    fields = socket_case("active") if action == RESTART_SOCKET else {}
    commands = make_commands(make_plan(action, **fields), make_settings())
    if action == RESTART_SOCKET:
        assert commands["restart"] == commands["stop"] + commands["start"]
    middle = commands["recover"][len(commands["stop"]) : -len(commands["start"])]
    assert [words[2] for words in middle] == ["reset-failed"]
    assert commands["recover"] == commands["stop"] + middle + commands["start"]


def test_the_halves_of_a_restart_bring_back_what_was_stopped_along() -> None:
    commands = make_commands(make_plan(dependents=(Dependent("a.service", 0),)), make_settings())
    assert commands["start"][-1] == [*SYSTEMCTL, "start", "--", "a.service"]
    assert commands["recover"][-1] == commands["start"][-1]


def test_the_log_is_that_of_what_runs_a_program() -> None:
    system = make_commands(make_plan(RESTART_SOCKET, **socket_case("active")), make_settings())
    assert system["journal"][-1] == "--unit=ssh.service"
    user = Service("systemd", "app.service", "user", os.geteuid())
    commands = make_commands(make_plan(service=user, unit=make_unit("app.service")), make_settings())
    assert commands["journal"][-2:] == ["_SYSTEMD_USER_UNIT=app.service", f"_UID={os.geteuid()}"]
    assert commands["restart"][0][-4:] == ["--user", "restart", "--", "app.service"]


def endpoints(*healthy: Listener, binds: tuple[Prospect, ...] = (), decision: str = "proven") -> list[tuple[Any, ...]]:
    plan = make_plan(decision=decision, healthy=healthy, proof=Proof("declared", binds, None))
    found = render_plan(plan, VIEW, make_settings())["endpoints"]
    return [(row["host"], row["port"], row["interface"]) for row in found]


TEST_ENDPOINTS: list[tuple[Listener, Optional[tuple[str, int, Optional[str]]]]] = [
    (listens("192.0.2.20:80"), ("192.0.2.20", 80, None)),
    (listens("[2001:db8::20]:80"), ("2001:db8::20", 80, None)),
    (listens("0.0.0.0:80"), ("127.0.0.1", 80, None)),
    (listens("[::]:80"), ("::1", 80, None)),
    (listens("192.0.2.20:80", ifindex=2), ("192.0.2.20", 80, "eth1")),
    (listens("0.0.0.0:80", ifindex=2), ("192.0.2.20", 80, "eth1")),
    (listens("[::]:80", ifindex=2), ("2001:db8::20", 80, "eth1")),
    (listens("0.0.0.0:80", ifindex=3), None),  # an interface without an address: nowhere to try
    (listens("192.0.2.20:53/udp"), None),
]


@pytest.mark.parametrize(("listener", "endpoint"), TEST_ENDPOINTS)
def test_where_a_connect_shows_that_it_serves(
    listener: Listener, endpoint: Optional[tuple[str, int, Optional[str]]]
) -> None:
    assert endpoints(listener) == ([endpoint] if endpoint else [])


def test_what_it_is_to_have_counts_where_that_is_proven() -> None:
    binds = (prospect("192.0.2.20:80"), prospect("192.0.2.20:81"))
    had = listens("192.0.2.20:80")
    assert endpoints(had, binds=binds) == [("192.0.2.20", 80, None), ("192.0.2.20", 81, None)]
    assert endpoints(had, binds=binds, decision="after_wait")[1:] == [("192.0.2.20", 81, None)]
    assert endpoints(had, binds=binds, decision="forced") == [("192.0.2.20", 80, None)]


def lacking(*prospects: Prospect, decision: str = "address_missing") -> Plan:
    return make_plan(NONE, decision, proof=Proof("declared", prospects, None))


def test_what_is_awaited_is_what_is_missing_once_each() -> None:
    missing = prospect("192.0.2.30:80", UNAVAILABLE)
    plans = [
        lacking(missing, prospect("192.0.2.31:80", BLOCKED), prospect("0.0.0.0:80", UNAVAILABLE, interface="eth9")),
        lacking(prospect("192.0.2.30:81", UNAVAILABLE)),
        lacking(prospect("192.0.2.40:81", UNAVAILABLE), decision="no_proof"),
    ]
    assert find_awaited(plans) == [
        {"address": "192.0.2.30", "interface": None},
        {"address": None, "interface": "eth9"},
    ]


def test_the_message_has_a_line_for_each_unit_and_says_how_to_go_on() -> None:
    refused = lacking()._replace(advice="bring it back")
    assert compose_plan_message([make_plan(), refused], ["a note"]).splitlines() == [
        "2 with stale listeners: 1 to restart, 1 to leave alone",
        "nginx.service  192.0.2.10:80/tcp  → restart (proven): a reason",
        "nginx.service  192.0.2.10:80/tcp  → none (address_missing): a reason; bring it back",
        "a note",
    ]


def test_outcomes_as_text() -> None:
    place = Place("tcp", "2001:db8::5", 80, "eth1")
    outcomes = [
        Outcome("nginx.service", "missing", "it is not there", (place,)),
        Outcome("", "untouched", "nothing", ()),
    ]
    assert compose_outcome_message(outcomes).splitlines() == [
        "nginx.service  missing: it is not there",
        "no unit  untouched: nothing",
    ]
    assert compose_outcome_message([]) == "Nothing was stale"
    assert render_outcome(outcomes[0])["missing"] == ["[2001:db8::5]:80/tcp on eth1"]


def test_the_states_are_told_by_place() -> None:
    links = VIEW.locality.links
    rows = [listens("192.0.2.20:80", ifindex=2), listens("0.0.0.0:81", "stale_interface", ifindex=7)]
    assert index_states(rows, links) == {
        Place("tcp", "192.0.2.20", 80, "eth1"): "valid",
        Place("tcp", "0.0.0.0", 81, "index 7"): "stale_interface",
    }


def test_a_case_of_nobody_has_no_unit() -> None:
    case: Case = make_case(service=None, unit=None)
    entry = render_plan(Plan(case, NONE, "no_owner", "why", "how", None), VIEW, make_settings())
    assert [entry[key] for key in ("label", "unit", "manager", "scope", "uid")] == ["", None, None, None, None]


# unit → what resets its failures: a pattern that only it matches, as fnmatch(3) reads it
TEST_RESETS = [
    ("nginx.service", "[n]ginx.service"),
    ("postgresql@15-main.service", "[p]ostgresql@15-main.service"),
    (r"a\x2db.service", r"[a]\\x2db.service"),
]


@pytest.mark.parametrize(("name", "pattern"), TEST_RESETS)
def test_what_brings_a_unit_back_does_not_need_it_to_be_loaded(name: str, pattern: str) -> None:
    case = make_case(unit=make_unit(name), service=Service("systemd", name, "system"))
    settings = make_settings()
    assert make_commands(plan_unit(case, settings), settings)["recover"] == [
        [*SYSTEMCTL, "stop", "--", name],
        [*SYSTEMCTL, "reset-failed", "--", pattern],
        [*SYSTEMCTL, "start", "--", name],
    ]


def test_a_socket_is_brought_back_with_its_service() -> None:
    service = Service("systemd", "ssh.socket", "system")
    case = make_case(unit=make_unit("ssh.socket"), companion=make_unit("ssh.service"), service=service)
    settings = make_settings()
    assert make_commands(plan_unit(case, settings), settings)["recover"] == [
        [*SYSTEMCTL, "stop", "--", "ssh.socket", "ssh.service"],
        [*SYSTEMCTL, "reset-failed", "--", "[s]sh.socket", "[s]sh.service"],
        [*SYSTEMCTL, "start", "--", "ssh.socket"],
        [*SYSTEMCTL, "start", "--", "ssh.service"],
    ]


def test_an_action_whose_program_is_missing_is_named() -> None:
    settings = make_settings(actions={"nginx.service": "no-such-program -s reload"})
    with pytest.raises(InvalidOption, match=r"actions\[nginx\.service\]: 'no-such-program -s reload'"):
        require_commands([plan_unit(make_case(), settings)], settings)


@pytest.mark.parametrize("action", ["reload", "restart", "sh -c true"])
def test_an_action_that_can_be_done_is_taken(action: str) -> None:
    settings = make_settings(actions={"nginx.service": action, "other.service": "no-such-program"})
    require_commands([plan_unit(make_case(), settings)], settings)
