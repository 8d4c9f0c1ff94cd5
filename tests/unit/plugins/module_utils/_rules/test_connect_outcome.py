# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.endpoints import (
    AT_CONNECT,
    AT_DEADLINE,
    AT_INTERFACE,
    AT_ITSELF,
    AT_SO_ERROR,
    AT_SOCKET,
    AT_SOURCE,
    CLASSES,
    Connect,
    Endpoint,
    InetAddress,
    Trial,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.connect_outcome import (
    classify,
    compose_line,
    is_met,
    judge,
)
from hypothesis import given
from hypothesis import strategies as st

STAGES = (AT_SOCKET, AT_INTERFACE, AT_SOURCE, AT_CONNECT, AT_SO_ERROR, AT_ITSELF, AT_DEADLINE)
HERE = bytes([127, 0, 0, 1])


def make_connect(stage: str = AT_SO_ERROR, error: Optional[int] = 0, number: int = 1, **fields: object) -> Connect:
    address = InetAddress("ipv4", bytes([192, 0, 2, number]))
    return Connect(address, stage, error, HERE, 0.001)._replace(**fields)  # type: ignore[arg-type]


def make_endpoint(expect: str = "connected", host: str = "a.example") -> Endpoint:
    return Endpoint(host, 80, None, None, None, expect)


# stage, errno, errno of the route, class
TEST_CLASSES = [
    (AT_SO_ERROR, 0, None, "connected"),
    (AT_SO_ERROR, errno.ECONNREFUSED, None, "refused"),
    (AT_CONNECT, errno.ECONNREFUSED, None, "refused"),
    (AT_ITSELF, 0, None, "refused"),
    (AT_SO_ERROR, errno.ETIMEDOUT, None, "timed_out"),
    (AT_DEADLINE, None, None, "timed_out"),
    (AT_CONNECT, errno.ENETUNREACH, None, "unreachable"),
    (AT_SO_ERROR, errno.EHOSTUNREACH, None, "unreachable"),
    (AT_CONNECT, errno.ENETDOWN, None, "unreachable"),
    (AT_SO_ERROR, errno.ENOPROTOOPT, None, "unreachable"),
    (AT_CONNECT, errno.EINVAL, errno.EINVAL, "unreachable"),
    (AT_CONNECT, errno.EINVAL, 0, "invalid"),
    (AT_CONNECT, errno.EINVAL, errno.ENETUNREACH, "invalid"),
    (AT_CONNECT, errno.EADDRNOTAVAIL, 0, "local_limit"),
    (AT_CONNECT, errno.EADDRNOTAVAIL, errno.EADDRNOTAVAIL, "no_source"),
    (AT_CONNECT, errno.EADDRNOTAVAIL, errno.ENETUNREACH, "no_source"),
    (AT_SOURCE, errno.EADDRNOTAVAIL, None, "no_source"),
    (AT_SOURCE, errno.EADDRINUSE, None, "local_limit"),
    (AT_SOURCE, errno.EINVAL, None, "invalid"),
    (AT_INTERFACE, errno.ENODEV, None, "no_source"),
    (AT_INTERFACE, errno.EPERM, None, "denied"),
    (AT_INTERFACE, errno.ENOPROTOOPT, None, "invalid"),
    (AT_CONNECT, errno.EACCES, None, "denied"),
    (AT_CONNECT, errno.EPERM, None, "denied"),
    (AT_SO_ERROR, errno.ECONNRESET, None, "reset"),
    (AT_SO_ERROR, errno.EPIPE, None, "reset"),
    (AT_SOCKET, errno.EMFILE, None, "local_limit"),
    (AT_SOCKET, errno.ENFILE, None, "local_limit"),
    (AT_SOCKET, errno.ENOBUFS, None, "local_limit"),
    (AT_CONNECT, errno.EAGAIN, None, "local_limit"),
    (AT_SOCKET, errno.EAFNOSUPPORT, None, "invalid"),
    (AT_CONNECT, errno.EXDEV, None, "invalid"),
]


