# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bind_check as a real module: what each option does, and what it says of a wrong one."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from .stage import NOBODY, Stage
from .world import KINDS, World

Json = dict[str, Any]

STATES = Counter(kind.state for kind in KINDS)
VALID = STATES["valid"] + STATES["wildcard"]
STALE = STATES["stale_address"] + STATES["stale_interface"]
ERRORS = STALE + 1  # and the duplicate
WARNINGS = 2  # the tentative address, and the link that is down
INFOS = 2  # the bridge without a carrier, and the pin that does not fit the address

# By rule, the ports of the listeners that it is about.
PORTS = {
    "stale-address": [kind.port for kind in KINDS if kind.state == "stale_address"],
    "stale-interface": [kind.port for kind in KINDS if kind.state == "stale_interface"],
    "pending-address": [1025, 1026],
    "link-down": [1016, 1017],
    "pinned-elsewhere": [1029],
}


def check(world: World, stage: Stage, **options: Any) -> Json:
    """With the rules about addresses and interfaces alone, unless others are named."""
    return stage.run(world.name, "bind_check", {"rules": list(PORTS), **options}).result


def ports_of(result: Json) -> list[int]:
    return sorted(finding["listener"]["port"] for finding in result["findings"])


def test_whole_verdict(world: World, stage: Stage) -> None:
    result = check(world, stage)
    assert result["failed"] is True
    assert result["summary"] == {
        "listeners": len(KINDS),
        "valid": VALID,
        "intended": STATES["intended"],
        "unknown": 0,
        "findings": ERRORS + WARNINGS + INFOS,
        "errors": ERRORS,
        "warnings": WARNINGS,
        "infos": INFOS,
    }
    assert result["failing"] == ERRORS
    assert "listeners" not in result
    for rule, ports in PORTS.items():
        found = [finding["listener"]["port"] for finding in result["findings"] if finding["rule"] == rule]
        assert sorted(found) == sorted(ports), rule


def test_worst_comes_first(world: World, stage: Stage) -> None:
    severities = [finding["severity"] for finding in check(world, stage)["findings"]]
    assert severities == ["error"] * ERRORS + ["warning"] * WARNINGS + ["info"] * INFOS


def test_message_is_a_headline_and_a_line_for_each_finding(world: World, stage: Stage) -> None:
    result = check(world, stage)
    head, *lines = result["msg"].splitlines()
    assert head == f"{len(KINDS)} looked at: {VALID} valid, {STATES['intended']} intended, 0 unknown"
    for finding, line in zip(result["findings"], lines):
        listener = finding["listener"]
        address = f"[{listener['address']}]" if listener["family"] == "ipv6" else listener["address"]
        assert line.startswith(f"{address}:{listener['port']}/{listener['protocol']}  holder  {finding['rule']}: ")
        assert line.endswith(f"→ {finding['remedy']}")
    assert len(lines) == len(result["findings"])


# Options, and how many findings then make the check fail.
TEST_LIMITS = [
    ({"fail_on": "error"}, ERRORS),
    ({"fail_on": "warning"}, ERRORS + WARNINGS),
    ({"fail_on": "info"}, ERRORS + WARNINGS + INFOS),
    ({"fail_on": "never"}, 0),
    ({"rules": ["link-down"]}, 0),
    ({"rules": ["link-down"], "fail_on": "warning"}, 1),
    ({"ports": ["1001"]}, 0),
]


@pytest.mark.parametrize(("options", "failing"), TEST_LIMITS, ids=[str(case[0]) for case in TEST_LIMITS])
def test_what_makes_it_fail(world: World, stage: Stage, options: Json, failing: int) -> None:
    result = check(world, stage, **options)
    assert (result["failing"], result.get("failed", False)) == (failing, failing > 0)


# Options, and the ports of the findings that are left.
TEST_NARROWED = [
    ({"rules": ["stale-interface"]}, PORTS["stale-interface"]),
    ({"rules": ["stale-address", "link-down"]}, PORTS["stale-address"] + PORTS["link-down"]),
    ({"skip_rules": ["stale-address", "stale-interface", "pending-address", "pinned-elsewhere"]}, PORTS["link-down"]),
    ({"rules": ["stale-address"], "skip_rules": ["stale-address"]}, []),
    ({"protocols": ["udp"]}, [1108, 1110]),
    ({"ports": ["1018-1020", "1108"]}, [1018, 1019, 1020, 1108]),
    ({"addresses": ["2001:db8::/64"]}, [1019, 1025, 1026]),
    ({"intended_addresses": ["192.0.2.6", "2001:db8::/64"]}, [1016, 1017, 1025, 1026, 1027, 1028, 1029, 1110]),
    ({"units": ["nginx*"]}, []),
]


@pytest.mark.parametrize(("options", "ports"), TEST_NARROWED, ids=[str(case[0]) for case in TEST_NARROWED])
def test_what_is_looked_at(world: World, stage: Stage, options: Json, ports: list[int]) -> None:
    assert ports_of(check(world, stage, **options)) == sorted(ports)


