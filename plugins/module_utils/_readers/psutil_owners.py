# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds a socket, through psutil."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, Optional

from .._model import backends, bindings
from .._wire import spelling
from . import psutil_network, psutil_sockets

# Their socket tables are read descriptor by descriptor, so that every holder is in them (psutil/_psosx.py,
# arch/openbsd/socks.c, arch/netbsd/socks.c). Linux and FreeBSD name one process for each socket.
_NAME_EVERY_HOLDER = ("darwin", "openbsd", "netbsd")

_NO_SERVICES = backends.Gap(
    psutil_network.SOURCE, "services", "psutil does not tell the unit or container that a process belongs to"
)
_ONE_HOLDER = backends.Gap(
    psutil_network.SOURCE,
    "further holders of a socket",
    "psutil names one process for each socket here; all are looked for where a finding depends on it, or with"
    " all_owners",
)


class _Process(NamedTuple):
    name: str
    exe: Optional[str]
    user: Optional[str]


def read_owners(
    library: Any, platform: str, sockets: Sequence[bindings.Socket], every_holder: Collection[int]
) -> backends.Ownerships:
    """One Ownership for each socket, in their order. If `every_holder` names any, each process is looked into.

    On Linux psutil gives one descriptor of each process. Never raises.
    """
    if not sockets:
        return [], ()
    gaps = [_NO_SERVICES]
    holders: dict[psutil_sockets.Identity, set[tuple[int, int]]] = {}
    denied = 0
    for protocol in sorted({row.protocol for row in sockets}):
        found = _read_descriptors(library, platform, protocol, bool(every_holder), gaps)
        denied += found.denied
        for row in found.rows:
            if row.pid is not None:
                holders.setdefault(row.identity, set()).add((row.pid, row.fd))
    if not every_holder and not platform.startswith(_NAME_EVERY_HOLDER):
        gaps.append(_ONE_HOLDER)
    known: dict[int, Optional[_Process]] = {}
    is_complete = bool(every_holder) and not denied and os.geteuid() == 0
    nobody = bindings.Ownership((), bindings.DENIED if denied or os.geteuid() != 0 else bindings.UNKNOWN, None)
    ownerships = []
    for socket in sockets:
        found_owners = (
            _make_owner(library, known, *holder) for holder in sorted(holders.get(psutil_sockets.identify(socket), ()))
        )
        alive = tuple(owner for owner in found_owners if owner is not None)
        ownerships.append(bindings.Ownership(alive, bindings.FOUND, None, is_complete) if alive else nobody)
    return ownerships, tuple(dict.fromkeys(gaps))


def _read_descriptors(
    library: Any, platform: str, protocol: str, every_process: bool, gaps: list[backends.Gap]
) -> psutil_sockets.Descriptors:
    try:
        return (psutil_sockets.read_processes if every_process else psutil_sockets.read_system)(
            library, platform, protocol
        )
    except backends.UnreadableTable as error:
        gaps.append(backends.Gap(psutil_network.SOURCE, f"owners of {protocol} listeners", str(error)))
        return psutil_sockets.Descriptors([], 0, 0)


def _make_owner(library: Any, known: dict[int, Optional[_Process]], pid: int, fd: int) -> Optional[bindings.Owner]:
    if pid not in known:
        known[pid] = _read_process(library, pid)
    process = known[pid]
    return None if process is None else bindings.Owner(pid, process.name, process.exe, process.user, fd)


def _read_process(library: Any, pid: int) -> Optional[_Process]:
    """None for a process that ended meanwhile: it holds nothing any more."""
    try:
        handle = library.Process(pid)
    except library.NoSuchProcess:
        return None
    name, exe, uids = _try(handle.name), _try(handle.exe), _try(handle.uids)
    return _Process(
        spelling.printable(name or ""),
        spelling.printable(exe) if exe else None,
        None if uids is None else _name_user(uids.effective),
    )


def _try(question: Callable[[], Any]) -> Any:
    """Its answer, or None: the process may be gone, or closed to us."""
    try:
        return question()
    except Exception:  # AccessDenied, NoSuchProcess, and whatever else psutil runs into
        return None


def _name_user(uid: int) -> str:
    try:
        return spelling.printable(pwd.getpwuid(uid).pw_name)
    except (KeyError, OverflowError):
        return str(uid)
