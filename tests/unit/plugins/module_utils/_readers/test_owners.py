# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The logic of the walk over a made-up /proc and cgroup tree; what the kernel really does is in test_owners_live.py."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    Owner,
    Ownership,
    Service,
    Socket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import cgroups, owners, systemd
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.owners import read_owners
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.systemd_show import Listen, SocketUnit
from builders import make_socket, name_all

NGINX = Service("systemd", "nginx.service", "system")
NGINX_PATH = "/system.slice/nginx.service"
# Without root a directory cannot be given to somebody else.
NOBODY, SOMEBODY = (65534, 12345) if os.geteuid() == 0 else (os.geteuid(), os.geteuid())
UNRELATED = 4000


class Host:
    """A made-up /proc and cgroup2 tree. A process whose fd is no directory stands for one that cannot be looked
    into.
    """

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.cgroup = root / "cgroup blank"
        (self.proc / "self/ns").mkdir(parents=True)
        self.cgroup.mkdir()
        self.set_pid_namespace(0xEFFFFFFC)
        device = self.cgroup.stat().st_dev
        (self.proc / "self/mountinfo").write_text(
            f"40 23 {os.major(device)}:{os.minor(device)} /elsewhere {root} rw - cgroup2 cgroup2 rw\n"
            f"41 23 {os.major(device)}:{os.minor(device)} / {root}/cgroup\\040blank rw - cgroup2 cgroup2 rw\n"
        )
        self.add_process(1, name="init", path="/")

    def set_pid_namespace(self, inode: int) -> None:
        link = self.proc / "self/ns/pid"
        link.unlink(missing_ok=True)
        link.symlink_to(f"pid:[{inode}]")

    def add_process(
        self,
        pid: int,
        sockets: Sequence[int] = (),
        *,
        name: str = "nginx",
        path: str = NGINX_PATH,
        uid: int = NOBODY,
        exe: Optional[str] = "/usr/sbin/nginx",
        denied: bool = False,
        state: str = "S",
        flags: int = 0,
        threads: int = 1,
    ) -> None:
        process = self.proc / str(pid)
        process.mkdir()
        (process / "comm").write_text(f"{name}\n")
        (process / "status").write_text(f"Name:\t{name}\nUid:\t0\t{uid}\t0\t0\n")
        if os.geteuid() == 0:
            os.chown(process, uid, -1)
        (process / "stat").write_text(
            f"{pid} ({name}) {state} 1 1 1 0 -1 {flags} 0 0 0 0 1 2 0 0 20 0 {threads} 0 50 1\n"
        )
        (process / "cgroup").write_text(f"0::{path}\n")
        if exe is not None:
            (process / "exe").symlink_to(exe)
        if denied:
            (process / "fd").write_text("")
        else:
            (process / "fd").mkdir()
            (process / "fd/0").symlink_to("/dev/null")
            for descriptor, inode in enumerate(sockets, 6):
                (process / f"fd/{descriptor}").symlink_to(f"socket:[{inode}]")
        group = self.cgroup / path.lstrip("/")
        group.mkdir(parents=True, exist_ok=True)
        with (group / "cgroup.procs").open("a") as procs:
            procs.write(f"{pid}\n")

    def find_id(self, path: str) -> int:
        return (self.cgroup / path.lstrip("/")).stat().st_ino

    def read(
        self, *sockets: Socket, every_process: Collection[int] = ()
    ) -> tuple[dict[int, Ownership], tuple[Gap, ...]]:
        found, gaps = read_owners(
            sockets, proc=str(self.proc), sys=str(self.proc.parent / "sys"), every_process=every_process
        )
        return name_all(found, str(self.proc)), gaps


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    def refuse(mount: int, cgroup_id: int) -> int:
        raise PermissionError(errno.EPERM, "open_by_handle_at")

    monkeypatch.setattr(cgroups, "_open_by_handle", refuse)
    monkeypatch.setattr(systemd, "read_socket_units", lambda: pytest.fail("systemd was asked"))
    return Host(tmp_path)


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pids that were looked into, once for each time."""
    pids: list[int] = []
    look: Callable[..., None] = owners.ProcessWalk._look

    def record(walk: owners.ProcessWalk, pid: int, *rest: Any) -> None:
        pids.append(pid)
        look(walk, pid, *rest)

    monkeypatch.setattr(owners.ProcessWalk, "_look", record)
    return pids


def name_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def owner(pid: int, fd: int = 6, **more: Any) -> Owner:
    return Owner(pid, "nginx", "/usr/sbin/nginx", name_user(NOBODY), fd)._replace(**more)


# Who holds socket 101, made in the cgroup of the first: (name, path).
TEST_HOLDERS: list[list[tuple[str, str]]] = [
    [("nginx", NGINX_PATH)],
    [("nginx", NGINX_PATH), ("nginx", NGINX_PATH)],
    [("nginx", NGINX_PATH), ("helper", "/system.slice/other.service")],
    [("nginx", "/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service")],
    [("systemd", "/user.slice/user-1000.slice/user@1000.service/init.scope")],
    [("renamed", "/user.slice/user-1000.slice/user@1000.service/init.scope")],
    [("nginx", f"/machine.slice/libpod-{'a' * 64}.scope")],
    [("nginx", f"/docker/{'b' * 64}")],
    [("conmon", NGINX_PATH)],
    [("nginx", "/a.slice")],
    [("nginx", "/x/init.scope/nginx.service")],
]


@pytest.mark.parametrize("holders", TEST_HOLDERS)
def test_holders_that_are_plain_to_see_are_told_as_after_a_look_at_all_services(
    host: Host, monkeypatch: pytest.MonkeyPatch, holders: list[tuple[str, str]]
) -> None:
    for pid, (name, path) in enumerate(holders, 50):
        host.add_process(pid, [101], name=name, path=path)
    row = make_socket(inode=101, cgroup_id=host.find_id(holders[0][1]))
    quick, slow = tell_twice(host, monkeypatch, row)
    assert quick == slow


def tell_twice(host: Host, monkeypatch: pytest.MonkeyPatch, *rows: Socket) -> list[Any]:
    """What is said as it is, and where nothing counts as plain."""
    told = [host.read(*rows)]
    monkeypatch.setattr(owners.ProcessWalk, "is_plainly_held", lambda _walk, _inode: False)
    return [*told, host.read(*rows)]


def test_a_socket_held_in_two_groups_is_of_neither(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.add_process(50, [101])
    host.add_process(51, [101, 102], path="/system.slice/other.service")
    first = make_socket(inode=101, cgroup_id=host.find_id(NGINX_PATH))
    second = make_socket(port=80, inode=102, cgroup_id=host.find_id("/system.slice/other.service"))
    quick, slow = tell_twice(host, monkeypatch, first, second)
    assert quick == slow
    assert quick[0][101].service is None
    assert [gap.reason for gap in quick[1]] == ["processes of several hold it: nginx.service, other.service"]


@pytest.mark.parametrize("denied", [False, True])
def test_what_pid_1_may_hold_is_never_plain(host: Host, monkeypatch: pytest.MonkeyPatch, denied: bool) -> None:
    def refuse() -> list[SocketUnit]:
        raise systemd.SystemdError("no answer")

    monkeypatch.setattr(systemd, "read_socket_units", refuse)
    shutil.rmtree(host.proc / "1")
    host.add_process(1, [101], name="systemd", path=NGINX_PATH, denied=denied)
    if denied:
        host.add_process(50, [101])
    group = NGINX_PATH
    if denied:  # made in the group of a .socket unit, by a helper of PID 1
        group = "/system.slice/web.socket"
        (host.cgroup / group[1:]).mkdir()
        (host.cgroup / group[1:] / "cgroup.procs").write_text("1\n50\n")
    quick, slow = tell_twice(host, monkeypatch, make_socket(inode=101, cgroup_id=host.find_id(group)))
    assert quick == slow
    assert quick[0][101].service == (Service("systemd", "web.socket", "system") if denied else None)


def test_only_the_creators_group_is_looked_into(host: Host, touched: list[int]) -> None:
    host.add_process(50, [101])
    host.add_process(51, [101, 102])
    host.add_process(UNRELATED, [101], path="/system.slice/other.service")
    group = host.find_id(NGINX_PATH)
    found, gaps = host.read(make_socket(inode=101, cgroup_id=group), make_socket(inode=102, cgroup_id=group))
    assert found == {
        101: Ownership((owner(50), owner(51)), "found", NGINX, complete=False),
        102: Ownership((owner(51, 7),), "found", NGINX, complete=False),
    }
    assert gaps == ()
    assert sorted(touched) == [50, 51]


def test_processes_below_the_group_are_not_looked_into(host: Host, touched: list[int]) -> None:
    host.add_process(50, [101])
    host.add_process(UNRELATED, path=f"{NGINX_PATH}/below")
    host.read(make_socket(inode=101, cgroup_id=host.find_id(NGINX_PATH)))
    assert touched == [50]


def test_a_process_that_is_moved_while_the_groups_are_read(host: Host, touched: list[int]) -> None:
    host.add_process(50, [101, 102])
    host.add_process(51, path="/system.slice/worker.service")
    with (host.cgroup / "system.slice/worker.service/cgroup.procs").open("a") as procs:
        procs.write("50\n")
    worker = host.find_id("/system.slice/worker.service")
    found, _gaps = host.read(
        make_socket(inode=101, cgroup_id=host.find_id(NGINX_PATH)), make_socket(inode=102, cgroup_id=worker)
    )
    assert (found[101].owners, found[102].owners) == ((owner(50),), (owner(50, 7),))
    assert sorted(touched) == [50, 50, 51]  # for what each group made


def test_every_process_means_one_walk_of_all(host: Host, touched: list[int]) -> None:
    host.add_process(50, [101])
    host.add_process(51, [101], path="/system.slice/worker.service", uid=SOMEBODY)
    socket = make_socket(inode=101, cgroup_id=host.find_id(NGINX_PATH))
    found, gaps = host.read(socket, every_process={101})
    assert found[101].owners == (owner(50), owner(51, user=name_user(SOMEBODY)))
    assert found[101].complete
    assert sorted(touched) == [1, 50, 51]
    assert found[101].service is None
    assert found[101].doubt == "processes of several hold it: nginx.service, worker.service"
    assert gaps == (
        Gap("owners", "the unit of 192.0.2.5:443/tcp", "processes of several hold it: nginx.service, worker.service"),
    )


def test_a_socket_that_was_passed_on_is_found_by_one_walk(host: Host, touched: list[int]) -> None:
    host.add_process(50)
    host.add_process(51, [101], path="/system.slice/worker.service")
    host.add_process(52, [102])
    group = host.find_id(NGINX_PATH)
    found, gaps = host.read(make_socket(inode=101, cgroup_id=group), make_socket(inode=102, cgroup_id=group))
    assert found[101] == Ownership((owner(51),), "found", Service("systemd", "worker.service", "system"), complete=True)
    assert found[102] == Ownership((owner(52),), "found", NGINX, complete=True)
    assert gaps == ()
    assert sorted(touched) == [1, 50, 51, 52]


TEST_GROUPS_THAT_SAY_NOTHING = [
    pytest.param(None, id="not known"),
    pytest.param(1, id="the root of the host"),
    pytest.param(987654321, id="removed"),
]


@pytest.mark.parametrize("cgroup_id", TEST_GROUPS_THAT_SAY_NOTHING)
def test_without_a_group_all_processes_are_looked_into(host: Host, cgroup_id: Optional[int]) -> None:
    host.add_process(50, [101])
    found, gaps = host.read(make_socket(inode=101, cgroup_id=cgroup_id))
    assert found == {101: Ownership((owner(50),), "found", NGINX, complete=True)}
    assert gaps == ()


def test_a_host_without_cgroup2(host: Host) -> None:
    (host.proc / "self/mountinfo").write_text("")
    host.add_process(50, [101])
    found, _gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id(NGINX_PATH)))
    assert found == {101: Ownership((owner(50),), "found", NGINX, complete=True)}


def test_what_is_at_the_usual_place_need_not_be_the_hierarchy(host: Host) -> None:
    for place in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):  # cgroup v1, and the root of a cgroup namespace
        (host.proc.parent / place).mkdir(parents=True)
    (host.proc.parent / "sys/fs/cgroup/unified/cgroup.controllers").write_text("")
    host.add_process(50, [101])
    before = len(os.listdir("/proc/self/fd"))
    found, _gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id(NGINX_PATH)))
    assert found == {101: Ownership((owner(50),), "found", NGINX, complete=False)}
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("raw", [b"", b"0\n", b"4:memory\n"])
def test_a_holder_whose_cgroup_says_nothing_belongs_to_no_unit(host: Host, raw: bytes) -> None:
    host.add_process(50, [101])
    (host.proc / "50/cgroup").write_bytes(raw)
    found, gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id(NGINX_PATH)))
    assert (found, gaps) == ({101: Ownership((owner(50),), "found", None, complete=False)}, ())


def test_something_else_mounted_over_the_hierarchy(host: Host) -> None:
    mountinfo = host.proc / "self/mountinfo"
    mountinfo.write_text(mountinfo.read_text().replace(" 23 ", " 23 9"))
    host.add_process(50, [101])
    found, _gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id(NGINX_PATH)))
    assert found[101].complete  # not found by group


def test_a_socket_of_the_kernel(host: Host) -> None:
    host.add_process(50, [102])
    found, gaps = host.read(make_socket(inode=101), make_socket(inode=0, port=2049))
    assert found == {inode: Ownership((), "kernel", None, complete=True) for inode in (101, 0)}
    assert gaps == ()


def test_the_creators_unit_of_a_kernel_socket(host: Host) -> None:
    host.add_process(50, path="/system.slice/wg.service")
    found, _gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id("/system.slice/wg.service")))
    assert found[101] == Ownership((), "kernel", Service("systemd", "wg.service", "system"), complete=True)


def test_several_sockets_without_a_file_have_a_service_only_if_it_is_the_same(host: Host) -> None:
    host.add_process(50, path="/system.slice/wg.service")
    host.add_process(51)
    wireguard, nginx = host.find_id("/system.slice/wg.service"), host.find_id(NGINX_PATH)
    found, _gaps = host.read(make_socket(inode=0, cgroup_id=nginx), make_socket(inode=0, port=1, cgroup_id=nginx))
    assert found[0].service == NGINX
    found, _gaps = host.read(make_socket(inode=0, cgroup_id=nginx), make_socket(inode=0, cgroup_id=wireguard))
    assert found[0].service is None


def test_nothing_is_called_the_kernels_from_inside_a_pid_namespace(host: Host) -> None:
    host.set_pid_namespace(4026532999)
    host.add_process(50, [102])
    found, gaps = host.read(make_socket(inode=101), make_socket(inode=102))
    assert found[101] == Ownership((), "unknown", None, complete=True)
    assert found[102].status == "found"
    assert gaps == (
        Gap("owners", "sockets without a holder", "processes outside of this PID namespace cannot be seen"),
    )


def test_processes_that_cannot_be_looked_into(host: Host) -> None:
    host.add_process(50, [101], denied=True)
    host.add_process(51, [102])
    host.add_process(52, denied=True)
    group = host.find_id(NGINX_PATH)
    found, gaps = host.read(make_socket(inode=101, cgroup_id=group), make_socket(inode=102, cgroup_id=group))
    assert found[101] == Ownership((), "denied", NGINX, complete=False)
    assert found[102] == Ownership((owner(51),), "found", NGINX, complete=False)
    assert gaps == (
        Gap(
            "owners",
            "the processes that hold a socket",
            "2 of 4 processes cannot be looked into (Not a directory); needs CAP_SYS_PTRACE, and every capability that"
            " they have",
        ),
    )


def test_kernel_threads_and_dead_processes_hide_nothing(host: Host) -> None:
    host.add_process(2, denied=True, flags=0x00208040)
    host.add_process(50, denied=True, state="Z")
    found, gaps = host.read(make_socket(inode=101))
    assert found[101] == Ownership((), "kernel", None, complete=True)
    assert gaps == ()


def test_a_dead_leader_with_living_threads_does(host: Host) -> None:
    host.add_process(50, denied=True, state="Z", threads=3)
    found, _gaps = host.read(make_socket(inode=101))
    assert found[101].status == "denied"


def test_hidden_processes(host: Host) -> None:
    (host.proc / "1").rename(host.proc / "hidden")
    host.add_process(50, [102])
    found, gaps = host.read(make_socket(inode=101), make_socket(inode=102))
    assert found[101].status == "denied"
    assert found[102].status == "found"
    assert not found[102].complete
    [gap] = gaps
    assert "hidepid" in gap.reason


def test_no_proc_at_all(tmp_path: Path) -> None:
    found, gaps = read_owners([make_socket(inode=101)], proc=str(tmp_path / "none"))
    assert found == {101: Ownership((), "denied", None, complete=False)}
    [gap] = gaps
    assert "cannot be listed (No such file or directory)" in gap.reason


def test_nothing_asked_nothing_read(host: Host, touched: list[int]) -> None:
    assert host.read() == ({}, ())
    assert touched == []


def test_what_cannot_be_told_of_a_holder(host: Host) -> None:
    host.add_process(50, [101], exe=None)
    (host.proc / "50/cgroup").write_text("nonsense\n")
    found, gaps = host.read(make_socket(inode=101))
    assert found[101] == Ownership((owner(50, exe=None),), "found", None, complete=True)
    assert gaps == ()


def test_a_process_that_ends_while_it_is_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.add_process(50, [101])
    (host.proc / "50/comm").unlink()
    host.add_process(51, [102])
    found, _gaps = host.read(make_socket(inode=101), make_socket(inode=102))
    assert found[101] == Ownership((), "kernel", None, complete=True)
    assert found[102].owners == (owner(51),)


def test_a_holder_that_forks_and_ends_during_the_walk(
    host: Host, touched: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its child was not in the first listing of /proc."""
    host.add_process(50, [101])
    scan: Callable[..., Any] = owners.ProcessWalk._scan

    def fork(walk: owners.ProcessWalk, *rest: Any) -> Any:
        if touched[-1] == 50:
            (host.proc / "50/fd/6").unlink()
            host.add_process(60, [101])
        return scan(walk, *rest)

    monkeypatch.setattr(owners.ProcessWalk, "_scan", fork)
    found, _gaps = host.read(make_socket(inode=101))
    assert found[101] == Ownership((owner(60),), "found", NGINX, complete=True)
    assert sorted(touched) == [1, 50, 60]


