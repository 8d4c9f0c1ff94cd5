# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why the options of another process's socket cannot be read, and what a .socket unit says of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Optional

from .._model import bindings

_FIRST_RELEASE = (5, 6)  # pidfd_getfd(2)
_RELEASE_FORM = re.compile(r"(\d+)\.(\d+)")
_SPAN_FORM = re.compile(r"(\d+(?:\.\d+)?) *(us|ms|s|min|h|d|w|month|y)?")
_SECONDS = {
    "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "month": 2629800.0,
    "y": 31557600.0,
}  # fmt: skip


class Restrictions(NamedTuple):
    """What was found out about this process's own rights, once it had been refused."""

    release: str  # uname -r
    works_at_all: bool  # pidfd_getfd on a descriptor of our own, which needs no right
    yama_scope: Optional[int]  # kernel.yama.ptrace_scope; None = no Yama
    may_trace: bool  # CAP_SYS_PTRACE is effective


def parse_release(release: str) -> tuple[int, int]:
    """Major and minor number of a kernel; (0, 0) where there are none."""
    match = _RELEASE_FORM.match(release)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def explain_missing_call(release: str) -> str:
    """Why there is no such system call (ENOSYS)."""
    if parse_release(release) < _FIRST_RELEASE:
        return f"kernel {release} has no pidfd_getfd, which came with Linux 5.6"
    return "a seccomp filter forbids pidfd_getfd (common in containers)"


def explain_refusal(seen: Restrictions) -> str:
    """Why pidfd_getfd was refused (EPERM)."""
    if not seen.works_at_all:
        return "a seccomp filter forbids pidfd_getfd (common in containers)"
    if seen.yama_scope == 3:
        return "kernel.yama.ptrace_scope is 3, which lets nobody look into another process"
    if not seen.may_trace:
        hint = f" (kernel.yama.ptrace_scope is {seen.yama_scope})" if seen.yama_scope else ""
        return f"no right to look into that process, which needs root or CAP_SYS_PTRACE{hint}"
    return "a security module or another user namespace forbids looking into that process"


def parse_socket_unit(properties: Mapping[str, str]) -> bindings.Options:
    """The options of a .socket unit's stream sockets, from `systemctl show` (systemd.socket(5)).

    systemd sets SO_REUSEADDR on every stream socket that it listens on, whatever the unit says (socket_address_listen,
    src/basic/socket-util.c). A property that is not there is None.
    """
    return bindings.Options(
        reuseaddr=True,
        reuseport=_parse_bool(properties.get("ReusePort")),
        keepalive=_parse_bool(properties.get("KeepAlive")),
        defer_accept=_parse_seconds(properties.get("DeferAcceptUSec")),
    )


def _parse_bool(text: Optional[str]) -> Optional[bool]:
    return {"yes": True, "no": False}.get(text or "")


def _parse_seconds(text: Optional[str]) -> Optional[int]:
    """`systemctl show` prints spans like 1min 30s, and 0 without a unit; whole seconds, rounded up as systemd does."""
    if text is None or not text.strip():
        return None
    total, end = 0.0, 0
    for match in _SPAN_FORM.finditer(text):
        if text[end : match.start()].strip():
            return None
        total += float(match.group(1)) * _SECONDS[match.group(2) or "us"]
        end = match.end()
    return None if text[end:].strip() else int(-(-total // 1))
