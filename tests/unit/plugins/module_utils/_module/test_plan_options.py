# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.plan_options import (
    make_place,
    parse_checks,
    parse_expected,
    parse_refused,
    parse_settings,
    parse_since,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.rebind_outcome import Place, Refused
from plans import wish

PARAMS: dict[str, Any] = {
    "actions": {},
    "checks": {},
    "never_restart": {},
    "unproven": "refuse",
    "containers": False,
    "units": [],
    "max_units": 5,
    "max_wait": 0.0,
    "allow_downtime": False,
    "failed": {},
    "rescued": [],
    "since": None,
    "left": [],
    "connects": [],
}

TEST_EXPECTED = [
    ("192.0.2.5:443", wish("192.0.2.5:443")),
    (" 192.0.2.5:53/udp ", wish("192.0.2.5:53/udp")),
    ("[2001:db8::5]:443/tcp", wish("[2001:db8::5]:443")),
    ("[fe80::5%eth1]:443", wish("[fe80::5]:443", "eth1")),
    ({"address": "0.0.0.0", "port": 443, "interface": "eth1"}, wish("0.0.0.0:443", "eth1")),
    ({"address": "2001:db8::5", "port": "53", "protocol": "udp"}, wish("[2001:db8::5]:53/udp")),
    ({"address": "::", "port": 53, "interface": None}, wish("[::]:53")),
]


@pytest.mark.parametrize(("value", "expected"), TEST_EXPECTED)
def test_expected(value: object, expected: object) -> None:
    assert parse_expected({"x.service": [value]}) == {"x.service": (expected,)}


TEST_WRONG = [
    [],
    "192.0.2.5:443",
    ["192.0.2.5"],
    ["localhost:443"],
    ["192.0.2.5:443/sctp"],
    ["192.0.2.5:0"],
    [443],
    [{"address": "192.0.2.5"}],
    [{"address": "192.0.2.5", "port": 443, "device": "eth1"}],
    [{"address": "192.0.2.5", "port": 443, "protocol": "sctp"}],
    [{"address": "192.0.2.5", "port": 443, "interface": 3}],
]


@pytest.mark.parametrize("value", TEST_WRONG)
def test_a_wrong_declaration_is_named(value: object) -> None:
    with pytest.raises(InvalidOption, match=r"expected\[x\.service\].*it takes"):
        parse_expected({"x.service": value})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_wait", -1.0),
        ("max_wait", float("nan")),
        ("max_wait", 4000.0),
        ("max_units", -1),
        ("actions", {"x.service": ""}),
        ("actions", {"x.service": ["reload"]}),
        ("actions", {"x.service": "rndc\0scan"}),
        ("actions", {"x.service": "restart 'it"}),
        ("actions", {"x.service": "'' now"}),
        ("checks", {"x.service": 1}),
        ("checks", {"x.service": "check \\"}),
        ("never_restart", {"x.service": None}),
        ("units", [" "]),
    ],
)
def test_a_wrong_option_is_named(option: str, value: Any) -> None:
    parse = (lambda: parse_checks(value)) if option == "checks" else (lambda: parse_settings({**PARAMS, option: value}))
    with pytest.raises(InvalidOption, match=option):
        parse()


def test_an_error_names_the_option_the_role_has_it_from_the_value_and_what_is_allowed() -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_checks({"x.service": 'unbalanced "'})
    assert str(caught.value) == (
        "option checks[x.service]: 'unbalanced \"' is not allowed; it takes a command whose quotes are closed, as for a"
        " shell; in the role it is rebind_checks"
    )


# What a caller writes → the label of the plan.
TEST_LABELS = [
    ("nginx.service", "nginx.service"),
    (" nginx ", "nginx.service"),
    ("ssh.socket", "ssh.socket"),
    ("u@1", "u@1.service"),
    ("dev-x\\x2dy.mount", "dev-x\\x2dy.mount"),
    ("nginx of uid 1000", "nginx.service of uid 1000"),
    ("nginx.service of uid 1000", "nginx.service of uid 1000"),
    ("docker container 4c01", "docker container 4c01"),
    ("podman container 4c01 of uid 1000", "podman container 4c01 of uid 1000"),
]


@pytest.mark.parametrize(("key", "label"), TEST_LABELS)
def test_units_are_named_as_systemctl_takes_them(key: str, label: str) -> None:
    assert list(parse_expected({key: ["192.0.2.5:443"]})) == [label]
    assert parse_checks({key: "check"}) == {label: "check"}
    assert parse_settings({**PARAMS, "actions": {key: "reload"}}).actions == {label: "reload"}


@pytest.mark.parametrize("key", ["", "nginx*", "two words", "docker 4c01", "nginx of user me", "a/b"])
def test_what_can_be_no_unit_is_named(key: str) -> None:
    for parse in (
        lambda: parse_expected({key: ["192.0.2.5:443"]}),
        lambda: parse_checks({key: "check"}),
        lambda: parse_settings({**PARAMS, "actions": {key: "reload"}}),
    ):
        with pytest.raises(InvalidOption, match="the name of a unit"):
            parse()


def test_a_unit_that_is_named_twice() -> None:
    with pytest.raises(InvalidOption, match=r"nginx\.service is in it twice"):
        parse_checks({"nginx": "a", "nginx.service": "b"})


