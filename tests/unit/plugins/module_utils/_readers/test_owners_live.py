# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel really shows of holders: sockets of child processes, in cgroups of their own."""

from __future__ import annotations

import ctypes
import os
import pickle
import platform
import shutil
import signal
import socket as sockets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple, NoReturn, Optional, Union

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Ownership, Service, Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import select_backend
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import owners
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.cgroup_paths import PathFinder
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.cgroups import Cgroups
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.owners import read_owners
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.procfs import parse_cgroup2_mounts
from builders import name_all

NOBODY = 65534
SYS_EXIT = {"x86_64": 60, "aarch64": 93}  # of one thread; asm-generic/unistd.h

Prepare = Callable[[], Union[sockets.socket, int]]  # what is held, or a port and nothing


class Child(NamedTuple):
    pid: int
    port: int


class Nursery:
    """Child processes that hold sockets, and cgroups for them. Everything ends with the test."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._pids: list[int] = []
        self._top.mkdir()

    def start(self, prepare: Prepare, unit: Optional[str] = None) -> Child:
        """A child in cgroup `unit` that holds what `prepare` returns."""
        receiver, sender = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._live(prepare, unit, sender)
        self._pids.append(pid)
        os.close(sender)
        with open(receiver, "rb") as stream:
            report = stream.readline()
        assert report, "the child could not be prepared"
        return Child(pid, int(report))

    def make_group(self, unit: str) -> Path:
        group = self._top / unit
        group.mkdir(exist_ok=True)
        return group

    def find_grandchild(self, child: Child, unit: str) -> int:
        [pid] = {int(line) for line in (self._top / unit / "cgroup.procs").read_text().split()} - {child.pid}
        return pid

    def _live(self, prepare: Prepare, unit: Optional[str], sender: int) -> NoReturn:
        try:
            if unit is not None:
                (self.make_group(unit) / "cgroup.procs").write_text(str(os.getpid()))
            held = prepare()
            os.write(sender, f"{held if isinstance(held, int) else held.getsockname()[1]}\n".encode())
            os.close(sender)
            while True:
                signal.pause()
        finally:
            os._exit(1)

    def forget(self, pid: int) -> None:
        """Kill and reap one."""
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self._pids.remove(pid)

    def close(self) -> None:
        for pid in list(self._pids):
            self.forget(pid)
        for group in [*self._top.iterdir(), self._top]:
            if group.is_dir():
                remove(group)


def remove(group: Path) -> None:
    """The kernel lets go of a group a moment after its last process was reaped; orphans of a child end just then."""
    for _attempt in range(100):
        for pid in (group / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.02)
        else:
            return
    group.rmdir()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    if os.geteuid() != 0:
        pytest.skip("making cgroups takes root")
    mounts = [mount for mount in parse_cgroup2_mounts(Path("/proc/self/mountinfo").read_bytes()) if mount.root == "/"]
    if not mounts or not os.access(mounts[0].path, os.W_OK):
        pytest.skip("there is no cgroup2 hierarchy here that could be written to")
    nursery = Nursery(Path(mounts[0].path) / f"infracheck{os.getpid()}.slice")
    try:
        yield nursery
    finally:
        nursery.close()


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pids: list[int] = []
    look: Callable[..., None] = owners.ProcessWalk._look

    def record(walk: owners.ProcessWalk, pid: int, *rest: Any) -> None:
        pids.append(pid)
        look(walk, pid, *rest)

    monkeypatch.setattr(owners.ProcessWalk, "_look", record)
    return pids


def listen() -> sockets.socket:
    return sockets.create_server(("127.0.0.1", 0))


def find_socket(port: int) -> Socket:
    rows = select_backend("netlink").read_sockets(("tcp",))[0]
    [row] = [row for row in rows if (row.packed, row.port) == (b"\x7f\0\0\1", port)]
    return row


def read(port: int, *, every_process: bool = False) -> tuple[Ownership, tuple[Gap, ...]]:
    row = find_socket(port)
    found, gaps = read_owners([row], every_process={row.inode} if every_process else ())
    found = name_all(found)
    return found[row.inode], gaps


def find_pids(ownership: Ownership) -> list[int]:
    return [owner.pid for owner in ownership.owners]


def system(unit: str) -> Service:
    return Service("systemd", unit, "system")


def test_the_creators_group_is_enough(nursery: Nursery, touched: list[int]) -> None:
    child = nursery.start(listen, "nginx.service")
    ownership, gaps = read(child.port)
    [owner] = ownership.owners
    assert (owner.pid, owner.user, owner.exe) == (child.pid, "root", os.path.realpath(sys.executable))
    assert os.readlink(f"/proc/{child.pid}/fd/{owner.fd}") == f"socket:[{find_socket(child.port).inode}]"
    assert ownership._replace(owners=()) == Ownership((), "found", system("nginx.service"), complete=False)
    assert gaps == ()
    assert touched == [child.pid]


def hold_connections() -> sockets.socket:
    """A listener, then a thousand other descriptors, then the listener once more."""
    listener = listen()
    held = [os.dup(0) for _number in range(1000)]
    held.append(listener.dup().detach())
    return listener


def count_links(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    readlink: Callable[..., str] = os.readlink

    def count(path: str, *, dir_fd: Optional[int] = None) -> str:
        names.append(path)
        return readlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "readlink", count)
    return names


def test_what_a_server_opened_after_its_listeners_is_passed_over(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = nursery.start(hold_connections, "nginx.service")
    names = count_links(monkeypatch)
    ownership, _gaps = read(child.port)
    [owner] = ownership.owners
    assert owner.pid == child.pid
    assert len(names) < 100


def test_it_is_not_passed_over_where_every_holder_is_wanted(nursery: Nursery) -> None:
    child = nursery.start(hold_connections, "nginx.service")
    ownership, _gaps = read(child.port, every_process=True)
    assert find_pids(ownership) == [child.pid, child.pid]


def test_a_listener_of_another_group_behind_what_is_passed_over(nursery: Nursery) -> None:
    """Its own group is empty by now, so that all processes are looked into, and this one once more."""
    passed = nursery.start(listen, "worker.service")
    foreign = take_over(passed.pid, passed.port)

    def keep() -> sockets.socket:
        listener = listen()
        held = [os.dup(0) for _number in range(1000)]
        held.append(os.dup(foreign))
        os.close(foreign)
        return listener

    child = nursery.start(keep, "nginx.service")
    os.close(foreign)
    nursery.forget(passed.pid)
    found, _gaps = read_owners((find_socket(child.port), find_socket(passed.port)))
    found = name_all(found)
    assert [find_pids(found[find_socket(port).inode]) for port in (child.port, passed.port)] == [[child.pid]] * 2


def take_over(pid: int, port: int) -> int:
    """A descriptor of ours for that listener of another process."""
    link = f"socket:[{find_socket(port).inode}]"
    [number] = [int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir() if os.readlink(fd) == link]
    pidfd = os.pidfd_open(pid)
    try:
        pidfd_getfd = 438  # x86-64 and all others but alpha
        return int(ctypes.CDLL(None, use_errno=True).syscall(pidfd_getfd, pidfd, number, 0))
    finally:
        os.close(pidfd)


def test_a_listener_shared_by_forked_processes(nursery: Nursery, touched: list[int]) -> None:
    def share() -> sockets.socket:
        listener = listen()
        if os.fork() == 0:
            signal.pause()
        return listener

    child = nursery.start(share, "nginx.service")
    ownership, _gaps = read(child.port)
    assert len(ownership.owners) == 2
    assert child.pid in find_pids(ownership)
    assert sorted(touched) == find_pids(ownership)
    assert ownership.service == system("nginx.service")


def test_a_listener_shared_by_two_units(nursery: Nursery) -> None:
    listener = listen()
    port = listener.getsockname()[1]
    nginx = nursery.start(lambda: listener, "nginx.service")
    worker = nursery.start(lambda: listener, "worker.service")
    listener.close()
    ownership, gaps = read(port, every_process=True)
    assert sorted(find_pids(ownership)) == sorted([nginx.pid, worker.pid])
    assert ownership.service is None
    assert ("owners", f"the unit of 127.0.0.1:{port}/tcp") in [gap[:2] for gap in gaps]


def test_a_socket_that_its_creator_passed_on_and_closed(nursery: Nursery) -> None:
    ours, theirs = sockets.socketpair()

    def create() -> int:
        with listen() as listener:
            sockets.send_fds(ours, [b"x"], [listener.fileno()])
            return int(listener.getsockname()[1])

    def receive() -> sockets.socket:
        return sockets.socket(fileno=sockets.recv_fds(theirs, 1, 1)[1][0])

    creator = nursery.start(create, "nginx.service")
    receiver = nursery.start(receive, "worker.service")
    ours.close()
    theirs.close()
    assert receiver.port == creator.port
    ownership, _gaps = read(creator.port)
    assert find_pids(ownership) == [receiver.pid]
    assert ownership.service == system("worker.service")


def test_a_process_that_was_moved(nursery: Nursery, touched: list[int]) -> None:
    child = nursery.start(listen, "nginx.service")
    (nursery.make_group("moved.scope") / "cgroup.procs").write_text(str(child.pid))
    ownership, _gaps = read(child.port)
    assert find_pids(ownership) == [child.pid]
    assert ownership.service == system("moved.scope")
    assert len(touched) == len(set(touched))


def test_a_reader_without_privileges(nursery: Nursery) -> None:
    child = nursery.start(listen, "nginx.service")
    ownership, gaps = run_as_nobody(lambda: read(child.port))
    assert ownership == Ownership((), "denied", system("nginx.service"), complete=False)
    [gap] = gaps
    assert gap[:2] == ("owners", "the processes that hold a socket")
    assert "Permission denied" in gap.reason
    assert "CAP_SYS_PTRACE" in gap.reason


def test_a_reader_without_privileges_sees_its_own(nursery: Nursery) -> None:
    def drop_and_listen() -> sockets.socket:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which setuid took away
        return listen()

    child = nursery.start(drop_and_listen, "nginx.service")
    ownership, gaps = run_as_nobody(lambda: read(child.port))
    assert find_pids(ownership) == [child.pid]
    assert ownership.status == "found"
    assert not ownership.complete
    assert ownership.service == system("nginx.service")
    assert gaps == ()


@pytest.mark.parametrize("dumpable", [True, False])
def test_the_user_is_the_effective_one(nursery: Nursery, dumpable: bool) -> None:
    """Of a process that must not be traced nearly everything in /proc is root's, but not its directory."""

    def give_up_rights_for_now() -> sockets.socket:
        os.seteuid(12345)
        ctypes.CDLL(None).prctl(4, int(dumpable), 0, 0, 0)  # PR_SET_DUMPABLE
        return listen()

    child = nursery.start(give_up_rights_for_now, "nginx.service")
    assert os.stat(f"/proc/{child.pid}/fd").st_uid == (12345 if dumpable else 0)
    ownership, _gaps = read(child.port)
    assert [owner.user for owner in ownership.owners] == ["12345"]


