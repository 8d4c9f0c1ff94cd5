# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random sockets that are bound, were, or never have been: what is found at their processes, against the kernel's list.

The kernel must list them itself (Linux 6.8); what is looked at is what is done on older ones. And what bind_preflight
answers to wishes beside them, with that list and without it.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import BOUND, Occupant
from ansible_collections.infracheck.bindings.plugins.module_utils._module.preflight import WISH_OPTIONS, preflight
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import every_process
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.bound_sockets import read_bound
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.connections import read_protocol
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_socket import (
    NETLINK_SOCK_DIAG,
    NetlinkSocket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire import diag_connections, sockopts
from ansible_collections.infracheck.bindings.tests.kernel.restart_namespaces import (
    DEVICE,
    LINK_LOCAL6,
    SERVER4,
    Namespaces,
)

ROUNDS = 30
SOCKETS = 30
WISHES = 40
IPPROTO_MPTCP = 262
IP_BIND_ADDRESS_NO_PORT = 24  # include/uapi/linux/in.h
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST
CLOSED_PORT = 1
PATIENCE = 0.1  # seconds, for a connect that leads nowhere

ADDRESSES = ("0.0.0.0", "127.0.0.1", SERVER4, "::", "::1", "::ffff:127.0.0.1", LINK_LOCAL6)
FATES = ("bound", "chosen", "listening", "connected", "refused", "child", "shut", "nothing", "no port", "bound")
HOLDERS = ("own", "own", "passed", "both", "outside")


class World:
    """Sockets of one round; `far` is a process in another network namespace that takes what it is sent."""

    def __init__(self, random: Random, namespaces: Namespaces, far: socket.socket) -> None:
        self.random, self.namespaces, self.far = random, namespaces, far
        self.flags: dict[int, tuple[bool, bool]] = {}
        self.kinds: Counter[str] = Counter()

    def add(self, stack: ExitStack, port: int) -> None:
        fate, holder = self.random.choice(FATES), self.random.choice(HOLDERS)
        with self.namespaces.outside() if holder == "outside" else ExitStack(), suppress(OSError):
            made = self.make(stack, fate, port)
            self.kinds[f"{fate}, {holder}"] += 1
            if holder in ("passed", "both"):
                socket.send_fds(self.far, [b"x"], [made.fileno()])
                assert self.far.recv(1) == b"x", "the other process has it now"
            if holder == "passed":
                made.close()

    def make(self, stack: ExitStack, fate: str, port: int) -> socket.socket:
        random = self.random
        address = random.choice(ADDRESSES)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        # Of MPTCP at a link-local address the pin cannot be seen.
        mptcp = fate in ("bound", "nothing") and address != LINK_LOCAL6 and random.random() < 0.2
        protocol = IPPROTO_MPTCP if mptcp else 0
        made = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, protocol))
        made.settimeout(PATIENCE)
        self.kinds["mptcp"] += bool(protocol)
        flags = (random.random() < 0.5, random.random() < 0.3)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, flags[0])
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, flags[1])
        if address == "::":
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, random.random() < 0.5)
        if random.random() < 0.2:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, random.choice((b"lo", DEVICE.encode())))
        if fate == "nothing":
            return made
        if fate == "no port":
            made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        scope = socket.if_nametoindex(DEVICE) if address == LINK_LOCAL6 else 0
        where = (address, 0 if fate in ("chosen", "no port") else port)
        made.bind((*where, 0, scope) if family == socket.AF_INET6 else where)
        self.flags[os.fstat(made.fileno()).st_ino] = flags
        made = stack.enter_context(self.live(made, fate))
        self.flags[os.fstat(made.fileno()).st_ino] = flags  # of a connection in its place
        return made

    @contextmanager
    def live(self, made: socket.socket, fate: str) -> Iterator[socket.socket]:
        """What becomes of it, or of the connection in its place."""
        local = "::1" if made.family == socket.AF_INET6 and "." not in made.getsockname()[0] else "127.0.0.1"
        if local == "127.0.0.1" and made.family == socket.AF_INET6:
            local = "::ffff:127.0.0.1"
        if fate in ("listening", "child", "shut"):
            made.listen()
        if fate == "shut":
            made.shutdown(socket.SHUT_RDWR)
        if fate == "refused":
            with suppress(OSError):
                made.connect((local, CLOSED_PORT))
        if fate == "connected":
            with socket.create_server((local, 0), family=made.family) as server:
                made.connect(server.getsockname())
                with server.accept()[0]:
                    yield made
        elif fate == "child":
            with socket.socket(made.family) as client:
                client.connect((local, made.getsockname()[1]))
                child = made.accept()[0]
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with made, child:
                yield child
        else:
            yield made


