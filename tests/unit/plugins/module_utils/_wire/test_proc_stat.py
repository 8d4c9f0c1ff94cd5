# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire import proc_stat
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.procfs import ProcfsError
from hypothesis import given
from hypothesis import strategies as st

STAT = b"812 (%s) S 1 812 812 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 4 0 5000 10000 200 18446744073709551615 1 1 0\n"
TEST_STAT = [
    (STAT % b"nginx", proc_stat.Stat("S", 4194560, 4)),
    (STAT % b"a) Z 1 (b", proc_stat.Stat("S", 4194560, 4)),
    (STAT % b"x\n) Z (\xff", proc_stat.Stat("S", 4194560, 4)),
    (STAT % b") R 1 1 1 1 1 1 1", proc_stat.Stat("S", 4194560, 4)),
]


@pytest.mark.parametrize(("raw", "expected"), TEST_STAT)
def test_parse_stat(raw: bytes, expected: proc_stat.Stat) -> None:
    assert proc_stat.parse_stat(raw) == expected


def test_parse_stat_of_this_process() -> None:
    parsed = proc_stat.parse_stat(Path("/proc/self/stat").read_bytes())
    assert parsed.state in "RS"
    assert not parsed.flags & proc_stat.PF_KTHREAD
    assert parsed.threads >= 1


def test_parse_effective_uid() -> None:
    assert (
        proc_stat.parse_effective_uid(b"Name:\tx\\nUid:\t1\t1\t1\t1\nPid:\t1\nUid:\t1000\t33\t0\t33\nGid:\t0\n") == 33
    )
    assert proc_stat.parse_effective_uid(Path("/proc/self/status").read_bytes()) == os.geteuid()


TEST_MALFORMED_STATUS = [
    (b"", "no line of uids"),
    (b"Name:\tx\n", "no line of uids"),
    (b"Name:\tx\nUid:\t1\t2\t3\n", "line 2: not four uids"),
    (b"Uid:\t1\t-2\t3\t4\n", "line 1: not four uids"),
]


@pytest.mark.parametrize(("raw", "problem"), TEST_MALFORMED_STATUS)
def test_parse_effective_uid_refuses(raw: bytes, problem: str) -> None:
    with pytest.raises(ProcfsError, match=problem):
        proc_stat.parse_effective_uid(raw)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    raw = draw(st.sampled_from((STAT % b"a b", b"Uid:\t1\t2\t3\t4\n")))
    start = draw(st.integers(0, len(raw)))
    return raw[:start] + draw(st.binary(max_size=20)) + raw[start + draw(st.integers(0, 40)) :]


@given(st.one_of(st.binary(), damaged()))
def test_parsers_give_a_record_or_the_typed_error(raw: bytes) -> None:
    for parse in (proc_stat.parse_stat, proc_stat.parse_effective_uid):
        problem = "source, line 1: none"
        try:
            parse(raw)
        except ProcfsError as error:
            problem = str(error)
        assert re.fullmatch(r"\S+, line \d+: .+", problem)
        assert problem.isprintable()
