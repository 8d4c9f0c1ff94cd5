# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that holds given ports, picked by the kernel."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from .._model.connections import Occupant
from .._model.gaps import Gap
from .._wire.diag_connections import FIRST_RELEASE_WITH_BOUND, pack_occupant_request, parse_occupants
from .._wire.inet_diag import SOCK_DIAG_BY_FAMILY
from .._wire.netlink import MalformedMessage
from .._wire.rtnetlink import AF_INET, AF_INET6
from .._wire.sockopts import parse_release
from .netlink_socket import NETLINK_SOCK_DIAG, NetlinkError, NetlinkSocket


def read_occupants(
    ports: Mapping[str, Collection[int]], release: str = ""
) -> tuple[dict[str, list[Occupant]], tuple[Gap, ...]]:
    """By protocol (tcp, udp), everything on its ports, in the kernel's order.

    A protocol that could not be read is missing from the answer, and has its gap. Before Linux 6.8 sockets that are
    bound and do nothing cannot be listed, which is a gap as well (source `bound`).
    """
    found: dict[str, list[Occupant]] = {}
    gaps: list[Gap] = []
    for protocol, wanted in ports.items():
        if not wanted:
            found[protocol] = []
            continue
        try:
            with NetlinkSocket(NETLINK_SOCK_DIAG) as diag_socket:
                found[protocol] = read_protocol(diag_socket, protocol, wanted)
        except (NetlinkError, MalformedMessage) as error:
            gaps.append(Gap("sock_diag", f"what holds the {protocol} ports looked at", str(error)))
    release = release or os.uname().release
    if found.get("tcp") is not None and ports["tcp"] and parse_release(release) < FIRST_RELEASE_WITH_BOUND:
        reason = f"kernel {release} does not list them; Linux 6.8 does"
        gaps.append(Gap("bound", "tcp sockets that are bound and neither listen nor connect", reason))
    return found, tuple(gaps)


def read_protocol(diag_socket: NetlinkSocket, protocol: str, ports: Collection[int]) -> list[Occupant]:
    """Raises NetlinkError, MalformedMessage."""
    rows: list[Occupant] = []
    wanted = frozenset(ports)
    for family in (AF_INET, AF_INET6):
        request = pack_occupant_request(family, protocol, wanted)
        parsed = parse_occupants(diag_socket.dump(SOCK_DIAG_BY_FAMILY, request), protocol)
        rows += [row for row in parsed if row.port in wanted]  # the filter may take a few more
    return rows
