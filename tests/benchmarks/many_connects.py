# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long connect_check takes for 2,000 endpoints, inside the process: refused, connected and silent ones.

Runs in a network namespace that ends with it. Needs root.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "collections"))

from ansible_collections.infracheck.bindings.plugins.module_utils._module.connects import check_connects  # noqa: E402

COUNT = 2000
TIMEOUT = 2.0
OPTIONS = {
    "timeout": TIMEOUT,
    "attempts": 1,
    "delay": 0,
    "settle": 0,
    "concurrency": COUNT,
    "family": "any",
    "fail": False,
}
SILENT = "192.0.2.66"
WANTED = {"refused": 1.0, "connected": 1.0, "timed_out": TIMEOUT + 1.0}  # seconds

SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 5000), backlog=4096)
print(flush=True)
while True:
    listener.accept()[0].close()
"""


def measure() -> dict[str, Any]:
    """Seconds for each class, and how many threads and sockets per endpoint that takes."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, __file__, "--measure"], stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> int:
    result = measure()
    print(f"{f'connect_check: {COUNT} endpoints, s':50} {'took':>8} {'wanted':>8}")
    for name, seconds in result["seconds"].items():
        print(f"{name:50} {seconds:8.3f} {WANTED[name]:8.1f}")
    return 0 if result["reached"] else 1


def measure_here() -> dict[str, Any]:
    for command in (
        "link set lo up",
        "link add va type veth peer name vb",
        "link set va up",
        "link set vb up",
        "address add 192.0.2.1/24 dev va",
        f"neighbour add {SILENT} lladdr 02:00:00:00:00:99 dev va",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        seconds = {
            "refused": time_one("refused", [f"127.0.{number // 250}.{number % 250 + 1}:9" for number in range(COUNT)]),
            "connected": time_one("connected", ["127.0.0.1:5000"] * COUNT),
            "timed_out": time_one("timed_out", [f"{SILENT}:{port}" for port in range(1, COUNT + 1)]),
        }
    finally:
        server.kill()
        server.wait()
    reached = all(seconds[name] < wanted for name, wanted in WANTED.items())
    return {"endpoints": COUNT, "threads": threading.active_count(), "seconds": seconds, "reached": reached}


def time_one(klass: str, endpoints: list[str]) -> float:
    started = time.monotonic()
    result, _gaps = check_connects({**OPTIONS, "endpoints": endpoints})
    seconds = time.monotonic() - started
    if result["summary"]["classes"] != {klass: COUNT}:
        raise RuntimeError(f"{klass} was wanted of all: {result['summary']['classes']}")
    return seconds


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measure_here()))
    else:
        sys.exit(main())
