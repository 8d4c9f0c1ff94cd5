# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may bind a privileged port: limits of the kernel, capabilities of a user, of this process and of a unit."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
from contextlib import suppress
from typing import Optional

from .._model import restarts
from .._wire import systemd_show
from . import commands

_CAP_NET_BIND_SERVICE = 10  # include/uapi/linux/capability.h
_NS_GET_USERNS = 0xB701  # _IO(NSIO, 0x1), include/uapi/linux/nsfs.h
_TIMEOUT = 10  # seconds
_UNIT_PROPERTIES = ("User", "DynamicUser", "AmbientCapabilities", "CapabilityBoundingSet", "LoadState")


_NUMBER = re.compile(r"[0-9]{1,10}\Z")
_LARGEST_UID = 2**32 - 2  # the one above is no uid (setresuid(2))


class UnknownUser(Exception):
    """There is no such user."""


def read_lowest_free_port(proc: str = "/proc") -> Optional[int]:
    """net.ipv4.ip_unprivileged_port_start: 1024 unless changed. None where it cannot be read; every kernel that is
    supported has it (4.11)."""
    with suppress(OSError, ValueError), open(f"{proc}/sys/net/ipv4/ip_unprivileged_port_start", "rb") as file:
        return int(file.read())
    return None


def read_user_rights(name: Optional[str]) -> restarts.Rights:
    """The rights of a program that runs as that user; None: as this process. Raises UnknownUser."""
    lowest = read_lowest_free_port()
    if name is None:
        uid = os.geteuid()
        may_bind = _reaching(_read_capability("CapEff"), _reaches_network())
        return restarts.Rights(f"the user of this run ({_find_name(uid)})", uid, may_bind, lowest)
    try:
        uid = int(name) if _NUMBER.match(name) else pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):  # ValueError: a name that the C library cannot be asked for
        raise UnknownUser(name) from None
    if uid > _LARGEST_UID:
        raise UnknownUser(name)
    if uid != 0:
        return restarts.Rights(f"user {name}", uid, False, lowest)
    # execve(2) by root gives everything that the bounding set leaves (capabilities(7)).
    return restarts.Rights(f"user {name}", uid, _reaching(_read_capability("CapBnd"), _reaches_network()), lowest)


def read_unit_rights(unit: str) -> restarts.Rights:
    """The rights that systemd gives to the first process of a service. Sockets have uids of their own: uid is None."""
    lowest = read_lowest_free_port()
    if unit.endswith(".socket"):
        return restarts.Rights(unit, None, _reaching(True, _reaches_network()), lowest)  # PID 1 binds it
    command = ("systemctl", "show", "--no-pager", f"--property={','.join(_UNIT_PROPERTIES)}", "--", unit)
    done = commands.run_command(command, timeout=_TIMEOUT)
    try:
        blocks = systemd_show.parse_properties(done.full_output) if done.status == 0 else []
    except systemd_show.SystemdShowError:
        blocks = []
    if not blocks or blocks[0].get("LoadState", [""])[-1] == "not-found":
        return restarts.Rights(unit, None, None, lowest)
    properties = {key: values[-1] for key, values in blocks[0].items()}
    user = properties.get("User", "")
    is_root = user in ("", "root", "0") and properties.get("DynamicUser") != "yes"
    granted = properties.get("CapabilityBoundingSet" if is_root else "AmbientCapabilities", "").split()
    who = unit if is_root else f"{unit}, as user {user or 'of its own'} and by its AmbientCapabilities,"
    return restarts.Rights(who, None, _reaching("cap_net_bind_service" in granted, _reaches_network()), lowest)


def _find_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _read_capability(which: str, proc: str = "/proc") -> Optional[bool]:
    """Whether CAP_NET_BIND_SERVICE is in that set of this process (CapEff, CapBnd); None = unknown."""
    label = f"{which}:".encode()
    with suppress(OSError, ValueError, IndexError), open(f"{proc}/self/status", "rb") as file:
        for line in file:
            if line.startswith(label):
                return bool(int(line.split()[1], 16) >> _CAP_NET_BIND_SERVICE & 1)
    return None


def _reaches_network(proc: str = "/proc") -> Optional[bool]:
    """Whether this process's capabilities count in its network namespace; None = unknown.

    The kernel asks for the capability in the user namespace that owns the network namespace (ns_capable). It counts
    where that is the own one or one below it (cap_capable). NS_GET_USERNS refuses exactly the others with EPERM
    (ns_get_owner), ioctl_ns(2).
    """
    try:
        network = os.open(f"{proc}/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        os.close(fcntl.ioctl(network, _NS_GET_USERNS))
    except PermissionError:
        return False
    except OSError:
        return None
    finally:
        os.close(network)
    return True


def _reaching(may_bind: Optional[bool], reaches: Optional[bool]) -> Optional[bool]:
    if False in (may_bind, reaches):
        return False
    return None if None in (may_bind, reaches) else True
