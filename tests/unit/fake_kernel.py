# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kernel at the other end of a netlink socket, which answers as a test says: the place of socket.socket in
netlink_socket.NetlinkSocket.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple, Union

HEADER = struct.Struct("=IHHII")
MULTI, DUMP_INTR = 0x02, 0x10
NOOP, ERROR, DONE, OVERRUN = 1, 2, 3, 4


class Datagram(NamedTuple):
    """One recvmsg(): netlink messages, or an error of the call itself."""

    messages: Sequence[Message] = ()
    raw: bytes = b""  # instead of messages
    flags: int = 0  # of recvmsg: MSG_TRUNC
    error: int = 0  # errno of recvmsg


class Message(NamedTuple):
    type: int
    payload: bytes = b""
    flags: int = MULTI
    seq_offset: int = 0  # added to the sequence number of the request

    def pack(self, seq: int) -> bytes:
        size = HEADER.size + len(self.payload)
        header = HEADER.pack(size, self.type, self.flags, (seq + self.seq_offset) & 0xFFFFFFFF, 77)
        return header + self.payload + bytes(-size % 4)


def done(code: int = 0, flags: int = MULTI) -> Message:
    return Message(DONE, struct.pack("=i", -code), flags)


def error(code: int) -> Message:
    return Message(ERROR, struct.pack("=i", -code) + bytes(16), 0)


def dump(*payloads: bytes, type: int = 20, flags: int = MULTI) -> list[Datagram]:
    """A whole and sound answer to a dump request, each message in a datagram of its own."""
    rows = [Datagram([Message(type, payload, flags)]) for payload in payloads]
    return [*rows, Datagram([done(flags=flags)])]


class FakeKernel:
    """Answers the requests in their order, each with its datagrams; after them it is silent until the timeout."""

    def __init__(self, *answers: Sequence[Datagram], send_error: int = 0) -> None:
        self.requests: list[bytes] = []
        self.closed = False
        self._answers = list(answers)
        self._pending: list[tuple[int, Datagram]] = []  # with the number of the request that they answer
        self._send_error = send_error

    def send(self, data: bytes) -> int:
        if self._send_error:
            raise OSError(self._send_error, os.strerror(self._send_error))
        self.requests.append(bytes(data))
        seq = HEADER.unpack_from(data)[3]
        self._pending += [(seq, datagram) for datagram in (self._answers.pop(0) if self._answers else ())]
        return len(data)

    def recvmsg_into(self, buffers: list[bytearray]) -> tuple[int, list[object], int, tuple[int, int]]:
        if not self._pending:
            raise socket.timeout("timed out")
        seq, datagram = self._pending.pop(0)
        if datagram.error:
            raise OSError(datagram.error, os.strerror(datagram.error))
        data = datagram.raw or b"".join(message.pack(seq) for message in datagram.messages)
        data = data[: len(buffers[0])]
        buffers[0][: len(data)] = data
        return len(data), [], datagram.flags, (0, 0)

    def close(self) -> None:
        self.closed = True


Answer = Union[Sequence[bytes], int]  # payloads, or an errno


class FakeHost:
    """Opens channels (netlink_socket._open_channel) to a kernel that knows an answer for each kind of request.

    `answer` gets the protocol, the request's type and its payload. Requests without NLM_F_DUMP get the first payload.
    """

    def __init__(self, answer: Callable[[int, int, bytes], Answer], closed_protocols: dict[int, int] | None = None):
        self._answer = answer
        self._closed_protocols = closed_protocols or {}
        self.channels: list[_HostChannel] = []

    def open(self, protocol: int) -> _HostChannel:
        from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_socket import NetlinkError

        code = self._closed_protocols.get(protocol, 0)
        if code:
            raise NetlinkError(f"a netlink socket cannot be opened: {os.strerror(code)}", code)
        self.channels.append(_HostChannel(lambda kind, payload: self._answer(protocol, kind, payload)))
        return self.channels[-1]


class _HostChannel(FakeKernel):
    def __init__(self, answer: Callable[[int, bytes], Answer]) -> None:
        super().__init__()
        self._ask = answer

    def send(self, data: bytes) -> int:
        _size, kind, flags, _seq, _pid = HEADER.unpack_from(data)
        found = self._ask(kind, data[HEADER.size :])
        if isinstance(found, int):
            self._answers = [[Datagram([error(found)])]]
        elif flags & 0x300:
            self._answers = [dump(*found)]
        else:
            self._answers = [[Datagram([Message(kind, found[0], 0)])]] if found else [[Datagram([error(errno.ENOENT)])]]
        return super().send(data)
