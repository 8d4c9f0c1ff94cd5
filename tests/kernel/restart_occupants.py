# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random sockets on random ports: the dump that the kernel filters, against the whole dump filtered here."""

from __future__ import annotations

import json
import struct
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import Occupant
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.connections import read_protocol
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_socket import (
    NETLINK_SOCK_DIAG,
    NetlinkSocket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.diag_connections import parse_occupants
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.inet_diag import (
    PROTOCOLS,
    SOCK_DIAG_BY_FAMILY,
)
from ansible_collections.infracheck.bindings.tests.kernel.restart_history import History
from ansible_collections.infracheck.bindings.tests.kernel.restart_namespaces import Namespaces

ROUNDS = 40
HISTORIES = 25
ATTEMPTS, PAUSE = 50, 0.1  # seconds
ALL_STATES = {"tcp": 0x2FFE, "udp": 0x2FFE}


def read_everything(diag: NetlinkSocket, protocol: str) -> list[Occupant]:
    """Without a filter."""
    rows: list[Occupant] = []
    for family in (2, 10):
        request = struct.pack("=BBBxI48x", family, PROTOCOLS[protocol], 0, ALL_STATES[protocol])
        rows += parse_occupants(diag.dump(SOCK_DIAG_BY_FAMILY, request), protocol)
    return rows


def pick_ports(random: Random, used: list[int]) -> list[int]:
    some = random.sample(used, random.randint(1, len(used)))
    # Unused ones between them, up to more than the kernel's filter has ranges for.
    return some + [random.randint(0, 65535) for _round in range(random.choice((0, 5, 100, 500)))]


def strip(row: Occupant) -> Occupant:
    """Less what moves between two readings."""
    return row._replace(clears_in=None if row.clears_in is None else 0)


def read_both(diag: NetlinkSocket, protocol: str, ports: list[int]) -> tuple[Counter[Occupant], Counter[Occupant]]:
    """Without and with the filter, at a time when nothing changed: a connection that ends may still be on its way from
    one state to the next.
    """
    whole, found = read_whole(diag, protocol, ports), Counter[Occupant]()
    for _attempt in range(ATTEMPTS):
        before = whole
        found = Counter(map(strip, read_protocol(diag, protocol, ports)))
        whole = read_whole(diag, protocol, ports)
        if whole == before:
            return whole, found
        time.sleep(PAUSE)
    raise RuntimeError(f"the {protocol} sockets never were the same twice")


def read_whole(diag: NetlinkSocket, protocol: str, ports: list[int]) -> Counter[Occupant]:
    return Counter(strip(row) for row in read_everything(diag, protocol) if row.port in ports)


def main() -> None:
    namespaces = Namespaces()
    random = Random(1)
    states: Counter[str] = Counter()
    wrong: list[str] = []
    total = 0
    for number in range(ROUNDS):
        base = 2000 + 1000 * number
        with ExitStack() as stack, NetlinkSocket(NETLINK_SOCK_DIAG) as diag:
            used = sorted(random.sample(range(base, base + 1000), HISTORIES))
            for port in used:
                history = stack.enter_context(History(random, namespaces, port))
                with suppress(OSError):
                    history.play_udp() if random.random() < 0.2 else history.play_tcp()
            for protocol in ("tcp", "udp"):
                ports = pick_ports(random, used)
                whole, found = read_both(diag, protocol, ports)
                if whole != found:
                    wrong.append(f"round {number}, {protocol}: {whole - found} missing, {found - whole} too many")
                states.update(row.state for row in found)
                total += sum(found.values())
    json.dump({"rounds": ROUNDS, "rows": total, "states": states, "wrong": wrong}, sys.stdout)


if __name__ == "__main__":
    main()
