# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A busy server, made in a network namespace of its own: units that listen, connections, and everybody else.

far namespace                 the namespace that is measured
far ends of connections ══veth══ uplink 10.99.0.1, fd99::1
                              units: listeners, each unit with a cgroup of its own
                              others: connections, descriptors, idle processes
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from .holders import Holders

CLONE_NEWNS = 0x00020000  # include/uapi/linux/sched.h
CLONE_NEWNET = 0x40000000

SLICE = "bindingsbench.slice"
NEAR, NEAR6, FAR = "10.99.0.1", "fd99::1", "10.99.0.2"
VANISHED = "10.99.0.77"
PLANTED_STALE, PLANTED_DEAD_PIN, PLANTED_PIN, PLANTED_NO_REUSE, PLANTED_SHARED = 7001, 7002, 7003, 7004, 7005
_FIRST_PORT = 8000
_FAR_PORT = 9000
_PER_PROCESS = 10_000  # connections or descriptors that one process holds: hard limits of 20,000 are common

# (protocol, family, address) of what one unit after the other binds
_KINDS = (
    (socket.SOCK_STREAM, socket.AF_INET, "0.0.0.0"),
    (socket.SOCK_STREAM, socket.AF_INET6, "::"),
    (socket.SOCK_STREAM, socket.AF_INET, NEAR),
    (socket.SOCK_STREAM, socket.AF_INET6, NEAR6),
    (socket.SOCK_STREAM, socket.AF_INET, "127.0.0.1"),
    (socket.SOCK_DGRAM, socket.AF_INET, NEAR),
)


class Shape(NamedTuple):
    """How much of everything a scene has."""

    listeners: int = 300
    units: int = 50
    connections: int = 20_000
    accepted: bool = False  # the connections come in, and units hold them; else they go out, and others hold them
    descriptors: int = 20_000  # of processes that listen on nothing
    processes: int = 100  # of which no one listens on anything
    planted: bool = False  # with listeners of which there is something to find out


def enter_private_mounts() -> None:
    """What is mounted from now on is gone with this process."""
    _unshare(CLONE_NEWNS)
    _run("mount", "--make-rprivate", "/")


@contextlib.contextmanager
def set_scene(shape: Shape) -> Iterator[None]:
    """This process and what it starts are in the scene; afterwards in an empty namespace, with nothing left over."""
    holders = Holders()
    cgroups: list[Path] = []
    try:
        _unshare(CLONE_NEWNET)
        far = _fork_far_ends(holders, shape)
        _unshare(CLONE_NEWNET)
        _connect_namespaces(far)
        units = [_make_cgroup(f"bench-{number:03d}.service", cgroups) for number in range(shape.units)]
        _fork_units(holders, shape, units)
        if shape.planted:
            _plant(holders, units)
        _fork_others(holders, shape)
        holders.wait_ready()
        if shape.planted:
            _spoil()
        yield
    finally:
        holders.end()
        _remove_cgroups(cgroups)
        _unshare(CLONE_NEWNET)


def _fork_far_ends(holders: Holders, shape: Shape) -> int:
    """The far ends, in the present namespace; the pid of one that is always there."""
    keeper = holders.fork("far", lambda: None)
    for number, count in enumerate(_split(shape.connections, _PER_PROCESS)):
        if shape.accepted:
            holders.fork("far", lambda count=count: _dial_units(count, shape.units))  # type: ignore[misc]
        else:
            holders.fork("far", lambda port=_FAR_PORT + number, count=count: _accept(port, count))  # type: ignore[misc]
    return keeper


def _connect_namespaces(far: int) -> None:
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink", "netns", str(far))
    _run(
        "ip", "link", "add", "spare", "type", "veth", "peer", "name", "spare-far"
    )  # down, as what nobody needs often is
    for address in (f"{NEAR}/24", f"{VANISHED}/32"):
        _run("ip", "address", "add", address, "dev", "uplink")
    _run("ip", "address", "add", f"{NEAR6}/64", "dev", "uplink", "nodad")
    _run("ip", "link", "set", "uplink", "up")
    for command in (f"ip address add {FAR}/24 dev uplink", "ip link set uplink up", "ip link set lo up"):
        _run("nsenter", "-t", str(far), "-n", *command.split())


def _fork_units(holders: Holders, shape: Shape, units: list[Optional[Path]]) -> None:
    shares = _share(shape.connections if shape.accepted else 0, shape.units)
    for number, cgroup in enumerate(units):
        mine = range(number, shape.listeners, shape.units)
        holders.fork("bench-unit", lambda mine=mine, share=shares[number]: _serve(mine, share), cgroup)  # type: ignore[misc]


