# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What /proc says, in bytes, as records. proc(5); nothing here opens a file.

A malformed line is an error that names the file and the line: a row that was skipped would be a listener that was
missed.
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple, Optional

from .._model import bindings

PF_KTHREAD = 0x00200000  # include/linux/sched.h

TCP_LISTEN = 0x0A  # include/net/tcp_states.h
TCP_CLOSE = 0x07  # what an unconnected UDP socket is in

_DEVICE = re.compile(rb"(\d{1,10}):(\d{1,10})\Z")
_OCTAL = re.compile(r"\\([0-7]{3})")
_STAT = re.compile(rb"\d+ \(.*\) (\S) ((?:-?\d{1,20} ){18,}-?\d{1,20})\n?\Z", re.DOTALL)
# net/ipv4/tcp_ipv4.c get_tcp4_sock, get_timewait4_sock, get_openreq4; udp.c udp4_format_sock; their IPv6 siblings.
_ROW = (
    rb" *\d+: ([0-9A-F]{%(digits)d}):([0-9A-F]{4}) [0-9A-F]{%(digits)d}:[0-9A-F]{4} ([0-9A-F]{2})"
    rb" [0-9A-F]{8,}:([0-9A-F]{8,}) [0-9A-F]{2}:[0-9A-F]{8,} [0-9A-F]{8,} +(\d{1,20}) +-?\d+ (\d{1,20}) .*"
)


class ProcfsError(Exception):
    """A file of /proc is not what the kernel writes. The text names file and line (from 1) and never quotes the
    line.
    """

    def __init__(self, source: str, line: int, problem: str) -> None:
        super().__init__(f"{source}, line {line}: {problem}")


class Stat(NamedTuple):
    state: str  # R, S, D, Z, …
    flags: int  # PF_*
    threads: int  # that are alive, the leader included until it is reaped


class CgroupMount(NamedTuple):
    path: str  # mount point, as os.fsdecode would give it
    root: str  # the directory of the hierarchy that is mounted there; / is all of it
    device: tuple[int, int]  # major, minor


def parse_comm(raw: bytes) -> bytes:
    """The name in /proc/PID/comm: up to 15 bytes of anything, newlines included, and then one newline."""
    return raw[:-1] if raw.endswith(b"\n") else raw


def parse_effective_uid(raw: bytes) -> int:
    """The effective uid in /proc/PID/status, as seen from the reader's user namespace. Raises ProcfsError.

    The name in the first line cannot forge one: the kernel escapes newlines there (fs/proc/array.c proc_task_name).
    """
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.startswith(b"Uid:"):
            uids = line[4:].split()
            if len(uids) != 4 or not all(uid.isdigit() and len(uid) <= 10 for uid in uids):
                raise ProcfsError("status", number, "not four uids")
            return int(uids[1])
    raise ProcfsError("status", 1, "no line of uids")


def parse_stat(raw: bytes) -> Stat:
    """/proc/PID/stat. The name in it may hold parentheses, blanks and newlines: its end is the *last* ')'. Raises
    ProcfsError.
    """
    match = _STAT.match(raw)
    if match is None:
        raise ProcfsError("stat", 1, "not the fields of a process")
    fields = match.group(2).split()
    return Stat(match.group(1).decode("latin-1"), int(fields[5]), int(fields[16]))


def parse_cgroup(raw: bytes) -> Optional[str]:
    """The path in /proc/PID/cgroup that systemd goes by, or None. Raises ProcfsError.

    That is the one of the cgroup2 hierarchy ("0::"); where systemd still keeps its units in a v1 hierarchy of its own
    (name=systemd), everything sits in the root of cgroup2, and the v1 path counts (cgroups(7), src/basic/cgroup-util.c
    cg_unified).
    """
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
        device = _DEVICE.match(fields[2]) if len(fields) >= 6 else None
        if not separator or device is None:
            raise ProcfsError("mountinfo", number, "not the fields of a mount")
        if after.split(b" ", 1)[0] == b"cgroup2":
            mounts.append(CgroupMount(_unescape(fields[4]), _unescape(fields[3]), (int(device[1]), int(device[2]))))
    return mounts


def _unescape(field: bytes) -> str:
    # Blank, tab, newline and backslash as three octal digits (fs/proc_namespace.c, seq_path).
    octal = field.decode("latin-1")
    return (
        _OCTAL.sub(lambda match: chr(int(match.group(1), 8) & 0xFF), octal)
        .encode("latin-1")
        .decode("utf-8", "surrogateescape")
    )


def parse_sockets(raw: bytes, protocol: str, family: str, byteorder: str = sys.byteorder) -> list[bindings.Socket]:
    """The listeners in /proc/net/{tcp,udp}{,6}: TCP in state LISTEN, UDP unconnected. Raises ProcfsError.

    Addresses are printed as host-endian 32-bit words, hence `byteorder` (little, big): that of the machine that wrote
    the file. `queued` is known for TCP only; pins, options, v6only, backlog and cgroup are not in there.
    """
    source = f"/proc/net/{protocol}{'' if family == bindings.IPV4 else '6'}"
    if not raw.endswith(b"\n"):
        raise ProcfsError(source, raw.count(b"\n") + 1, "the file ends in the middle of a line")
    lines = raw.split(b"\n")[:-1]
    if b"local_address" not in lines[0]:
        raise ProcfsError(source, 1, "not the heading of a socket table")
    # Compiled only here: most runs import this file for something else and never get to a table.
    row = re.compile(_ROW % {b"digits": 8 if family == bindings.IPV4 else 32}).fullmatch
    listening = TCP_LISTEN if protocol == bindings.TCP else TCP_CLOSE
    sockets = []
    for number, line in enumerate(lines[1:], 2):
        match = row(line)
        if match is None:
            raise ProcfsError(source, number, "not the fields of a socket")
        address, port, state, queued, uid, inode = match.groups()
        if int(state, 16) == listening:
            sockets.append(
                bindings.Socket(
                    protocol=protocol,
                    family=family,
                    packed=_parse_address(address, byteorder),
                    port=int(port, 16),
                    ifindex=None,
                    v6only=None,
                    backlog=None,
                    queued=int(queued, 16) if protocol == bindings.TCP else None,
                    uid=int(uid),
                    inode=int(inode),
                    cgroup_id=None,
                    freebind=None,
                    transparent=None,
                )
            )
    return sockets


def _parse_address(digits: bytes, byteorder: str) -> bytes:
    packed = bytes.fromhex(digits.decode("ascii"))
    if byteorder == "big":
        return packed
    return b"".join([packed[start : start + 4][::-1] for start in range(0, len(packed), 4)])
