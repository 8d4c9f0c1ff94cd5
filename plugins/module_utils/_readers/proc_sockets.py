# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listeners from /proc/net, where sock_diag does not answer (kernel, container). It tells less, and slower."""

from __future__ import annotations

import errno

from .._model import backends, bindings
from .._wire import proc_net, procfs

# What comes where tcp_diag, udp_diag, inet_diag or netlink as a whole is not in the kernel and cannot be loaded (a
# container), or is forbidden.
_NO_DIAG = (
    errno.ENOENT,
    errno.EPROTONOSUPPORT,
    errno.EAFNOSUPPORT,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EACCES,
    errno.EINVAL,
)

# /proc/net is a link to self/net, the namespace of the thread group's leader; a thread can be in another one
# (namespaces(7), proc(5)). thread-self came with Linux 3.17.
_DIRECTORIES = ("thread-self/net", "self/net")


def replace_diag(protocol: str, error: Exception) -> tuple[list[bindings.Socket], tuple[backends.Gap, ...]]:
    """What read_proc_sockets() gives, where it was for want of sock_diag. Raises UnreadableTable."""
    if getattr(error, "errno", None) not in _NO_DIAG:
        reason = f"the {protocol} sockets could not be read from sock_diag: {error}"
        raise backends.UnreadableTable(reason) from error
    return read_proc_sockets(protocol, str(error))


def read_proc_sockets(
    protocol: str, reason: str, proc: str = "/proc"
) -> tuple[list[bindings.Socket], tuple[backends.Gap, ...]]:
    """Every listener of one protocol (tcp, udp), and what these files cannot tell of it.

    reason: why sock_diag was not used; it goes into the gaps. Raises UnreadableTable.
    """
    sockets = []
    for family, name in ((bindings.IPV4, protocol), (bindings.IPV6, f"{protocol}6")):
        raw = _read_table(proc, name)
        if raw is None:
            if family == bindings.IPV4:
                raise backends.UnreadableTable(
                    f"{reason}; and there is no {proc}/{_DIRECTORIES[-1]}/{name} to read instead"
                )
            continue  # a kernel without IPv6, or started with ipv6.disable=1
        try:
            sockets += proc_net.parse_sockets(raw, protocol, family)
        except procfs.ProcfsError as error:
            raise backends.UnreadableTable(f"{reason}; and {error}") from error
    return sockets, _find_gaps(protocol, reason)


def _read_table(proc: str, name: str) -> bytes | None:
    """All of the file, or None where there is none. Raises UnreadableTable."""
    for directory in _DIRECTORIES:
        path = f"{proc}/{directory}/{name}"
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise backends.UnreadableTable(f"{path} cannot be read: {error.strerror}") from error
    return None


def _find_gaps(protocol: str, reason: str) -> tuple[backends.Gap, ...]:
    source = f"/proc/net/{protocol}"
    why = f"sock_diag: {reason}, and {source} does not have it"
    gaps = (
        backends.Gap(source, f"the interface that a {protocol} socket is pinned to", why),
        backends.Gap(source, f"IP_FREEBIND, IP_TRANSPARENT and IPV6_V6ONLY of {protocol} sockets", why),
        backends.Gap(source, f"the cgroup of {protocol} sockets", why),
    )
    return (*gaps, backends.Gap(source, "the limit of the accept queue", why)) if protocol == bindings.TCP else gaps
