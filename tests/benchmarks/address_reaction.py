# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long after the kernel changed an address wait_for_address has decided, inside the process.

The clock starts before the system call that makes the change, so the kernel's own work counts too. Another process
makes the changes, in a network namespace that both are in and that ends with them. Needs root.
"""

from __future__ import annotations

import json
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "collections"))

from ansible_collections.infracheck.bindings.plugins.module_utils._model.changes import (  # noqa: E402
    ABSENT,
    PRESENT,
    Wish,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.prefixes import Prefix  # noqa: E402
from ansible_collections.infracheck.bindings.plugins.module_utils._module.address_wait import (  # noqa: E402
    watch_until,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.address_events import (  # noqa: E402
    AddressEvents,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.address_watch import (  # noqa: E402
    AddressWatch,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.netlink import (  # noqa: E402
    pack_attribute,
    pack_message,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.rtnetlink import (  # noqa: E402
    IFA_LOCAL,
    RTM_DELADDR,
    RTM_NEWADDR,
)

ROUNDS = 100
WANTED = 0.020  # seconds, median
ADDRESS = bytes([192, 0, 2, 5])
NLM_F_CREATE = 0x400
LOOPBACK = 1  # `lo` is the first interface of every namespace


def measure() -> dict[str, Any]:
    """Milliseconds for `present` and `absent`: median, 99th percentile, worst; alone and among 5,000 addresses."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, __file__, "--measure"], stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> int:
    result = measure()
    print(f"{'wait_for_address: from change to decision, ms':50} {'median':>8} {'p99':>8} {'worst':>8}")
    for name, row in result["cases"].items():
        print(f"{name:50} {row['median_ms']:8.3f} {row['p99_ms']:8.3f} {row['worst_ms']:8.3f}")
    print(f"wanted: median below {WANTED * 1000:.0f} ms: {'yes' if result['reached'] else 'NO'}")
    return 0 if result["reached"] else 1


def measure_here() -> dict[str, Any]:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    cases = {}
    for others in (0, 5000):
        lines = "".join(f"address add 10.{n // 62500}.{n // 250 % 250}.{n % 250}/32 dev lo\n" for n in range(others))
        subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)
        samples: dict[str, list[float]] = {PRESENT: [], ABSENT: []}
        for _round in range(ROUNDS):
            samples[PRESENT].append(time_one(PRESENT, RTM_NEWADDR))
            samples[ABSENT].append(time_one(ABSENT, RTM_DELADDR))
        for state, seconds in samples.items():
            cases[f"{state}, {others} other addresses"] = summarize(seconds)
    return {
        "rounds": ROUNDS,
        "cases": cases,
        "reached": all(row["median_ms"] < WANTED * 1000 for row in cases.values()),
    }


def summarize(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    percentile = ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)]
    return {
        "median_ms": statistics.median(ordered) * 1000,
        "p99_ms": percentile * 1000,
        "worst_ms": ordered[-1] * 1000,
    }


def time_one(state: str, message: int) -> float:
    """Seconds from the change that `message` makes to the end of a wait for `state`."""
    watch = AddressWatch(Wish(Prefix(ADDRESS, 32), None, state, 0.0))
    with AddressEvents() as source:
        go, times = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            os.read(go[0], 1)
            os.write(times[1], struct.pack("=d", change(message)))
            os._exit(0)
        source_wait, waiting = source.wait, [False]

        def wait(seconds: float) -> Any:
            if seconds > 0 and not waiting[0]:  # from here on it blocks: the present state has been read
                waiting[0] = True
                os.write(go[1], b".")
            return source_wait(seconds)

        source.wait = wait  # type: ignore[method-assign]
        ending = watch_until(watch, source, 10)
        select.select([times[0]], [], [], 10)
        (started,) = struct.unpack("=d", os.read(times[0], 8))
        os.waitpid(child, 0)
        for descriptor in (*go, *times):
            os.close(descriptor)
    if not ending.met:
        raise RuntimeError(f"the wait for {state} was in vain")
    return float(ending.ended - started)


def change(message: int) -> float:
    """Adds or removes the address; the time just before."""
    time.sleep(0.005)  # until the other side is asleep
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as channel:
        request = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, LOOPBACK) + pack_attribute(IFA_LOCAL, ADDRESS)
        packed = pack_message(message, NLM_F_CREATE if message == RTM_NEWADDR else 0, 1, request)
        started = time.monotonic()
        channel.send(packed)
    return started


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measure_here()))
    else:
        sys.exit(main())
