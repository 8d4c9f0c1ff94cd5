# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking systemctl: a stand-in for every way in which it can fail, and a real systemd where there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import commands, systemd
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.procfs import parse_cgroup2_mounts
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.systemd_show import Listen, SocketUnit
from builders import make_socket

SYSTEMD = "/lib/systemd/systemd"

Install = Callable[[str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a shell script in the place of systemctl, which can use nothing but what the reader gives it."""

    def install(script: str) -> Path:
        program = tmp_path / "systemctl"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return tmp_path

    monkeypatch.setitem(commands._ENVIRONMENT, "PATH", f"{tmp_path}:/usr/bin:/bin")
    return install


def test_read_socket_units(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_PAGER", "more")
    folder = install(
        'echo "$@" > "${0%/*}/arguments"; env | cut -d= -f1 > "${0%/*}/names"\n'
        'printf "Id=a.socket\\nActiveState=active\\nListen=0.0.0.0:80 (Stream)\\n"'
    )
    assert systemd.read_socket_units() == [SocketUnit("a.socket", True, (Listen("tcp", b"\0" * 4, 80, None),))]
    assert (folder / "arguments").read_text() == (
        "show --no-pager --property=Id,ActiveState,Listen,BindToDevice,SocketProtocol -- *.socket\n"
    )
    names = set((folder / "names").read_text().split()) - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names == {"PATH", "LC_ALL", "SYSTEMD_PAGER", "SYSTEMD_COLORS"}


TEST_FAILURES = [
    pytest.param(
        "echo 'Failed: \033[31m'; printf 'no\\033[31m bus\\nmore\\n' >&2; exit 3", "status 3: no.x1b", id="rc"
    ),
    pytest.param("exit 1", "status 1: $", id="silent"),
    pytest.param("kill -9 $$", "status -9: $", id="killed"),
    pytest.param("echo nonsense", "line 1: not KEY=VALUE", id="nonsense"),
    pytest.param("printf '\\377=\\376\\n'", "a unit without a name", id="invalid UTF-8"),
]


@pytest.mark.parametrize(("script", "problem"), TEST_FAILURES)
def test_read_socket_units_says_why_it_failed(install: Install, script: str, problem: str) -> None:
    install(script)
    with pytest.raises(systemd.SystemdError, match=problem) as caught:
        systemd.read_socket_units()
    assert str(caught.value).isprintable()


def test_read_socket_units_does_not_wait_for_ever(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_TIMEOUT", 0.2)
    install("exec sleep 30")
    started = time.monotonic()
    with pytest.raises(systemd.SystemdError, match=r"did not end within 0\.2 seconds"):
        systemd.read_socket_units()
    assert time.monotonic() - started < 10


def test_a_host_without_systemctl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(commands._ENVIRONMENT, "PATH", str(tmp_path))
    with pytest.raises(systemd.SystemdError, match=r"could not be run: .*No such file or directory"):
        systemd.read_socket_units()


def test_select_socket_unit_by_a_device_of_this_host() -> None:
    on_lo = SocketUnit("lo.socket", True, (Listen("tcp", b"\0" * 4, 80, "lo"),))
    elsewhere = SocketUnit("gone.socket", True, (Listen("tcp", b"\0" * 4, 80, "no-such-link"),))
    socket = make_socket("0.0.0.0", 80, ifindex=1)
    assert systemd.select_socket_unit([on_lo, elsewhere], socket) == ("lo.socket", "")
    name, reason = systemd.select_socket_unit([on_lo, elsewhere], socket._replace(port=81))
    assert name is None
    assert "no .socket unit listens there" in reason


# --- A real systemd, as PID 1 of namespaces of its own ---

UNITS = {
    "default.target": "Wants=web.socket pinned.socket log.socket",
    "web.socket": "[Socket]\nListenStream=22\nListenStream=127.0.0.1:8022\nListenStream=/run/web.sock",
    "web.service": "[Service]\nExecStart=/bin/sleep 600",
    "pinned.socket": "[Socket]\nListenStream=0.0.0.0:8080\nBindToDevice=lo\nAccept=yes",
    "pinned@.service": "[Service]\nExecStart=/bin/sleep 600",
    "log.socket": "[Socket]\nListenDatagram=0.0.0.0:514\nService=web.service",
}
# Read-only: /proc/sys, because systemd raises limits of the whole kernel there; /etc, where it may write a machine id;
# /sys, but for its own cgroups.
BOOT = """
set -e
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
umount -R -l /sys/fs/cgroup
mount -o remount,bind,ro /sys || :
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mount --bind /etc /etc
mount -o remount,bind,ro /etc
mount --bind "$1" /etc/systemd/system
mount --bind "$2" /lib/systemd/system-generators
ip link set lo up
exec env -i container=test PATH="$PATH" "$3" --log-target=null
"""
ASK = """
import json, sys
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import cgroup_paths, cgroups
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import owners, services
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import select_backend
if sys.argv[1] == "without cgroups":
    cgroups.Cgroups.read_pids = lambda self, cgroup_id: ()
    cgroup_paths.PathFinder.read_path = lambda self, cgroup_id: None
rows = select_backend("netlink").read_sockets(("tcp", "udp"))[0]
found, gaps = owners.read_owners(rows)
found = dict(zip(found, services.name_plain(list(found.values()))))
rows = [[row.port, [owner.name for owner in found[row.inode].owners], found[row.inode].service] for row in rows]
json.dump({"rows": sorted(rows), "gaps": gaps}, sys.stdout)
"""


class Booted:
    def __init__(self, pid: int) -> None:
        self.pid = pid

    def run(self, *command: str) -> str:
        enter = ["nsenter", "--target", str(self.pid), "--pid", "--mount", "--net", "--cgroup", "--"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [*enter, *command], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, how: str = "") -> Any:
        return json.loads(self.run(sys.executable, "-c", ASK, how))


def write_units(folder: Path) -> None:
    folder.mkdir()
    for name, text in UNITS.items():
        head = "[Unit]\nDefaultDependencies=no\n" + ("AllowIsolate=yes\n" if name.endswith(".target") else "")
        (folder / name).write_text(f"{head}{text}\n")


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    if os.geteuid() != 0:
        pytest.skip("booting a systemd takes root")
    missing = [
        name for name in ("unshare", "nsenter", "ip", "mount", "systemctl", SYSTEMD) if shutil.which(name) is None
    ]
    mounts = [mount for mount in parse_cgroup2_mounts(Path("/proc/self/mountinfo").read_bytes()) if mount.root == "/"]
    if missing or not mounts:
        pytest.skip(f"to boot a systemd this host lacks {', '.join(missing) or 'a cgroup2 hierarchy'}")
    group = Path(mounts[0].path) / f"infracheck-systemd{os.getpid()}"
    folder = tmp_path_factory.mktemp("systemd")
    write_units(folder / "units")
    (folder / "generators").mkdir()
    group.mkdir()

    def enter() -> None:
        (group / "cgroup.procs").write_text(str(os.getpid()))

    namespaces = ["--pid", "--mount", "--net", "--cgroup", "--uts", "--ipc", "--propagation", "private"]
    boot = ["sh", "-c", BOOT, "sh", str(folder / "units"), str(folder / "generators"), SYSTEMD]
    process = subprocess.Popen(
        ["unshare", "--fork", "--kill-child", *namespaces, *boot],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=enter,
    )
    try:
        yield wait_until_up(process)
    finally:
        process.kill()
        process.wait()
        remove_tree(group)


def wait_until_up(process: subprocess.Popen[bytes]) -> Booted:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read().decode() if process.stdout else ""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n":
            booted = Booted(int(children[0]))
            if len(booted.ask()["rows"]) == len(EXPECTED):
                return booted
        time.sleep(0.05)
    pytest.fail("systemd did not come up within 30 seconds")


def remove_tree(group: Path) -> None:
    """Its processes end with PID 1; the kernel lets go of their groups a moment later."""
    for _attempt in range(200):
        for folder, _names, _files in os.walk(group, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                time.sleep(0.02)
        if not group.exists():
            return
    group.rmdir()


EXPECTED = [
    [22, ["systemd"], ["systemd", "web.socket", "system", None]],
    [514, ["systemd"], ["systemd", "log.socket", "system", None]],
    [8022, ["systemd"], ["systemd", "web.socket", "system", None]],
    [8080, ["systemd"], ["systemd", "pinned.socket", "system", None]],
]


def test_what_a_real_systemd_holds(booted: Booted) -> None:
    assert booted.ask() == {"rows": EXPECTED, "gaps": []}


def test_what_a_real_systemd_answers(booted: Booted) -> None:
    assert booted.ask("without cgroups") == {"rows": EXPECTED, "gaps": []}


def test_what_a_real_systemd_passed_on(booted: Booted) -> None:
    booted.run(sys.executable, "-c", "import socket; socket.create_connection(('127.0.0.1', 8022))")
    deadline = time.monotonic() + 10
    while True:
        answer = booted.ask()
        if answer["rows"][0][1] == ["systemd", "sleep"]:
            break
        assert time.monotonic() < deadline
    assert answer["rows"][2] == [8022, ["systemd", "sleep"], ["systemd", "web.socket", "system", None]]
    assert answer["rows"][3] == EXPECTED[3]
    assert answer["gaps"] == []
