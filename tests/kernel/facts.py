# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain questions to the kernel, in a namespace of their own: what the tests of facts are written with.

None of the code under test takes part.
"""

from __future__ import annotations

import errno
import functools
import multiprocessing
import os
import signal
import socket
import time
import traceback
from typing import Callable, Optional, Union

from .worlds import route_lookup
from .worlds.build import PRELUDE, Namespaces
from .worlds.sockets import IP_FREEBIND, IP_TRANSPARENT, SO_BINDTOIFINDEX

LIMIT = 60  # seconds for one fact

LO = "ip link set lo up"
VETH = (
    LO,
    "ip link add v0a type veth peer name v0b",
    "ip link set v0a up",
    "ip link set v0b up",
)
FREEBIND = (IP_FREEBIND,)
TRANSPARENT = (IP_TRANSPARENT,)
RTN_UNICAST, RTN_LOCAL = 1, 2
TCP_ESTABLISHED = 1

_processes = multiprocessing.get_context("fork")


def in_namespace(fact: Callable[[Namespaces], None]) -> Callable[[], None]:
    """Runs it in a process and a namespace of its own; what fails there fails here."""

    # Not functools.wraps: pytest would see the parameter and look for a fixture.
    def test() -> None:
        ours, theirs = _processes.Pipe()
        process = _processes.Process(target=_run, args=(fact, theirs))
        process.start()
        theirs.close()
        try:
            assert ours.poll(LIMIT), f"no answer in {LIMIT} s"
            told = ours.recv()
        finally:
            process.kill()
            process.join()
            ours.close()
        assert told is None, told

    functools.update_wrapper(test, fact)
    del test.__wrapped__  # type: ignore[attr-defined]
    return test


def _run(fact: Callable[[Namespaces], None], pipe: multiprocessing.connection.Connection) -> None:
    signal.alarm(LIMIT)
    try:
        namespaces = Namespaces()
        namespaces.run(PRELUDE)
        fact(namespaces)
    except BaseException:
        pipe.send(traceback.format_exc())
    else:
        pipe.send(None)
    pipe.close()
    os._exit(0)


def open_socket(
    address: str,
    port: int = 0,
    udp: bool = False,
    pin: Union[str, int, None] = None,
    scope: int = 0,
    options: tuple[int, ...] = (),
    v6only: Optional[bool] = None,
) -> socket.socket:
    """Bound, and listening where it is TCP. pin: a link's name (SO_BINDTODEVICE) or an index (SO_BINDTOIFINDEX)."""
    is_ipv6 = ":" in address
    made = socket.socket(
        socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    )
    try:
        made.settimeout(1)
        for option in options:
            made.setsockopt(socket.IPPROTO_IP, option, 1)
        if v6only is not None:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        if isinstance(pin, str):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, pin.encode() + b"\0")
        elif pin is not None:
            made.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, pin)
        made.bind((address, port, 0, scope) if is_ipv6 else (address, port))
        if not udp:
            made.listen()
    except OSError:
        made.close()
        raise
    return made


def bind_error(address: str, **how: object) -> str:
    """The errno's name, or nothing when it succeeds."""
    try:
        open_socket(address, **how).close()  # type: ignore[arg-type]
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def reach_error(listening: socket.socket, address: str, scope: int = 0, pin: Optional[str] = None) -> str:
    """What a connection or a datagram to it at that address comes to; nothing when it arrives."""
    port = listening.getsockname()[1]
    is_ipv6 = ":" in address
    with socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, listening.type) as client:
        client.settimeout(0.2)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if pin:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, pin.encode() + b"\0")
        target = (address, port, 0, scope) if is_ipv6 else (address, port)
        listening.settimeout(0.2)
        try:
            if listening.type == socket.SOCK_STREAM:
                client.connect(target)
                listening.accept()[0].close()
            else:
                client.sendto(b"fact", target)
                assert listening.recv(16) == b"fact"
        except TimeoutError:
            return "ETIMEDOUT"
        except OSError as error:
            return errno.errorcode[error.errno or 0]
    return ""


def comes_true(condition: Callable[[], bool]) -> bool:
    """Within a few seconds: for what the kernel does in the background."""
    end = time.monotonic() + 5
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def route_type(address: str) -> int:
    """RTN_* of the kernel's route lookup, 0 for none."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return route_lookup.look_up(family, socket.inet_pton(family, address))


def settle(address: str) -> None:
    """The route of an IPv6 address comes from a work queue (addrconf_dad_work)."""
    assert comes_true(lambda: route_type(address) == RTN_LOCAL)


def read_tcp_state(connection: socket.socket) -> int:
    """tcpi_state, the first byte of struct tcp_info."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
