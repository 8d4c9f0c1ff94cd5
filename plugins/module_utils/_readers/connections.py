# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that holds given ports, picked by the kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Optional

from .._model import backends, connections
from .._wire import diag_connections, inet_diag, netlink, rtnetlink, sockopts, timer_wheel
from . import netlink_socket

_CLOCK_MONOTONIC_COARSE = 6  # include/uapi/linux/time.h; its resolution is one tick
_ATTEMPTS = 8
_TIMER_LIST_START = 1 << 16  # bytes
_TIME_WAIT_MS = 60_000  # TCP_TIMEWAIT_LEN, include/net/tcp.h


def read_occupants(
    ports: Mapping[str, Collection[int]], release: str = "", unconnected: bool = False
) -> tuple[dict[str, list[connections.Occupant]], tuple[backends.Gap, ...]]:
    """By protocol (tcp, udp), everything on its ports, in the kernel's order; `unconnected`: less the connections.

    A protocol that could not be read is missing from the answer, and has its gap. Before Linux 6.8 sockets that are
    bound and do nothing cannot be listed, which is a gap as well (source `bound`).
    """
    found: dict[str, list[connections.Occupant]] = {}
    gaps: list[backends.Gap] = []
    for protocol, wanted in ports.items():
        if not wanted:
            found[protocol] = []
            continue
        try:
            with netlink_socket.NetlinkSocket(netlink_socket.NETLINK_SOCK_DIAG) as diag_socket:
                found[protocol] = read_protocol(diag_socket, protocol, wanted, unconnected)
        except (netlink_socket.NetlinkError, netlink.MalformedMessage) as error:
            gaps.append(backends.Gap("sock_diag", f"what holds the {protocol} ports looked at", str(error)))
    orphans = sum(row.is_timed and row.state == connections.FIN_WAIT_2 for row in found.get("tcp", ()))
    if orphans and _read_fin_timeout() is None:
        subject = f"until when {orphans} half-closed connections stay: at most as long as is said"
        gaps.append(backends.Gap("tcp_fin_timeout", subject, "net.ipv4.tcp_fin_timeout could not be read"))
    release = release or os.uname().release
    if (
        found.get("tcp") is not None
        and ports["tcp"]
        and sockopts.parse_release(release) < diag_connections.FIRST_RELEASE_WITH_BOUND
    ):
        reason = f"kernel {release} does not list them; Linux 6.8 does"
        gaps.append(backends.Gap("bound", "tcp sockets that are bound and neither listen nor connect", reason))
    return found, tuple(gaps)


def read_protocol(
    diag_socket: netlink_socket.NetlinkSocket, protocol: str, ports: Collection[int], unconnected: bool = False
) -> list[connections.Occupant]:
    """Raises NetlinkError, MalformedMessage."""
    rows: list[connections.Occupant] = []
    wanted = frozenset(ports)
    for family in (rtnetlink.AF_INET, rtnetlink.AF_INET6):
        request = diag_connections.pack_occupant_request(family, protocol, wanted, unconnected)

        def dump(request: bytes = request) -> list[connections.Occupant]:
            parsed = diag_connections.parse_occupants(
                diag_socket.dump(inet_diag.SOCK_DIAG_BY_FAMILY, request), protocol
            )
            return [row for row in parsed if row.port in wanted]  # the filter may take a few more

        found = dump()
        rows += _correct_timers(*_dump_within_tick(dump)) if any(row.is_timed for row in found) else found
    return rows


def _dump_within_tick(
    dump: Callable[[], list[connections.Occupant]],
) -> tuple[list[connections.Occupant], Optional[int]]:
    """The rows, and the kernel's tick counter at the moment at which it told their times.

    Those are relative to the counter, and near the edge of the timer wheel's grain one tick decides over seconds. A
    dump that takes longer than a tick is not repeated, as it cannot be had within one: the moment in its middle is at
    most half of it off.
    """
    for _attempt in range(_ATTEMPTS):
        before = _read_jiffies()
        rows = dump()
        after = _read_jiffies()
        if before is None or after is None:
            return rows, None
        if after - before > 1:
            return rows, (before + after) // 2
        if after == before:
            break
    return rows, before


def _correct_timers(rows: list[connections.Occupant], now: Optional[int]) -> list[connections.Occupant]:
    """With the moment at which each timer fires in place of the one that it is set for."""
    ticks = round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))
    # Of what may be armed the longest has the coarsest grain, and fires last.
    armed = {connections.FIN_WAIT_2: _read_fin_timeout() or _TIME_WAIT_MS}
    return [
        row
        if row.clears_in is None
        else row._replace(
            clears_in=timer_wheel.find_firing(row.clears_in, armed.get(row.state, _TIME_WAIT_MS), ticks, now)
        )
        for row in rows
    ]


def _read_jiffies() -> Optional[int]:
    """The kernel's tick counter, which root can read. The list has one block for each CPU, the first comes soon."""
    with suppress(OSError), open("/proc/timer_list", "rb") as file:
        return timer_wheel.parse_jiffies(file.read(_TIMER_LIST_START))
    return None


def _read_fin_timeout() -> Optional[int]:
    """net.ipv4.tcp_fin_timeout, in milliseconds: what FIN_WAIT_2 without a process is set for. None = unknown."""
    with suppress(OSError, ValueError), open("/proc/sys/net/ipv4/tcp_fin_timeout", "rb") as file:
        return min(int(file.read()) * 1000, _TIME_WAIT_MS)
    return None
