# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import math
from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.endpoints import (
    AT_CONNECT,
    AT_DEADLINE,
    AT_SO_ERROR,
    Connect,
    ConnectSettings,
    InetAddress,
    Trial,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.connects import (
    check_connects,
    compose_result,
    parse_endpoints,
    parse_settings,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import connects
from contracts import find_violations

OPTIONS: dict[str, Any] = {
    "endpoints": ["a.example:80"],
    "timeout": 5.0,
    "attempts": 1,
    "delay": 1.0,
    "settle": 0.0,
    "concurrency": 1000,
    "family": "any",
    "fail": True,
}


def make_connect(error: Optional[int], stage: str = AT_SO_ERROR, number: int = 1) -> Connect:
    return Connect(InetAddress("ipv4", bytes([192, 0, 2, number])), stage, error, bytes([192, 0, 2, 99]), 0.0123456789)


def test_settings() -> None:
    assert parse_settings(OPTIONS) == ConnectSettings(5.0, 1, 1.0, 0.0, 1000, None)
    assert parse_settings({**OPTIONS, "family": "ipv6"}).family == "ipv6"


# option, value
TEST_WRONG = [
    ("timeout", 0.0),
    ("timeout", -1.0),
    ("timeout", math.nan),
    ("timeout", math.inf),
    ("attempts", 0),
    ("delay", -0.1),
    ("settle", -0.1),
    ("settle", math.nan),
    ("concurrency", 0),
]


@pytest.mark.parametrize(("option", "value"), TEST_WRONG)
def test_wrong_setting(option: str, value: float) -> None:
    with pytest.raises(InvalidOption, match=rf"option {option}: .* from \d"):
        parse_settings({**OPTIONS, option: value})


def test_wrong_endpoint_is_named_by_its_number() -> None:
    with pytest.raises(InvalidOption, match=r"option endpoints\[1\]\.port: 'x' is not allowed; it takes a port"):
        parse_endpoints(["a.example:80", "a.example:x"], None)
    with pytest.raises(InvalidOption, match="nothing tried would look like success"):
        parse_endpoints([], None)


def test_result() -> None:
    endpoints = parse_endpoints(
        ["a.example:80", {"host": "192.0.2.1", "port": 81, "expect": "refused"}, "b.example:1"], None
    )
    trials = [
        Trial(2, (make_connect(errno.ECONNREFUSED, number=1), make_connect(None, AT_DEADLINE, number=2)), None),
        Trial(1, (make_connect(errno.ECONNREFUSED),), None),
        Trial(1, (), "the resolver says: no"),
    ]
    result = compose_result(endpoints, trials, (Gap("RLIMIT_NOFILE", "concurrency", "few"),))
    assert find_violations("connect_check", result) == []
    first, second, third = result["endpoints"]
    assert (first["address"], first["class"], first["so_error"], first["elapsed_ms"]) == (
        "192.0.2.1",
        "refused",
        111,
        12.346,
    )
    assert [(row["address"], row["class"], row["so_error"]) for row in first["others"]] == [
        ("192.0.2.2", "timed_out", None)
    ]
    assert (second["met"], third["address"]) == (True, None)
    assert result["summary"] == {
        "endpoints": 3,
        "met": 1,
        "unmet": 2,
        "classes": {"refused": 2, "name_unresolved": 1},
    }
    assert result["msg"].split("\n") == [
        "2 of 3 endpoints are not as expected:",
        "a.example:80 (192.0.2.1) refused (ECONNREFUSED): nothing listens there, or a firewall says so, 2 attempts;"
        " expected connected",
        "b.example:1 name_unresolved: the resolver says: no; expected connected",
    ]


# classes met of how many, headline
TEST_HEADLINES = [
    (1, 1, "The endpoint is as expected."),
    (0, 1, "The endpoint is not as expected:"),
    (3, 3, "All 3 endpoints are as expected."),
    (2, 3, "1 of 3 endpoints is not as expected:"),
    (1, 3, "2 of 3 endpoints are not as expected:"),
]


@pytest.mark.parametrize(("met", "total", "headline"), TEST_HEADLINES)
def test_headline(met: int, total: int, headline: str) -> None:
    endpoints = parse_endpoints(["a.example:80"] * total, None)
    trials = [Trial(1, (make_connect(0 if number < met else 111),), None) for number in range(total)]
    assert compose_result(endpoints, trials, ())["msg"].partition("\n")[0] == headline


def test_an_errno_without_a_name_is_shown_as_a_number() -> None:
    (row,) = compose_result(parse_endpoints(["a.example:80"], None), [Trial(1, (make_connect(4095),), None)], ())[
        "endpoints"
    ]
    assert (row["class"], row["errno"]) == ("invalid", "4095")


@pytest.mark.parametrize(("fail", "error", "failed"), [(True, 111, True), (False, 111, False), (True, 0, False)])
def test_failure(monkeypatch: pytest.MonkeyPatch, fail: bool, error: int, failed: bool) -> None:
    trial = Trial(1, (make_connect(error, AT_CONNECT if error else AT_SO_ERROR),), None)
    monkeypatch.setattr(connects, "read_connects", lambda endpoints, settings, is_met: ([trial], ()))
    result, gaps = check_connects({**OPTIONS, "fail": fail})
    assert (result["failed"], gaps) == (failed, ())
