# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds each socket.

The kernel tells of each socket the cgroup of its creator. Only the processes of those groups are looked into, by their
/proc/PID/fd and each at most once; where they do not settle it, every_process.py goes on.

Not seen: a descriptor table that a single thread has for itself (unshare(CLONE_FILES)), and a socket that is on its way
through a UNIX socket (SCM_RIGHTS) while nobody holds it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection, Sequence
from typing import Optional

from .._model import backends, bindings
from .._wire import spelling
from . import cgroups

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Programs that listen for a container from outside of it, by comm; published_ports.py looks into what they say.
PUBLISHERS = frozenset(("docker-proxy", "rootlessport", "conmon", "pasta", "pasta.avx2"))
_MANAGER_SCOPE = b"init.scope"  # the cgroup of every service manager, the system's and the users'


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
    walk = ProcessWalk(proc, {socket.inode for socket in sockets})
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


def _own_plainly(walk: ProcessWalk, inode: int) -> bindings.Ownership:
    holders = walk.sort_holders(inode)
    return bindings.Ownership(holders, bindings.FOUND, None, cgroup=walk.groups[holders[0].pid])


class ProcessWalk:
    """The holders of some sockets, as far as they have been looked for.

    owners: by inode, unsorted. groups: /proc/PID/cgroup by pid, of holders only. denied: pids that could not be looked
    into, with the errno; kernel threads and dead processes are not among them, as they hold nothing. hidden: why
    processes may be missing from /proc itself.
    """

    def __init__(self, proc: str, inodes: Collection[int]) -> None:
        self.proc = proc
        self._links = {f"socket:[{inode}]": inode for inode in inodes if inode}
        self._users: dict[int, str] = {}
        self._ordinary: dict[int, bool] = {}
        self.seen: set[int] = set()
        self.owners: dict[int, list[bindings.Owner]] = {}
        self.groups: dict[int, Optional[bytes]] = {}
        self.denied: dict[int, int] = {}
        self.hidden: Optional[str] = None

    def look_into(self, pid: int, enough: Collection[int] = ()) -> None:
        """Everything goes through one open directory, which stays bound to its process: a pid used again gives ESRCH,
        not a wrong owner.

        enough: once these inodes have been found, the rest of the descriptors is left: a server opens its listeners
        first, and ten thousand connections after them. Such a process is looked into again when all are.
        """
        if pid in self.seen:
            return
        self.seen.add(pid)
        try:
            directory = os.open(f"{self.proc}/{pid}", _DIRECTORY)
            try:
                self._look(pid, directory, enough)
            finally:
                os.close(directory)
        except (FileNotFoundError, ProcessLookupError):
            return  # gone
        except OSError as error:
            from . import process_state

            if not process_state.holds_nothing(self.proc, pid):
                self.denied[pid] = error.errno or 0

    def sort_holders(self, inode: int) -> tuple[bindings.Owner, ...]:
        holders = self.owners.get(inode, ())
        return tuple(holders if len(holders) < 2 else sorted(holders, key=lambda owner: (owner.pid, owner.fd)))

    def is_plainly_held(self, inode: int) -> bool:
        """By processes of one cgroup, none of which holds sockets for others: its service is theirs, whatever it is."""
        holders = self.owners.get(inode)
        if not holders:
            return False
        group = self.groups[holders[0].pid]
        return all(self.groups[owner.pid] == group and self._is_ordinary(owner) for owner in holders)

    def _is_ordinary(self, owner: bindings.Owner) -> bool:
        if owner.pid not in self._ordinary:
            manages = owner.pid == 1 or _MANAGER_SCOPE in (self.groups[owner.pid] or b"")
            self._ordinary[owner.pid] = not manages and owner.name not in PUBLISHERS
        return self._ordinary[owner.pid]

    def _look(self, pid: int, directory: int, enough: Collection[int]) -> None:
        found = self._scan(directory, "fd", enough)
        if found is None:
            from . import process_state

            found = process_state.scan_threads(directory, self._scan)
        if not found:
            return
        name, exe, user, self.groups[pid] = self._read_details(directory)
        if enough and {inode for inode, _descriptor in found}.issuperset(enough):
            self.seen.discard(pid)
        for inode, descriptor in found:
            holders = self.owners.setdefault(inode, [])
            # Looked into again, it shows the same ones.
            if not holders or all((owner.pid, owner.fd) != (pid, descriptor) for owner in holders):
                holders.append(bindings.Owner(pid, name, exe, user, descriptor))

    def _scan(self, directory: int, name: str, enough: Collection[int] = ()) -> Optional[list[tuple[int, int]]]:
        """The wanted (inode, descriptor) of a descriptor table; None when there is no descriptor at all. Raises
        OSError.
        """
        find, readlink = self._links.get, os.readlink
        missing = set(enough)
        found = []
        entry = None
        table = os.open(name, _DIRECTORY, dir_fd=directory)
        try:
            with os.scandir(table) as entries:  # in the order of their numbers (fs/proc/fd.c, proc_readfd_common)
                for entry in entries:
                    try:
                        inode = find(readlink(entry.name, dir_fd=table))
                    except FileNotFoundError:
                        continue  # closed meanwhile
                    if inode is not None:
                        found.append((inode, int(entry.name)))
                        missing.discard(inode)
                        if enough and not missing:
                            break
            return None if entry is None else found
        finally:
            os.close(table)

    def _read_details(self, directory: int) -> tuple[str, Optional[str], str, Optional[bytes]]:
        """comm, exe, user and cgroups. Raises FileNotFoundError or ProcessLookupError when the process is gone."""
        try:
            exe: Optional[str] = spelling.printable(os.readlink("exe", dir_fd=directory))
        except OSError:
            exe = None
        try:
            group: Optional[bytes] = read_at(directory, "cgroup")
        except OSError:
            group = None
        # The directory itself is the effective user's, also of a process that must not be traced; a stat of it is what
        # the kernel offers for that, and much quicker than "status" (fs/proc/base.c, task_dump_owner). Of a process
        # that has gone meanwhile it is root's (pid_getattr), which the reading of its name then finds out.
        user = self._name_user(os.fstat(directory).st_uid)
        # Last, as proof that the process still is there: up to 15 bytes of anything, then a newline (proc(5)).
        name = spelling.printable(read_at(directory, "comm").removesuffix(b"\n"))
        return name, exe, user, group

    def _name_user(self, uid: int) -> str:
        if uid not in self._users:
            try:
                self._users[uid] = spelling.printable(pwd.getpwuid(uid).pw_name)
            except (KeyError, OverflowError):
                self._users[uid] = str(uid)
        return self._users[uid]


def read_at(directory: int, name: str) -> bytes:
    # Not open(): its layers cost more than the three calls, and this runs three times for each holder.
    file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        parts: list[bytes] = []
        while True:
            part = os.read(file, 65536)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        os.close(file)