@pytest.mark.parametrize("state", ["Z", "R"])  # R: its descriptors go a moment before it is called dead
def test_the_threads_of_a_dead_leader(host: Host, state: str) -> None:
    host.add_process(50, state=state, threads=2)
    (host.proc / "50/fd/0").unlink()
    for thread in ("50", "57"):
        (host.proc / f"50/task/{thread}/fd").mkdir(parents=True)
    (host.proc / "50/task/57/fd/6").symlink_to("socket:[101]")
    found, _gaps = host.read(make_socket(inode=101))
    assert found[101].owners == (owner(50),)


def test_hostile_names(host: Host) -> None:
    host.add_process(50, [101], name="a\x1b[31m)\n(b", exe="/tmp/\x1b]0;x\x07\udcff", path="/lxc.payload.\x1bc")
    found, _gaps = host.read(make_socket(inode=101))
    assert found[101].owners == (owner(50, name="a\\x1b[31m)\\n(b", exe="/tmp/\\x1b]0;x\\x07\\xff"),)
    assert found[101].service == Service("lxc", "\\x1bc", "container")


def test_a_users_directory_named_like_a_unit_of_the_system(host: Host) -> None:
    path = "/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service"
    host.add_process(50, [101], path=path)
    found, _gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id(path)))
    assert found[101].service == Service("systemd", "nginx.service", "user", 1000)


