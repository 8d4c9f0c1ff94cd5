# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds sockets whose creators' cgroups do not settle it, and which unit or container that is.

All of /proc is walked, once, for sockets whose holder is not in the cgroup of their creator (passed on,
socket-activated, moved, or created in the root group) and for those of which every holder is wanted.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Callable

from .._model import backends, bindings
from . import cgroups, owners, services

# ptrace(2), "Ptrace access mode checking": root too is refused by a process with a capability that it lacks itself.
_NEEDED = "; needs CAP_SYS_PTRACE, and every capability that they have"
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # include/linux/proc_ns.h, PROC_PID_INIT_INO
_ROUNDS = 3  # listings of /proc while some holder is still missing: one may have forked and gone meanwhile


def find_owners(
    sockets: Sequence[bindings.Socket],
    walk: owners.ProcessWalk,
    tree: cgroups.Cgroups,
    wanted: Collection[int],
) -> tuple[dict[int, bindings.Ownership], tuple[backends.Gap, ...]]:
    """What owners.read_owners() returns. walk: with what has been found so far. wanted: its `every_process`."""
    finder = services.Services(walk, tree)
    walked = bool(wanted) or any(finder.is_unowned(socket) for socket in sockets)
    if walked:
        look_into_all(walk, lambda: any(socket.inode and socket.inode not in walk.owners for socket in sockets))
    complete = walked and not walk.denied and not walk.hidden
    absent = _judge_absence(walk, complete)
    ownerships: dict[int, bindings.Ownership] = {}
    for socket in sockets:
        holders = walk.sort_holders(socket.inode)
        service = finder.find_service(socket, holders)
        if socket.inode in ownerships and ownerships[socket.inode].service != service:
            service = None
        doubt = finder.doubts.get(socket.inode, "") if service is None else ""
        ownerships[socket.inode] = bindings.Ownership(
            holders, bindings.FOUND if holders else absent, service, complete, doubt
        )
    blindness = explain_blindness(walk) if walked else ""
    gaps = [backends.Gap("owners", "the processes that hold a socket", blindness)] if blindness else []
    if any(ownership.status == bindings.UNKNOWN for ownership in ownerships.values()):
        gaps.append(
            backends.Gap("owners", "sockets without a holder", "processes outside of this PID namespace cannot be seen")
        )
    return ownerships, tuple(gaps + finder.gaps)


def look_into_all(walk: owners.ProcessWalk, is_missing: Callable[[], bool]) -> None:
    """Every process that /proc lists and that was not looked into before; new ones as well, as long as a holder is
    missing.
    """
    for _round in range(_ROUNDS):
        try:
            pids = [int(name) for name in os.listdir(walk.proc) if name.isdecimal()]
        except OSError as error:
            walk.hidden = f"{walk.proc} cannot be listed ({error.strerror})"
            return
        if 1 not in pids:  # every PID namespace has one: mount option hidepid, proc(5)
            walk.hidden = "processes of other users are hidden (hidepid)"
        fresh = [pid for pid in pids if pid not in walk.seen]
        for pid in fresh:
            walk.look_into(pid)
        if not fresh or not is_missing():
            return


def _judge_absence(walk: owners.ProcessWalk, complete: bool) -> str:
    """What it means that no holder of a socket was found."""
    if walk.denied or walk.hidden:
        return bindings.DENIED
    return bindings.KERNEL if complete and sees_every_process(walk.proc) else bindings.UNKNOWN


def sees_every_process(proc: str) -> bool:
    """Whether this is the host's own PID namespace, and not one below it."""
    try:
        return os.readlink(f"{proc}/self/ns/pid") == _INITIAL_PID_NAMESPACE
    except OSError:
        return False


def explain_blindness(walk: owners.ProcessWalk) -> str:
    """Why the walk did not see everything that /proc could show; empty where it did."""
    reasons = []
    if walk.denied:
        causes = ", ".join(os.strerror(number) for number in sorted(set(walk.denied.values())))
        reasons.append(f"{len(walk.denied)} of {len(walk.seen)} processes cannot be looked into ({causes})")
    if walk.hidden:
        reasons.append(walk.hidden)
    return "; ".join(reasons) + _NEEDED if reasons else ""
