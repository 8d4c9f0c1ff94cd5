# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may bind a privileged port: limits of the kernel, capabilities of a user, of this process and of a unit."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from typing import Optional

from .._model.restarts import Rights
from .._wire.systemd_show import SystemdShowError, parse_properties
from .commands import run_command

_CAP_NET_BIND_SERVICE = 10  # include/uapi/linux/capability.h
_TIMEOUT = 10  # seconds
_UNIT_PROPERTIES = ("User", "DynamicUser", "AmbientCapabilities", "CapabilityBoundingSet", "LoadState")


class UnknownUser(Exception):
    """There is no such user."""


def read_lowest_free_port(proc: str = "/proc") -> Optional[int]:
    """net.ipv4.ip_unprivileged_port_start: 1024 unless changed, and before Linux 4.11."""
    try:
        with open(f"{proc}/sys/net/ipv4/ip_unprivileged_port_start", "rb") as file:
            return int(file.read())
    except FileNotFoundError:
        return 1024
    except (OSError, ValueError):
        return None


def read_shared_domains(proc: str = "/proc") -> bool:
    """net.ipv4.tcp_l3mdev_accept: listeners outside of VRFs take connections from inside, and share their ports."""
    with suppress(OSError), open(f"{proc}/sys/net/ipv4/tcp_l3mdev_accept", "rb") as file:
        return file.read().strip() not in (b"", b"0")
    return False


def read_user_rights(name: Optional[str]) -> Rights:
    """The rights of a program that runs as that user; None: as this process. Raises UnknownUser."""
    lowest = read_lowest_free_port()
    if name is None:
        uid = os.geteuid()
        return Rights(f"the user of this run ({_find_name(uid)})", uid, _read_own_capability(), lowest)
    try:
        uid = int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UnknownUser(name) from None
    return Rights(f"user {name}", uid, uid == 0, lowest)


def read_unit_rights(unit: str) -> Rights:
    """The rights that systemd gives to the first process of a service. Sockets have uids of their own: uid is None."""
    lowest = read_lowest_free_port()
    if unit.endswith(".socket"):
        return Rights(unit, None, True, lowest)  # PID 1 binds it
    command = ("systemctl", "show", "--no-pager", f"--property={','.join(_UNIT_PROPERTIES)}", "--", unit)
    done = run_command(command, timeout=_TIMEOUT)
    try:
        blocks = parse_properties(done.full_output) if done.status == 0 else []
    except SystemdShowError:
        blocks = []
    if not blocks or blocks[0].get("LoadState", [""])[-1] == "not-found":
        return Rights(unit, None, None, lowest)
    properties = {key: values[-1] for key, values in blocks[0].items()}
    user = properties.get("User", "")
    is_root = user in ("", "root", "0") and properties.get("DynamicUser") != "yes"
    granted = properties.get("CapabilityBoundingSet" if is_root else "AmbientCapabilities", "").split()
    who = unit if is_root else f"{unit}, as user {user or 'of its own'} and by its AmbientCapabilities,"
    return Rights(who, None, "cap_net_bind_service" in granted, lowest)


def _find_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _read_own_capability() -> Optional[bool]:
    with suppress(OSError, ValueError), open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapEff:"):
                return bool(int(line.split()[1], 16) >> _CAP_NET_BIND_SERVICE & 1)
    return None
