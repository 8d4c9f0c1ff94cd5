# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds each socket.

The kernel tells of each socket the cgroup of its creator. Only the processes of those groups are looked into; where
they do not settle it, every_process.py goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .._model import backends, bindings
from . import cgroups, processes


def read_owners(
    sockets: Sequence[bindings.Socket],
    *,
    proc: str = "/proc",
    sys: str = "/sys",
    every_process: Collection[int] = (),
) -> tuple[dict[int, bindings.Ownership], tuple[backends.Gap, ...]]:
    """The Ownership of each socket by inode, and what could not be seen. Never raises.

    every_process: inodes of which every holder on the host is wanted; unless it is empty, all of /proc is walked.
    Owners are sorted by pid and descriptor. `complete` means that every process that /proc lists was looked into; in a
    container that is its own PID namespace, and from in there nothing is ever called the kernel's.
    Sockets without a file share inode 0 and so one Ownership.
    Where the holders are plain to see, their services are still to be named: services.name_plain().
    """
    walk = processes.ProcessWalk(proc, {socket.inode for socket in sockets})
    with cgroups.Cgroups(proc, sys) as tree:
        if not every_process:
            for cgroup_id, inodes in sorted(_group_by_cgroup(sockets).items()):
                for pid in tree.read_pids(cgroup_id):
                    walk.look_into(pid, inodes)
            # PID 1 can hold sockets of all services: if it was met and not seen into, nothing is plain.
            if 1 not in walk.denied and all(walk.is_plainly_held(socket.inode) for socket in sockets):
                return {inode: _own_plainly(walk, inode) for inode in walk.owners}, ()
        from . import every_process as other_processes

        return other_processes.find_owners(sockets, walk, tree, every_process)


def _group_by_cgroup(sockets: Sequence[bindings.Socket]) -> dict[int, set[int]]:
    """Inodes by the cgroup that created them, where that says something."""
    groups: dict[int, set[int]] = {}
    for socket in sockets:
        if socket.inode and socket.cgroup_id not in (None, cgroups.ROOT_CGROUP):
            groups.setdefault(socket.cgroup_id or cgroups.ROOT_CGROUP, set()).add(socket.inode)
    return groups


def _own_plainly(walk: processes.ProcessWalk, inode: int) -> bindings.Ownership:
    holders = walk.sort_holders(inode)
    return bindings.Ownership(holders, bindings.FOUND, None, cgroup=walk.groups[holders[0].pid])