def test_paths_of_the_outer_host_in_a_container(host: Host) -> None:
    container = f"/docker/{'0a' * 32}"
    (host.proc / "1/cgroup").write_text(f"0::{container}/init.scope\n")
    host.add_process(50, [101], path=f"{container}{NGINX_PATH}")
    found, _gaps = host.read(make_socket(inode=101))
    assert found[101].service == NGINX


class TestSystemd:
    """Sockets that PID 1 holds for .socket units."""

    @pytest.fixture(autouse=True)
    def booted(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        (host.proc / "1/comm").write_text("systemd\n")
        (host.proc / "1/cgroup").write_text("0::/init.scope\n")
        for descriptor, inode in ((30, 101), (31, 102)):
            (host.proc / f"1/fd/{descriptor}").symlink_to(f"socket:[{inode}]")
        (host.cgroup / "init.scope").mkdir()
        (host.cgroup / "init.scope/cgroup.procs").write_text("1\n")
        self.asked = 0
        self.units: list[SocketUnit] = [
            SocketUnit("web.socket", True, (Listen("tcp", bytes((192, 0, 2, 5)), 443, None),)),
        ]

        def answer() -> list[SocketUnit]:
            self.asked += 1
            return self.units

        monkeypatch.setattr(systemd, "read_socket_units", answer)

    def test_the_unit_that_listens_there(self, host: Host) -> None:
        host.add_process(50, [101])
        group = host.find_id("/init.scope")
        web, other = make_socket(inode=101, cgroup_id=group), make_socket(inode=102, port=80, cgroup_id=group)
        found, gaps = host.read(web, other)
        assert [(holder.pid, holder.fd) for holder in found[101].owners] == [(1, 30), (50, 6)]
        assert found[101].service == Service("systemd", "web.socket", "system")
        assert found[101].complete
        assert found[102].service is None
        [gap] = gaps
        assert gap[:2] == ("systemd", "the .socket unit of 192.0.2.5:80/tcp")
        assert "no .socket unit listens there" in gap.reason
        assert self.asked == 1

    def test_two_units_that_listen_there(self, host: Host) -> None:
        self.units.append(self.units[0]._replace(name="web2.socket"))
        found, gaps = host.read(make_socket(inode=101))
        assert found[101].service is None
        assert "several units listen there: web.socket, web2.socket" in gaps[0].reason

    def test_a_socket_made_in_the_cgroup_of_its_unit_needs_no_question(self, host: Host) -> None:
        (host.cgroup / "system.slice/api.socket").mkdir(parents=True)
        host.add_process(50, [101])
        socket = make_socket(inode=101, cgroup_id=host.find_id("/system.slice/api.socket"))
        found, gaps = host.read(socket)
        assert found[101].service == Service("systemd", "api.socket", "system")
        assert gaps == ()
        assert self.asked == 0

    def test_a_user_cannot_name_it(self, host: Host) -> None:
        path = "/user.slice/user-7.slice/user@7.service/web.socket"
        (host.cgroup / path.lstrip("/")).mkdir(parents=True)
        found, _gaps = host.read(make_socket(inode=101, port=1, cgroup_id=host.find_id(path)))
        assert found[101].service is None

    def test_systemd_that_does_not_answer_is_one_gap(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> list[SocketUnit]:
            self.asked += 1
            raise systemd.SystemdError("no answer")

        monkeypatch.setattr(systemd, "read_socket_units", fail)
        found, gaps = host.read(make_socket(inode=101), make_socket(inode=102))
        assert {ownership.service for ownership in found.values()} == {None}
        assert gaps == (Gap("systemd", "the .socket units of what PID 1 holds", "no answer"),)
        assert self.asked == 1

    @pytest.mark.parametrize("held_by_service", [False, True])
    def test_without_privileges(self, host: Host, held_by_service: bool) -> None:
        for descriptor in host.proc.glob("1/fd/*"):
            descriptor.unlink()
        (host.proc / "1/fd").rmdir()
        (host.proc / "1/fd").write_text("")
        if held_by_service:
            host.add_process(50, [101])
        found, _gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id("/init.scope")))
        assert found[101].status == ("found" if held_by_service else "denied")
        assert found[101].service == Service("systemd", "web.socket", "system")

    def test_a_program_that_is_pid_1_of_a_container_is_no_service_manager(self, host: Host) -> None:
        (host.proc / "1/comm").write_text("nginx\n")
        (host.proc / "1/cgroup").write_text("0::/\n")
        found, gaps = host.read(make_socket(inode=101))
        assert found[101].service is None
        assert found[101].owners[0].pid == 1
        assert gaps == ()
        assert self.asked == 0

    USER = "/user.slice/user-1000.slice/user@1000.service"

    def test_the_manager_of_a_user_is_not_asked(self, host: Host) -> None:
        host.add_process(50, [201, 202], path=f"{self.USER}/init.scope", name="systemd")
        group = host.find_id(f"{self.USER}/init.scope")
        found, gaps = host.read(
            make_socket(inode=201, cgroup_id=group), make_socket(inode=202, port=80, cgroup_id=group)
        )
        assert {ownership.service for ownership in found.values()} == {None}
        assert found[201].complete  # the service behind it was looked for
        assert gaps == (Gap("systemd", "the .socket units of uid 1000", "the service managers of users are not asked"),)
        assert self.asked == 0

    def test_the_cgroup_of_a_users_socket_unit(self, host: Host) -> None:
        host.add_process(50, [201], path=f"{self.USER}/init.scope", name="systemd")
        (host.cgroup / self.USER.lstrip("/") / "app.slice/x.socket").mkdir(parents=True)
        found, gaps = host.read(make_socket(inode=201, cgroup_id=host.find_id(f"{self.USER}/app.slice/x.socket")))
        assert found[201].service == Service("systemd", "x.socket", "user", 1000)
        assert gaps == ()


