# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit or container of a socket: named from the cgroup of its holders, where who holds it was plain to see
(name_services); else found from its holders, or from its creator where they do not tell (Services, creators.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from .._model import backends, bindings
from .._wire import cgroup_path, procfs, spelling
from . import cgroups, owners

if TYPE_CHECKING:  # loaded only where the holders do not tell, or a container publishes a port
    from . import creators, published_ports

_INIT_SCOPE = "/init.scope"
SYSTEM_MANAGER = bindings.Service("systemd", "init.scope", "system")


class Services:
    """Finds the Service of one socket after another, where that is not plain to see.

    gaps: what could not be told, each cause once; doubts: why, by inode.
    """

    def __init__(self, walk: owners.ProcessWalk, tree: cgroups.Cgroups) -> None:
        self.gaps: list[backends.Gap] = []
        self.doubts: dict[int, str] = {}
        self.tree = tree
        self.proc = walk.proc
        self._walk = walk
        self._root = _read_manager_root(walk.proc)
        self._holders: dict[int, Optional[bindings.Service]] = {}
        self._ordinary: dict[int, bool] = {}
        self._published: Optional[published_ports.PublishedPorts] = None
        self._creators: Optional[creators.Creators] = None

    def is_unowned(self, socket: bindings.Socket) -> bool:
        """No holder was seen yet, or only a service manager, which holds sockets for others."""
        holders = self._walk.owners.get(socket.inode, ())
        if len(holders) == 1 and self._is_ordinary(holders[0]):
            return False
        return all(self._is_system_manager(owner) or is_user_manager(self._find_holder(owner)) for owner in holders)

    def find_service(self, socket: bindings.Socket, holders: Sequence[bindings.Owner]) -> Optional[bindings.Service]:
        """From the holders; from the creator where no holder was seen, or where PID 1 may be one and cannot be seen.

        What a service manager holds belongs to a .socket unit. It is mostly created by a helper in that unit's own
        cgroup (src/core/socket.c, socket_address_listen_in_cgroup); otherwise systemd is asked who listens there.
        """
        if len(holders) == 1 and self._is_ordinary(holders[0]) and 1 not in self._walk.denied:
            return self._find_holder(holders[0])  # as nearly always
        if any(self._is_system_manager(owner) for owner in holders):
            return self._ask_creators().find_of_system_manager(socket)
        if not holders or 1 in self._walk.denied:
            is_certain, service = self._ask_creators().find_unseen(socket, bool(holders))
            if is_certain:
                return service
        if any(owner.name in owners.PUBLISHERS for owner in holders):
            from . import published_ports

            if self._published is None:
                self._published = published_ports.PublishedPorts(self._walk.proc, self.parse)
            answer = self._published.find(socket, holders, [self._find_holder(owner) for owner in holders])
            if answer is not None:
                if answer.service is None:
                    self.note("owners", f"the container of {spelling.format_endpoint(socket)}", answer.reason, socket)
                return answer.service
        found = {self._find_holder(owner) for owner in holders}
        for service in found:
            if is_user_manager(service):
                return self._ask_creators().find_of_user_manager(socket, service)
        if len(found) > 1:
            names = ", ".join(sorted("no unit" if service is None else service.unit for service in found))
            self.note(
                "owners",
                f"the unit of {spelling.format_endpoint(socket)}",
                f"processes of several hold it: {names}",
                socket,
            )
            return None
        return found.pop()

    def _is_ordinary(self, owner: bindings.Owner) -> bool:
        """Holds sockets for nobody else, by what it is."""
        known = self._ordinary.get(owner.pid)
        if known is None:
            for_others = owner.name in owners.PUBLISHERS or self._is_system_manager(owner)
            known = not (for_others or is_user_manager(self._find_holder(owner)))
            self._ordinary[owner.pid] = known
        return known

    def _find_holder(self, owner: bindings.Owner) -> Optional[bindings.Service]:
        if owner.pid not in self._holders:
            self._holders[owner.pid] = self.parse(_parse_group(self._walk.groups[owner.pid]))
        return self._holders[owner.pid]

    def parse(self, path: Optional[str]) -> Optional[bindings.Service]:
        return _name(path, self._root)

    def _is_system_manager(self, owner: bindings.Owner) -> bool:
        # In a container PID 1 can be any program.
        return owner.pid == 1 and (owner.name == "systemd" or self._find_holder(owner) == SYSTEM_MANAGER)

    def _ask_creators(self) -> creators.Creators:
        if self._creators is None:
            from . import creators

            self._creators = creators.Creators(self)
        return self._creators

    def note(self, source: str, subject: str, reason: str, socket: bindings.Socket) -> None:
        self.doubts[socket.inode] = reason
        gap = backends.Gap(source, subject, reason)
        if gap not in self.gaps:
            self.gaps.append(gap)


def name_services(listeners: Sequence[bindings.Listener]) -> list[bindings.Listener]:
    """With the services that owners.read_owners() left to be named."""
    owned = name_plain([listener.ownership for listener in listeners])
    return [listener._replace(ownership=ownership) for listener, ownership in zip(listeners, owned)]


def name_plain(ownerships: Sequence[bindings.Ownership], proc: str = "/proc") -> list[bindings.Ownership]:
    """The same for Ownerships alone."""
    if all(owned.cgroup is None for owned in ownerships):
        return list(ownerships)
    root = _read_manager_root(proc)
    return [
        owned._replace(service=_name(_parse_group(owned.cgroup), root), cgroup=None)
        if owned.cgroup is not None
        else owned
        for owned in ownerships
    ]


def is_user_manager(service: Optional[bindings.Service]) -> bool:
    return service is not None and (service.manager, service.unit, service.scope) == ("systemd", "init.scope", "user")


def _name(path: Optional[str], root: str) -> Optional[bindings.Service]:
    return None if path is None else cgroup_path.parse_cgroup_path(path, root)


def _parse_group(raw: Optional[bytes]) -> Optional[str]:
    """The path in /proc/PID/cgroup; None where it could not be read."""
    try:
        return None if raw is None else procfs.parse_cgroup(raw)
    except procfs.ProcfsError:
        return None


def _read_manager_root(proc: str) -> str:
    """Where the units of PID 1 begin: not at / in a container that sees the paths of its host (cg_get_root_path)."""
    try:
        with open(f"{proc}/1/cgroup", "rb") as stream:
            path = _parse_group(stream.read()) or ""
    except OSError:
        return ""
    return path[: -len(_INIT_SCOPE)] if path.endswith(_INIT_SCOPE) else ""
