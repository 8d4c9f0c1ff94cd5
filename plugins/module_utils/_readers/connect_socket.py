# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One non-blocking connect, step by step."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import Optional, Union

from .._model import endpoints

# include/uapi/linux/in.h, Linux 4.2; in Python's socket module from 3.12 on. The port is then chosen by connect(),
# for this one destination, and not by bind(), for all: an address serves 28,000 connects per destination, not
# 28,000 in all (ip(7)).
_IP_BIND_ADDRESS_NO_PORT = 24
_SO_BINDTODEVICE: Optional[int] = getattr(socket, "SO_BINDTODEVICE", None)  # Linux only
_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EINTR)  # connect(2): after EINTR it goes on by itself

Place = Union[tuple[str, int], tuple[str, int, int, int]]


class StepFailed(Exception):
    """A step before connect() failed; `stage` says which."""

    def __init__(self, stage: str, code: int) -> None:
        super().__init__(f"{stage}: {os.strerror(code)}")
        self.stage = stage
        self.errno = code


def open_connecting(address: endpoints.InetAddress, endpoint: endpoints.Endpoint) -> tuple[socket.socket, int]:
    """A non-blocking socket, and what connect() said: 0 where the outcome is still to come. Raises StepFailed."""
    place = _make_place(address, endpoint.port)
    channel = _open(address, socket.SOCK_STREAM)
    try:
        channel.setblocking(False)
        _pin(channel, endpoint.interface)
        if endpoint.source is not None:
            _bind_source(channel, endpoint.source)
        code = channel.connect_ex(place)
    except BaseException:
        channel.close()
        raise
    return channel, 0 if code in _UNDER_WAY else code


def read_local_address(channel: socket.socket) -> Optional[bytes]:
    """The address that the kernel connects from, packed; None where it does not say."""
    try:
        text = str(channel.getsockname()[0])
        return socket.inet_pton(channel.family, text.partition("%")[0])
    except OSError:
        return None


def is_own_peer(channel: socket.socket) -> bool:
    """A connect to a local port of the ephemeral range can be given that very port to start from.

    Then it meets its own SYN and is connected to itself, with nobody listening (simultaneous open, RFC 9293, 3.5).
    """
    try:
        return bool(channel.getsockname() == channel.getpeername())
    except OSError:
        return False


def read_route_error(address: endpoints.InetAddress, interface: Optional[str]) -> Optional[int]:
    """What connect() of a datagram socket says, which sends nothing: 0 where there is a route and a source."""
    try:
        place = _make_place(address, 9)  # discard; any port will do
        with _open(address, socket.SOCK_DGRAM) as channel:
            # A scope that contradicts the pin is EINVAL too, which is not the route's fault.
            _pin(channel, None if address.scope else interface)
            return channel.connect_ex(place)
    except StepFailed as failure:
        return failure.errno


def _open(address: endpoints.InetAddress, kind: socket.SocketKind) -> socket.socket:
    try:
        return socket.socket(_FAMILIES[address.family], kind)
    except OSError as error:
        raise StepFailed(endpoints.AT_SOCKET, error.errno or errno.EINVAL) from error


def _make_place(address: endpoints.InetAddress, port: int) -> Place:
    if address.family == "ipv4":
        return socket.inet_ntop(socket.AF_INET, address.packed), port
    scope = _read_scope(address.scope) if address.scope else 0
    return socket.inet_ntop(socket.AF_INET6, address.packed), port, 0, scope


def _read_scope(scope: str) -> int:
    if scope.isascii() and scope.isdigit():
        return int(scope)
    try:
        return socket.if_nametoindex(scope)
    except OSError as error:
        raise StepFailed(endpoints.AT_INTERFACE, errno.ENODEV) from error


def _pin(channel: socket.socket, interface: Optional[str]) -> None:
    if interface is None:
        return
    if _SO_BINDTODEVICE is None:
        raise StepFailed(endpoints.AT_INTERFACE, errno.ENOPROTOOPT)
    try:
        channel.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, os.fsencode(interface) + b"\0")
    except OSError as error:
        raise StepFailed(endpoints.AT_INTERFACE, error.errno or errno.EINVAL) from error


def _bind_source(channel: socket.socket, source: endpoints.InetAddress) -> None:
    place = _make_place(source, 0)
    if _SO_BINDTODEVICE is not None:
        with suppress(OSError):  # older than 4.2: then bind() chooses the port
            channel.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    try:
        channel.bind(place)
    except OSError as error:
        raise StepFailed(endpoints.AT_SOURCE, error.errno or errno.EINVAL) from error
