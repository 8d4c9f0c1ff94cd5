# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What /proc/PID/stat and /proc/PID/status say of a process, in bytes, as records. proc(5)."""

from __future__ import annotations

import re
from typing import NamedTuple

from . import procfs

PF_KTHREAD = 0x00200000  # include/linux/sched.h

# As text: re compiles a pattern when it is first used, and keeps it; a run meets few processes that need it.
_STAT = rb"(?s)\d+ \(.*\) (\S) ((?:-?\d{1,20} ){18,}-?\d{1,20})\n?\Z"


class Stat(NamedTuple):
    state: str  # R, S, D, Z, …
    flags: int  # PF_*
    threads: int  # that are alive, the leader included until it is reaped


def parse_effective_uid(raw: bytes) -> int:
    """The effective uid in /proc/PID/status, as seen from the reader's user namespace. Raises ProcfsError.

    The name in the first line cannot forge one: the kernel escapes newlines there (fs/proc/array.c proc_task_name).
    """
    before, found, rest = (b"\n" + raw).partition(b"\nUid:")
    if not found:
        raise procfs.ProcfsError("status", 1, "no line of uids")
    uids = rest.partition(b"\n")[0].split()
    if len(uids) != 4 or not all(uid.isdigit() and len(uid) <= 10 for uid in uids):
        raise procfs.ProcfsError("status", before.count(b"\n") + 1, "not four uids")
    return int(uids[1])


def parse_stat(raw: bytes) -> Stat:
    """/proc/PID/stat. The name in it may hold parentheses, blanks and newlines: its end is the *last* ')'. Raises
    ProcfsError.
    """
    match = re.match(_STAT, raw)
    if match is None:
        raise procfs.ProcfsError("stat", 1, "not the fields of a process")
    fields = match.group(2).split()
    return Stat(match.group(1).decode("latin-1"), int(fields[5]), int(fields[16]))