@pytest.mark.parametrize(("stage", "error", "route", "klass"), TEST_CLASSES)
def test_class_of_an_errno(stage: str, error: Optional[int], route: Optional[int], klass: str) -> None:
    name, reason = classify(make_connect(stage, error, route_error=route))
    assert name == klass
    assert reason


def test_silence_from_no_address_is_no_source() -> None:
    assert classify(make_connect(AT_DEADLINE, None, local=bytes(4)))[0] == "no_source"
    assert classify(make_connect(AT_DEADLINE, None, local=None))[0] == "timed_out"


@given(
    st.sampled_from(STAGES),
    st.none() | st.integers(0, 200),
    st.none() | st.integers(0, 200),
    st.none() | st.binary(min_size=4, max_size=4),
)
def test_whatever_comes_has_one_class(
    stage: str, error: Optional[int], route: Optional[int], local: Optional[bytes]
) -> None:
    name, reason = classify(make_connect(stage, error, route_error=route, local=local))
    assert name in CLASSES
    assert (name == "connected") == (error == 0 and stage != AT_ITSELF)
    assert reason


Outcome = tuple[str, Optional[int]]
OK, REFUSED, SILENT = (AT_SO_ERROR, 0), (AT_SO_ERROR, errno.ECONNREFUSED), (AT_DEADLINE, None)

# what is expected, what each address of the name did, whether that is met, number of the address that decides
TEST_SEVERAL = [
    ("connected", (OK,), True, 0),
    ("connected", (REFUSED, OK), True, 1),
    ("connected", (OK, SILENT), True, 0),
    ("connected", (REFUSED, SILENT), False, 0),
    ("refused", (REFUSED, REFUSED), True, 0),
    ("refused", (REFUSED, OK), False, 1),
    ("refused", (REFUSED, SILENT), False, 1),
    ("timed_out", (SILENT, SILENT), True, 0),
    ("timed_out", (SILENT, OK), False, 1),
    ("name_unresolved", (OK,), False, 0),
]


@pytest.mark.parametrize(("expect", "outcomes", "met", "decides"), TEST_SEVERAL)
def test_several_addresses(
    expect: str, outcomes: tuple[tuple[str, Optional[int]], ...], met: bool, decides: int
) -> None:
    connects = tuple(make_connect(stage, error, number) for number, (stage, error) in enumerate(outcomes))
    outcome = judge(make_endpoint(expect), Trial(1, connects, None))
    assert (outcome.met, outcome.connect) == (met, connects[decides])
    assert is_met(make_endpoint(expect), Trial(1, connects, None)) is met


def test_a_name_that_nobody_looked_up_is_not_called_unresolved() -> None:
    trial = Trial(1, (), "not looked up", asked=False)
    assert judge(make_endpoint("name_unresolved"), trial)[:3] == ("local_limit", "not looked up", False)
    assert judge(make_endpoint("local_limit"), trial)[2] is True


def test_unresolved_name() -> None:
    trial = Trial(2, (), "the resolver says: no")
    assert judge(make_endpoint(), trial) == ("name_unresolved", "the resolver says: no", False, None)
    assert is_met(make_endpoint("name_unresolved"), trial)


# endpoint, outcome, attempts, address that decides, line
TEST_LINES = [
    (
        make_endpoint(),
        REFUSED,
        1,
        "192.0.2.1",
        "a.example:80 (192.0.2.1) refused (ECONNREFUSED): nothing",
    ),
    (
        make_endpoint("refused", "192.0.2.1"),
        OK,
        1,
        None,
        "192.0.2.1:80 connected: the handshake was completed",
    ),
    (make_endpoint("connected", "::1"), SILENT, 3, None, "[::1]:80 timed_out: no answer in time"),
]


@pytest.mark.parametrize(("endpoint", "outcome", "attempts", "tried", "line"), TEST_LINES)
def test_line_for_a_person(
    endpoint: Endpoint, outcome: Outcome, attempts: int, tried: Optional[str], line: str
) -> None:
    trial = Trial(attempts, (make_connect(*outcome),), None)
    text = compose_line(endpoint, trial, judge(endpoint, trial), tried)
    assert text.startswith(line)
    assert text.endswith(f"; expected {endpoint.expect}")
    assert (f"{attempts} attempts" in text) == (attempts > 1)
