# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of sockets that PID 1 holds, where they cannot be read from it: systemd is asked what it sets."""

from __future__ import annotations

from collections.abc import Sequence

from .._model import backends, bindings
from .._wire import sockopts, systemd_show
from . import commands, services

_PROPERTIES = ("Id", "ReusePort", "KeepAlive", "DeferAcceptUSec")
_TIMEOUT = 10  # seconds


def read_unit_options(
    sockets: Sequence[bindings.Socket],
    ownerships: Sequence[bindings.Ownership],
    options: Sequence[bindings.Options],
    gaps: tuple[backends.Gap, ...],
) -> tuple[list[bindings.Options], tuple[backends.Gap, ...]]:
    """`options`, completed for the stream sockets of the system's .socket units that could not be read live."""
    ownerships = services.name_plain(ownerships)
    units = {
        position: ownership.service.unit
        for position, (socket, ownership, read) in enumerate(zip(sockets, ownerships, options))
        if read.reason is not None
        and socket.protocol == bindings.TCP
        and ownership.service is not None
        and ownership.service.unit.endswith(".socket")
        and ownership.service.scope == "system"
    }
    if not units:
        return list(options), gaps
    names = sorted(set(units.values()))
    command = ("systemctl", "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", "--", *names)
    done = commands.run_command(command, timeout=_TIMEOUT)
    try:
        if done.status != 0:
            raise systemd_show.SystemdShowError(done.output or "no answer")
        known = {
            block["Id"][-1]: sockopts.parse_socket_unit({key: values[-1] for key, values in block.items()})
            for block in systemd_show.parse_properties(done.full_output)
            if "Id" in block
        }
    except systemd_show.SystemdShowError as error:
        return list(options), (*gaps, backends.Gap("systemd", "the options of .socket units", str(error)))
    return [known.get(units.get(position, ""), read) for position, read in enumerate(options)], gaps
