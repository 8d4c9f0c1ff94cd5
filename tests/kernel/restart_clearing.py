# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for the end of TIME_WAIT rows, and prints when it was foretold and when it came, as JSON. Takes a minute."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import IPV4, IPV6
from ansible_collections.infracheck.bindings.tests.kernel.restart_namespaces import Namespaces
from ansible_collections.infracheck.bindings.tests.kernel.restart_single import (
    close_first,
    connect,
    foresee,
    listen,
    try_to_listen,
)

PATIENCE = 90  # seconds
STEP = 0.1
BETWEEN = 0.25


def main() -> None:
    Namespaces()
    listeners = {name: listen(name[:4] if name[:2] == "ip" else IPV4) for name in NAMES}
    clients = []
    for name, listener in listeners.items():
        if name.startswith("orphan"):
            client, server = connect(listener)
            server.close()
            clients.append(client)  # it does not close: the row is FIN_WAIT_2
        else:
            close_first(listener)
        time.sleep(BETWEEN)
    time.sleep(0.1)  # the acknowledgement of a FIN may take 40 ms
    shown: dict[str, dict[str, Any]] = {}
    ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
    foretold: dict[str, float] = {}
    for name, listener in listeners.items():
        foretold[name] = time.monotonic()
        outlook = foresee(listener)[1]
        shown[name] = {"verdict": outlook.verdict, "foretold": outlook.clear_in_seconds, "waited": None}
        listener.close()
    start = time.monotonic()
    while time.monotonic() - start < PATIENCE and any(seen["waited"] is None for seen in shown.values()):
        for name, seen in shown.items():
            if seen["waited"] is None and try_to_listen(IPV6 if "ipv6" in name else IPV4, ports[name]) is None:
                seen["waited"] = time.monotonic() - foretold[name]
        time.sleep(STEP)
    for client in clients:
        client.close()
    json.dump(shown, sys.stdout)


# Several times, as the kernel rounds timers up and what is added depends on the moment.
NAMES = tuple(f"{what} {number}" for number in range(6) for what in ("ipv4", "ipv6", "orphan"))

if __name__ == "__main__":
    socket.setdefaulttimeout(5)
    main()
