# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

# A child without rights cannot import it later.
import ansible_collections.infracheck.bindings.plugins.module_utils._wire.sockopts  # noqa: F401  # pylint: disable=unused-import
import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    DENIED,
    FOUND,
    KERNEL,
    UNKNOWN,
    Options,
    Owner,
    Ownership,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import socket_options
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.socket_options import (
    Borrower,
    Calls,
    Unreadable,
    make_calls,
    read_options,
)
from builders import make_socket

OPTIONS = {
    "reuseaddr": (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    "reuseport": (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1),
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
}

# Opens sockets, says descriptor, inode and port of each, and holds them until standard input ends.
HOLDER = """
import os, socket, sys
held = []
for kind, *options in eval(sys.argv[1]):
    one = socket.socket(socket.AF_INET, kind)
    for option in options:
        one.setsockopt(*option)
    one.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        one.listen()
    held.append(one)
print(*[f"{one.fileno()} {os.fstat(one.fileno()).st_ino} {one.getsockname()[1]}" for one in held], sep=";", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Starts a process that holds sockets: (pid, [(descriptor, inode, port), …])."""
    started = []

    def start(sockets, **arguments):
        wishes = repr([(int(kind), *map(tuple, options)) for kind, *options in sockets])
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, wishes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **arguments,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        return process.pid, [tuple(map(int, part.split())) for part in line.strip().split(";")]

    yield start
    for process in started:
        process.communicate(timeout=10)  # closes its standard input, on which it ends


def own(pid, *descriptors):
    return Ownership(tuple(Owner(pid, "x", None, None, descriptor) for descriptor in descriptors), FOUND, None)


def row(inode, port=80, **fields):
    return make_socket("127.0.0.1", port, inode=inode, **fields)


def count_descriptors():
    return len(os.listdir("/proc/self/fd"))


class Counting:
    """The real calls, counted."""

    def __init__(self):
        self.real = make_calls()
        self.counts: Counter[tuple[str, int]] = Counter()

    def open_process(self, pid):
        self.counts["open", pid] += 1
        return self.real.open_process(pid)

    def duplicate(self, pidfd, descriptor):
        self.counts["duplicate", descriptor] += 1
        return self.real.duplicate(pidfd, descriptor)

    @property
    def calls(self):
        return Calls(self.open_process, self.duplicate)


def test_every_combination_of_options_is_read(hold):
    wishes = [[OPTIONS[name] for number, name in enumerate(OPTIONS) if bits >> number & 1] for bits in range(8)]
    sockets = [(socket.SOCK_STREAM, *options) for options in wishes]
    sockets += [(socket.SOCK_DGRAM, *options) for options in wishes]
    sockets += [(socket.SOCK_STREAM, (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 3))]
    pid, held = hold(sockets)
    rows = [
        row(inode, port, protocol="tcp" if kind == socket.SOCK_STREAM else "udp")
        for (_descriptor, inode, port), (kind, *_options) in zip(held, sockets)
    ]
    before = count_descriptors()
    found, gaps = read_options(rows, [own(pid, descriptor) for descriptor, _inode, _port in held])
    assert gaps == ()
    assert count_descriptors() == before
    for bits, (stream, datagram) in enumerate(zip(found[:8], found[8:16])):
        reuseaddr, reuseport, keepalive = (bool(bits >> number & 1) for number in range(3))
        assert stream == Options(reuseaddr, reuseport, keepalive, 0)
        assert datagram == Options(reuseaddr, reuseport, keepalive, None)
    # The kernel keeps the number of SYN-ACK retransmits and makes seconds of it again.
    assert found[16].defer_accept == 3


def test_each_holder_is_read_at_most_once_and_each_process_opened_once(hold):
    pid, held = hold([(socket.SOCK_STREAM,)] * 3)
    counting = Counting()
    rows = [row(inode, port) for _descriptor, inode, port in held]
    # All three are held three times: nobody asks a second holder where the first one answered.
    owners = [own(pid, descriptor, descriptor, descriptor) for descriptor, _inode, _port in held]
    assert read_options(rows, owners, counting.calls)[1] == ()
    assert counting.counts == {("open", pid): 1, **{("duplicate", descriptor): 1 for descriptor, _i, _p in held}}


def test_the_next_holder_is_asked_where_one_is_gone(hold):
    pid, [(descriptor, inode, port)] = hold([(socket.SOCK_STREAM, OPTIONS["reuseaddr"])])
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    owners = (Owner(dead.pid, "x", None, None, descriptor), Owner(pid, "x", None, None, descriptor + 50))
    ownership = Ownership((*owners, Owner(pid, "x", None, None, descriptor)), FOUND, None)
    assert read_options([row(inode, port)], [ownership])[0][0].reuseaddr is True


LEADERLESS = """
import ctypes, os, socket, sys, threading
held = socket.create_server(("127.0.0.1", 0))

def live():
    print(held.fileno(), os.fstat(held.fileno()).st_ino, held.getsockname()[1], flush=True)
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=live).start()
ctypes.CDLL(None).syscall(ctypes.c_long(EXIT), ctypes.c_long(0))  # of this thread alone
"""
EXIT = {"x86_64": 60, "aarch64": 93}


@pytest.mark.skipif(os.uname().machine not in EXIT, reason="the number of the system call exit is not known here")
def test_a_process_that_lives_on_without_its_first_thread_is_not_gone():
    code = LEADERLESS.replace("EXIT", str(EXIT[os.uname().machine]))
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        descriptor, inode, port = map(int, process.stdout.readline().split())
        stat = Path(f"/proc/{process.pid}/stat")
        deadline = time.monotonic() + 10
        while " Z " not in stat.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        (options,), (gap,) = read_options([row(inode, port)], [own(process.pid, descriptor)])
        reason = "the first thread of the process has ended, and pidfd_getfd goes by that one"
        assert (options, gap.reason) == (Options(reason=reason), reason)
    finally:
        process.communicate()


def test_a_pending_error_stays_with_its_owner():
    """SO_ERROR is get and clear. A listener's own, and one of a connected datagram socket, which is a bound one too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = nobody.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as owner:
        owner.bind(("127.0.0.1", 0))
        owner.connect(closed)
        owner.send(b"x")  # the refusal comes back as an error of the next call
        inode = os.fstat(owner.fileno()).st_ino
        rows = [row(inode, owner.getsockname()[1], protocol="udp")]
        for _round in range(3):
            found, gaps = read_options(rows, [own(os.getpid(), owner.fileno())])
            assert (found[0].reason, gaps) == (None, ())
        assert owner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        # The control: reading it does take it away.
        assert owner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def test_nothing_is_changed_on_the_socket(hold):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        os.set_inheritable(listener.fileno(), True)
        flags = Path(f"/proc/self/fdinfo/{listener.fileno()}").read_text()
        read_options([row(os.fstat(listener.fileno()).st_ino)], [own(os.getpid(), listener.fileno())])
        assert Path(f"/proc/self/fdinfo/{listener.fileno()}").read_text() == flags
        assert listener.getblocking() is False


def test_a_duplicate_is_not_inherited_by_programs():
    with socket.socket() as listener, Borrower() as borrower:
        inode = os.fstat(listener.fileno()).st_ino
        with closing(borrower.lend(os.getpid(), listener.fileno(), inode, socket.AF_INET, socket.SOCK_STREAM)) as lent:
            assert os.get_inheritable(lent.fileno()) is False
            assert os.fstat(lent.fileno()).st_ino == inode


def test_the_port_is_free_again_when_its_owner_closes_it_under_a_reading_loop():
    """As the docs say, a bind in the very instant of a reading is refused; it must not last."""
    reader = os.fork()
    if reader == 0:
        parent = os.getppid()
        with Borrower() as borrower:
            while os.getppid() == parent:
                for name in os.listdir(f"/proc/{parent}/fd"):
                    try:
                        link = os.readlink(f"/proc/{parent}/fd/{name}")
                        if link.startswith("socket:["):
                            inode = int(link[8:-1])
                            borrower.lend(parent, int(name), inode, socket.AF_INET, socket.SOCK_STREAM).close()
                    except (OSError, Unreadable):
                        continue
        os._exit(0)
    try:
        rounds = [sorted(_close_and_bind_again(reader) for _round in range(1000))[989] for _round in range(3)]
    finally:
        os.kill(reader, 9)
        os.waitpid(reader, 0)
    assert sorted(rounds)[1] < 0.005, rounds


def _read_waits(*pids):
    """Seconds that these have waited for a processor so far (/proc/PID/schedstat); 0 where that is not counted."""
    try:
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e9
    except FileNotFoundError:
        return 0.0


def _close_and_bind_again(reader):
    """Seconds until the port can be bound again after a close, less those in which this process or the reader wanted to
    run and was not let: that is the load of the machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    address = listener.getsockname()
    time.sleep(0.0002)
    waited = _read_waits(os.getpid(), reader)
    listener.close()
    start = time.perf_counter()
    while True:
        with socket.socket() as again:
            try:
                again.bind(address)
                again.listen()
                elapsed = time.perf_counter() - start
                return elapsed - (_read_waits(os.getpid(), reader) - waited)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.perf_counter() - start > 5:
                    raise
                time.sleep(0.0001)  # leaves the processor to the reader, which it may share


# -- refusals


def refuse(code):
    def call(*_arguments):
        raise OSError(code, os.strerror(code))

    return call


def open_null(*_arguments):
    return os.open(os.devnull, os.O_RDONLY)


GONE = "the process that held it is gone"
CLOSED = "the process has closed it meanwhile"
TEST_REFUSALS = [
    (Calls(refuse(errno.ESRCH), open_null), GONE),
    (Calls(open_null, refuse(errno.ESRCH)), GONE),
    (Calls(open_null, refuse(errno.EBADF)), CLOSED),
    (Calls(open_null, open_null), CLOSED),  # a file in its place
    (Calls(refuse(errno.ENOSYS), open_null), "a seccomp filter forbids pidfd_getfd (common in containers)"),
    (Calls(open_null, refuse(errno.EPERM)), "a seccomp filter forbids pidfd_getfd (common in containers)"),
    (Calls(open_null, refuse(errno.EMFILE)), "the descriptor could not be duplicated: Too many open files"),
]


@pytest.mark.parametrize(("calls", "reason"), TEST_REFUSALS)
def test_refusals_leave_nothing_open_and_are_explained(calls, reason):
    before = count_descriptors()
    found, gaps = read_options([row(77), row(78)], [own(4242, 3), own(4242, 4)], calls)
    assert count_descriptors() == before
    assert found == [Options(reason=reason)] * 2
    assert [(gap.source, gap.subject, gap.reason) for gap in gaps] == [
        ("pidfd_getfd", "SO_REUSEADDR and other options of 2 sockets", reason)
    ]


def test_each_reason_is_a_gap_of_its_own_in_one_order():
    def duplicate(_pidfd, descriptor):
        raise OSError(errno.ESRCH if descriptor == 3 else errno.EMFILE, "no")

    _found, gaps = read_options([row(77), row(78)], [own(4242, 3), own(4242, 4)], Calls(open_null, duplicate))
    assert [gap.reason for gap in gaps] == ["the descriptor could not be duplicated: Too many open files", GONE]


def test_an_error_in_the_middle_leaves_nothing_open(hold, monkeypatch):
    pid, [(descriptor, inode, port)] = hold([(socket.SOCK_STREAM,)])
    before = count_descriptors()

    def fail(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(socket_options, "_ask", fail)
    with pytest.raises(KeyboardInterrupt):
        read_options([row(inode, port)], [own(pid, descriptor)])
    assert count_descriptors() == before


TEST_UNOWNED = [
    (DENIED, "no process that holds it can be seen, which needs root or CAP_SYS_PTRACE"),
    (KERNEL, "the kernel itself holds it"),
    (UNKNOWN, "its owner is unknown"),
]


@pytest.mark.parametrize(("status", "reason"), TEST_UNOWNED)
def test_without_a_holder_nothing_is_asked_and_the_owners_gap_is_enough(status, reason):
    calls = Calls(refuse(errno.EPERM), refuse(errno.EPERM))
    assert read_options([row(5)], [Ownership((), status, None)], calls) == ([Options(reason=reason)], ())


@pytest.mark.skipif(os.geteuid() != 0, reason="giving up rights needs root")
def test_another_user_is_refused_and_told_why(hold):
    pid, [(descriptor, inode, _port)] = hold([(socket.SOCK_STREAM,)])
    before, after = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        os.write(after, str(read_options([row(inode)], [own(pid, descriptor)])[0][0].reason).encode())
        os._exit(0)
    os.waitpid(child, 0)
    reason = os.read(before, 1000).decode()
    os.close(before)
    os.close(after)
    assert reason.startswith("no right to look into that process, which needs root or CAP_SYS_PTRACE")


def test_reading_many_sockets_is_fast(hold):
    """70 microseconds each are allowed; measured are 11 to 25."""
    pid, held = hold([(socket.SOCK_STREAM,)] * 300)
    rows = [row(inode, port) for _descriptor, inode, port in held]
    owners = [own(pid, descriptor) for descriptor, _inode, _port in held]
    seconds = []
    for _round in range(10):
        start = time.perf_counter()
        assert read_options(rows, owners)[1] == ()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) / len(rows) < 70e-6
