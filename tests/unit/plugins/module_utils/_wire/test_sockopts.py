# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.sockopts import (
    Restrictions,
    explain_missing_call,
    explain_refusal,
    parse_release,
    parse_socket_unit,
)
from hypothesis import given
from hypothesis import strategies as st

FREE = Restrictions("6.18.0", True, None, True)

TEST_REFUSALS = [
    (FREE._replace(works_at_all=False), "a seccomp filter forbids pidfd_getfd (common in containers)"),
    (FREE._replace(yama_scope=3), "kernel.yama.ptrace_scope is 3, which lets nobody look into another process"),
    (
        FREE._replace(may_trace=False, yama_scope=1),
        "no right to look into that process, which needs root or CAP_SYS_PTRACE (kernel.yama.ptrace_scope is 1)",
    ),
    (FREE._replace(may_trace=False), "no right to look into that process, which needs root or CAP_SYS_PTRACE"),
    (FREE, "a security module or another user namespace forbids looking into that process"),
]


@pytest.mark.parametrize(("seen", "expected"), TEST_REFUSALS)
def test_refusals(seen, expected):
    assert explain_refusal(seen) == expected


TEST_RELEASES = [
    ("6.18.44-fc", (6, 18)),
    ("4.18.0-553.el8_10.x86_64", (4, 18)),
    ("5.10+", (5, 10)),
    ("", (0, 0)),
    ("next", (0, 0)),
]


@pytest.mark.parametrize(("release", "expected"), TEST_RELEASES)
def test_releases(release, expected):
    assert parse_release(release) == expected


def test_a_missing_call_is_an_old_kernel_or_a_filter():
    assert "came with Linux 5.6" in explain_missing_call("5.4.0-150-generic")
    assert "seccomp" in explain_missing_call("5.6.0")


TEST_UNITS = [
    ({"ReusePort": "no", "KeepAlive": "yes", "DeferAcceptUSec": "0"}, (False, True, 0)),
    ({"ReusePort": "yes", "KeepAlive": "no", "DeferAcceptUSec": "1min 30s"}, (True, False, 90)),
    ({"DeferAcceptUSec": "1.5s"}, (None, None, 2)),
    ({"DeferAcceptUSec": "500ms"}, (None, None, 1)),
    ({"DeferAcceptUSec": "infinity", "ReusePort": "?"}, (None, None, None)),
    ({}, (None, None, None)),
]


@pytest.mark.parametrize(("properties", "expected"), TEST_UNITS)
def test_socket_units(properties, expected):
    options = parse_socket_unit(properties)
    assert options.reuseaddr is True
    assert (options.reuseport, options.keepalive, options.defer_accept) == expected
    assert options.reason is None


@given(st.text(max_size=40))
def test_arbitrary_spans(text):
    parse_socket_unit({"DeferAcceptUSec": text})
