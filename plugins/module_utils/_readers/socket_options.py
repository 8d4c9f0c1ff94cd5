# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of sockets that other processes hold, read from the live socket.

pidfd_open(2) and pidfd_getfd(2) give a duplicate of the descriptor. While it exists, the port stays busy even if its
owner closes it, so there is only ever one, for some ten microseconds, and it is closed on every path. Nothing is set on
it (file status flags are shared with the owner), and SO_ERROR is never read: that read would take a pending error away
from the owner (sock_error() in the kernel is get and clear).

A pid that was given to another process meanwhile can do no harm: the duplicate counts only if it is the very socket
that sock_diag listed, by its inode.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from .._model import backends, bindings

if TYPE_CHECKING:
    from . import refused

# The same numbers on all architectures but alpha, whose own are 110 higher (arch/alpha/kernel/syscalls/syscall.tbl).
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
_ALPHA_OFFSET = 110


class Unreadable(Exception):
    """This holder did not give the socket; `code` is an errno, or 0 for another socket at that descriptor."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Calls(NamedTuple):
    """The system calls, so that tests can refuse and count them. Both raise OSError."""

    open_process: Callable[[int], int]  # pid → pidfd
    duplicate: Callable[[int, int], int]  # pidfd, its descriptor → ours, close-on-exec (pidfd_getfd sets it)


def _make_call(number: int) -> Callable[..., int]:
    import ctypes

    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.argtypes = [ctypes.c_long] * 4  # once, instead of one object for each argument of each call
    syscall.restype = ctypes.c_long
    number += _ALPHA_OFFSET if os.uname().machine == "alpha" else 0

    def call(first: int, second: int = 0) -> int:
        result: int = syscall(number, first, second, 0)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    return call


def make_calls() -> Calls:
    """The real ones."""
    return Calls(getattr(os, "pidfd_open", None) or _make_call(_PIDFD_OPEN), _make_call(_PIDFD_GETFD))


class Borrower:
    """Lends a duplicate of other processes' sockets, one at a time. A context manager: it keeps one pidfd open."""

    def __init__(self, calls: Optional[Calls] = None) -> None:
        self._calls = calls or make_calls()
        self._pid = 0
        self._pidfd = -1
        self._explainer: Optional[refused.Explainer] = None

    @property
    def explainer(self) -> refused.Explainer:
        """Says why a socket was not lent."""
        if self._explainer is None:
            from . import refused

            self._explainer = refused.Explainer(self)
        return self._explainer

    def __enter__(self) -> Borrower:
        return self

    def __exit__(self, *exception: object) -> None:
        self._leave()

    def lend(self, pid: int, descriptor: int, inode: int, family: int, kind: int) -> socket.SocketType:
        """The socket `inode` that process `pid` holds as `descriptor`; the caller closes it. Raises Unreadable.

        SocketType is what socket.socket is made of, without what that adds in Python: half the time for the same call.
        """
        if pid != self._pid:
            self._enter(pid)
        try:
            duplicate = self._calls.duplicate(self._pidfd, descriptor)
        except OSError as error:
            raise Unreadable(error.errno or errno.EIO) from error
        try:
            if os.fstat(duplicate).st_ino != inode:
                raise Unreadable(0)
            # Family and type are given, or the constructor would ask for both.
            return socket.SocketType(family, kind, 0, duplicate)
        except BaseException:
            os.close(duplicate)
            raise

    def _enter(self, pid: int) -> None:
        self._leave()
        try:
            self._pidfd = self._calls.open_process(pid)
        except OSError as error:
            raise Unreadable(error.errno or errno.EIO) from error
        self._pid = pid

    def _leave(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self._pid, self._pidfd = 0, -1


def read_options(
    sockets: Sequence[bindings.Socket], ownerships: Sequence[bindings.Ownership], calls: Optional[Calls] = None
) -> tuple[list[bindings.Options], tuple[backends.Gap, ...]]:
    """The options of each socket, in order, with one gap for each reason why a holder did not give them.

    Each socket is read at most once, from the first of its holders that gives it.
    """
    found: list[bindings.Options] = [bindings.Options()] * len(sockets)
    # By process, so that each process is opened once.
    order = sorted(range(len(sockets)), key=lambda position: _first_pid(ownerships[position]))
    with Borrower(calls) as borrower:
        for position in order:
            found[position] = _read_one(borrower, sockets[position], ownerships[position])
    if all(options.reason is None for options in found):
        return found, ()
    from . import refused

    return found, refused.find_gaps(found, ownerships)


def _first_pid(ownership: bindings.Ownership) -> int:
    return ownership.owners[0].pid if ownership.owners else 0


def _read_one(borrower: Borrower, row: bindings.Socket, ownership: bindings.Ownership) -> bindings.Options:
    if not ownership.owners:
        from . import refused

        return bindings.Options(reason=refused.explain_absence(ownership.status))
    family = socket.AF_INET if row.family == "ipv4" else socket.AF_INET6
    kind = socket.SOCK_STREAM if row.protocol == bindings.TCP else socket.SOCK_DGRAM
    failures: list[int] = []
    for owner in ownership.owners:
        try:
            lent = borrower.lend(owner.pid, owner.fd, row.inode, family, kind)
            try:
                return _ask(lent, row.protocol == bindings.TCP)
            finally:
                lent.close()
        except Unreadable as error:
            failures.append(borrower.explainer.name_failure(error.code, owner.pid))
        except OSError as error:  # a question that this kind of socket does not answer
            failures.append(error.errno or errno.EIO)
    return bindings.Options(reason=borrower.explainer(failures))


def _ask(lent: socket.SocketType, is_tcp: bool) -> bindings.Options:
    ask = lent.getsockopt
    defer_accept = None
    if is_tcp:
        with suppress(OSError):  # MPTCP answers this one only from Linux 5.17 on
            defer_accept = ask(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
    return bindings.Options(
        reuseaddr=ask(socket.SOL_SOCKET, socket.SO_REUSEADDR) != 0,
        reuseport=ask(socket.SOL_SOCKET, socket.SO_REUSEPORT) != 0,
        keepalive=ask(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0,
        defer_accept=defer_accept,
    )
