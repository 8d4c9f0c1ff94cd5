# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that hold nothing by what they are, and those whose first thread has ended while others work on."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Optional, TypeVar

from .._wire import proc_stat, procfs
from . import owners

_T = TypeVar("_T")


def holds_nothing(proc: str, pid: int) -> bool:
    """A kernel thread, or dead: it cannot be looked into, and that hides nothing."""
    stat = _read_stat(proc, pid)
    return stat is not None and (bool(stat.flags & proc_stat.PF_KTHREAD) or (stat.state in "ZX" and stat.threads <= 1))


def lacks_leader(pid: int, proc: str = "/proc") -> bool:
    """The first thread has ended, its descriptors with it, and others live on."""
    stat = _read_stat(proc, pid)
    return stat is not None and stat.state in "ZX" and stat.threads > 1


def _read_stat(proc: str, pid: int) -> Optional[proc_stat.Stat]:
    """None: gone, or not to be read."""
    with suppress(OSError, procfs.ProcfsError), open(f"{proc}/{pid}/stat", "rb") as stream:
        return proc_stat.parse_stat(stream.read())
    return None


def count_threads(directory: int) -> int:
    """Of the process whose directory in /proc that is. Raises OSError."""
    try:
        return proc_stat.parse_stat(owners.read_at(directory, "stat")).threads
    except procfs.ProcfsError:
        return 0


def scan_threads(directory: int, scan: Callable[[int, str], Optional[_T]]) -> Optional[_T]:
    """What the first thread with any descriptor has: where the one that a process began with has ended, only those of
    the others are listed. Raises OSError.
    """
    if count_threads(directory) <= 1:
        return None
    tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        for task in os.listdir(tasks):
            found = scan(tasks, f"{task}/fd")
            if found is not None:
                return found
        return None
    finally:
        os.close(tasks)