def run_as_nobody(function: Callable[[], Any]) -> Any:
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(sender, pickle.dumps(function()))
        finally:
            os._exit(0)
    os.close(sender)
    with open(receiver, "rb") as stream:
        answer = stream.read()
    os.waitpid(pid, 0)
    assert answer, "the child without privileges failed"
    return pickle.loads(answer)


def test_hostile_names(nursery: Nursery, tmp_path: Path) -> None:
    exe = tmp_path / "\x1b]0;x\x07 (b)\n\udcff"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", exe)

    def become() -> int:
        listener = listen()
        listener.set_inheritable(True)
        if os.fork() == 0:
            os.execv(exe, ["x", "60"])  # its comm is the first 15 bytes of the file's name
        return int(listener.getsockname()[1])

    child = nursery.start(become, "nginx.service")
    pid = nursery.find_grandchild(child, "nginx.service")
    wait_for(lambda: Path(f"/proc/{pid}/comm").read_bytes() != Path(f"/proc/{child.pid}/comm").read_bytes())
    ownership, _gaps = read(child.port)
    [owner] = ownership.owners
    assert owner.pid == pid
    assert owner.name == "\\x1b]0;x\\x07 (b)\\n\\xff"
    assert owner.exe == f"{tmp_path}/\\x1b]0;x\\x07 (b)\\n\\xff"
    assert owner.user == "root"


