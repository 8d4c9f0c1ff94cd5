# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of sockets of which no holder tells: nobody is seen to hold them, or a service manager does, for others.

The kernel keeps the cgroup that a socket was created in; what that does not tell, systemd is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._model import bindings
from .._wire import spelling
from . import cgroup_paths, cgroups, services

if TYPE_CHECKING:  # loaded only where PID 1 holds a socket
    from .._wire import systemd_show

_DOCKER = frozenset(("docker.service", "snap.docker.dockerd.service"))


class Creators:
    """Finds the Service of one socket after another, for the Services that meet it."""

    def __init__(self, seen: services.Services) -> None:
        self._services = seen
        self._paths = cgroup_paths.PathFinder(seen.tree, seen.proc)
        self._creators: dict[int, Optional[bindings.Service]] = {}
        self._units: Optional[list[systemd_show.SocketUnit]] = None
        self._unasked = ""  # why systemd gave no answer

    def find_of_system_manager(self, socket: bindings.Socket) -> Optional[bindings.Service]:
        """What PID 1 holds."""
        creator = self._find_creator(socket)
        return creator if _is_socket_unit(creator, None) else self._find_socket_unit(socket)

    def find_unseen(self, socket: bindings.Socket, is_held: bool) -> tuple[bool, Optional[bindings.Service]]:
        """Whether that settles it, and the Service. is_held: some holders were seen, but PID 1 may be one more."""
        creator = self._find_creator(socket)
        if creator == services.SYSTEM_MANAGER:
            return True, self._find_socket_unit(socket)
        if is_held and not _is_socket_unit(creator, None):
            return False, None
        if services.is_user_manager(creator):
            return True, self.find_of_user_manager(socket, creator)
        return True, self._judge_creator(socket, creator)

    def find_of_user_manager(
        self, socket: bindings.Socket, manager: Optional[bindings.Service]
    ) -> Optional[bindings.Service]:
        uid = manager.uid if manager else None
        creator = self._find_creator(socket)
        if uid is not None and _is_socket_unit(creator, uid):
            return creator
        reason = "the service managers of users are not asked"
        self._services.note("systemd", f"the .socket units of uid {uid}", reason, socket)
        return None

    def _find_creator(self, socket: bindings.Socket) -> Optional[bindings.Service]:
        cgroup_id = socket.cgroup_id or cgroups.ROOT_CGROUP
        if cgroup_id not in self._creators:
            path = None if cgroup_id == cgroups.ROOT_CGROUP else self._paths.read_path(cgroup_id)
            self._creators[cgroup_id] = self._services.parse(path)
        return self._creators[cgroup_id]

    def _find_socket_unit(self, socket: bindings.Socket) -> Optional[bindings.Service]:
        from . import systemd

        if self._units is None and not self._unasked:
            try:
                self._units = systemd.read_socket_units()
            except systemd.SystemdError as error:
                self._unasked = str(error)
        if self._units is None:
            self._services.note("systemd", "the .socket units of what PID 1 holds", self._unasked, socket)
            return None
        name, reason = systemd.select_socket_unit(self._units, socket)
        if name is None:
            self._services.note("systemd", f"the .socket unit of {spelling.format_endpoint(socket)}", reason, socket)
            return None
        return bindings.Service("systemd", name, "system")

    def _judge_creator(
        self, socket: bindings.Socket, creator: Optional[bindings.Service]
    ) -> Optional[bindings.Service]:
        """docker.service makes listeners of its own, and those of docker-proxy for containers."""
        if creator is None or creator.scope != "system" or creator.unit not in _DOCKER:
            return creator
        reason = "docker made it, and whether it publishes a container's port cannot be seen: its holder cannot"
        self._services.note("owners", "the containers of published ports", reason, socket)
        return None


def _is_socket_unit(service: Optional[bindings.Service], uid: Optional[int]) -> bool:
    scope = "system" if uid is None else "user"
    return service is not None and service.unit.endswith(".socket") and (service.scope, service.uid) == (scope, uid)
