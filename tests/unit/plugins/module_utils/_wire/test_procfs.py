# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire import procfs
from hypothesis import given
from hypothesis import strategies as st

TEST_CGROUP = [
    pytest.param(b"0::/system.slice/nginx.service\n", "/system.slice/nginx.service", id="cgroup2"),
    pytest.param(b"0::/\n", "/", id="root"),
    pytest.param(b"", None, id="a kernel without cgroups"),
    pytest.param(b"4:memory:/a\n1:name=systemd:/system.slice/a.service\n", "/system.slice/a.service", id="v1"),
    pytest.param(
        b"4:memory:/a\n1:name=systemd:/system.slice/a.service\n0::/\n", "/system.slice/a.service", id="hybrid"
    ),
    pytest.param(b"1:name=systemd:/old.slice\n0::/new.slice\n", "/new.slice", id="hybrid, units in cgroup2"),
    pytest.param(b"4:memory:/a\n0::/\n", "/", id="v1 without systemd"),
    pytest.param(b"2:cpu,cpuacct:/x:y\n0::/a:b\n", "/a:b", id="colons"),
    pytest.param(b"0::/caf\xe9\n", "/caf\udce9", id="invalid UTF-8"),
]


@pytest.mark.parametrize(("raw", "expected"), TEST_CGROUP)
def test_parse_cgroup(raw: bytes, expected: str | None) -> None:
    assert procfs.parse_cgroup(raw) == expected


@pytest.mark.parametrize("raw", [b"0:/\n", b"x::/\n", b"0::x\n", b"0::/\n\0\n"])
def test_parse_cgroup_refuses(raw: bytes) -> None:
    with pytest.raises(procfs.ProcfsError, match=r"^cgroup, line \d: "):
        procfs.parse_cgroup(raw)


MOUNTINFO = b"""\
23 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw
40 23 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 23 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
42 23 0:38 /a.slice/b\\134x2d.slice /mnt/with\\040blank\\011tab rw - cgroup2 none rw
43 23 0:50 / /mnt/cgroup2 rw - tmpfs cgroup2 rw
"""


def test_parse_cgroup2_mounts() -> None:
    assert procfs.parse_cgroup2_mounts(MOUNTINFO) == [
        procfs.CgroupMount("/sys/fs/cgroup/unified", "/", (0, 38)),
        procfs.CgroupMount("/mnt/with blank\ttab", "/a.slice/b\\x2d.slice", (0, 38)),
    ]
    for mount in procfs.parse_cgroup2_mounts(Path("/proc/self/mountinfo").read_bytes()):
        assert os.path.isabs(mount.path)


@pytest.mark.parametrize("raw", [b"x\n", b"1 2 0:1 / /a - cgroup2 x x\n", b"1 2 3 / /a rw - cgroup2 x x\n"])
def test_parse_cgroup2_mounts_refuses(raw: bytes) -> None:
    with pytest.raises(procfs.ProcfsError, match=r"^mountinfo, line 1: "):
        procfs.parse_cgroup2_mounts(raw)


PARSERS: list[Callable[[bytes], object]] = [
    procfs.parse_cgroup,
    procfs.parse_cgroup2_mounts,
]
SAMPLES = (MOUNTINFO, b"0::/a\n")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    raw = draw(st.sampled_from(SAMPLES))
    start = draw(st.integers(0, len(raw)))
    return raw[:start] + draw(st.binary(max_size=20)) + raw[start + draw(st.integers(0, 40)) :]


@given(st.one_of(st.binary(), damaged()))
def test_parsers_give_a_record_or_the_typed_error(raw: bytes) -> None:
    for parse in PARSERS:
        problem = "source, line 1: none"
        try:
            parse(raw)
        except procfs.ProcfsError as error:
            problem = str(error)
        assert re.fullmatch(r"\S+, line \d+: .+", problem)
        assert problem.isprintable()
