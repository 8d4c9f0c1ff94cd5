# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What /proc says, in bytes, as records. proc(5); nothing here opens a file.

A malformed line is an error that names the file and the line: a row that was skipped would be a listener that was
missed.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

# As text: re compiles a pattern when it is first used, and keeps it; a run meets few of these.
_OCTAL = rb"\\([0-7]{3})"


class ProcfsError(Exception):
    """A file of /proc is not what the kernel writes. The text names file and line (from 1) and never quotes the
    line.
    """

    def __init__(self, source: str, line: int, problem: str) -> None:
        super().__init__(f"{source}, line {line}: {problem}")


class CgroupMount(NamedTuple):
    path: str  # mount point, as os.fsdecode would give it
    root: str  # the directory of the hierarchy that is mounted there; / is all of it
    device: tuple[int, int]  # major, minor


def parse_cgroup(raw: bytes) -> Optional[str]:
    """The path in /proc/PID/cgroup that systemd goes by, or None. Raises ProcfsError.

    That is the one of the cgroup2 hierarchy ("0::"); where systemd still keeps its units in a v1 hierarchy of its own
    (name=systemd), everything sits in the root of cgroup2, and the v1 path counts (cgroups(7), src/basic/cgroup-util.c
    cg_unified).
    """
    if raw.startswith(b"0::/") and raw.find(b"\n") == len(raw) - 1:  # the one line of nearly every process today
        return raw[3:-1].decode("utf-8", "surrogateescape")
    unified = legacy = None
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line:
            continue
        fields = line.split(b":", 2)
        if len(fields) != 3 or not fields[0].isdigit() or not fields[2].startswith(b"/"):
            raise ProcfsError("cgroup", number, "not ID:CONTROLLERS:PATH")
        path = fields[2].decode("utf-8", "surrogateescape")
        if fields[0] == b"0" and not fields[1]:
            unified = path
        elif fields[1] == b"name=systemd":
            legacy = path
    return unified if unified not in (None, "/") else legacy or unified


def parse_cgroup2_mounts(raw: bytes) -> list[CgroupMount]:
    """Every cgroup2 mount in /proc/PID/mountinfo, in the order of the file (a later one may hide an earlier one).
    Raises ProcfsError.
    """
    mounts = []
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line:
            continue
        before, separator, after = line.partition(b" - ")
        fields = before.split(b" ")
        device = _parse_device(fields[2]) if len(fields) >= 6 else None
        if not separator or device is None:
            raise ProcfsError("mountinfo", number, "not the fields of a mount")
        if after.split(b" ", 1)[0] == b"cgroup2":
            mounts.append(CgroupMount(_unescape(fields[4]), _unescape(fields[3]), device))
    return mounts


def _parse_device(field: bytes) -> Optional[tuple[int, int]]:
    major, _colon, minor = field.partition(b":")
    is_pair = major.isdigit() and minor.isdigit() and len(major) <= 10 and len(minor) <= 10
    return (int(major), int(minor)) if is_pair else None


def _unescape(field: bytes) -> str:
    # Blank, tab, newline and backslash as three octal digits (fs/proc_namespace.c, seq_path).
    if b"\\" in field:
        field = re.sub(_OCTAL, lambda match: bytes((int(match.group(1), 8) & 0xFF,)), field)
    return field.decode("utf-8", "surrogateescape")
