# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readings themselves, in one process that stays: takes a name per line, answers with what it took, as JSON.

Started in the namespace that is measured. The first call of each reading imports what it needs, so it does not count.
"""

from __future__ import annotations

import gc
import json
import socket
import sys
import time
from collections.abc import Iterator
from typing import Callable

from ansible_collections.infracheck.bindings.plugins.module_utils._module import quick_start
from ansible_collections.infracheck.bindings.plugins.module_utils._module.check import check_bindings
from ansible_collections.infracheck.bindings.plugins.module_utils._module.listing import list_listeners
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.connections import read_occupants
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_backend import read_listeners
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_socket import (
    NETLINK_SOCK_DIAG,
    NetlinkSocket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.diag_connections import pack_occupant_request
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.inet_diag import (
    SOCK_DIAG_BY_FAMILY,
    pack_listener_request,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.netlink import NLM_F_DUMP, pack_message
from ansible_collections.infracheck.bindings.tests.unit.defaults import read_defaults

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_PROTOCOLS = ("tcp", "udp")
_NLMSG_DONE = b"\3\0"


DEFAULTS = read_defaults()


def read_all() -> int:
    """Everything that bind_check does: listeners, addresses, owners, units, options, verdicts."""
    result, _gaps = check_bindings(DEFAULTS)
    return int(result["summary"]["listeners"])


def read_listed() -> int:
    """Everything that listener_info returns, as it is returned."""
    result, _gaps = list_listeners(DEFAULTS)
    return len(result["listeners"])


def read_sockets() -> int:
    """The sockets alone, parsed."""
    with NetlinkSocket(NETLINK_SOCK_DIAG) as diag_socket:
        return sum(len(read_listeners(diag_socket, protocol)) for protocol in _PROTOCOLS)


def read_floor() -> int:
    """The kernel's answer to the requests of read_sockets, received and thrown away: no reader can be faster."""
    return receive(pack_listener_request(family, protocol) for protocol in _PROTOCOLS for family in _FAMILIES)


def read_on_ports() -> int:
    """Everything on the ports of all TCP listeners, as restart-blocked wants it of those without SO_REUSEADDR."""
    found, _gaps = read_occupants({"tcp": find_ports()})
    return len(found["tcp"])


def read_walk() -> int:
    """The kernel's filtered walk over all connections for the same ports, its answer received and thrown away."""
    ports = find_ports()
    return receive(pack_occupant_request(family, "tcp", ports) for family in _FAMILIES)


def find_ports() -> frozenset[int]:
    if not _ports:
        with NetlinkSocket(NETLINK_SOCK_DIAG) as diag_socket:
            _ports.update(row.port for row in read_listeners(diag_socket, "tcp"))
    return frozenset(_ports)


_ports: set[int] = set()


def receive(requests: Iterator[bytes]) -> int:
    received = 0
    buffer = bytearray(1 << 17)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as channel:
        for request in requests:
            channel.send(pack_message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 1, request))
            size = 0
            # The last message of a dump is 20 bytes, of type NLMSG_DONE: its type stands 16 bytes before the end.
            while not size or buffer[size - 16 : size - 14] != _NLMSG_DONE:
                size = channel.recv_into(buffer)
                received += size
    return received


def read_psutil() -> int:
    import psutil

    return sum(1 for row in psutil.net_connections("inet") if row.status == "LISTEN" or (row.laddr and not row.raddr))


READINGS: dict[str, Callable[[], int]] = {
    "all": read_all,
    "listed": read_listed,
    "sockets": read_sockets,
    "floor": read_floor,
    "on_ports": read_on_ports,
    "walk": read_walk,
    "psutil": read_psutil,
}


def main() -> None:
    gc.set_threshold(quick_start.NEW_OBJECTS)  # as in every run of a module
    for line in sys.stdin:
        reading = READINGS[line.strip()]
        start, worked = time.perf_counter(), time.process_time()
        count = reading()
        cost = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - worked}
        print(json.dumps({**cost, "count": count}), flush=True)


if __name__ == "__main__":
    main()
