# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why the options of a socket could not be read: nobody holds it, or a process did not give a duplicate."""

from __future__ import annotations

import errno
import os
import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Optional

from .._model import backends, bindings
from .._wire import sockopts
from . import process_state, socket_options

MISSING = (errno.ESRCH, errno.EINVAL, errno.EBADF)  # no such process, or no such descriptor
NO_LEADER = -1  # besides them: the process lives on without its first thread

_NO_HOLDER = {
    bindings.DENIED: "no process that holds it can be seen, which needs root or CAP_SYS_PTRACE",
    bindings.KERNEL: "the kernel itself holds it",
}
_GONE = "the process that held it is gone"
_OTHER = "the process has closed it meanwhile"
_LEADERLESS = "the first thread of the process has ended, and pidfd_getfd goes by that one"


def explain_absence(status: str) -> str:
    """Of a holder, by the status of the Ownership."""
    return _NO_HOLDER.get(status, "its owner is unknown" if status != bindings.FOUND else _GONE)


def find_gaps(
    options: Sequence[bindings.Options], ownerships: Sequence[bindings.Ownership]
) -> tuple[backends.Gap, ...]:
    """One for each reason why a holder did not give them; where none was found, the owners have a gap of their own."""
    reasons = Counter(read.reason for read, owned in zip(options, ownerships) if owned.owners and read.reason)
    return tuple(
        backends.Gap(
            "pidfd_getfd", f"SO_REUSEADDR and other options of {count} socket{'s' if count > 1 else ''}", reason
        )
        for reason, count in sorted(reasons.items())
    )


class Explainer:
    """Says why; finds out about this process's own rights once, and only after a refusal."""

    def __init__(self, borrower: socket_options.Borrower) -> None:
        self._borrower = borrower
        self._known: dict[int, str] = {}

    def __call__(self, failures: Sequence[int]) -> str:
        # Of several holders the one that was refused tells most: the others have merely gone.
        telling = (errno.EPERM, errno.EACCES, errno.ENOSYS, NO_LEADER)
        code = next((code for code in failures if code in telling), failures[-1])
        reason = self._known.get(code)
        if reason is None:
            reason = self._known[code] = self._explain(code)
        return reason

    def name_failure(self, code: int, pid: int) -> int:
        """NO_LEADER where that is behind it, which can be seen only now."""
        return NO_LEADER if code in MISSING and process_state.lacks_leader(pid) else code

    def _explain(self, code: int) -> str:
        if code == 0:
            return _OTHER
        if code == NO_LEADER:
            return _LEADERLESS
        if code in (errno.ESRCH, errno.EINVAL):
            return _GONE
        if code == errno.EBADF:
            return _OTHER
        if code == errno.ENOSYS:
            return sockopts.explain_missing_call(os.uname().release)
        if code in (errno.EPERM, errno.EACCES):
            return sockopts.explain_refusal(self._find_restrictions())
        return f"the descriptor could not be duplicated: {os.strerror(code)}"

    def _find_restrictions(self) -> sockopts.Restrictions:
        return sockopts.Restrictions(os.uname().release, self._works_at_all(), _read_yama_scope(), _may_trace())

    def _works_at_all(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            inode = os.fstat(own.fileno()).st_ino
            try:
                self._borrower.lend(os.getpid(), own.fileno(), inode, own.family, own.type).close()
            except socket_options.Unreadable:
                return False
            return True


def _read_yama_scope() -> Optional[int]:
    with suppress(OSError, ValueError), open("/proc/sys/kernel/yama/ptrace_scope", "rb") as file:
        return int(file.read())
    return None


def _may_trace() -> bool:
    """CAP_SYS_PTRACE (19) is in the effective set (capabilities(7))."""
    with suppress(OSError, ValueError), open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapEff:"):
                return bool(int(line.split()[1], 16) >> 19 & 1)
    return False
