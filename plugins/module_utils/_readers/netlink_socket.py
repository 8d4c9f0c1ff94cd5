# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talking to the kernel over netlink: open a socket, ask, get every message of the answer or a typed error, never a
part of it.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from types import TracebackType
from typing import Any, Optional, Protocol

from .._wire import netlink

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4

SOL_NETLINK = 270
NETLINK_GET_STRICT_CHK = 12  # Linux 4.20: the kernel honours the filters in a dump request

# The kernel fills at most 32 kB per datagram of a dump (netlink_dump); a single large link message may need more.
_BUFFER_SIZE = 1 << 17
_ATTEMPTS = 8
_SILENCE = 10.0  # seconds without an answer: the kernel answers at once, or never


class NetlinkError(Exception):
    """The kernel refused, or its answer cannot be trusted. `errno` is None where the kernel named none."""

    def __init__(self, message: str, code: Optional[int] = None) -> None:
        super().__init__(message)
        self.errno = code


class Channel(Protocol):
    """The part of socket.socket that is used here, so that tests can put a fake kernel in its place."""

    def send(self, data: bytes, /) -> int: ...
    def recvmsg_into(self, buffers: list[bytearray], /) -> tuple[int, Any, int, Any]: ...
    def close(self) -> None: ...


class NetlinkSocket:
    """One netlink socket; use it as a context manager. Not for several threads."""

    def __init__(self, protocol: int, channel: Optional[Channel] = None) -> None:
        self._channel = channel if channel is not None else _open_channel(protocol)
        self._buffer = bytearray(_BUFFER_SIZE)
        self._seq = 0

    def __enter__(self) -> NetlinkSocket:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._channel.close()

    def dump(self, request_type: int, payload: bytes) -> list[bytes]:
        """The payloads of all messages of a dump, in the kernel's order.

        A dump that the kernel marks as interrupted (something changed while it walked) is asked for again, a few times.
        Raises NetlinkError, and MalformedMessage for an answer that is not netlink.
        """
        for _attempt in range(_ATTEMPTS):
            payloads, interrupted = self._dump_once(request_type, payload)
            if not interrupted:
                return payloads
        raise NetlinkError(
            f"the host's tables changed during each of {_ATTEMPTS} readings (NLM_F_DUMP_INTR)", errno.EINTR
        )

    def _dump_once(self, request_type: int, payload: bytes) -> tuple[list[bytes], bool]:
        self.send(request_type, netlink.NLM_F_DUMP, payload)
        payloads: list[bytes] = []
        interrupted = False
        while True:
            for message_type, flags, answer in self.receive():
                interrupted = interrupted or bool(flags & netlink.NLM_F_DUMP_INTR)
                if message_type in (netlink.NLMSG_DONE, netlink.NLMSG_ERROR):
                    code = netlink.parse_error(answer)
                    if code:
                        raise NetlinkError(os.strerror(code), code)
                    if message_type == netlink.NLMSG_ERROR:
                        raise NetlinkError("the kernel acknowledged the request without answering it")
                    return payloads, interrupted
                if message_type == netlink.NLMSG_OVERRUN:
                    raise NetlinkError("the kernel lost a part of its answer (NLMSG_OVERRUN)", errno.ENOBUFS)
                payloads.append(answer)

    def send(self, request_type: int, flags: int, payload: bytes) -> None:
        """Raises NetlinkError."""
        self._seq += 1
        try:
            self._channel.send(netlink.pack_message(request_type, flags, self._seq, payload))
        except OSError as error:
            raise NetlinkError(f"the request could not be sent: {error.strerror}", error.errno) from error

    def receive(self) -> list[tuple[int, int, bytes]]:
        """Type, flags and payload of each message in one datagram; what answers an earlier, abandoned request is passed
        over. Raises NetlinkError, MalformedMessage.
        """
        try:
            size, _ancillary, flags, sender = self._channel.recvmsg_into([self._buffer])
        except socket.timeout as error:  # an alias of TimeoutError only from Python 3.10 on
            raise NetlinkError(f"the kernel did not answer for {_SILENCE:.0f} seconds", errno.ETIMEDOUT) from error
        except OSError as error:
            raise NetlinkError(f"the answer could not be received: {error.strerror}", error.errno) from error
        if flags & socket.MSG_TRUNC:
            raise NetlinkError(
                f"an answer did not fit into {len(self._buffer)} bytes and was cut off (MSG_TRUNC)", errno.EMSGSIZE
            )
        if size == 0:
            raise NetlinkError("the netlink socket was closed in the middle of an answer")
        if sender[0] != 0:  # port 0 is the kernel; anybody else with CAP_NET_ADMIN may write to this socket too
            return []
        return [
            (message_type, flags, payload)
            for message_type, flags, seq, payload in netlink.parse_messages(bytes(memoryview(self._buffer)[:size]))
            if seq == self._seq
        ]


def _open_channel(protocol: int) -> socket.socket:
    try:
        channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise NetlinkError(f"a netlink socket cannot be opened: {error.strerror}", error.errno) from error
    channel.settimeout(_SILENCE)
    channel.bind((0, 0))
    with suppress(OSError):  # Linux before 4.20 sends whole dumps; the readers filter again
        channel.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    return channel
