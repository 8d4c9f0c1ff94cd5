# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._wire import proc_net
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.procfs import ProcfsError
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
    assert proc_net.parse_sockets(raw, protocol, family, "little") == expected


def test_parse_sockets_of_a_big_endian_machine() -> None:
    raw = TCP_TABLE.replace(b"050200C0", b"C0000205")
    assert [row.packed for row in proc_net.parse_sockets(raw, "tcp", "ipv4", "big")] == [b"\xc0\x00\x02\x05"]
    raw = TCP6_TABLE.replace(b"B80D0120000000000000000001000000", b"20010DB8000000000000000000000001")
    assert proc_net.parse_sockets(raw, "tcp", "ipv6", "big")[0].packed == socket.inet_pton(
        socket.AF_INET6, "2001:db8::1"
    )


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
    with pytest.raises(ProcfsError, match=f"^/proc/net/tcp, {problem}"):
        proc_net.parse_sockets(raw, "tcp", "ipv4", "little")


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
        parsed = proc_net.parse_sockets(text.encode(), protocol, family, byteorder)
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
            rows = proc_net.parse_sockets(Path(f"/proc/net/{protocol}").read_bytes(), protocol, "ipv4")
            [row] = [row for row in rows if row.inode == os.fstat(opened.fileno()).st_ino]
            assert (row.packed, row.port, row.uid) == (socket.inet_aton(address), port, os.geteuid())


SAMPLES = (TCP_TABLE, TCP6_TABLE, UDP_TABLE)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    raw = draw(st.sampled_from(SAMPLES))
    start = draw(st.integers(0, len(raw)))
    return raw[:start] + draw(st.binary(max_size=20)) + raw[start + draw(st.integers(0, 40)) :]


@given(st.one_of(st.binary(), damaged()), st.sampled_from([("tcp", "ipv4"), ("udp", "ipv6")]))
def test_parse_sockets_gives_records_or_the_typed_error(raw: bytes, table: tuple[str, str]) -> None:
    problem = "source, line 1: none"
    try:
        proc_net.parse_sockets(raw, *table)
    except ProcfsError as error:
        problem = str(error)
    assert re.fullmatch(r"\S+, line \d+: .+", problem)
    assert problem.isprintable()


def test_default_byteorder_is_that_of_this_machine() -> None:
    assert proc_net.parse_sockets(TCP_TABLE, "tcp", "ipv4") == proc_net.parse_sockets(
        TCP_TABLE, "tcp", "ipv4", sys.byteorder
    )
