# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TCP sockets that are bound and neither listen nor connect, found at the processes that hold them.

Linux lists them from 6.8 on. Before, of each TCP socket that no table has a duplicate is asked where it is bound (see
socket_options: one at a time, closed at once, nothing set, SO_ERROR not read). Most hosts have none or a handful.

Not seen, and on no kernel of that age to be seen: a socket that is on its way through a UNIX socket (SCM_RIGHTS), one
that only io_uring or the descriptor table of a single thread (unshare(CLONE_FILES)) has, and one that the kernel itself
made (also below an AF_SMC socket).

A socket that has had a connection may have lost its port when that ended: it keeps it where bind() named the port, not
where the kernel chose it or accept() gave it (tcp_set_state(), SOCK_BINDPORT_LOCK). getsockname() says the old port
either way, so such a socket is told as doubtful. One that never had any has no path MTU (tcp_sync_mss()). A listener on
a port that the kernel chose, once shut down, has lost it as well, and is taken to hold it: nothing tells that.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple, Optional

from .._model import addresses, bindings, connections
from . import every_process, refused, socket_options, unlisted_sockets

_NAMES: dict[int, str] = {socket.AF_INET: bindings.IPV4, socket.AF_INET6: bindings.IPV6}

# include/uapi/asm-generic/socket.h and linux/in.h
_SO_PROTOCOL, _SO_DOMAIN, _SO_BINDTOIFINDEX, _SO_NETNS_COOKIE = 38, 39, 62, 71
_IPPROTO_MPTCP = 262
_SIOCGSKNS = 0x894C  # include/uapi/linux/sockios.h: a descriptor of the socket's network namespace (CAP_NET_ADMIN)

# struct tcp_info, include/uapi/linux/tcp.h
_TCP_INFO_SIZE = 64
_PMTU = struct.Struct("=60xI")
# include/net/tcp_states.h; it may listen since the port was looked at
_STATES = {7: connections.BOUND, 10: connections.LISTENING}


class Bound(NamedTuple):
    """readings: SO_REUSEADDR and SO_REUSEPORT by inode. doubtful: inodes of those that may have lost their port.
    unseen: why there may be more; None where every process was looked into.
    """

    occupants: tuple[connections.Occupant, ...]
    readings: dict[int, tuple[Optional[bool], Optional[bool]]]
    doubtful: frozenset[int]
    unseen: Optional[str]


class _Answer(NamedTuple):
    occupant: connections.Occupant
    reading: tuple[bool, bool]
    is_doubtful: bool


def read_bound(ports: Collection[int], proc: str = "/proc", calls: Optional[socket_options.Calls] = None) -> Bound:
    """Those on the given ports, in this process's network namespace, whoever holds them. Never raises.

    Takes the rights to look into every process, and Linux 5.6 where some process has an unlisted TCP socket.
    """
    walk = unlisted_sockets.UnlistedWalk(proc)
    every_process.look_into_all(walk, lambda: True)
    answers: list[_Answer] = []
    refusals: Counter[str] = Counter()
    with socket_options.Borrower(calls) as borrower, _Namespace(proc) as here:
        for inode, holders in sorted(walk.unlisted.items(), key=lambda item: item[1]):  # each process is opened once
            try:
                answer = _read_one(borrower, holders, inode, ports, here)
            except socket_options.Unreadable as error:
                refusals[borrower.explainer([error.code])] += 1
                continue
            except OSError as error:
                refusals[f"it could not be asked where it is bound ({error.strerror})"] += 1
                continue
            if answer is not None:
                answers.append(answer)
    reasons = [f"{count} unlisted TCP socket{'s' * (count > 1)}: {why}" for why, count in sorted(refusals.items())]
    blindness = every_process.explain_blindness(walk)
    if blindness:
        reasons.insert(0, blindness)
    elif not every_process.sees_every_process(proc):
        reasons.insert(0, "processes outside of this PID namespace cannot be seen")
    return Bound(
        tuple(answer.occupant for answer in answers),
        {answer.occupant.inode: answer.reading for answer in answers},
        frozenset(answer.occupant.inode for answer in answers if answer.is_doubtful),
        "; ".join(reasons) or None,
    )


