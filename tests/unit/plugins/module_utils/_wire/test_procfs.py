# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._wire import procfs
from hypothesis import given
from hypothesis import strategies as st

# As a 6.18 kernel wrote it: a listener, an established connection, a half-open one and one in TIME_WAIT.
TCP_TABLE = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                     %s
   0: 050200C0:01BB 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 30211 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 30212 2 0000000000000000 20 4 30 10 -1
   2: 0100007F:1F90 0100007F:C351 03 00000000:00000000 01:00000063 00000001     0        0 0 1 0000000000000000
   3: 0100007F:1F90 0100007F:C352 06 00000000:00000000 03:00001763 00000000     0        0 0 3 0000000000000000
""" % (b" " * 20)  # noqa: E501
TCP6_TABLE = b"""\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: B80D0120000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4294967299 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF0000050200C0:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0
"""  # noqa: E501
UDP_TABLE = b"""\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \x20
  215: 00000000:0035 00000000:0000 07 00000000:00000240 00:00000000 00000000   101        0 555 2 0000000000000000 0        \x20
  216: 0100007F:0036 0100007F:0035 01 00000000:00000000 00:00000000 00000000   101        0 556 2 0000000000000000 0        \x20
"""  # noqa: E501


def bound(packed: str, port: int, **more: object) -> Socket:
    family = socket.AF_INET6 if ":" in packed else socket.AF_INET
    row = Socket(
        protocol="tcp",
        family="ipv6" if ":" in packed else "ipv4",
        packed=socket.inet_pton(family, packed),
        port=port,
        ifindex=None,
        v6only=None,
        backlog=None,
        queued=0,
        uid=0,
        inode=0,
        cgroup_id=None,
        freebind=None,
        transparent=None,
    )
    return row._replace(**more)  # type: ignore[arg-type]


TEST_SOCKETS = [
    pytest.param(TCP_TABLE, "tcp", "ipv4", [bound("192.0.2.5", 443, queued=3, uid=1000, inode=30211)], id="tcp"),
    pytest.param(
        TCP6_TABLE,
        "tcp",
        "ipv6",
        [bound("2001:db8::1", 22, inode=4294967299), bound("::ffff:192.0.2.5", 22, inode=77)],
        id="tcp6",
    ),
    pytest.param(
        UDP_TABLE, "udp", "ipv4", [bound("0.0.0.0", 53, protocol="udp", queued=None, uid=101, inode=555)], id="udp"
    ),
    pytest.param(TCP_TABLE.split(b"\n", maxsplit=1)[0] + b"\n", "tcp", "ipv4", [], id="nobody listens"),
]


@pytest.mark.parametrize(("raw", "protocol", "family", "expected"), TEST_SOCKETS)
def test_parse_sockets(raw: bytes, protocol: str, family: str, expected: list[Socket]) -> None:
    assert procfs.parse_sockets(raw, protocol, family, "little") == expected


def test_parse_sockets_of_a_big_endian_machine() -> None:
    raw = TCP_TABLE.replace(b"050200C0", b"C0000205")
    assert [row.packed for row in procfs.parse_sockets(raw, "tcp", "ipv4", "big")] == [b"\xc0\x00\x02\x05"]
    raw = TCP6_TABLE.replace(b"B80D0120000000000000000001000000", b"20010DB8000000000000000000000001")
    assert procfs.parse_sockets(raw, "tcp", "ipv6", "big")[0].packed == socket.inet_pton(socket.AF_INET6, "2001:db8::1")


TEST_MALFORMED_SOCKETS = [
    pytest.param(b"", "line 1: the file ends", id="nothing"),
    pytest.param(TCP_TABLE[:-1], "line 5: the file ends", id="cut at the end"),
    pytest.param(TCP_TABLE[: TCP_TABLE.index(b"C352")], "line 5: the file ends", id="cut in a row"),
    pytest.param(TCP_TABLE.split(b"\n", 1)[1], "line 1: not the heading", id="no heading"),
    pytest.param(TCP_TABLE.replace(b"050200C0", b"050200C"), "line 2: not the fields", id="a short address"),
    pytest.param(TCP_TABLE.replace(b"050200C0", b"0x0200C0"), "line 2: not the fields", id="no number"),
    pytest.param(
        TCP_TABLE.replace(b" 30211 ", b" 3_211 "), "line 2: not the fields", id="a number as Python writes it"
    ),
    pytest.param(TCP_TABLE.replace(b" 30212 ", b" ? "), "line 3: not the fields", id="a row that is not even wanted"),
    pytest.param(
        TCP_TABLE.replace(b" 30211 ", b" " + b"9" * 5000 + b" "), "line 2: not the fields", id="a huge number"
    ),
    pytest.param(TCP6_TABLE, "line 2: not the fields", id="the table of the other family"),
]


@pytest.mark.parametrize(("raw", "problem"), TEST_MALFORMED_SOCKETS)
def test_parse_sockets_names_the_line_that_it_cannot_read(raw: bytes, problem: str) -> None:
    with pytest.raises(procfs.ProcfsError, match=f"^/proc/net/tcp, {problem}"):
        procfs.parse_sockets(raw, "tcp", "ipv4", "little")


@given(
    st.lists(
        st.tuples(
            st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)),
            st.integers(0, 0xFFFF),
            st.sampled_from([1, 6, 7, 10]),
            st.integers(0, 0xFFFFFFFF),
            st.integers(0, 2**64 - 1),
        )
    ),
    st.sampled_from(["little", "big"]),
    st.sampled_from([("tcp", 10), ("udp", 7)]),
)
def test_parse_sockets_gives_back_what_the_kernel_would_print(
    rows: list[tuple[bytes, int, int, int, int]], byteorder: str, kind: tuple[str, int]
) -> None:
    protocol, listening = kind
    for family, size in (("ipv4", 4), ("ipv6", 16)):
        wanted = [row for row in rows if len(row[0]) == size]
        text = "  sl  local_address rem_address   st\n"
        for number, (packed, port, state, uid, inode) in enumerate(wanted):
            words = [packed[start : start + 4] for start in range(0, size, 4)]
            address = "".join(f"{int.from_bytes(word, byteorder):08X}" for word in words)  # type: ignore[arg-type]
            peer = "0" * 2 * size
            text += f"{number:4d}: {address}:{port:04X} {peer}:0000 {state:02X} 00000000:00000000 00:00000000 00000000"
            text += f" {uid:5d} {0:8d} {inode} 1 0000000000000000 100 0 0 10 0\n"
        parsed = procfs.parse_sockets(text.encode(), protocol, family, byteorder)
        assert [(row.packed, row.port, row.uid, row.inode) for row in parsed] == [
            (packed, port, uid, inode) for packed, port, state, uid, inode in wanted if state == listening
        ]


def test_parse_sockets_of_this_machine() -> None:
    with socket.socket() as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        listener.bind(("127.0.0.1", 0))
        listener.listen(7)
        datagrams.bind(("127.0.0.2", 0))
        for opened, protocol in ((listener, "tcp"), (datagrams, "udp")):
            address, port = opened.getsockname()
            rows = procfs.parse_sockets(Path(f"/proc/net/{protocol}").read_bytes(), protocol, "ipv4")
            [row] = [row for row in rows if row.inode == os.fstat(opened.fileno()).st_ino]
            assert (row.packed, row.port, row.uid) == (socket.inet_aton(address), port, os.geteuid())


STAT = b"812 (%s) S 1 812 812 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 4 0 5000 10000 200 18446744073709551615 1 1 0\n"
TEST_STAT = [
    (STAT % b"nginx", procfs.Stat("S", 4194560, 4)),
    (STAT % b"a) Z 1 (b", procfs.Stat("S", 4194560, 4)),
    (STAT % b"x\n) Z (\xff", procfs.Stat("S", 4194560, 4)),
    (STAT % b") R 1 1 1 1 1 1 1", procfs.Stat("S", 4194560, 4)),
]


@pytest.mark.parametrize(("raw", "expected"), TEST_STAT)
def test_parse_stat(raw: bytes, expected: procfs.Stat) -> None:
    assert procfs.parse_stat(raw) == expected


def test_parse_stat_of_this_process() -> None:
    parsed = procfs.parse_stat(Path("/proc/self/stat").read_bytes())
    assert parsed.state in "RS"
    assert not parsed.flags & procfs.PF_KTHREAD
    assert parsed.threads >= 1


TEST_COMM = [(b"nginx\n", b"nginx"), (b"a\nb\n", b"a\nb"), (b"\n\n", b"\n"), (b"\n", b""), (b"", b"")]


@pytest.mark.parametrize(("raw", "expected"), TEST_COMM)
def test_parse_comm(raw: bytes, expected: bytes) -> None:
    assert procfs.parse_comm(raw) == expected


def test_parse_effective_uid() -> None:
    assert procfs.parse_effective_uid(b"Name:\tx\\nUid:\t1\t1\t1\t1\nPid:\t1\nUid:\t1000\t33\t0\t33\nGid:\t0\n") == 33
    assert procfs.parse_effective_uid(Path("/proc/self/status").read_bytes()) == os.geteuid()


TEST_MALFORMED_STATUS = [
    (b"", "no line of uids"),
    (b"Name:\tx\n", "no line of uids"),
    (b"Name:\tx\nUid:\t1\t2\t3\n", "line 2: not four uids"),
    (b"Uid:\t1\t-2\t3\t4\n", "line 1: not four uids"),
]


@pytest.mark.parametrize(("raw", "problem"), TEST_MALFORMED_STATUS)
def test_parse_effective_uid_refuses(raw: bytes, problem: str) -> None:
    with pytest.raises(procfs.ProcfsError, match=problem):
        procfs.parse_effective_uid(raw)


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
    procfs.parse_comm,
    procfs.parse_effective_uid,
    procfs.parse_stat,
    procfs.parse_cgroup,
    procfs.parse_cgroup2_mounts,
    lambda raw: procfs.parse_sockets(raw, "tcp", "ipv4"),
    lambda raw: procfs.parse_sockets(raw, "udp", "ipv6"),
]
SAMPLES = (TCP_TABLE, TCP6_TABLE, UDP_TABLE, STAT, MOUNTINFO, b"Uid:\t1\t2\t3\t4\n", b"0::/a\n")


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


def test_default_byteorder_is_that_of_this_machine() -> None:
    assert procfs.parse_sockets(TCP_TABLE, "tcp", "ipv4") == procfs.parse_sockets(
        TCP_TABLE, "tcp", "ipv4", sys.byteorder
    )
