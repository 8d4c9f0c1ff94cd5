# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which container a published port belongs to, where a helper of its engine holds the listener. No engine is asked.

docker-proxy says on its command line which address the container has; the container is the one whose processes live in
a network namespace with that address. rootlessport has a child, and pasta a descriptor, in the namespace itself. conmon
runs in a scope with the container's id.

What a process says of itself counts for nothing. A docker-proxy is believed when its executable has that name and it is
root's, on the host, started by a dockerd of root's; a helper without root's rights speaks for containers of its user.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Callable, NamedTuple, Optional

from .._model import bindings
from .._wire import container_proxy, proc_stat, procfs

_CONMON = re.compile(r"libpod-conmon-([0-9a-f]{64})\.scope\Z")
_HELPERS = ("rootlessport", "pasta", "pasta.avx2")
_PARENT = re.compile(rb"^PPid:\t([0-9]+)$", re.MULTILINE)
_LONGEST = 1 << 20  # octets of a file; the addresses of a container are a few hundred


class Answer(NamedTuple):
    service: Optional[bindings.Service]
    reason: str  # why there is none


class PublishedPorts:
    """Answers for one listener after another; /proc is walked once, when the first container is looked for.

    parse: what a cgroup path stands for.
    """

    def __init__(self, proc: str, parse: Callable[[Optional[str]], Optional[bindings.Service]]) -> None:
        self._proc = proc
        self._parse = parse
        # By namespace: containers, each with one process in it.
        self._networks: dict[int, dict[bindings.Service, int]] = {}
        self._unseen: Optional[int] = None  # processes of containers whose namespace cannot be seen; None = not walked

    def find(
        self, socket: bindings.Socket, holders: Sequence[bindings.Owner], services: Sequence[Optional[bindings.Service]]
    ) -> Optional[Answer]:
        """None: nobody among the holders is seen to publish a container's port. services: of `holders`, by cgroup."""
        for owner, service in zip(holders, services):
            match = _CONMON.match(service.unit) if service else None
            if service and match and service.manager == "systemd":
                return Answer(bindings.Service("podman", match[1], "container", service.uid), "")
            if owner.name == "docker-proxy":
                if (service is None or service.scope == "system") and self._is_docker_proxy(owner.pid):
                    return self._find_behind_proxy(socket, owner.pid)
            elif owner.name in _HELPERS:
                answer = self._find_behind_helper(owner.pid)
                if answer.service is not None:
                    return answer
        return None

    def _is_docker_proxy(self, pid: int) -> bool:
        parent = _PARENT.search(self._read(pid, "status"))
        return parent is not None and all(
            self._read_program(number) == program and self._read_uid(number) == 0
            for number, program in ((pid, "docker-proxy"), (int(parent[1]), "dockerd"))
        )

    def _find_behind_proxy(self, socket: bindings.Socket, pid: int) -> Answer:
        published = container_proxy.parse_proxy_command(self._read(pid, "cmdline"))
        # Told to take 0.0.0.0, Go listens on :: for both families (net/ipsock_posix.go, favoriteAddrFamily).
        if (
            published is None
            or (published.protocol, published.port) != (socket.protocol, socket.port)
            or (published.host != socket.packed and any(published.host + socket.packed))
        ):
            return Answer(None, _describe("docker", "the command line of docker-proxy does not speak of it"))
        self._walk()
        address = published.container
        name = "fib_trie" if len(address) == 4 else "if_inet6"
        found: set[bindings.Service] = set()
        for containers in self._networks.values():
            pids = [pid for service, pid in containers.items() if (service.manager, service.uid) == ("docker", None)]
            # Several containers can share a namespace, and one of them has published the port.
            if pids and container_proxy.has_address(self._read(pids[0], f"net/{name}"), address):
                found.update(containers)
        return self._choose("docker", found)

    def _find_behind_helper(self, pid: int) -> Answer:
        """Of what lives in the namespaces of its children, and in those that it has descriptors of (nsfs)."""
        self._walk()
        uid = self._read_uid(pid)
        children = self._read(pid, f"task/{pid}/children").split()
        inside = [f"{int(child)}/ns/net" for child in children]
        inside += [f"{pid}/fd/{name}" for name in self._list(f"{pid}/fd")]
        networks = {self._read_network(path) for path in inside}
        return self._choose(
            "podman",
            {
                service
                for network in networks
                for service in self._networks.get(network or 0, ())
                if service.manager == "podman" and (service.uid or 0) == uid
            },
        )

    def _choose(self, engine: str, found: Iterable[bindings.Service]) -> Answer:
        services = sorted(found, key=str)
        if len(services) == 1 and not self._unseen:
            return Answer(services[0], "")
        why = "none that runs has its address"
        if len(services) > 1:
            why = f"it may be {' or '.join(service.unit[:12] for service in services)}"
        elif self._unseen:
            why = f"the network of {self._unseen} processes in containers cannot be seen"
        return Answer(None, _describe(engine, why))

    def _walk(self) -> None:
        """Every container outside of our own network namespace."""
        if self._unseen is not None:
            return
        self._unseen = 0
        ours = self._read_network("self/ns/net")
        for pid in filter(str.isdecimal, self._list("")):
            try:
                service = self._parse(procfs.parse_cgroup(self._read(int(pid), "cgroup")))
            except procfs.ProcfsError:
                continue
            if service is not None and service.scope == "container":
                network = self._read_network(f"{pid}/ns/net")
                if network is None:
                    self._unseen += os.path.isdir(f"{self._proc}/{pid}")
                elif network != ours:
                    self._networks.setdefault(network, {}).setdefault(service, int(pid))

    # -- /proc; nothing where it cannot be read

    def _read_network(self, path: str) -> Optional[int]:
        """The inode of a network namespace; None also for a descriptor of anything else than a namespace (nsfs)."""
        try:
            ours, found = os.stat(f"{self._proc}/self/ns/net"), os.stat(f"{self._proc}/{path}")
        except OSError:
            return None
        return found.st_ino if found.st_dev == ours.st_dev else None

    def _read_program(self, pid: int) -> str:
        """Last part of the path of its executable, which may have been replaced since."""
        try:
            return os.readlink(f"{self._proc}/{pid}/exe").removesuffix(" (deleted)").rsplit("/", 1)[-1]
        except OSError:
            return ""

    def _read_uid(self, pid: int) -> Optional[int]:
        try:
            return proc_stat.parse_effective_uid(self._read(pid, "status"))
        except procfs.ProcfsError:
            return None

    def _read(self, pid: int, name: str) -> bytes:
        try:
            with open(f"{self._proc}/{pid}/{name}", "rb") as stream:
                return stream.read(_LONGEST)
        except OSError:
            return b""

    def _list(self, name: str) -> list[str]:
        try:
            return os.listdir(f"{self._proc}/{name}")
        except OSError:
            return []


def _describe(engine: str, why: str) -> str:
    return f"{engine} publishes a container's port there, and which one is not known: {why}"
