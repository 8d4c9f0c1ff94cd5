# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which container a published port belongs to, over a made-up /proc. A namespace is a file, known by its inode."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Owner, Service, Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.published_ports import Answer, PublishedPorts
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.cgroup_path import parse_cgroup_path
from builders import make_socket

A, B, C = "a" * 64, "b" * 64, "c" * 64
DOCKER_SERVICE = Service("systemd", "docker.service", "system")
PROXY = 700
DOCKERD = 600
SOCKET = make_socket("192.0.2.10", 8080)


def docker(container: str) -> Service:
    return Service("docker", container, "container")


def command(host: str = "192.0.2.10", port: int = 8080, container: str = "172.17.0.2", protocol: str = "tcp") -> str:
    return (
        f"/usr/bin/docker-proxy -proto {protocol} -host-ip {host} -host-port {port} -container-ip {container}"
        " -container-port 80"
    )


class Host:
    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.names = root / "namespaces"
        self.names.mkdir(parents=True)
        self.add(1, "systemd", cgroup="/init.scope")
        (self.proc / "self").symlink_to("1")
        self.add(DOCKERD, "dockerd", cgroup="/system.slice/docker.service", exe="/usr/bin/dockerd")

    def add(
        self,
        pid: int,
        name: str,
        cgroup: str,
        network: Optional[str] = "host",
        exe: str = "/usr/bin/program",
        parent: int = 1,
        uid: int = 0,
        words: str = "",
        addresses: Sequence[str] = (),
        children: Sequence[int] = (),
        holds: Sequence[str] = (),
    ) -> None:
        process = self.proc / str(pid)
        for folder in ("ns", "net", "fd", f"task/{pid}"):
            (process / folder).mkdir(parents=True)
        (process / "status").write_text(f"Name:\t{name}\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        (process / "cgroup").write_text(f"0::{cgroup}\n")
        (process / "exe").symlink_to(exe)
        (process / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words.split()))
        (process / f"task/{pid}/children").write_text("".join(f"{child} " for child in children))
        trie = "".join(f"     |-- {address}\n        /32 host LOCAL\n" for address in addresses if ":" not in address)
        (process / "net/fib_trie").write_text(f"Main:\n{trie}")
        (process / "net/if_inet6").write_text(
            "".join(f"{address.replace(':', '')} 02 40 00 80 eth0\n" for address in addresses if ":" in address)
        )
        if network is not None:
            os.link(self._namespace(network), process / "ns/net")
        for number, held in enumerate(holds, 3):
            (process / f"fd/{number}").symlink_to(self._namespace(held))

    def _namespace(self, name: str) -> Path:
        (self.names / name).touch()
        return self.names / name

    def add_container(self, pid: int, container: str, *addresses: str, network: Optional[str] = "") -> None:
        cgroup = f"/system.slice/docker-{container}.scope"
        self.add(pid, "web", cgroup, container if network == "" else network, addresses=addresses)

    def add_proxy(self, words: str, *, exe: str = "/usr/bin/docker-proxy", parent: int = DOCKERD, uid: int = 0) -> None:
        self.add(PROXY, "docker-proxy", "/system.slice/docker.service", exe=exe, parent=parent, uid=uid, words=words)

    def find(
        self, socket: Socket = SOCKET, name: str = "docker-proxy", service: Optional[Service] = DOCKER_SERVICE
    ) -> Optional[Answer]:
        ports = PublishedPorts(str(self.proc), lambda path: parse_cgroup_path(path) if path else None)
        return ports.find(socket, [Owner(PROXY, name, None, "root", 4)], [service])


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


TEST_PUBLISHED = [
    (SOCKET, command()),
    (make_socket("0.0.0.0", 8080), command("0.0.0.0")),
    (make_socket("::", 8080), command("0.0.0.0")),  # Go's wildcard for both families
    (make_socket("192.0.2.10", 8080, protocol="udp"), command(protocol="udp")),
    (SOCKET, command(container="2001:0db8:0000:0000:0000:0000:0000:0005")),
    (SOCKET, f"{command()} -use-listen-fd"),
]


@pytest.mark.parametrize(("socket", "words"), TEST_PUBLISHED)
def test_the_container_is_the_one_with_the_address(host: Host, socket: Socket, words: str) -> None:
    host.add_proxy(words)
    host.add_container(800, A, "172.17.0.2", "2001:0db8:0000:0000:0000:0000:0000:0005")
    host.add_container(900, B, "172.17.0.3")
    assert host.find(socket) == Answer(docker(A), "")


def test_the_placement_of_cgroupfs_is_as_good(host: Host) -> None:
    host.add_proxy(command())
    host.add(800, "web", f"/docker/{A}", "a", addresses=["172.17.0.2"])
    assert host.find() == Answer(docker(A), "")


def test_a_program_that_was_replaced_while_it_runs_is_the_same(host: Host) -> None:
    host.add_proxy(command(), exe="/usr/bin/docker-proxy (deleted)")
    host.add_container(800, A, "172.17.0.2")
    assert host.find() == Answer(docker(A), "")


TEST_OTHER_COMMANDS = ["", "docker-proxy", command(port=8081), command("192.0.2.11"), command(protocol="udp")]