TEST_GLOBS = [
    ("plain", ("plain", "plain.service")),
    ("web-[0-9]", ("web-[0-9]", "web-[0-9].service")),
    ("nginx*", ("nginx*", "nginx*.service")),
    ("*.socket", ("*.socket",)),
    ("init.scope", ("init.scope",)),
]


@pytest.mark.parametrize(("glob", "names"), TEST_GLOBS)
def test_a_glob_without_a_kind_means_a_service_as_well(glob: str, names: tuple[str, ...]) -> None:
    settings = parse_settings({**PARAMS, "units": [glob], "never_restart": {glob: "no"}})
    assert settings.units == names
    assert settings.never == dict.fromkeys(names, "no")


def test_settings() -> None:
    actions = {"x.service": " reload ", "y.service": "Reload", "z.service": "RESTART", "w.service": "/bin/Reload"}
    settings = parse_settings({**PARAMS, "unproven": "restart", "actions": actions})
    assert settings.unproven
    assert list(settings.actions.values()) == ["reload", "reload", "restart", "/bin/Reload"]
    assert parse_checks({"x": ""}) == {"x.service": ""}


LISTENER = {"protocol": "tcp", "address": "192.0.2.10", "port": 80, "interface": None, "ifindex": None}
BIND = {"protocol": "tcp", "address": "192.0.2.20", "port": 80, "interface": None, "verdict": "ok"}
ENTRY = {
    "label": "nginx.service",
    "unit": "nginx.service",
    "manager": "systemd",
    "scope": "system",
    "companion": None,
    "endpoints": [],
    "action": "restart",
    "proven": True,
    "stale": [LISTENER],
    "healthy": [],
    "proof": {"binds": [BIND]},
}


def test_an_earlier_plan_is_read_back() -> None:
    (before,) = parse_since(
        {**PARAMS, "since": [ENTRY], "failed": {"nginx.service": "down"}, "rescued": ["nginx.service"]}
    )
    assert before.stale == (Place("tcp", "192.0.2.10", 80, None),)
    assert before.wished == (Place("tcp", "192.0.2.20", 80, None),)
    assert (before.failed, before.rescued) == ("down", True)


# The last look at what was left alone → why, and whether its port was the reason.
TEST_LEFT: list[tuple[dict[str, Any], list[dict[str, Any]], str, bool]] = [
    (ENTRY, [], "", False),
    ({**ENTRY, "reason": "it will listen", "advice": ""}, [], "", False),
    ({**ENTRY, "reason": "no proof", "advice": "declare it"}, [], "no proof; declare it", False),
    (ENTRY, [{"label": "other.service", "reason": "no"}], "", False),
    (ENTRY, [{"label": "nginx.service", "reason": "it could not be read"}], "it could not be read", False),
    (
        {**ENTRY, "reason": "before", "advice": "then"},
        [{**ENTRY, "reason": "clear in 40 s", "advice": "", "wait": {"seconds": 40, "stop_first": False}}],
        "clear in 40 s",
        True,
    ),
    (
        ENTRY,
        [{**ENTRY, "reason": "clear in 61 s", "advice": "wait", "wait": None, "decision": "port_busy"}],
        "clear in 61 s; wait",
        True,
    ),
    ({**ENTRY, "reason": "clear in 61 s", "advice": "wait", "decision": "port_busy"}, [], "clear in 61 s; wait", False),
]


@pytest.mark.parametrize(("entry", "left", "why", "waited"), TEST_LEFT)
def test_why_nothing_was_done(entry: dict[str, Any], left: list[dict[str, Any]], why: str, waited: bool) -> None:
    (before,) = parse_since({**PARAMS, "since": [entry], "left": left})
    assert (before.left, before.waited) == (why, waited)


@pytest.mark.parametrize("entry", [{}, {"label": "x"}, {"reason": "y"}, {"label": 1, "reason": "y"}])
def test_what_is_no_entry_of_a_plan_is_named(entry: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="option left"):
        parse_since({**PARAMS, "left": [entry]})


ROW = {"host": "192.0.2.20", "port": 80, "interface": "eth1", "connected": False}


def test_what_gave_no_connect() -> None:
    rows = [ROW, {**ROW, "port": "81", "interface": None}, {**ROW, "port": 82, "connected": True}]
    assert parse_refused(rows) == {Refused("192.0.2.20", 80, "eth1"), Refused("192.0.2.20", 81, None)}


@pytest.mark.parametrize(
    "row", [{}, {**ROW, "port": "http"}, {"host": "a", "port": 1}, {"host": "a", "interface": None}]
)
def test_what_is_no_connect_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="option connects"):
        parse_refused([row])


def test_what_was_not_proven_is_not_demanded_afterwards() -> None:
    (before,) = parse_since({**PARAMS, "since": [{**ENTRY, "proven": False}]})
    assert before.wished == ()


@pytest.mark.parametrize("entry", [{}, {**ENTRY, "stale": [{}]}, {**ENTRY, "proof": None}, {**ENTRY, "healthy": 3}])
def test_what_is_no_earlier_plan_is_named(entry: object) -> None:
    with pytest.raises(InvalidOption, match="since"):
        parse_since({**PARAMS, "since": [entry]})


def test_a_dead_interface_has_its_index_for_a_name() -> None:
    dead = make_place({**LISTENER, "ifindex": 7})
    assert dead == Place("tcp", "192.0.2.10", 80, "index 7")
    assert dead != make_place(LISTENER)