def test_a_dead_process_that_nobody_waited_for_holds_nothing(nursery: Nursery) -> None:
    def share() -> sockets.socket:
        listener = listen()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return listener

    child = nursery.start(share, "nginx.service")
    ownership, _gaps = read(child.port, every_process=True)
    assert find_pids(ownership) == [child.pid]


def test_a_process_whose_first_thread_has_ended(nursery: Nursery) -> None:
    number = SYS_EXIT.get(platform.machine())
    if number is None:
        pytest.skip(f"the number of exit(2) on {platform.machine()} is not known here")

    def leave() -> int:
        listener = listen()
        if os.fork() == 0:
            threading.Thread(target=signal.sigtimedwait, args=([], 60)).start()
            ctypes.CDLL(None).syscall(number, 0)
        return int(listener.getsockname()[1])

    child = nursery.start(leave, "nginx.service")
    pid = nursery.find_grandchild(child, "nginx.service")
    wait_for(lambda: " Z " in Path(f"/proc/{pid}/stat").read_text())
    assert os.listdir(f"/proc/{pid}/fd") == []
    ownership, _gaps = read(child.port)
    [owner] = ownership.owners
    assert (owner.pid, owner.exe, ownership.service) == (pid, None, system("nginx.service"))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def end_before_details(
    monkeypatch: pytest.MonkeyPatch, nursery: Nursery, pid: int, afterwards: Callable[[], None] = lambda: None
) -> None:
    """The process ends after its descriptors were listed and before its name is read."""
    details: Callable[..., Any] = owners.ProcessWalk._read_details

    def end(walk: owners.ProcessWalk, directory: int) -> Any:
        nursery.forget(pid)
        afterwards()
        return details(walk, directory)

    monkeypatch.setattr(owners.ProcessWalk, "_read_details", end)