@pytest.mark.parametrize("words", TEST_OTHER_COMMANDS)
def test_a_command_line_that_speaks_of_something_else(host: Host, words: str) -> None:
    host.add_proxy(words)
    host.add_container(800, A, "172.17.0.2")
    answer = host.find()
    assert answer is not None
    assert answer.service is None
    assert answer.reason.startswith(
        "docker publishes a container's port there, and which one is not known: the command"
    )


def test_nobody_has_the_address(host: Host) -> None:
    host.add_proxy(command())
    host.add_container(800, A, "172.17.0.4")
    host.add_container(801, B, "172.17.0.2", network="host")
    answer = host.find()
    assert answer is not None
    assert (answer.service, answer.reason.rpartition(": ")[2]) == (None, "none that runs has its address")


@pytest.mark.parametrize("network", ["", "shared"])
def test_several_have_it(host: Host, network: str) -> None:
    """In networks of their own (one lies), or in one that they share."""
    host.add_proxy(command())
    host.add_container(800, A, "172.17.0.2", network=network)
    host.add_container(900, B, "172.17.0.2", network=network)
    answer = host.find()
    assert answer is not None
    assert answer.service is None
    assert f"it may be {A[:12]} or {B[:12]}" in answer.reason


def test_one_that_cannot_be_seen_could_have_it_too(host: Host) -> None:
    host.add_proxy(command())
    host.add_container(800, A, "172.17.0.2")
    host.add_container(900, B, network=None)
    answer = host.find()
    assert answer is not None
    assert answer.service is None
    assert "the network of 1 processes in containers cannot be seen" in answer.reason


def test_a_group_that_a_user_named_after_a_container_is_not_dockers(host: Host) -> None:
    host.add_proxy(command())
    path = f"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{C}.scope"
    host.add(800, "web", path, "c", uid=1000, addresses=["172.17.0.2"])
    answer = host.find()
    assert answer is not None
    assert answer.service is None
    host.add_container(900, A, "172.17.0.2")
    assert host.find() == Answer(docker(A), "")


TEST_PRETENDERS = [
    pytest.param({"exe": "/usr/bin/python3"}, DOCKER_SERVICE, id="another program"),
    pytest.param({"uid": 1000}, DOCKER_SERVICE, id="an ordinary user"),
    pytest.param({"parent": 1}, DOCKER_SERVICE, id="not a child of dockerd"),
    pytest.param({"parent": 601}, DOCKER_SERVICE, id="a child of a user's dockerd"),
    pytest.param({}, Service("systemd", "app.service", "user", 1000), id="a unit of a user"),
    pytest.param({}, docker(B), id="in a container"),
]


@pytest.mark.parametrize(("fields", "service"), TEST_PRETENDERS)
def test_who_only_calls_itself_docker_proxy_is_not_believed(
    host: Host, fields: dict[str, object], service: Service
) -> None:
    host.add(601, "dockerd", "/user.slice/session-1.scope", exe="/usr/bin/dockerd", uid=1000)
    host.add_proxy(command(), **fields)  # type: ignore[arg-type]
    host.add_container(800, A, "172.17.0.2")
    assert host.find(service=service) is None


def test_conmon_has_the_id_in_its_scope(host: Host) -> None:
    scope = Service("systemd", f"libpod-conmon-{A}.scope", "system")
    assert host.find(name="conmon", service=scope) == Answer(Service("podman", A, "container"), "")
    own = scope._replace(scope="user", uid=1000)
    assert host.find(name="conmon", service=own) == Answer(Service("podman", A, "container", 1000), "")
    assert host.find(name="conmon", service=Service("systemd", "web.service", "system")) is None
    assert host.find(name="conmon", service=Service("lxc", f"libpod-conmon-{A}.scope", "container")) is None


def podman_path(container: str, uid: int = 1000) -> str:
    return f"/user.slice/user-{uid}.slice/user@{uid}.service/user.slice/libpod-{container}.scope/container"


@pytest.mark.parametrize("name", ["rootlessport", "pasta", "pasta.avx2"])
def test_a_helper_of_podman_is_in_the_network_of_its_container(host: Host, name: str) -> None:
    scope = Service("systemd", "podman-1.scope", "user", 1000)
    child = {"children": [701]} if name == "rootlessport" else {"holds": ["a", "host"]}
    host.add(PROXY, name, "/user.slice/session-1.scope", uid=1000, **child)
    host.add(701, name, "/user.slice/session-1.scope", "a", uid=1000)
    host.add(800, "web", podman_path(A), "a", uid=100000)
    host.add(801, "web", podman_path(B), "b", uid=100000)
    assert host.find(name=name, service=scope) == Answer(Service("podman", A, "container", 1000), "")


TEST_NO_HELPERS = [
    pytest.param(podman_path(A, 1001), "a", id="the container of another user"),
    pytest.param(f"/machine.slice/libpod-{A}.scope", "a", id="root's container"),
    pytest.param(podman_path(A), "b", id="another network"),
    pytest.param(podman_path(A), "host", id="the network of the host"),
]


@pytest.mark.parametrize(("path", "network"), TEST_NO_HELPERS)
def test_a_helper_speaks_for_nobody_else(host: Host, path: str, network: str) -> None:
    host.add(PROXY, "pasta", "/user.slice/session-1.scope", uid=1000, holds=["a", "host"])
    host.add(800, "web", path, network)
    assert host.find(name="pasta", service=Service("systemd", "session-1.scope", "system")) is None
