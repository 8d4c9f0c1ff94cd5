# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which .socket unit a listener belongs to that PID 1 holds: the system manager is asked once, and only if there is
such a listener.

The managers of users are not asked: as root that would mean to run a program in the user's own session (systemctl
--user --machine=UID@ goes through PAM and the user's bus, and needs systemd 248), and a lingering or broken session
could stall it.
"""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterable
from typing import Optional

from .._model import bindings
from .._wire import spelling, systemd_show
from . import commands

_TIMEOUT = 5  # seconds
_COMMAND = ("systemctl", "show", "--no-pager", f"--property={','.join(systemd_show.PROPERTIES)}", "--", "*.socket")


class SystemdError(Exception):
    """systemd could not be asked, or its answer not be read."""


def read_socket_units() -> list[systemd_show.SocketUnit]:
    """Every .socket unit that the system manager has in memory. Raises SystemdError."""
    done = commands.run_command(_COMMAND, timeout=_TIMEOUT)
    if done.status is None:
        raise SystemdError(f"systemctl {done.output}")
    if done.status != 0:
        complaint = spelling.printable(done.errors.strip().split("\n")[0][:200])
        raise SystemdError(f"systemctl ended with status {done.status}: {complaint}")
    try:
        return systemd_show.parse_socket_units(done.full_output)
    except systemd_show.SystemdShowError as error:
        raise SystemdError(str(error)) from error


def select_socket_unit(units: Iterable[systemd_show.SocketUnit], socket: bindings.Socket) -> tuple[Optional[str], str]:
    """The .socket unit that listens where this socket does, or None with the reason."""
    units = list(units)
    devices = {listen.device for unit in units for listen in unit.listens if listen.device is not None}
    names = systemd_show.match_socket_units(units, socket, _read_indexes(devices) if devices else {})
    if len(names) == 1:
        return spelling.printable(names[0]), ""
    if names:
        return None, f"several units listen there: {', '.join(map(spelling.printable, names))}"
    return (
        None,
        "systemd holds it, but no .socket unit listens there (a service may have stored it: FileDescriptorStoreMax)",
    )


def _read_indexes(devices: Iterable[str]) -> dict[str, int]:
    indexes = {}
    for device in devices:
        try:
            indexes[device] = sockets.if_nametoindex(device)
        except (OSError, ValueError):
            continue  # no such device now
    return indexes
