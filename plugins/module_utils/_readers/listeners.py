# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listening TCP and bound UDP sockets of the present network namespace, from the kernel."""

from __future__ import annotations

from collections.abc import Iterable

from .._model import bindings
from .._wire import inet_diag, rtnetlink
from . import netlink_socket


def read_listeners(diag_socket: netlink_socket.NetlinkSocket, protocol: str) -> list[bindings.Socket]:
    """Every listener of one protocol (tcp, udp), IPv4 and IPv6. Raises NetlinkError (ENOENT: no such diag module),
    MalformedMessage.
    """
    rows: list[bindings.Socket] = []
    for family in (rtnetlink.AF_INET, rtnetlink.AF_INET6):
        rows += inet_diag.parse_listeners(
            diag_socket.dump(inet_diag.SOCK_DIAG_BY_FAMILY, inet_diag.pack_listener_request(family, protocol)), protocol
        )
    return rows


def sort_sockets(rows: Iterable[bindings.Socket]) -> tuple[bindings.Socket, ...]:
    """In the order of every result, each once: a hash table that changes during a dump can show a socket twice."""
    unique = {row.sort_key: row for row in rows}
    return tuple(unique[key] for key in sorted(unique))
