# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths in the cgroup2 hierarchy: where it is mounted, the path of an id, and all ids by path for whoever may not open
one by its handle.
"""

from __future__ import annotations

import os
from typing import Optional

from .._wire import procfs
from . import cgroups

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class CgroupTree:
    """Walked once, by inode number, which is the id on 64-bit kernels."""

    def __init__(self, top: str, inode: int) -> None:
        self._paths = {inode: top}
        pending = [top]
        while pending:
            path = pending.pop()
            try:
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            self._paths[entry.inode()] = entry.path
                            pending.append(entry.path)
            except OSError:
                continue  # removed meanwhile

    def open(self, cgroup_id: int) -> Optional[int]:
        """A descriptor of the directory; None where it is gone, or hidden."""
        if cgroup_id not in self._paths:
            return None
        try:
            return os.open(self._paths[cgroup_id], _DIRECTORY)
        except OSError:
            return None


class PathFinder:
    """Paths from the root of the hierarchy, as /proc/PID/cgroup has them."""

    def __init__(self, tree: cgroups.Cgroups, proc: str = "/proc") -> None:
        self._tree = tree
        # In a cgroup namespace that sees the mount of its host, that one begins elsewhere than the paths in /proc.
        self._is_whole = any(mount.path == tree.path for mount in _read_mounts(proc))

    def read_path(self, cgroup_id: int) -> Optional[str]:
        """Beginning with /; None where it is gone or outside of what is mounted here."""
        directory = self._tree.open(cgroup_id) if self._is_whole else None
        if directory is None:
            return None
        try:
            path = os.readlink(f"/proc/self/fd/{directory}")
        except OSError:
            return None
        finally:
            os.close(directory)
        if path == self._tree.path:
            return "/"
        top = self._tree.path.rstrip("/") + "/"
        return path[len(top) - 1 :] if path.startswith(top) else None


def find_mount(proc: str) -> tuple[str, Optional[int]]:
    """Path and descriptor of the first mount of the hierarchy that is not hidden; without any, "" and None."""
    for mount in _read_mounts(proc):
        try:
            directory = os.open(mount.path, _DIRECTORY)
        except OSError:
            continue
        device = os.fstat(directory).st_dev
        if (os.major(device), os.minor(device)) == mount.device:
            return mount.path, directory
        os.close(directory)  # something else is mounted over it
    return "", None


def _read_mounts(proc: str) -> list[procfs.CgroupMount]:
    try:
        with open(f"{proc}/self/mountinfo", "rb") as stream:
            # Only a mount of the whole hierarchy (or all of a cgroup namespace): elsewhere paths would begin in the
            # middle.
            return [mount for mount in procfs.parse_cgroup2_mounts(stream.read()) if mount.root == "/"]
    except (OSError, procfs.ProcfsError):
        return []
