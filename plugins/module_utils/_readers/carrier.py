# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this very run hangs on: the processes above it, the address that it came in by, and the tunnel behind that."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple, Optional

from .._wire import procfs

_MOST_ANCESTORS = 64


class Carrier(NamedTuple):
    ancestors: tuple[int, ...]  # pids, the nearest first, without PID 1
    address: Optional[str]  # ours, of the ssh connection; None = not by ssh, or not to be seen
    port: int
    cgroup: str  # of this process


def read_carrier(proc: str = "/proc") -> Carrier:
    """Never raises. A sudo on the way drops SSH_CONNECTION, so the processes above are asked for it as well."""
    ancestors: list[int] = []
    connection = os.environ.get("SSH_CONNECTION", "")
    pid = os.getpid()
    while len(ancestors) < _MOST_ANCESTORS:
        pid = _read_parent(proc, pid)
        if pid <= 1:
            break
        ancestors.append(pid)
        connection = connection or _read_connection(proc, pid)
    words = connection.split()  # client address, client port, server address, server port: ssh(1)
    by_ssh = len(words) == 4 and _is_address(words[2]) and words[3].isdecimal()
    return Carrier(tuple(ancestors), words[2] if by_ssh else None, int(words[3]) if by_ssh else 0, _read_cgroup(proc))


def read_tunnels(pids: Collection[int], proc: str = "/proc") -> set[str]:
    """Names of the tun and tap interfaces that these processes hold (`iff:` in fdinfo, drivers/net/tun.c)."""
    names: set[str] = set()
    for pid in pids:
        try:
            entries = os.listdir(f"{proc}/{pid}/fdinfo")
        except OSError:
            continue
        for entry in entries:
            try:
                with open(f"{proc}/{pid}/fdinfo/{entry}", encoding="utf-8", errors="replace") as stream:
                    names.update(
                        line.split()[1] for line in stream if line.startswith("iff:") and len(line.split()) == 2
                    )
            except OSError:
                continue
    return names


def _is_address(text: str) -> bool:
    from ipaddress import ip_address

    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _read_parent(proc: str, pid: int) -> int:
    try:
        with open(f"{proc}/{pid}/status", encoding="ascii", errors="replace") as stream:
            return next((int(line.split()[1]) for line in stream if line.startswith("PPid:")), 0)
    except (OSError, ValueError, IndexError):
        return 0


def _read_connection(proc: str, pid: int) -> str:
    try:
        with open(f"{proc}/{pid}/environ", "rb") as stream:
            pairs = [entry.partition(b"=") for entry in stream.read().split(b"\0")]
    except OSError:
        return ""
    return next((value.decode("ascii", "replace") for key, _equals, value in pairs if key == b"SSH_CONNECTION"), "")


def _read_cgroup(proc: str) -> str:
    try:
        with open(f"{proc}/self/cgroup", "rb") as stream:
            return procfs.parse_cgroup(stream.read()) or ""
    except (OSError, procfs.ProcfsError):
        return ""
