# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cgroup2 directory behind the id that the kernel tells of a socket: its processes and its path."""

from __future__ import annotations

import errno
import os
import struct
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Callable, Optional

from .._wire import procfs

if TYPE_CHECKING:  # loaded only where handles cannot be used
    from . import cgroup_tree

ROOT_CGROUP = 1  # the id of a hierarchy's root directory, which says nothing of who created a socket
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

    def __init__(self, proc: str = "/proc") -> None:
        self._mount_path = ""
        self._mount: Optional[int] = None
        self._handles = True
        self._tree: Optional[cgroup_tree.CgroupTree] = None
        for mount in _read_mounts(proc):
            self._mount = _open_mount(mount)
            if self._mount is not None:
                self._mount_path = mount.path.rstrip("/")
                break

    def __enter__(self) -> Cgroups:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._mount is not None:
            os.close(self._mount)
            self._mount = None

    def read_pids(self, cgroup_id: int) -> list[int]:
        """The processes of that group alone, not of those below it; empty where it is gone or cannot be read."""
        directory = self._open(cgroup_id)
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

    def read_path(self, cgroup_id: int) -> Optional[str]:
        """The path from the mount point, beginning with /; None where it is gone or outside of what is mounted here."""
        directory = self._open(cgroup_id)
        if directory is None:
            return None
        try:
            path = os.readlink(f"/proc/self/fd/{directory}")
        except OSError:
            return None
        finally:
            os.close(directory)
        if path == self._mount_path:
            return "/"
        return path[len(self._mount_path) :] if path.startswith(self._mount_path + "/") else None

    def _open(self, cgroup_id: int) -> Optional[int]:
        if self._mount is None:
            return None
        if self._handles:
            try:
                return _open_by_handle(self._mount, cgroup_id)
            except OSError as error:
                if error.errno in _GONE:
                    return None
                self._handles = False
        from . import cgroup_tree

        if self._tree is None:
            self._tree = cgroup_tree.CgroupTree(self._mount_path or "/", os.fstat(self._mount).st_ino)
        return self._tree.open(cgroup_id)


def _read_mounts(proc: str) -> list[procfs.CgroupMount]:
    try:
        with open(f"{proc}/self/mountinfo", "rb") as stream:
            # Only a mount of the whole hierarchy (or all of a cgroup namespace): elsewhere paths would begin in the
            # middle.
            return [mount for mount in procfs.parse_cgroup2_mounts(stream.read()) if mount.root == "/"]
    except (OSError, procfs.ProcfsError):
        return []


def _open_mount(mount: procfs.CgroupMount) -> Optional[int]:
    try:
        directory = os.open(mount.path, _DIRECTORY)
    except OSError:
        return None
    device = os.fstat(directory).st_dev
    if (os.major(device), os.minor(device)) == mount.device:
        return directory
    os.close(directory)  # something else is mounted over it
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
