# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds each socket, and which unit or container that is.

The kernel tells of each socket the cgroup of its creator. Only the processes of those groups are looked into; all of
/proc is walked, once, for sockets whose holder is not found there (passed on, socket-activated, moved, or created in
the root group) and for those of which every holder is wanted.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from .._model import bindings, owners
from .._model.gaps import Gap
from . import cgroups, processes, services

# ptrace(2), "Ptrace access mode checking": root too is refused by a process with a capability that it lacks itself.
_NEEDED = "; needs CAP_SYS_PTRACE, and every capability that they have"
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # include/linux/proc_ns.h, PROC_PID_INIT_INO


def read_owners(
    sockets: Sequence[bindings.Socket], *, proc: str = "/proc", every_process: Collection[int] = ()
) -> tuple[dict[int, owners.Ownership], tuple[Gap, ...]]:
    """The Ownership of each socket by inode, and what could not be seen. Never raises.

    every_process: inodes of which every holder on the host is wanted; unless it is empty, all of /proc is walked.
    Owners are sorted by pid and descriptor. `complete` means that every process that /proc lists was looked into; in a
    container that is its own PID namespace, and from in there nothing is ever called the kernel's.
    Sockets without a file share inode 0 and so one Ownership.
    """
    walk = processes.ProcessWalk(proc, {socket.inode for socket in sockets})
    with cgroups.Cgroups(proc) as tree:
        if not every_process:
            for cgroup_id, inodes in sorted(_group_by_cgroup(sockets).items()):
                for pid in tree.read_pids(cgroup_id):
                    walk.look_into(pid, inodes)
        finder = services.Services(proc, tree, walk)
        walked = bool(every_process) or any(finder.is_unowned(socket) for socket in sockets)
        if walked:
            walk.look_into_all(lambda: any(socket.inode and socket.inode not in walk.owners for socket in sockets))
        complete = walked and not walk.denied and not walk.hidden
        absent = _judge_absence(walk, complete, proc)
        ownerships: dict[int, owners.Ownership] = {}
        for socket in sockets:
            holders = tuple(sorted(walk.owners.get(socket.inode, ()), key=lambda owner: (owner.pid, owner.fd)))
            service = finder.find_service(socket, holders)
            if socket.inode in ownerships and ownerships[socket.inode].service != service:
                service = None
            doubt = finder.doubts.get(socket.inode, "") if service is None else ""
            ownerships[socket.inode] = owners.Ownership(
                holders, owners.FOUND if holders else absent, service, complete, doubt
            )
    blindness = explain_blindness(walk) if walked else ""
    gaps = [Gap("owners", "the processes that hold a socket", blindness)] if blindness else []
    if any(ownership.status == owners.UNKNOWN for ownership in ownerships.values()):
        gaps.append(Gap("owners", "sockets without a holder", "processes outside of this PID namespace cannot be seen"))
    return ownerships, tuple(gaps + finder.gaps)


def _group_by_cgroup(sockets: Sequence[bindings.Socket]) -> dict[int, set[int]]:
    """Inodes by the cgroup that created them, where that says something."""
    groups: dict[int, set[int]] = {}
    for socket in sockets:
        if socket.inode and socket.cgroup_id not in (None, cgroups.ROOT_CGROUP):
            groups.setdefault(socket.cgroup_id or cgroups.ROOT_CGROUP, set()).add(socket.inode)
    return groups


def _judge_absence(walk: processes.ProcessWalk, complete: bool, proc: str) -> str:
    """What it means that no holder of a socket was found."""
    if walk.denied or walk.hidden:
        return owners.DENIED
    return owners.KERNEL if complete and sees_every_process(proc) else owners.UNKNOWN


def sees_every_process(proc: str) -> bool:
    """Whether this is the host's own PID namespace, and not one below it."""
    try:
        return os.readlink(f"{proc}/self/ns/pid") == _INITIAL_PID_NAMESPACE
    except OSError:
        return False


def explain_blindness(walk: processes.ProcessWalk) -> str:
    """Why the walk did not see everything that /proc could show; empty where it did."""
    reasons = []
    if walk.denied:
        causes = ", ".join(os.strerror(number) for number in sorted(set(walk.denied.values())))
        reasons.append(f"{len(walk.denied)} of {len(walk.seen)} processes cannot be looked into ({causes})")
    if walk.hidden:
        reasons.append(walk.hidden)
    return "; ".join(reasons) + _NEEDED if reasons else ""