class _Namespace:
    """The network namespace of this process, and whether a socket is of it. A context manager."""

    def __init__(self, proc: str) -> None:
        self._proc = proc
        self._own: Optional[socket.socket] = None

    def __enter__(self) -> _Namespace:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._own is not None:
            self._own.close()

    def holds(self, lent: socket.SocketType) -> bool:
        """Raises OSError where that cannot be told."""
        try:
            theirs = lent.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)  # Linux 5.14, needs no right
        except OSError:
            return self._is_same_file(lent)
        if self._own is None:
            self._own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        return self._own.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8) == theirs

    def _is_same_file(self, lent: socket.SocketType) -> bool:
        descriptor = fcntl.ioctl(lent.fileno(), _SIOCGSKNS)
        try:
            theirs, ours = os.fstat(descriptor), os.stat(f"{self._proc}/thread-self/ns/net")
            return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
        finally:
            os.close(descriptor)


def _read_one(
    borrower: socket_options.Borrower,
    holders: Sequence[tuple[int, int]],
    inode: int,
    ports: Collection[int],
    here: _Namespace,
) -> Optional[_Answer]:
    """None: it holds none of these ports, or is closed by now. Raises Unreadable, OSError."""
    refusal: Optional[Exception] = None
    for pid, descriptor in holders:
        try:
            # Any family does: it only sets how long an address may be, and IPv6 has the longer ones.
            lent = borrower.lend(pid, descriptor, inode, socket.AF_INET6, socket.SOCK_STREAM)
            try:
                return _ask(lent, inode, ports, here)
            finally:
                lent.close()
        except socket_options.Unreadable as error:
            code = borrower.explainer.name_failure(error.code, pid)
            if code and code not in refused.MISSING:
                refusal = socket_options.Unreadable(code)
        except OSError as error:
            refusal = error
    if refusal is not None:
        raise refusal
    return None


def _ask(lent: socket.SocketType, inode: int, ports: Collection[int], here: _Namespace) -> Optional[_Answer]:
    """Raises OSError."""
    ask = lent.getsockopt
    family = ask(socket.SOL_SOCKET, _SO_DOMAIN)
    if family not in _NAMES or ask(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM:
        return None
    protocol = ask(socket.SOL_SOCKET, _SO_PROTOCOL)
    if protocol not in (socket.IPPROTO_TCP, _IPPROTO_MPTCP):
        return None
    text, port = lent.getsockname()[:2]
    if port not in ports or not here.holds(lent):
        return None
    state, was_connected = _ask_state(lent)
    if state is None:
        return None
    packed = socket.inet_pton(family, text.partition("%")[0])
    occupant = connections.Occupant(
        protocol=bindings.TCP,
        family=_NAMES[family],
        packed=packed,
        port=port,
        peer_packed=bytes(len(packed)),
        peer_port=0,
        state=state,
        ifindex=ask(socket.SOL_SOCKET, _SO_BINDTOIFINDEX),  # 0 also of MPTCP that is pinned by a scope id alone
        uid=os.fstat(lent.fileno()).st_uid,
        inode=inode,
        clears_in=None,
        v6only=_ask_v6only(lent, packed, protocol) if family == socket.AF_INET6 else None,
    )
    flags = (ask(socket.SOL_SOCKET, socket.SO_REUSEADDR) != 0, ask(socket.SOL_SOCKET, socket.SO_REUSEPORT) != 0)
    return _Answer(occupant, flags, was_connected and state == connections.BOUND)


def _ask_v6only(lent: socket.SocketType, packed: bytes, protocol: int) -> Optional[bool]:
    if protocol == _IPPROTO_MPTCP and any(packed):
        # bind() sets it for such an address (__inet6_bind), below MPTCP unseen.
        return packed[:12] != addresses.V4_MAPPED
    with suppress(OSError):  # MPTCP of before Linux 6.7 does not answer
        return lent.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) != 0
    return None


def _ask_state(lent: socket.SocketType) -> tuple[Optional[str], bool]:
    """The state, and whether it has had a connection. None: it has one now, which came after the port was looked at."""
    try:
        raw = lent.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    except OSError:  # MPTCP answers from Linux 5.17 on
        return connections.BOUND, True
    if len(raw) < _PMTU.size:
        return connections.BOUND, True
    return _STATES.get(raw[0]), _PMTU.unpack_from(raw)[0] != 0
