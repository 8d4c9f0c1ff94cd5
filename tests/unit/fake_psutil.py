# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A psutil that shows a made-up host, with the tuples, the constants and the refusals of the real one.

What differs between systems is written down per host: which address text they give, whether the table of all sockets
can be read at once, and what is missing in it.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, Optional

AF_LINK = -1


class Endpoint(NamedTuple):  # psutil._common.addr
    ip: str
    port: int


class Connection(NamedTuple):  # psutil._common.sconn
    fd: int
    family: int
    type: int
    laddr: Any
    raddr: Any
    status: str
    pid: Optional[int]


class NicAddress(NamedTuple):  # psutil._common.snicaddr
    family: int
    address: Any
    netmask: Optional[str] = None
    broadcast: Optional[str] = None
    ptp: Optional[str] = None


class NicStats(NamedTuple):  # psutil._common.snicstats
    isup: bool
    duplex: int
    speed: int
    mtu: int
    flags: str = ""


class OldNicStats(NamedTuple):  # before psutil 5.9.3
    isup: bool
    duplex: int
    speed: int
    mtu: int


class Error(Exception):
    pass


class NoSuchProcess(Error):
    pass


class AccessDenied(Error):
    pass


class Proc(NamedTuple):
    pid: int
    name: Any = "nginx"
    exe: Any = "/usr/sbin/nginx"
    uid: int = 0
    denied: bool = False  # its sockets; name and uids are for everybody
    gone: bool = False


def tcp(pid: Optional[int], fd: int, ip: str, port: int, status: str = "LISTEN", peer: Any = ()) -> Connection:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    return Connection(fd, family, socket.SOCK_STREAM, Endpoint(ip, port), peer, status, pid)


def udp(pid: Optional[int], fd: int, ip: str, port: int, peer: Any = ()) -> Connection:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    return Connection(fd, family, socket.SOCK_DGRAM, Endpoint(ip, port), peer, "NONE", pid)


def make_psutil(
    connections: Sequence[Connection] = (),
    processes: Sequence[Proc] = (),
    nics: Optional[Mapping[str, Sequence[NicAddress]]] = None,
    stats: Optional[Mapping[str, Any]] = None,
    *,
    one_holder: bool = True,  # Linux, FreeBSD: the table names one process for each socket
    all_or_nothing: bool = False,  # macOS: one process that is closed to us, and there is no table at all
    old_names: bool = False,  # psutil before 6.0: Process.connections
    **failing: Exception,  # function=error
) -> Any:
    """A module object. `connections` names every descriptor; what the system-wide table leaves out is left out here."""
    by_pid = {process.pid: process for process in processes}

    def fail(name: str) -> None:
        if name in failing:
            raise failing[name]

    def matching(kind: str, rows: Sequence[Connection]) -> list[Connection]:
        wanted = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[kind]
        return [row for row in rows if row.type == wanted]

    def net_connections(kind: str = "inet") -> list[Connection]:
        fail("net_connections")
        if all_or_nothing and any(process.denied for process in processes):
            raise AccessDenied(1)
        seen: set[Any] = set()
        rows = []
        for row in matching(kind, connections):
            key = (row.family, row.type, row.laddr, row.raddr) if one_holder else row
            if key not in seen:
                seen.add(key)
                denied = row.pid in by_pid and by_pid[row.pid].denied
                rows.append(row._replace(pid=None, fd=-1) if denied else row)
        return rows

    class Process:
        def __init__(self, pid: int) -> None:
            self._process = by_pid.get(pid, Proc(pid, gone=True))
            if self._process.gone:
                raise NoSuchProcess(pid)

        def _connections(self, kind: str = "inet") -> list[Connection]:
            if self._process.denied:
                raise AccessDenied(self._process.pid)
            return [row for row in matching(kind, connections) if row.pid == self._process.pid]

        def name(self) -> Any:
            return _give(self._process.name)

        def exe(self) -> Any:
            return _give(self._process.exe)

        def uids(self) -> Any:
            return SimpleNamespace(real=4711, effective=self._process.uid, saved=4711)

    setattr(Process, "connections" if old_names else "net_connections", Process._connections)

    def table(name: str, content: Optional[Mapping[str, Any]]) -> dict[str, Any]:
        fail(name)
        return dict(content or {})

    return SimpleNamespace(
        __version__="7.0.0",
        CONN_LISTEN="LISTEN",
        AF_LINK=AF_LINK,
        Error=Error,
        NoSuchProcess=NoSuchProcess,
        AccessDenied=AccessDenied,
        Process=Process,
        pids=lambda: sorted(by_pid),
        net_connections=net_connections,
        net_if_addrs=lambda: table("net_if_addrs", nics),
        net_if_stats=lambda: table("net_if_stats", stats),
    )


def _give(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value
