# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.rebind_outcome import (
    Before,
    Place,
    describe_place,
    judge_outcome,
)

OLD = Place("tcp", "192.0.2.10", 80, None)
NEW = Place("tcp", "192.0.2.20", 80, None)
LOCAL = Place("tcp", "127.0.0.1", 8080, None)
ANY = Place("tcp", "0.0.0.0", 443, None)
DNS = Place("udp", "127.0.0.1", 53, None)
PINNED = Place("tcp", "0.0.0.0", 8443, "eth1")


def make_before(
    action: str = "restart",
    healthy: tuple[Place, ...] = (LOCAL,),
    wished: tuple[Place, ...] = (NEW, LOCAL),
    failed: Optional[str] = None,
    rescued: bool = False,
) -> Before:
    return Before("nginx.service", action, (OLD,), healthy, wished, failed, rescued)


FINE = {NEW: "valid", LOCAL: "valid"}

# before, what is there now, what gave no connect → outcome, what is missing
TEST_OUTCOMES: list[tuple[Before, dict[Place, str], set[tuple[str, int]], str, tuple[Place, ...]]] = [
    (make_before(), FINE, set(), "fixed", ()),
    (make_before(wished=()), {LOCAL: "valid"}, set(), "fixed", ()),
    (make_before(), {Place("tcp", "0.0.0.0", 80, None): "wildcard", LOCAL: "valid"}, set(), "fixed", ()),
    (make_before(healthy=(DNS,), wished=(DNS,)), {DNS: "valid"}, {("127.0.0.1", 53)}, "fixed", ()),
    (make_before(healthy=(PINNED,), wished=(PINNED,)), {PINNED: "wildcard"}, set(), "fixed", ()),
    (make_before(), {LOCAL: "valid"}, set(), "missing", (NEW,)),
    (make_before(), {NEW: "valid"}, set(), "missing", (LOCAL,)),
    (make_before(), FINE, {("127.0.0.1", 8080)}, "missing", (LOCAL,)),
    (make_before(healthy=(ANY,), wished=()), {ANY: "wildcard"}, {("127.0.0.1", 443)}, "missing", (ANY,)),
    (make_before(), {NEW: "stale_address", LOCAL: "valid"}, set(), "missing", (NEW,)),
    (make_before(wished=()), {OLD: "stale_address", LOCAL: "valid"}, set(), "still_stale", ()),
    # What it lost is worse than what it did not gain.
    (make_before(wished=()), {OLD: "stale_address"}, set(), "missing", (LOCAL,)),
    (make_before(rescued=True, wished=()), {OLD: "stale_address", LOCAL: "valid"}, set(), "rescued", ()),
    (make_before(failed="it is down"), {}, set(), "failed", (LOCAL, NEW)),
    (make_before(failed="it is down", rescued=True), FINE, set(), "failed", ()),
    (make_before("none"), {OLD: "stale_address"}, set(), "untouched", ()),
    (make_before("none"), {OLD: "stale_interface"}, set(), "untouched", ()),
    (make_before("none"), {OLD: "valid"}, set(), "healed", ()),
    (make_before("none"), {}, set(), "healed", ()),
]


@pytest.mark.parametrize(("before", "states", "refused", "outcome", "missing"), TEST_OUTCOMES)
def test_outcome(
    before: Before,
    states: dict[Place, str],
    refused: set[tuple[str, int]],
    outcome: str,
    missing: tuple[Place, ...],
) -> None:
    found = judge_outcome(before, states, refused)
    assert (found.label, found.outcome, set(found.missing)) == ("nginx.service", outcome, set(missing))
    assert found.reason


def test_the_report_of_a_rescue_names_what_the_configuration_still_has() -> None:
    found = judge_outcome(make_before(rescued=True), {OLD: "stale_address", LOCAL: "valid"}, set())
    assert "192.0.2.10:80/tcp" in found.reason


def test_a_place_is_told_as_people_write_it() -> None:
    assert describe_place(Place("udp", "2001:db8::5", 53, "eth1")) == "[2001:db8::5]:53/udp on eth1"
