# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans as JSON, and where a connect shows that a unit serves."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import (
    NONE,
    RESTART,
    Case,
    Plan,
    Proof,
    Prospect,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import BLOCKED, UNAVAILABLE
from ansible_collections.infracheck.bindings.plugins.module_utils._module.plan_results import (
    compose_outcome_message,
    compose_plan_message,
    find_awaited,
    index_states,
    render_outcome,
    render_plan,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality, View
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.rebind_outcome import Outcome, Place
from builders import SEES_ALL, make_address, make_link, make_network
from plans import listens, make_case, make_settings, prospect

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


def make_plan(action: str = RESTART, decision: str = "proven", **fields: Any) -> Plan:
    return Plan(make_case(**fields), action, decision, "a reason", "", None)


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
