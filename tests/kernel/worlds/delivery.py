# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does the kernel deliver: a real connection or datagram to that very listener, from inside its namespace."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple, Optional

from . import view
from .route_lookup import RTN_ANYCAST, RTN_BROADCAST, RTN_LOCAL, look_up
from .sockets import IP_TRANSPARENT, Opened

IMPATIENT = 0.003  # seconds; what the kernel delivers within the host, it delivers during the sending call
PATIENT = 1.0

_LOOPBACK = bytes(15) + b"\1"


def deliver(
    opened: list[Opened], plainly_rebindable: dict[int, Optional[bool]], expect: dict[int, Optional[bool]]
) -> dict[int, bool]:
    """Whether the kernel delivers to each, by port; left out where it cannot be asked from inside.

    expect: what is thought of it, which only says for how long it is worth to wait.
    """
    for listener in opened:  # a full accept queue would turn ours away
        _receive(listener, set())
    asked = [listener for listener in opened if not listener.pin and not listener.is_multicast]
    up_links = view.read_up_links()
    # What a host sends to itself goes over lo. Without it, its own route lookup is all that it can be asked.
    works = {4: "lo" in up_links, 6: "lo" in up_links and not _is_disabled_on_lo()}
    answers: dict[int, bool] = {}
    with contextlib.ExitStack() as clients:
        pending = {}
        for listener in asked:
            port = listener.spec.port
            if works[listener.bind_family] or _is_limited_broadcast(listener):
                targets = list(_targets(listener, up_links))
                if targets:
                    pending[port] = (listener, _send(clients, listener, targets))
            elif not listener.is_wildcard:
                found = _would_deliver(listener, bool(plainly_rebindable[port]))
                answers.update({} if found is None else {port: found})
        return {**answers, **_collect(pending, expect)}


def _is_disabled_on_lo() -> bool:
    with open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", encoding="ascii") as file:
        return file.read().strip() == "1"


class _Target(NamedTuple):
    family: socket.AddressFamily
    host: str
    device: Optional[str]  # send over this link
    from_itself: bool  # the destination is the source as well


def _targets(listener: Opened, up_links: list[str]) -> Iterator[_Target]:
    """Ways to reach it from inside; one that works is enough."""
    if listener.is_wildcard:
        # Whether there is anything to be reached at, where all of it is meant.
        if listener.ipv4 is None and look_up(socket.AF_INET6, _LOOPBACK) == RTN_LOCAL and not _is_disabled_on_lo():
            yield _Target(socket.AF_INET6, "::1", None, False)
        if (listener.ipv4 is not None or not listener.v6only) and look_up(socket.AF_INET, b"\x7f\0\0\1") == RTN_LOCAL:
            yield _Target(socket.AF_INET, "127.0.0.1", None, False)
    elif listener.ipv4 is not None:
        host = socket.inet_ntop(socket.AF_INET, listener.ipv4)
        # Without a link it follows the default route, which only says where it would leave.
        if _is_limited_broadcast(listener):
            for link in up_links:
                yield _Target(socket.AF_INET, host, link, False)
        else:
            yield _Target(socket.AF_INET, host, None, False)
            yield _Target(socket.AF_INET, host, None, True)
    else:
        yield _Target(socket.AF_INET6, listener.host, None, False)
        yield _Target(socket.AF_INET6, listener.host, None, True)


def _send(clients: contextlib.ExitStack, listener: Opened, targets: list[_Target]) -> set[object]:
    """Starts a connection, or sends a datagram; returns how it can be known again on arrival."""
    tokens: set[object] = set()
    for target in targets:
        client = clients.enter_context(socket.socket(target.family, listener.listening.type))
        client.setblocking(False)
        try:
            if target.device:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, target.device.encode() + b"\0")
            if target.from_itself:
                client.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
                client.bind((target.host, 0))
            if listener.is_tcp:
                with contextlib.suppress(BlockingIOError):
                    client.connect((target.host, listener.spec.port))
                tokens.add(client.getsockname()[1])
            else:
                token = os.urandom(8)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                client.sendto(token, (target.host, listener.spec.port))
                tokens.add(token)
        except OSError:
            continue
    return tokens


def _collect(pending: dict[int, tuple[Opened, set[object]]], expect: dict[int, Optional[bool]]) -> dict[int, bool]:
    arrived: dict[int, bool] = {}
    start = time.monotonic()
    poll = select.poll()
    by_fd = {}
    for port, (listener, tokens) in pending.items():
        if tokens:
            poll.register(listener.listening, select.POLLIN)
            by_fd[listener.listening.fileno()] = port
        else:
            arrived[port] = False
    while True:
        waiting = [port for port in by_fd.values() if port not in arrived]
        patience = PATIENT if any(expect.get(port) is not False for port in waiting) else IMPATIENT
        left = start + patience - time.monotonic()
        if not waiting or left <= 0:
            break
        for fd, _event in poll.poll(left * 1000):
            port = by_fd[fd]
            if _receive(*pending[port]):
                arrived[port] = True
                poll.unregister(fd)
    return {port: arrived.get(port, False) for port in pending}


def _receive(listener: Opened, tokens: set[object]) -> bool:
    """Empties the queue; whether one of ours was in it."""
    found = False
    while True:
        try:
            if listener.is_tcp:
                connection, peer = listener.listening.accept()
                connection.close()
                found |= peer[1] in tokens
            else:
                found |= listener.listening.recv(64) in tokens
        except BlockingIOError:
            return found
        except OSError:
            continue


def _is_limited_broadcast(listener: Opened) -> bool:
    return listener.ipv4 == b"\xff\xff\xff\xff"


def _is_anything_bindable() -> bool:
    """Then a bind that succeeded says nothing of table local; there may be none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        try:
            anything.bind(("240.0.0.7", 0))
        except OSError:
            return False
    return True


def _would_deliver(listener: Opened, is_in_table_local: bool) -> Optional[bool]:
    family, packed = (socket.AF_INET6, listener.packed) if listener.ipv4 is None else (socket.AF_INET, listener.ipv4)
    kind = look_up(family, packed)
    is_tcp_ipv4 = listener.is_tcp and listener.ipv4 is not None
    if kind == RTN_LOCAL and is_tcp_ipv4 and (not is_in_table_local or _is_anything_bindable()):
        return None  # whether the handshake comes about is more than a route lookup (see test_facts_ipv4)
    return kind == RTN_LOCAL or (kind in (RTN_BROADCAST, RTN_ANYCAST) and not listener.is_tcp)
