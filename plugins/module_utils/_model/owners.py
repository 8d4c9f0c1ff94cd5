# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds a socket: processes, and the service that they belong to."""

from typing import NamedTuple, Optional

FOUND = "found"  # at least one holder was seen
DENIED = "denied"  # processes that may hold it cannot be looked into
KERNEL = "kernel"  # a complete, privileged walk found nobody: a socket of the kernel's own (NFS, WireGuard, …)
UNKNOWN = "unknown"  # gone meanwhile, or the source has no owners


class Owner(NamedTuple):
    """One descriptor on the socket. Texts are as the host says them, control characters escaped."""

    pid: int
    name: str  # comm
    exe: Optional[str]
    user: Optional[str]  # name of the effective uid, or the number as text
    fd: int


class Service(NamedTuple):
    """What starts and stops the holder.

    manager: systemd, or a container engine (docker, podman, containerd, crio, kubernetes, lxc, nspawn).
    unit: unit name (nginx.service, ssh.socket), or the container's id or name.
    scope: system | user | container.
    uid: whose manager runs it, for scope user and for a rootless container; None for the system's.
    """

    manager: str
    unit: str
    scope: str
    uid: Optional[int] = None


class Ownership(NamedTuple):
    owners: tuple[Owner, ...]
    status: str  # FOUND | DENIED | KERNEL | UNKNOWN
    service: Optional[Service]
    complete: bool = False  # every process of the host was looked at, so no holder was missed
    doubt: str = ""  # why there is no service, where that is known
    # The /proc/PID/cgroup that all holders share, as long as the service is still to be named from it.
    cgroup: Optional[bytes] = None


UNKNOWN_OWNERSHIP = Ownership((), UNKNOWN, None)