def take_all(given: socket.socket) -> None:
    """The other process: holds what it is sent until the round ends."""
    held: list[int] = []
    while True:
        data, descriptors, _flags, _address = socket.recv_fds(given, 1, 1)
        if not data:
            os._exit(0)
        held += descriptors
        if data == b"-":
            for descriptor in held:
                os.close(descriptor)
            held = []
        given.send(b"x")


def start_far(namespaces: Namespaces) -> socket.socket:
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        with namespaces.outside():
            take_all(theirs)
    theirs.close()
    return ours


def compare(world: World, ports: range) -> list[str]:
    with NetlinkSocket(NETLINK_SOCK_DIAG) as diag:
        rows = read_protocol(diag, "tcp", ports)
    # Of a connection that has ended the kernel still tells the peer.
    listed = {row._replace(peer_packed=bytes(len(row.packed)), peer_port=0) for row in rows if row.state == BOUND}
    found = read_bound(ports)
    told = set(found.occupants)
    certain = {row for row in told if row.inode not in found.doubtful}
    wrong = [*_tell("is missing", listed - told), *_tell("is not bound", certain - listed)]
    for row in told:
        if world.flags.get(row.inode) != found.readings[row.inode]:
            wrong.append(f"{row}: {found.readings[row.inode]} read, {world.flags.get(row.inode)} set")
    world.kinds["listed"] += len(listed)
    world.kinds["doubtful, listed"] += len(listed - certain)
    world.kinds["doubtful, not listed"] += len(told - listed)
    return wrong


@contextmanager
def old_kernel() -> Iterator[None]:
    """As if this were Linux 6.1. All processes that matter can be looked into, whatever else runs on this machine."""
    without = {name: mask & ~(1 << 13) for name, mask in diag_connections._MASKS.items()}
    with (
        mock.patch.object(diag_connections, "_MASKS", without),
        mock.patch.object(sockopts, "parse_release", return_value=(6, 1)),
        mock.patch.object(every_process, "explain_blindness", return_value=""),
        mock.patch.object(every_process, "sees_every_process", return_value=True),
    ):
        yield


def make_wish(random: Random, ports: range) -> dict[str, Any]:
    wish = {name: option.get("default") for name, option in WISH_OPTIONS.items()}
    wish["address"] = random.choice([address for address in ADDRESSES if address != LINK_LOCAL6])
    wish["port"] = random.choice(ports)
    wish["interface"] = random.choice((None, None, None, None, "lo", DEVICE))
    wish["v6only"] = wish["address"] == "::" and random.random() < 0.5
    wish["reuseaddr"] = random.choice((False, False, True, None))
    wish["reuseport"] = random.random() < 0.2
    return wish


def compare_answers(world: World, ports: range) -> list[str]:
    wishes = [make_wish(world.random, ports) for _wish in range(WISHES)]
    params = {"backend": "netlink", "unit": None, "wishes": wishes}
    listed = preflight(params)[0]["results"]
    with old_kernel():
        found, gaps = preflight(params)
    wrong = [f"{gap}" for gap in gaps if gap.source == "bound"]
    for wish, right, answer in zip(wishes, listed, found["results"]):
        world.kinds[f"answer {answer['verdict']}"] += 1
        is_doubt = str(answer["reason"]).startswith("whether a socket whose connection has ended")
        world.kinds["answer doubtful"] += is_doubt
        if not is_doubt and (answer["verdict"], answer["errno"]) != (right["verdict"], right["errno"]):
            wrong.append(f"{wish}: {answer}, and with the kernel's list {right}")
    return wrong


def _tell(what: str, rows: set[Occupant]) -> list[str]:
    return [f"{what}: {row}" for row in rows]


def main() -> None:
    random = Random(int(sys.argv[1]))
    namespaces = Namespaces()
    far = start_far(namespaces)
    world = World(random, namespaces, far)
    wrong: list[str] = []
    for number in range(ROUNDS):
        ports = range(2000 + 100 * number, 2100 + 100 * number)
        with ExitStack() as stack:
            for _socket in range(SOCKETS):
                world.add(stack, random.choice(ports[:40]))
            wrong += compare(world, ports)
            wrong += compare_answers(world, ports[:40])
        far.send(b"-")
        far.recv(1)
    far.close()
    os.wait()
    json.dump({"kinds": world.kinds, "wrong": wrong}, sys.stdout)


if __name__ == "__main__":
    main()