def test_three_hundred_listeners_among_many(host: Host, touched: list[int]) -> None:
    sockets = []
    for pid in range(100, 150):
        path = f"/system.slice/a{pid}.service"
        inodes = range(pid * 10, pid * 10 + 6)
        host.add_process(pid, inodes, path=path)
        sockets += [make_socket(inode=inode, port=inode, cgroup_id=host.find_id(path)) for inode in inodes]
    for pid in range(UNRELATED, UNRELATED + 50):
        host.add_process(pid, path="/user.slice")
    found, gaps = host.read(*sockets)
    assert len(found) == 300
    assert all(ownership.status == "found" and ownership.service for ownership in found.values())
    assert gaps == ()
    assert sorted(touched) == list(range(100, 150))


DOCKER_PATH = "/system.slice/docker.service"
CONTAINER = "4c01" * 16


class TestPublishedPorts:
    """A port that docker-proxy publishes is its container's."""

    @pytest.fixture(autouse=True)
    def docker(self, host: Host) -> None:
        host.add_process(60, name="dockerd", path=DOCKER_PATH, uid=0, exe="/usr/bin/dockerd")
        host.add_process(61, [101], name="docker-proxy", path=DOCKER_PATH, uid=0, exe="/usr/bin/docker-proxy")
        (host.proc / "61/status").write_text("Name:\tdocker-proxy\nPPid:\t60\nUid:\t0\t0\t0\t0\n")
        words = "docker-proxy -proto tcp -host-ip 192.0.2.5 -host-port 443 -container-ip 172.17.0.2 -container-port 80"
        (host.proc / "61/cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words.split()))
        host.add_process(70, path=f"/system.slice/docker-{CONTAINER}.scope")
        for folder in ("self/ns", "70/ns", "70/net"):
            (host.proc / folder).mkdir(exist_ok=True)
        for place in ("self/ns/net", "70/ns/net"):
            (host.proc / place).touch()
        (host.proc / "70/net/fib_trie").write_text("Main:\n  |-- 172.17.0.2\n     /32 host LOCAL\n")

    def test_it_is_the_containers(self, host: Host) -> None:
        found, gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id(DOCKER_PATH)))
        assert found[101].service == Service("docker", CONTAINER, "container")
        assert [holder.name for holder in found[101].owners] == ["docker-proxy"]
        assert (found[101].doubt, gaps) == ("", ())

    def test_dockerd_may_hold_it_as_well(self, host: Host) -> None:
        """Since docker 28 it makes the socket itself, and hands it on (-use-listen-fd)."""
        (host.proc / "60/fd/9").symlink_to("socket:[101]")
        found, _gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id(DOCKER_PATH)))
        assert found[101].service == Service("docker", CONTAINER, "container")

    def test_an_unknown_container_is_not_dockers_own_unit(self, host: Host) -> None:
        (host.proc / "70/net/fib_trie").write_text("")
        found, gaps = host.read(make_socket(inode=101, cgroup_id=host.find_id(DOCKER_PATH)))
        reason = "docker publishes a container's port there, and which one is not known: none that runs has its address"
        assert (found[101].service, found[101].doubt) == (None, reason)
        assert gaps == (Gap("owners", "the container of 192.0.2.5:443/tcp", reason),)

    def test_what_dockerd_itself_listens_on_is_its_own(self, host: Host) -> None:
        (host.proc / "60/fd/9").symlink_to("socket:[102]")
        found, _gaps = host.read(make_socket(inode=102, cgroup_id=host.find_id(DOCKER_PATH)))
        assert found[102].service == Service("systemd", "docker.service", "system")

    def test_without_the_right_to_look_it_may_be_either_and_that_is_one_gap(self, host: Host) -> None:
        for pid in (60, 61):
            (host.proc / f"{pid}/fd").rename(host.proc / f"{pid}/hidden")
            (host.proc / f"{pid}/fd").write_text("")
        group = host.find_id(DOCKER_PATH)
        found, gaps = host.read(make_socket(inode=101, cgroup_id=group), make_socket(inode=102, cgroup_id=group))
        assert [ownership.service for ownership in found.values()] == [None, None]
        assert "cannot be seen" in found[101].doubt
        assert [gap.subject for gap in gaps] == [
            "the processes that hold a socket",
            "the containers of published ports",
        ]

    def test_a_service_that_only_calls_itself_docker_proxy_is_what_it_is(self, host: Host) -> None:
        host.add_process(62, [103], name="docker-proxy")
        found, gaps = host.read(make_socket(inode=103, cgroup_id=host.find_id(NGINX_PATH)))
        assert (found[103].service, gaps) == (NGINX, ())
