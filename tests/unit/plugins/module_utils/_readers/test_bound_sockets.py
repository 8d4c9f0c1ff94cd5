# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real sockets of this process and of children; /proc is a folder that shows only those."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import BOUND, LISTENING, Occupant
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import bound_sockets
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.bound_sockets import read_bound
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.socket_options import Calls, make_calls

SO_BINDTODEVICE_LO = (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
REUSEADDR = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
REUSEPORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
V6ONLY = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
NOT_V6ONLY = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """The first process of the host's own PID namespace, which is just ending, and this one."""
    (tmp_path / "1").mkdir()
    (tmp_path / "self" / "ns").mkdir(parents=True)
    (tmp_path / "self" / "ns" / "pid").symlink_to("pid:[4026531836]")
    (tmp_path / "thread-self").symlink_to("/proc/thread-self")
    show(tmp_path, os.getpid())
    return tmp_path


def show(proc: Path, pid: int) -> None:
    (proc / str(pid)).symlink_to(f"/proc/{pid}")


def bind(address: str, *options: tuple[int, int, int | bytes], port: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    for option in options:
        made.setsockopt(*option)
    made.bind((address, port))
    return made


def port_of(made: socket.socket) -> int:
    port: int = made.getsockname()[1]
    return port


def inode_of(made: socket.socket) -> int:
    return os.fstat(made.fileno()).st_ino


TEST_KINDS = [
    ("127.0.0.1", (), bytes((127, 0, 0, 1)), False, None, (False, False)),
    ("0.0.0.0", (REUSEADDR,), bytes(4), False, None, (True, False)),
    ("0.0.0.0", (REUSEPORT, SO_BINDTODEVICE_LO), bytes(4), True, None, (False, True)),
    ("::", (V6ONLY,), bytes(16), False, True, (False, False)),
    ("::", (NOT_V6ONLY, REUSEADDR, REUSEPORT), bytes(16), False, False, (True, True)),
    ("::1", (NOT_V6ONLY,), bytes(15) + b"\1", False, True, (False, False)),
    ("::ffff:127.0.0.1", (NOT_V6ONLY,), bytes(10) + b"\xff\xff\x7f\0\0\1", False, False, (False, False)),
]


@pytest.mark.parametrize(("address", "options", "packed", "is_pinned", "v6only", "flags"), TEST_KINDS)
def test_a_bound_socket_is_told_as_the_kernel_lists_it(proc, address, options, packed, is_pinned, v6only, flags):
    with bind(address, *options) as made:
        port, inode = port_of(made), inode_of(made)
        found = read_bound({port}, str(proc))
        lo = socket.if_nametoindex("lo") if is_pinned else 0
        family = "ipv4" if len(packed) == 4 else "ipv6"
        row = Occupant("tcp", family, packed, port, bytes(len(packed)), 0, BOUND, lo, os.getuid(), inode, None, v6only)
        assert found == ((row,), {inode: flags}, frozenset(), None)
        assert read_bound({port + 1}, str(proc)).occupants == ()


def test_what_is_listed_or_of_another_kind_is_not_even_duplicated(proc):
    asked: Counter[int] = Counter()
    real = make_calls()

    def duplicate(pidfd: int, descriptor: int) -> int:
        asked[descriptor] += 1
        return real.duplicate(pidfd, descriptor)

    with bind("127.0.0.1") as made, bind("127.0.0.1") as listening, socket.socketpair()[0] as pair:
        listening.listen()
        with (
            made.dup() as twin,
            socket.socket(type=socket.SOCK_DGRAM) as datagram,
            socket.create_connection(listening.getsockname()) as one,
        ):
            read_bound({port_of(made)}, str(proc), Calls(real.open_process, duplicate))
            others = (listening, pair, datagram, one)
            assert asked[made.fileno()] + asked[twin.fileno()] == 1
            assert not [other for other in others if asked[other.fileno()]]


def test_where_protocols_have_no_names_the_socket_itself_is_asked(proc, monkeypatch):
    def refuse(*_arguments: object) -> bytes:
        raise OSError(errno.ENODATA, "no such attribute")

    monkeypatch.setattr(os, "getxattr", refuse)
    with bind("127.0.0.1") as made, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        datagram.bind(made.getsockname())
        found = read_bound({port_of(made)}, str(proc))
        assert [row.inode for row in found.occupants] == [inode_of(made)]
        assert found.unseen is None


def test_one_that_has_begun_to_listen_since_is_a_listener(proc):
    real = make_calls()
    with bind("127.0.0.1") as made:

        def duplicate(pidfd: int, descriptor: int) -> int:
            made.listen()
            return real.duplicate(pidfd, descriptor)

        found = read_bound({port_of(made)}, str(proc), Calls(real.open_process, duplicate))
        assert [(row.inode, row.state) for row in found.occupants] == [(inode_of(made), LISTENING)]


def test_one_that_has_had_a_connection_may_have_lost_its_port_and_keeps_its_error(proc):
    with bind("127.0.0.1") as nobody:
        closed = nobody.getsockname()
    with bind("127.0.0.1") as made:
        made.setblocking(False)
        with suppress(BlockingIOError):
            made.connect(closed)
        found = read_bound({port_of(made)}, str(proc))
        assert found.doubtful == {inode_of(made)} == {row.inode for row in found.occupants}
        # The control: it is there for its owner to read, once.
        errors = [made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _reading in range(2)]
        assert errors == [errno.ECONNREFUSED, 0]


def test_nothing_is_left_open(proc):
    with bind("127.0.0.1") as made:
        before = os.listdir("/proc/self/fd")
        read_bound({port_of(made)}, str(proc))
        assert os.listdir("/proc/self/fd") == before


def _refuse(code: int) -> Callable[..., int]:
    def call(*_arguments: int) -> int:
        raise OSError(code, os.strerror(code))

    return call


TEST_REFUSALS = [
    (errno.EPERM, "a seccomp filter forbids pidfd_getfd (common in containers)"),
    (errno.EMFILE, f"the descriptor could not be duplicated: {os.strerror(errno.EMFILE)}"),
]


@pytest.mark.parametrize(("code", "reason"), TEST_REFUSALS)
def test_a_socket_that_is_not_given_leaves_it_open(proc, code, reason):
    with bind("127.0.0.1") as made, bind("127.0.0.1"):
        found = read_bound({port_of(made)}, str(proc), Calls(make_calls().open_process, _refuse(code)))
    assert found.occupants == ()
    assert found.unseen is not None
    count, _space, told = found.unseen.partition(" unlisted TCP sockets: ")
    assert int(count) >= 2
    assert told == reason


def test_a_socket_that_was_closed_meanwhile_leaves_nothing_open(proc):
    with bind("127.0.0.1") as made:
        found = read_bound({port_of(made)}, str(proc), Calls(make_calls().open_process, _refuse(errno.EBADF)))
    assert (found.occupants, found.unseen) == ((), None)


TEST_BLIND = [
    ("pid:[4026531999]", True, "processes outside of this PID namespace cannot be seen"),
    ("pid:[4026531836]", False, "processes of other users are hidden (hidepid); needs CAP_SYS_PTRACE"),
]


@pytest.mark.parametrize(("namespace", "has_first", "reason"), TEST_BLIND)
def test_processes_that_cannot_be_seen_leave_it_open(proc, namespace, has_first, reason):
    (proc / "self" / "ns" / "pid").unlink()
    (proc / "self" / "ns" / "pid").symlink_to(namespace)
    if not has_first:
        (proc / "1").rmdir()
    with bind("127.0.0.1") as made:
        found = read_bound({port_of(made)}, str(proc))
        assert len(found.occupants) == 1, "what is seen is told nevertheless"
        assert str(found.unseen).startswith(reason)


HOLDER = """
import ctypes, os, socket, sys, threading
held = socket.socket()
held.bind(("127.0.0.1", 0))

def live():
    print(held.getsockname()[1], flush=True)
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=live).start()
if EXIT:
    ctypes.CDLL(None).syscall(ctypes.c_long(EXIT), ctypes.c_long(0))  # of this thread alone
"""
EXIT = {"x86_64": 60, "aarch64": 93}


@pytest.fixture
def hold(proc) -> Iterator[Callable[[int], int]]:
    started = []

    def start(exit_call: int) -> int:
        command = [sys.executable, "-c", HOLDER.replace("EXIT", str(exit_call))]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        stat = Path(f"/proc/{process.pid}/stat")
        deadline = time.monotonic() + 10
        while exit_call and " Z " not in stat.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        show(proc, process.pid)
        return port

    yield start
    for process in started:
        process.communicate(timeout=10)  # closes its standard input, on which it ends


def test_a_socket_of_another_process_is_found(proc, hold):
    port = hold(0)
    found = read_bound({port}, str(proc))
    assert ([row.port for row in found.occupants], found.unseen) == ([port], None)


@pytest.mark.skipif(os.uname().machine not in EXIT, reason="the number of the system call exit is not known here")
def test_a_process_without_its_first_thread_leaves_it_open(proc, hold):
    port = hold(EXIT[os.uname().machine])
    found = read_bound({port}, str(proc))
    assert found.occupants == ()
    why = "the first thread of the process has ended, and pidfd_getfd goes by that one"
    assert found.unseen == f"1 unlisted TCP socket: {why}"


def test_a_process_that_cannot_be_looked_into_leaves_it_open(proc, hold, monkeypatch):
    port = hold(0)
    real = os.open

    def refuse(path: str, *arguments: int, dir_fd: int | None = None) -> int:
        if path == "fd":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *arguments, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    found = read_bound({port}, str(proc))
    assert found.occupants == ()
    assert str(found.unseen).startswith("3 of 3 processes cannot be looked into (Permission denied)")


# Before Linux 5.14 there is no SO_NETNS_COOKIE, and SIOCGSKNS takes CAP_NET_ADMIN.
NO_COOKIE = 9999


def test_the_namespace_of_a_socket_is_told_without_its_cookie(proc, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("SIOCGSKNS takes CAP_NET_ADMIN")
    monkeypatch.setattr(bound_sockets, "_SO_NETNS_COOKIE", NO_COOKIE)
    with bind("127.0.0.1") as made:
        assert len(read_bound({port_of(made)}, str(proc)).occupants) == 1
        (proc / "thread-self").unlink()
        (proc / "thread-self" / "ns").mkdir(parents=True)
        (proc / "thread-self" / "ns" / "net").touch()
        assert read_bound({port_of(made)}, str(proc)) == ((), {}, frozenset(), None), "it is of another one"


def test_a_namespace_that_cannot_be_told_leaves_it_open(proc, monkeypatch):
    def refuse(*_arguments: object) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(bound_sockets, "_SO_NETNS_COOKIE", NO_COOKIE)
    monkeypatch.setattr(fcntl, "ioctl", refuse)
    with bind("127.0.0.1") as made:
        found = read_bound({port_of(made)}, str(proc))
    told = "1 unlisted TCP socket: it could not be asked where it is bound (Operation not permitted)"
    assert (found.occupants, found.unseen) == ((), told)
