# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files are read, and what becomes of those that cannot be; their rows are parsed by _wire.procfs."""

from __future__ import annotations

import errno
import os
import socket
import sys
from ipaddress import ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import UnreadableTable
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.proc_sockets import read_proc_sockets
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.proc_net import parse_sockets

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
REASON = "No such file or directory"


def row(address, port, state="0A", inode=1001):
    packed = ip_address(address).packed
    words = [packed[start : start + 4] for start in range(0, len(packed), 4)]
    digits = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return (
        f"   0: {digits}:{port:04X} {'0' * len(digits)}:0000 {state} 00000000:00000003 00:00000000 00000000"
        f"    33        0 {inode} 1 0000000000000000 100 0 0 10 0"
    )


@pytest.fixture
def proc(tmp_path):
    """A made-up /proc: add(directory, name, rows)."""

    class Proc:
        path = str(tmp_path)

        @staticmethod
        def add(directory, name, *rows):
            folder = tmp_path / directory / "net"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("\n".join([HEADING, *rows]) + "\n")
            return folder / name

    return Proc


def places(sockets):
    return [(row.family, row.packed, row.port) for row in sockets]


def test_both_families_are_read_from_the_namespace_of_this_thread(proc):
    proc.add("thread-self", "tcp", row("192.0.2.5", 443))
    proc.add("thread-self", "tcp6", row("2001:db8::5", 443))
    proc.add("self", "tcp", row("203.0.113.9", 1))
    proc.add("", "tcp", row("203.0.113.9", 2))
    sockets, gaps = read_proc_sockets("tcp", REASON, proc.path)
    assert places(sockets) == [
        ("ipv4", ip_address("192.0.2.5").packed, 443),
        ("ipv6", ip_address("2001:db8::5").packed, 443),
    ]
    found = sockets[0]
    assert (found.ifindex, found.backlog, found.queued, found.uid, found.inode) == (None, None, 3, 33, 1001)
    assert (found.v6only, found.cgroup_id, found.freebind, found.transparent) == (None, None, None, None)
    assert len(gaps) == 4
    assert all(REASON in gap.reason and gap.source == "/proc/net/tcp" for gap in gaps)


def test_kernel_before_3_17_has_no_thread_self(proc):
    proc.add("self", "udp", row("192.0.2.5", 53, "07"))
    proc.add("self", "udp6")
    sockets, gaps = read_proc_sockets("udp", REASON, proc.path)
    assert places(sockets) == [("ipv4", ip_address("192.0.2.5").packed, 53)]
    assert {gap.source for gap in gaps} == {"/proc/net/udp"}
    assert not any("accept queue" in gap.subject for gap in gaps)


def test_kernel_without_ipv6_has_no_tcp6(proc):
    proc.add("thread-self", "tcp", row("192.0.2.5", 443))
    assert len(read_proc_sockets("tcp", REASON, proc.path)[0]) == 1


def test_connections_are_left_out(proc):
    proc.add("thread-self", "tcp", row("192.0.2.5", 443, "01"), row("192.0.2.5", 444, "0A"))
    assert [found.port for found in read_proc_sockets("tcp", REASON, proc.path)[0]] == [444]


def test_no_file_at_all_is_an_error_that_names_both_reasons(proc):
    with pytest.raises(UnreadableTable) as caught:
        read_proc_sockets("tcp", REASON, proc.path)
    assert str(caught.value) == f"{REASON}; and there is no {proc.path}/self/net/tcp to read instead"


@pytest.mark.parametrize("name", ["tcp", "tcp6"])
def test_file_that_cannot_be_read_is_an_error(proc, name):
    proc.add("thread-self", "tcp", row("192.0.2.5", 443))
    blocked = proc.add("thread-self", name)
    blocked.unlink()
    blocked.mkdir()
    with pytest.raises(UnreadableTable, match=f"thread-self/net/{name} cannot be read: {os.strerror(errno.EISDIR)}"):
        read_proc_sockets("tcp", REASON, proc.path)


@pytest.mark.parametrize("name", ["tcp", "tcp6"])
def test_file_that_is_not_a_table_is_an_error(proc, name):
    proc.add("thread-self", "tcp", row("192.0.2.5", 443))
    proc.add("thread-self", name, "what is this")
    with pytest.raises(UnreadableTable, match=f"{REASON}; and /proc/net/{name}, line 2"):
        read_proc_sockets("tcp", REASON, proc.path)


@pytest.mark.skipif(not os.path.exists("/proc/thread-self/net/tcp"), reason="no /proc/thread-self/net on this system")
def test_own_listeners_are_in_the_real_files():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        for opened in (tcp, udp):
            opened.bind(("127.0.0.1", 0))
        tcp.listen(1)
        for protocol, opened in (("tcp", tcp), ("udp", udp)):
            inode = os.fstat(opened.fileno()).st_ino
            (found,) = [found for found in read_proc_sockets(protocol, REASON)[0] if found.inode == inode]
            assert (found.packed, found.port) == (b"\x7f\0\0\1", opened.getsockname()[1])


def test_fixture_rows_are_what_the_parser_reads():
    raw = f"{HEADING}\n{row('192.0.2.5', 443)}\n".encode()
    assert [found.port for found in parse_sockets(raw, "tcp", "ipv4")] == [443]