def test_all_valid_is_said_only_when_all_are(world: World, stage: Stage) -> None:
    assert check(world, stage, ports=["1001-1003"])["msg"] == "All 3 bindings are valid"
    assert check(world, stage, ports=["1001", "1021"])["msg"] == "2 looked at: 1 valid, 1 intended, 0 unknown"
    assert check(world, stage, ports=["9"])["msg"] == "No listener was found to look at"


def test_listeners_are_returned_on_request(world: World, stage: Stage) -> None:
    asked = check(world, stage, include_listeners=True)["listeners"]
    assert asked == stage.run(world.name, "listener_info", {}).result["listeners"]


def test_unknown_counts_only_on_request(world: World, stage: Stage) -> None:
    options: Json = {"backend": "psutil", "rules": ["stale-address"]}
    for more, failing in (({}, False), ({"fail_on_unknown": True}, True)):
        result = stage.run(world.name, "bind_check", {**options, **more}, psutil=True).result
        assert {finding["verdict"] for finding in result["findings"]} == {"unknown"}
        assert result.get("failed", False) is failing
        assert result["failing"] == (len(result["findings"]) if failing else 0)
        assert result["summary"]["errors"] == 0


def test_without_privileges_the_verdict_is_the_same(world: World, stage: Stage) -> None:
    options = {"rules": list(PORTS)}
    root, nobody = (stage.run(world.name, "bind_check", options, user=user).result for user in (0, NOBODY))
    assert nobody["summary"] == root["summary"]
    assert nobody["failing"] == root["failing"]
    for ours, theirs in zip(nobody["findings"], root["findings"]):
        assert ours["listener"]["owner_status"] == "denied"
        assert (ours["rule"], ours["evidence"]) == (theirs["rule"], theirs["evidence"])


def test_check_mode_says_the_same(world: World, stage: Stage) -> None:
    plain, checked = check(world, stage), check(world, stage, _ansible_check_mode=True)
    for key in ("findings", "summary", "msg", "failing"):
        assert checked[key] == plain[key]


def test_second_sample_is_taken_only_where_something_looks_wrong(world: World, stage: Stage) -> None:
    start = time.monotonic()
    check(world, stage, ports=["1001"], confirm_after=30)
    assert time.monotonic() - start < 10
    assert ports_of(check(world, stage, ports=["1018"], confirm_after=0.5)) == [1018]


def test_short_loss_of_an_address_is_no_finding_with_confirmation(stage: Stage) -> None:
    """The address comes back while the module waits for its second sample."""
    import threading

    world = World()
    try:
        assert ports_of(check(world, stage, ports=["1018"])) == [1018]
        back = threading.Timer(1, world.ip, ["address add 192.0.2.6/24 dev lan0"])
        back.start()
        result = check(world, stage, ports=["1018"], confirm_after=3)
        back.join()
    finally:
        world.close()
    assert result["findings"] == []
    assert result["summary"]["valid"] == 1
    assert "1 more showed in only one of the two samples" in result["msg"]


# Options, and what the one error must name: the option, the value, and what is allowed.
TEST_WRONG = [
    ({"fail_on": "critical"}, ("fail_on", "critical", "info, warning, error, never")),
    ({"backend": "lsof"}, ("backend", "lsof", "auto, netlink, psutil")),
    ({"rules": ["stale_address"]}, ("rules", "stale_address", "stale-address, stale-interface")),
    ({"skip_rules": ["all"]}, ("skip_rules", "all", "stale-address, stale-interface")),
    ({"protocols": ["sctp"]}, ("protocols", "sctp", "tcp, udp")),
    ({"ports": ["70000"]}, ("ports", "70000", "from 1 to 65535")),
    ({"ports": ["8010-8000"]}, ("ports", "8010-8000", "from 1 to 65535")),
    ({"ports": ["http"]}, ("ports", "http", "from 1 to 65535")),
    ({"addresses": ["192.0.2.5/24"]}, ("addresses", "192.0.2.5/24", "host bits are zero")),
    ({"addresses": ["fe80::1%eth0"]}, ("addresses", "fe80::1%eth0", "IPv4 or IPv6 address")),
    ({"intended_addresses": ["vip"]}, ("intended_addresses", "vip", "IPv4 or IPv6 address")),
    ({"units": [" "]}, ("units", "' '", "a name, or a glob")),
    ({"confirm_after": -1}, ("confirm_after", "-1", "from 0 to 3600")),
    ({"confirm_after": "nan"}, ("confirm_after", "nan", "from 0 to 3600")),
    ({"confirm_after": "soon"}, ("confirm_after", "'soon'", "seconds from 0 to 3600")),
    ({"fail_on_unknown": "perhaps"}, ("fail_on_unknown", "perhaps", "bool")),
    ({"port": 443}, ("port", "port", "ports")),
]


@pytest.mark.parametrize(("options", "named"), TEST_WRONG, ids=[str(case[0]) for case in TEST_WRONG])
def test_wrong_value_gets_one_clear_error(
    world: World, stage: Stage, options: Json, named: tuple[str, str, str]
) -> None:
    result = check(world, stage, **options)
    assert result["failed"] is True
    assert "summary" not in result
    assert "Traceback" not in result["msg"]
    for text in named:
        assert text in result["msg"], result["msg"]
