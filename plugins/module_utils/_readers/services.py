# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit or container of a socket, from its holders or from the group that it was created in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from .._model import bindings, owners
from .._model.gaps import Gap
from .._wire import cgroup_path, procfs, spelling
from . import cgroups, processes

if TYPE_CHECKING:  # loaded only where PID 1 holds a socket, or a container publishes a port
    from .._wire import systemd_show
    from . import published_ports

_INIT_SCOPE = "/init.scope"
_SYSTEM_MANAGER = owners.Service("systemd", "init.scope", "system")
# Programs that listen for a container from outside of it, by comm; published_ports.py looks into what they say.
_PUBLISHERS = frozenset(("docker-proxy", "rootlessport", "conmon", "pasta", "pasta.avx2"))
_DOCKER = frozenset(("docker.service", "snap.docker.dockerd.service"))


class Services:
    """Finds the Service of one socket after another. gaps: what could not be told, each cause once; doubts: why, by
    inode.
    """

    def __init__(self, proc: str, tree: cgroups.Cgroups, walk: processes.ProcessWalk) -> None:
        self.gaps: list[Gap] = []
        self.doubts: dict[int, str] = {}
        self._cgroups = tree
        self._walk = walk
        self._root = _read_manager_root(proc)
        self._holders: dict[int, Optional[owners.Service]] = {}
        self._creators: dict[int, Optional[owners.Service]] = {}
        self._proc = proc
        self._published: Optional[published_ports.PublishedPorts] = None
        self._units: Optional[list[systemd_show.SocketUnit]] = None
        self._unasked = ""  # why systemd gave no answer

    def is_unowned(self, socket: bindings.Socket) -> bool:
        """No holder was seen yet, or only a service manager, which holds sockets for others."""
        holders = self._walk.owners.get(socket.inode, ())
        return all(self._is_system_manager(owner) or _is_user_manager(self._find_holder(owner)) for owner in holders)

    def find_service(self, socket: bindings.Socket, holders: Sequence[owners.Owner]) -> Optional[owners.Service]:
        """From the holders; from the creator where no holder was seen, or where PID 1 may be one and cannot be seen.

        What a service manager holds belongs to a .socket unit. It is mostly created by a helper in that unit's own
        cgroup (src/core/socket.c, socket_address_listen_in_cgroup); otherwise systemd is asked who listens there.
        """
        if any(self._is_system_manager(owner) for owner in holders):
            creator = self._find_creator(socket)
            return creator if _is_socket_unit(creator, None) else self._find_socket_unit(socket)
        if not holders or 1 in self._walk.denied:
            creator = self._find_creator(socket)
            if creator == _SYSTEM_MANAGER:
                return self._find_socket_unit(socket)
            if not holders or _is_socket_unit(creator, None):
                found_by = self._find_user_unit if _is_user_manager(creator) else self._judge_creator
                return found_by(socket, creator)
        if any(owner.name in _PUBLISHERS for owner in holders):
            from . import published_ports

            if self._published is None:
                self._published = published_ports.PublishedPorts(self._proc, self._parse)
            answer = self._published.find(socket, holders, [self._find_holder(owner) for owner in holders])
            if answer is not None:
                if answer.service is None:
                    self._note("owners", f"the container of {_describe(socket)}", answer.reason, socket)
                return answer.service
        found = {self._find_holder(owner) for owner in holders}
        for service in found:
            if _is_user_manager(service):
                return self._find_user_unit(socket, service)
        if len(found) > 1:
            names = ", ".join(sorted("no unit" if service is None else service.unit for service in found))
            self._note("owners", f"the unit of {_describe(socket)}", f"processes of several hold it: {names}", socket)
            return None
        return found.pop()

    def _judge_creator(self, socket: bindings.Socket, creator: Optional[owners.Service]) -> Optional[owners.Service]:
        """docker.service makes listeners of its own, and those of docker-proxy for containers."""
        if creator is None or creator.scope != "system" or creator.unit not in _DOCKER:
            return creator
        reason = "docker made it, and whether it publishes a container's port cannot be seen: its holder cannot"
        self._note("owners", "the containers of published ports", reason, socket)
        return None

    def _find_holder(self, owner: owners.Owner) -> Optional[owners.Service]:
        if owner.pid not in self._holders:
            self._holders[owner.pid] = self._parse(self._walk.paths[owner.pid])
        return self._holders[owner.pid]

    def _find_creator(self, socket: bindings.Socket) -> Optional[owners.Service]:
        cgroup_id = socket.cgroup_id or cgroups.ROOT_CGROUP
        if cgroup_id not in self._creators:
            path = None if cgroup_id == cgroups.ROOT_CGROUP else self._cgroups.read_path(cgroup_id)
            self._creators[cgroup_id] = self._parse(path)
        return self._creators[cgroup_id]

    def _parse(self, path: Optional[str]) -> Optional[owners.Service]:
        return None if path is None else cgroup_path.parse_cgroup_path(path, self._root)

    def _is_system_manager(self, owner: owners.Owner) -> bool:
        # In a container PID 1 can be any program.
        return owner.pid == 1 and (owner.name == "systemd" or self._find_holder(owner) == _SYSTEM_MANAGER)

    def _find_socket_unit(self, socket: bindings.Socket) -> Optional[owners.Service]:
        from . import systemd

        if self._units is None and not self._unasked:
            try:
                self._units = systemd.read_socket_units()
            except systemd.SystemdError as error:
                self._unasked = str(error)
        if self._units is None:
            self._note("systemd", "the .socket units of what PID 1 holds", self._unasked, socket)
            return None
        name, reason = systemd.select_socket_unit(self._units, socket)
        if name is None:
            self._note("systemd", f"the .socket unit of {_describe(socket)}", reason, socket)
            return None
        return owners.Service("systemd", name, "system")

    def _find_user_unit(self, socket: bindings.Socket, manager: Optional[owners.Service]) -> Optional[owners.Service]:
        uid = manager.uid if manager else None
        creator = self._find_creator(socket)
        if uid is not None and _is_socket_unit(creator, uid):
            return creator
        self._note("systemd", f"the .socket units of uid {uid}", "the service managers of users are not asked", socket)
        return None

    def _note(self, source: str, subject: str, reason: str, socket: bindings.Socket) -> None:
        self.doubts[socket.inode] = reason
        gap = Gap(source, subject, reason)
        if gap not in self.gaps:
            self.gaps.append(gap)


def _is_user_manager(service: Optional[owners.Service]) -> bool:
    return service is not None and (service.manager, service.unit, service.scope) == ("systemd", "init.scope", "user")


def _is_socket_unit(service: Optional[owners.Service], uid: Optional[int]) -> bool:
    scope = "system" if uid is None else "user"
    return service is not None and service.unit.endswith(".socket") and (service.scope, service.uid) == (scope, uid)


def _describe(socket: bindings.Socket) -> str:
    address = spelling.format_address(socket.packed)
    return f"{f'[{address}]' if ':' in address else address}:{socket.port}/{socket.protocol}"


def _read_manager_root(proc: str) -> str:
    """Where the units of PID 1 begin: not at / in a container that sees the paths of its host (cg_get_root_path)."""
    try:
        with open(f"{proc}/1/cgroup", "rb") as stream:
            path = procfs.parse_cgroup(stream.read()) or ""
    except (OSError, procfs.ProcfsError):
        return ""
    return path[: -len(_INIT_SCOPE)] if path.endswith(_INIT_SCOPE) else ""