def look_into(pid: int, inode: int) -> owners.ProcessWalk:
    walk = owners.ProcessWalk("/proc", {inode})
    walk.look_into(pid)
    return walk


def test_a_process_that_ends_while_it_is_looked_into(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    child = nursery.start(listen, "nginx.service")
    inode = find_socket(child.port).inode
    assert set(look_into(child.pid, inode).owners) == {inode}
    end_before_details(monkeypatch, nursery, child.pid)
    walk = look_into(child.pid, inode)
    assert (walk.owners, walk.denied) == ({}, {})


def test_a_pid_that_is_used_again_while_it_is_looked_into(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    child = nursery.start(listen, "nginx.service")
    inode = find_socket(child.port).inode
    successors: list[int] = []

    def use_again() -> None:
        for _attempt in range(200):
            try:
                Path("/proc/sys/kernel/ns_last_pid").write_text(str(child.pid - 1))
            except OSError as error:
                pytest.skip(f"the next pid cannot be chosen here ({error.strerror})")
            successors.append(nursery.start(lambda: 0).pid)
            if successors[-1] == child.pid:
                return
        pytest.skip("the pid was always taken by another process")

    end_before_details(monkeypatch, nursery, child.pid, use_again)
    walk = look_into(child.pid, inode)
    assert successors[-1] == child.pid
    assert (walk.owners, walk.denied) == ({}, {})


def run_apart(*command: str) -> list[str]:
    """The lines that a Python program said, which finds the collection as this one does."""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


APART = """
import os, socket, sys
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import select_backend
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.owners import read_owners
rows = select_backend("netlink").read_sockets(("tcp",))[0]
[row] = [row for row in rows if (row.packed, row.port) == (socket.inet_aton("127.0.0.1"), int(sys.argv[1]))]
inside = socket.create_server(("127.0.0.1", 0))
ours = row._replace(inode=os.fstat(inside.fileno()).st_ino)
found, gaps = read_owners([row, ours])
print([(o.status, o.complete, [owner.pid for owner in o.owners]) for o in (found[row.inode], found[ours.inode])])
print([gap.reason for gap in gaps])
"""


def test_from_inside_a_pid_namespace_the_host_is_not_seen(nursery: Nursery) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1)")
    child = nursery.start(listen, "nginx.service")
    unshare = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    assert run_apart(*unshare, sys.executable, "-c", APART, str(child.port)) == [
        "[('unknown', True, []), ('found', True, [1])]",
        "['processes outside of this PID namespace cannot be seen']",
    ]


@pytest.mark.parametrize("by_handle", [True, False])
def test_a_cgroup_by_its_id(nursery: Nursery, by_handle: bool) -> None:
    child = nursery.start(listen, "nginx.service")
    cgroup_id = find_socket(child.port).cgroup_id
    group = nursery.make_group("nginx.service")
    assert cgroup_id == group.stat().st_ino
    with Cgroups() as cgroups:
        cgroups._handles = by_handle
        assert cgroups.read_pids(cgroup_id) == [child.pid]
        read_path = PathFinder(cgroups).read_path
        path = read_path(cgroup_id)
        assert path is not None
        assert str(group).endswith(path)
        assert path.count("/") == 2
        assert read_path(1) == "/"
        nursery.forget(child.pid)
        remove(group)
        assert read_path(cgroup_id) is None
        assert cgroups.read_pids(cgroup_id) == []
        assert cgroups._handles == by_handle


USUAL_PLACES = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


def test_a_usual_place_needs_no_table_of_mounts(nursery: Nursery) -> None:
    child = nursery.start(listen, "nginx.service")
    group = nursery.make_group("nginx.service")
    if not str(group).startswith(USUAL_PLACES):
        pytest.skip("the cgroup2 hierarchy is not mounted where systemd mounts it")
    with Cgroups(proc="/nowhere") as cgroups:
        assert str(group).startswith(cgroups.path)
        assert cgroups.read_pids(group.stat().st_ino) == [child.pid]
        # Whether its paths are those of /proc, only that table tells.
        assert PathFinder(cgroups, "/nowhere").read_path(group.stat().st_ino) is None


# In a cgroup namespace: the hierarchy as the host has mounted it, with what that namespace sees of it elsewhere, and
# then the latter alone.
IN_A_NAMESPACE = """
import sys
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.cgroup_paths import PathFinder
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.cgroups import Cgroups
with Cgroups() as cgroups:
    cgroup_id = int(sys.argv[1])
    print(cgroups.path, cgroups.read_pids(cgroup_id), PathFinder(cgroups).read_path(cgroup_id))
"""
MOUNT = """
set -e
echo 0 > "$1/cgroup.procs"
exec unshare --cgroup --mount sh -ec '
mount -t cgroup2 cgroup2 "$3"
"$0" -c "$2" "$1"
umount "$3"
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/unified
mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
"$0" -c "$2" "$1"
' "$2" "$3" "$4" "$5"
"""


def test_in_a_cgroup_namespace_paths_begin_where_those_of_proc_begin(nursery: Nursery, tmp_path: Path) -> None:
    child = nursery.start(listen, "nginx.service")
    group = nursery.make_group("nginx.service")
    if not str(group).startswith(USUAL_PLACES):
        pytest.skip("the cgroup2 hierarchy is not mounted where systemd mounts it")
    [place] = [place for place in USUAL_PLACES if (Path(place) / "cgroup.controllers").is_file()]
    arguments = (str(group.parent), sys.executable, str(group.stat().st_ino), IN_A_NAMESPACE, str(tmp_path))
    assert run_apart("sh", "-c", MOUNT, "sh", *arguments) == [
        f"{place} [{child.pid}] None",
        f"/sys/fs/cgroup/unified [{child.pid}] /nginx.service",
    ]
