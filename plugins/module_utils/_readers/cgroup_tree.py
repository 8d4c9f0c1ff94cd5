# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directories of the cgroup2 hierarchy by id, for whoever may not open one by its handle."""

from __future__ import annotations

import os
from typing import Optional


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
            return os.open(self._paths[cgroup_id], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None
