# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listening TCP and bound UDP sockets of the present network namespace, from the kernel."""

from __future__ import annotations

from collections.abc import Iterable

from .._model.listeners import Socket
from .._wire.inet_diag import SOCK_DIAG_BY_FAMILY, pack_listener_request, parse_listeners
from .._wire.rtnetlink import AF_INET, AF_INET6
from .netlink_socket import NetlinkSocket


def read_listeners(diag_socket: NetlinkSocket, protocol: str) -> list[Socket]:
    """Every listener of one protocol (tcp, udp), IPv4 and IPv6. Raises NetlinkError (ENOENT: no such diag module),
    MalformedMessage.
    """
    rows: list[Socket] = []
    for family in (AF_INET, AF_INET6):
        rows += parse_listeners(
            diag_socket.dump(SOCK_DIAG_BY_FAMILY, pack_listener_request(family, protocol)), protocol
        )
    return rows


def sort_sockets(rows: Iterable[Socket]) -> tuple[Socket, ...]:
    """In the order of every result, each once: a hash table that changes during a dump can show a socket twice."""
    unique = {row.sort_key: row for row in rows}
    return tuple(unique[key] for key in sorted(unique))
