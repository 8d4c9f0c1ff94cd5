# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes hold TCP sockets that no table lists: bound ones before Linux 6.8, and ones that are nothing yet."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

from .._wire import inode_table
from . import owners, process_state

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PROTOCOL_NAME = "system.sockprotoname"  # include/uapi/linux/xattr.h; lsof(8) reads it as well


class UnlistedWalk(owners.ProcessWalk):
    """Finds every TCP socket that is not in /proc/net/tcp of its holder's network namespace, instead of given sockets.

    unlisted: its holders (pid, descriptor) by inode. A socket of another namespace than its holder's is among them even
    if it is listed in its own: whoever asks it will see.
    """

    def __init__(self, proc: str) -> None:
        super().__init__(proc, ())
        self.unlisted: dict[int, list[tuple[int, int]]] = {}
        self._left_out: set[int] = set()  # listed, or of another protocol
        self._namespaces: set[int] = set()

    def _look(self, pid: int, directory: int, enough: Collection[int]) -> None:
        if self._look_at_table(pid, directory, "") or process_state.count_threads(directory) <= 1:
            return
        tasks = os.open("task", _DIRECTORY, dir_fd=directory)
        try:
            # Without its first thread: these descriptors can be seen, and not duplicated.
            for task in os.listdir(tasks):
                with suppress(FileNotFoundError):  # this thread has ended
                    if self._look_at_table(pid, directory, f"task/{task}/"):
                        return
        finally:
            os.close(tasks)

    def _look_at_table(self, pid: int, directory: int, base: str) -> bool:
        """Whether there is any descriptor at all. Raises OSError."""
        entry = None
        table = os.open(f"{base}fd", _DIRECTORY, dir_fd=directory)
        try:
            with os.scandir(table) as entries:
                for entry in entries:
                    try:
                        inode = inode_table.parse_socket_link(os.readlink(entry.name, dir_fd=table))
                    except FileNotFoundError:
                        continue  # closed meanwhile
                    if inode is None or inode in self._left_out:
                        continue
                    self._learn_listed(directory, base)
                    if inode not in self._left_out and self._may_be_tcp(table, entry.name, inode):
                        self.unlisted.setdefault(inode, []).append((pid, int(entry.name)))
            return entry is not None
        finally:
            os.close(table)

    def _learn_listed(self, directory: int, base: str) -> None:
        """The tables of the namespace that the process is in; once for each."""
        namespace = os.stat(f"{base}ns/net", dir_fd=directory).st_ino
        if namespace in self._namespaces:
            return
        self._namespaces.add(namespace)
        for name in ("tcp", "tcp6"):
            with suppress(OSError):  # no IPv6
                file = os.open(f"{base}net/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
                with open(file, "rb") as table:
                    self._left_out |= inode_table.parse_inodes(table.read())

    def _may_be_tcp(self, table: int, name: str, inode: int) -> bool:
        if inode not in self.unlisted:
            with suppress(OSError):
                # By way of our own descriptor: the call takes no directory, and a pid may be used again.
                if not inode_table.may_hold_tcp_port(os.getxattr(f"/proc/self/fd/{table}/{name}", _PROTOCOL_NAME)):
                    self._left_out.add(inode)
                    return False
        return True