def _fork_others(holders: Holders, shape: Shape) -> None:
    if not shape.accepted:
        for number, count in enumerate(_split(shape.connections, _PER_PROCESS)):
            holders.fork("bench-other", lambda port=_FAR_PORT + number, count=count: _dial(port, count))  # type: ignore[misc]
    for count in _split(shape.descriptors, _PER_PROCESS):
        holders.fork("bench-other", lambda count=count: [os.dup(0) for _number in range(count)])  # type: ignore[misc]
    for _number in range(shape.processes):
        holders.fork("bench-idle", lambda: None)


# -- what the processes do


def _serve(mine: range, share: int) -> object:
    listeners = []
    for number in mine:
        kind, family, address = _KINDS[number // 7 % len(_KINDS)]
        listeners.append(_bind(kind, family, address, _FIRST_PORT + number))
    if not share:
        return listeners
    front = _bind(socket.SOCK_STREAM, socket.AF_INET, NEAR, _FIRST_PORT - 1 - mine.start, backlog=4096)
    return listeners, front, [front.accept()[0] for _number in range(share)]


def _bind(kind: int, family: int, address: str, port: int, reuse: bool = True, backlog: int = 128) -> socket.socket:
    listener = socket.socket(family, kind)
    if kind == socket.SOCK_STREAM and reuse:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
    if kind == socket.SOCK_STREAM:
        listener.listen(backlog)
    return listener


def _accept(port: int, count: int) -> object:
    listener = _bind(socket.SOCK_STREAM, socket.AF_INET, "0.0.0.0", port, backlog=4096)
    return [listener.accept()[0] for _number in range(count)]


def _dial(port: int, count: int) -> object:
    return [_connect(FAR, port) for _number in range(count)]


def _dial_units(count: int, units: int) -> object:
    return [_connect(NEAR, _FIRST_PORT - 1 - number % units) for number in range(count)]


def _connect(address: str, port: int) -> socket.socket:
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection((address, port), timeout=60)
        except OSError:  # the other side is not there yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


# -- listeners of which there is something to find out


def _plant(holders: Holders, units: list[Optional[Path]]) -> None:
    _run("ip", "link", "add", "doomed", "type", "veth", "peer", "name", "doomed-far")
    _run("ip", "link", "set", "doomed", "up")
    holders.fork("bench-stale", lambda: _bind(socket.SOCK_STREAM, socket.AF_INET, VANISHED, PLANTED_STALE), units[0])
    holders.fork(
        "bench-pinned", lambda: (_pinned("doomed", PLANTED_DEAD_PIN), _pinned("uplink", PLANTED_PIN)), units[1]
    )
    holders.fork(
        "bench-noreuse",
        lambda: _bind(socket.SOCK_STREAM, socket.AF_INET, NEAR, PLANTED_NO_REUSE, reuse=False),
        units[2],
    )
    shared = _bind(socket.SOCK_STREAM, socket.AF_INET, NEAR, PLANTED_SHARED)
    for name in ("bench-first", "bench-second"):
        holders.fork(name, lambda: shared, units[3])
    shared.close()


def _pinned(interface: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    listener.bind((NEAR, port))
    listener.listen()
    return listener


def _spoil() -> None:
    _run("ip", "address", "del", f"{VANISHED}/32", "dev", "uplink")
    _run("ip", "link", "del", "doomed")
    _run("ip", "link", "add", "doomed", "type", "veth", "peer", "name", "doomed-far")


# -- the machine's part


def _make_cgroup(name: str, made: list[Path]) -> Optional[Path]:
    """A cgroup2 directory that reads as the unit `name`; None where there is no cgroup2, or it cannot be written."""
    mount = find_cgroup2()
    if mount is None:
        return None
    try:
        for path in (mount / SLICE, mount / SLICE / name):
            if not path.exists():
                path.mkdir()
                made.append(path)
    except OSError:
        return None
    return mount / SLICE / name


def find_cgroup2() -> Optional[Path]:
    found = re.search(r"^\S+ \S+ \S+ / (\S+) .*- cgroup2 ", Path("/proc/self/mountinfo").read_text(), re.MULTILINE)
    return Path(found[1]) if found else None


def _remove_cgroups(made: list[Path]) -> None:
    for path in reversed(made):
        for _attempt in range(100):  # a process that was reaped may still be counted for an instant
            with contextlib.suppress(OSError):
                path.rmdir()
                break
            time.sleep(0.02)


def _split(total: int, largest: int) -> list[int]:
    return [min(largest, total - start) for start in range(0, total, largest)]


def _share(total: int, parts: int) -> list[int]:
    """As _dial_units deals them out, which starts anew in each process."""
    shares = [0] * parts
    for count in _split(total, _PER_PROCESS):
        for number in range(parts):
            shares[number] += len(range(number, count, parts))
    return shares


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}; the benchmarks need root")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
