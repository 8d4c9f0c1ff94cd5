# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Predicts what closing a listener and binding again would bring, then does it, many times over.

restart_run.py --cases 50000 --seed 7 (as root) plays on all CPUs; --port shows the story of one history.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Optional

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    FOUND,
    Listener,
    Owner,
    Ownership,
    Socket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import FIN_WAIT_1, Occupant
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import (
    OK,
    UNKNOWN,
    BindWish,
    Outlook,
    Rights,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.connections import read_protocol
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_backend import read_network
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_socket import (
    NETLINK_SOCK_DIAG,
    NetlinkSocket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.socket_options import read_options
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.bind_outlook import foresee_bind
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_outlook import PortUse, foresee_restart
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.reuse import infer_flags
from ansible_collections.infracheck.bindings.tests.kernel.restart_history import (
    History,
    Setup,
    draw_setup,
    make_socket,
)
from ansible_collections.infracheck.bindings.tests.kernel.restart_namespaces import (
    DEVICE,
    FIRST_PORT,
    LAST_PORT,
    LINK_LOCAL6,
    Namespaces,
)

CLAIMS = 3  # preflights per history, beside the restart


class Case(NamedTuple):
    what: str  # restart | preflight
    protocol: str
    outlook: Outlook
    said: Optional[str]  # errno that the kernel gave, None = success

    @property
    def is_wrong(self) -> bool:
        """Verdict and errno must both be right."""
        verdict, errno_name = self.outlook.verdict, self.outlook.errno
        return verdict != UNKNOWN and ((verdict == OK) != (self.said is None) or errno_name != self.said)


class Judge:
    """One pair of namespaces, in which histories are played one port after the other."""

    def __init__(self, seed: int) -> None:
        self._namespaces = Namespaces()
        self._diag = NetlinkSocket(NETLINK_SOCK_DIAG)
        self._locality = Locality(read_network()[0])
        self._seed = seed

    def play(self, port: int) -> tuple[list[Case], list[str]]:
        """The cases of one history, and its story."""
        random = Random(self._seed << 16 | port)
        is_tcp = random.random() < 0.75
        with History(random, self._namespaces, port) as history:
            if is_tcp:
                history.play_tcp()
            else:
                history.play_udp()
            return self._try_binds(random, history, "tcp" if is_tcp else "udp"), history.story

    def _try_binds(self, random: Random, history: History, protocol: str) -> list[Case]:
        if not history.listeners:
            return []
        closing, setup = random.choice(history.listeners)
        inode = os.fstat(closing.fileno()).st_ino
        listeners, use = self._look(history, protocol)
        listener = next(found for found in listeners if found.socket.inode == inode)
        options = listener.options
        restart = setup._replace(reuseaddr=bool(options.reuseaddr), reuseport=bool(options.reuseport), late=False)
        attempts = [("restart", restart, foresee_restart(listener, use, self._locality))]
        for _round in range(CLAIMS):
            wished = draw_setup(random, setup.kind, setup)._replace(late=False)
            if history.dropped_reuseport:  # whether the kernel remembers it cannot be seen (the guide says so)
                wished = wished._replace(reuseport=False)
            attempts.append(("preflight", wished, self._foresee_bind(wished, history.port, use, inode)))
        random.shuffle(attempts)
        closing.close()
        history.story += [f"closes: {setup}", *(f"  there was {row}" for row in use.held[protocol, history.port])]
        cases = []
        for what, wished, outlook in attempts:
            said = self._bind(wished, history.port)
            history.story.append(f"{what} {wished}: {outlook}, kernel says {said or 'ok'}")
            cases.append(Case(what, protocol, outlook, said))
            if said is None:
                break  # that one changed what the kernel remembers of the port
        return cases

    def _look(self, history: History, protocol: str) -> tuple[list[Listener], PortUse]:
        """What the modules read, by the same functions; only the holders of the sockets are known here."""
        occupants = self._wait_for_rest(history, protocol)
        held = [*(listener for listener, _setup in history.listeners), *history.others]
        descriptors = {os.fstat(one.fileno()).st_ino: one.fileno() for one in held}
        rows = [occupant for occupant in occupants if occupant.inode in descriptors]
        sockets = [
            Socket(row.protocol, row.family, row.packed, row.port, row.ifindex, row.v6only, None, None, row.uid,
                   row.inode, None, False, False)
            for row in rows
        ]  # fmt: skip
        owners = [Ownership((Owner(os.getpid(), "", None, None, descriptors[row.inode]),), FOUND, None) for row in rows]
        options, gaps = read_options(sockets, owners)
        assert not gaps, gaps
        listeners = [
            Listener(row, self._locality.judge(row), owner, read) for row, owner, read in zip(sockets, owners, options)
        ]
        readings = {row.inode: (read.reuseaddr, read.reuseport) for row, read in zip(sockets, options)}
        return listeners, PortUse({(protocol, history.port): infer_flags(occupants, readings)}, {}, False)

    def _wait_for_rest(self, history: History, protocol: str) -> list[Occupant]:
        """Once nothing moves any more: a client may take 40 ms to acknowledge that the server has closed."""
        deadline = time.monotonic() + 2
        while True:
            occupants = read_protocol(self._diag, protocol, [history.port])
            moving = sum(1 for occupant in occupants if occupant.state == FIN_WAIT_1 and not occupant.inode)
            if moving <= history.stuck or time.monotonic() > deadline:
                return occupants
            time.sleep(0.005)

    def _foresee_bind(self, wished: Setup, port: int, use: PortUse, inode: int) -> Outlook:
        wish = BindWish(
            protocol="tcp" if wished.kind == socket.SOCK_STREAM else "udp",
            family="ipv6" if wished.family == socket.AF_INET6 else "ipv4",
            packed=socket.inet_pton(wished.family, wished.address),
            port=port,
            interface=DEVICE if wished.address == LINK_LOCAL6 else wished.device or None,
            v6only=wished.family == socket.AF_INET6 and wished.v6only and not wished.address.startswith("::ffff:"),
            reuseaddr=wished.reuseaddr,
            reuseport=wished.reuseport,
            freebind=False,
        )
        return foresee_bind(wish, Rights("root", wished.uid, True, 1024), use, self._locality, {inode})

    def _bind(self, setup: Setup, port: int) -> Optional[str]:
        made = None
        try:
            made = make_socket(setup, port, self._namespaces)
            if setup.kind == socket.SOCK_STREAM:
                made.listen(16)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        finally:
            if made is not None:
                made.close()
        return None


def play_cases(cases: int, seed: int) -> dict[str, Any]:
    """At least that many, in namespaces of their own, which the calling process stays in."""
    judge = Judge(seed)
    counts: Counter[str] = Counter()
    wrong: list[list[str]] = []
    port = FIRST_PORT
    while counts["cases"] < cases and len(wrong) < 5:
        if port > LAST_PORT:
            seed += 1_000_000
            judge, port = Judge(seed), FIRST_PORT
        found, story = judge.play(port)
        for case in found:
            counts["cases"] += 1
            counts[f"{case.what} {case.protocol} {case.outlook.verdict}"] += 1
            if case.outlook.verdict == UNKNOWN:
                counts["unknown"] += 1
                counts[f"unknown: {case.outlook.reason}"] += 1
            if case.is_wrong:
                wrong.append([f"seed {seed} port {port}", *story])
                break
        port += 1
    return {"counts": counts, "wrong": wrong}


def start(cases: int, seed: int) -> subprocess.Popen[str]:
    """A process of its own, which prints what play_cases returns as JSON."""
    command = [sys.executable, __file__, "--worker", "--cases", str(cases), "--seed", str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(cases: int, seed: int, workers: int) -> tuple[Counter[str], list[list[str]]]:
    """On several CPUs. Raises RuntimeError where a worker fails."""
    started = [start(-(-cases // workers), seed * 1000 + number) for number in range(workers)]
    counts: Counter[str] = Counter()
    wrong: list[list[str]] = []
    try:
        for worker in started:
            output, errors = worker.communicate()
            if worker.returncode != 0:
                raise RuntimeError(f"a worker failed: {errors}")
            result = json.loads(output)
            counts.update(result["counts"])
            wrong += result["wrong"]
    finally:
        for worker in started:
            worker.kill()
            worker.wait()
    return counts, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, help="one history only, of the seed and port that a report names")
    parser.add_argument("--worker", action="store_true", help="play in this process and print JSON")
    parser.add_argument("--json", action="store_true", help="print the result of a run as JSON")
    arguments = parser.parse_args()
    if arguments.port:
        cases, story = Judge(arguments.seed).play(arguments.port)
        print(*story, *cases, sep="\n")
        return 0
    if arguments.worker:
        json.dump(play_cases(arguments.cases, arguments.seed), sys.stdout)
        return 0
    if arguments.json:
        counts, wrong = run(arguments.cases, arguments.seed, os.cpu_count() or 1)
        json.dump({"counts": counts, "wrong": wrong}, sys.stdout)
        return 0
    begin = time.monotonic()
    counts, wrong = run(arguments.cases, arguments.seed, os.cpu_count() or 1)
    for story in wrong:
        print(*story, sep="\n", end="\n\n")
    for name, count in sorted(counts.items()):
        print(f"{count:9} {name}")
    print(f"{len(wrong)} wrong, {time.monotonic() - begin:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
