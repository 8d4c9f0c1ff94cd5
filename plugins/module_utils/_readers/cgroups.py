# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cgroup2 directory behind the id that the kernel tells of a socket, and the processes in it."""

from __future__ import annotations

import errno
import os
import struct
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Callable, Optional

if TYPE_CHECKING:  # loaded only where handles cannot be used, or the hierarchy is not where it mostly is
    from . import cgroup_paths

ROOT_CGROUP = 1  # the id of a hierarchy's root directory, which says nothing of who created a socket
# Where systemd mounts the hierarchy: alone, and beside those of cgroup v1 (src/shared/mount-setup.c). The table of all
# mounts has a line for each layer of each container.
_USUAL_PLACES = ("fs/cgroup", "fs/cgroup/unified")
_FILEID_KERNFS = 0xFE  # include/linux/exportfs.h: the handle is the node's 64-bit id (Linux 5.5)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# No such directory any more. Any other error means that handles cannot be used here: no CAP_DAC_READ_SEARCH, seccomp, …
_GONE = (errno.ESTALE, errno.ENOENT)


class Cgroups:
    """Directories of the cgroup2 hierarchy by id. Use as a context manager; never raises, and knows nothing where none
    is mounted.

    As root an id is opened as a file handle. Without that right the tree is walked once, by inode number, which is the
    id on 64-bit kernels; elsewhere it is not found, and the owners are then looked for in all of /proc.
    """

    def __init__(self, proc: str = "/proc", sys: str = "/sys") -> None:
        self._handles = True
        self._tree: Optional[cgroup_paths.CgroupTree] = None
        for place in _USUAL_PLACES:
            self.path = f"{sys}/{place}"  # of its root
            self._root = _open_root(self.path)
            if self._root is not None:
                return
        from . import cgroup_paths

        self.path, self._root = cgroup_paths.find_mount(proc)

    def __enter__(self) -> Cgroups:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._root is not None:
            os.close(self._root)
            self._root = None

    def read_pids(self, cgroup_id: int) -> list[int]:
        """The processes of that group alone, not of those below it; empty where it is gone or cannot be read."""
        directory = self.open(cgroup_id)
        if directory is None:
            return []
        try:
            procs = os.open("cgroup.procs", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
            with open(procs, "rb") as stream:
                # 0: a process outside this PID namespace, which /proc does not show (cgroups(7))
                return [int(line) for line in stream if line.strip() != b"0"]
        except (OSError, ValueError):  # EOPNOTSUPP: a threaded group (Documentation/admin-guide/cgroup-v2.rst)
            return []
        finally:
            os.close(directory)

    def open(self, cgroup_id: int) -> Optional[int]:
        """A descriptor of the directory; None where it is gone, or cannot be opened."""
        if self._root is None:
            return None
        if self._handles:
            try:
                return _open_by_handle(self._root, cgroup_id)
            except OSError as error:
                if error.errno in _GONE:
                    return None
                self._handles = False
        from . import cgroup_paths

        if self._tree is None:
            self._tree = cgroup_paths.CgroupTree(self.path, os.fstat(self._root).st_ino)
        return self._tree.open(cgroup_id)


def _open_root(path: str) -> Optional[int]:
    """None where that is not the root of the whole cgroup2 hierarchy, but one of cgroup v1 or of a cgroup namespace."""
    try:
        directory = os.open(path, _DIRECTORY)
    except OSError:
        return None
    if os.fstat(directory).st_ino == ROOT_CGROUP and os.access("cgroup.controllers", os.F_OK, dir_fd=directory):
        return directory  # only cgroup2 has that file
    os.close(directory)
    return None


def _open_by_handle(mount: int, cgroup_id: int) -> int:
    """open_by_handle_at(2); raises OSError."""
    import ctypes

    # struct file_handle { unsigned int handle_bytes; int handle_type; unsigned char f_handle[8]; }
    handle = ctypes.create_string_buffer(struct.pack("=IiQ", 8, _FILEID_KERNFS, cgroup_id), 16)
    directory = int(_load_open_by_handle_at()(mount, handle, _DIRECTORY))
    if directory < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")
    return directory


@cache
def _load_open_by_handle_at() -> Callable[[int, object, int], int]:
    import ctypes

    try:
        function: Callable[[int, object, int], int] = ctypes.CDLL(None, use_errno=True).open_by_handle_at
    except AttributeError:
        raise OSError(errno.ENOSYS, "open_by_handle_at") from None
    return function
