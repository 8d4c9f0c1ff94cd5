# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the sockets that it is told on standard input, says what it got, and holds them until standard input ends.

A program of its own: it runs in the network namespace, cgroup and user that a test wants. One JSON line in: {"sockets":
[{"kind", "protocol", "address", "port", "options": […], "device", "scope"}], "name": text or null, "fork": bool}. One
JSON line out: {"pids": […], "sockets": [{"kind", "fd", "address", "port"}]}, as getsockname(2) says it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

IPV6_TRANSPARENT = 75  # include/uapi/linux/in6.h
IP_TRANSPARENT = 19  # include/uapi/linux/in.h
IP_FREEBIND = 15
IPV6_FREEBIND = 78

BY_FAMILY = {
    "freebind": {False: (socket.IPPROTO_IP, IP_FREEBIND), True: (socket.IPPROTO_IPV6, IPV6_FREEBIND)},
    "transparent": {False: (socket.IPPROTO_IP, IP_TRANSPARENT), True: (socket.IPPROTO_IPV6, IPV6_TRANSPARENT)},
}
PLAIN = {"reuseport": socket.SO_REUSEPORT}


def open_socket(wish: dict[str, Any]) -> socket.socket:
    is_ipv6 = ":" in wish["address"]
    opened = socket.socket(
        socket.AF_INET6 if is_ipv6 else socket.AF_INET,
        socket.SOCK_STREAM if wish["protocol"] == "tcp" else socket.SOCK_DGRAM,
    )
    if is_ipv6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, "v6only" in wish["options"])
    for option in wish["options"]:
        if option in PLAIN:
            opened.setsockopt(socket.SOL_SOCKET, PLAIN[option], 1)
        elif option in BY_FAMILY:
            opened.setsockopt(*BY_FAMILY[option][is_ipv6], 1)
    if wish["protocol"] == "tcp" and "no reuseaddr" not in wish["options"]:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if wish["device"]:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, wish["device"].encode())
    scope = socket.if_nametoindex(wish["scope"]) if wish["scope"] else 0
    opened.bind((wish["address"], wish["port"], 0, scope) if is_ipv6 else (wish["address"], wish["port"]))
    if wish["protocol"] == "tcp" and "bound" not in wish["options"]:
        opened.listen(wish["port"] % 100 + 1)  # a backlog of its own for each
    if "connected" in wish["options"]:
        opened.connect((wish["address"], 9))
    return opened


def wait_for_end() -> None:
    while os.read(0, 4096):
        pass


def accept_one(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection, of which this process holds the server's as well as the client's."""
    client = socket.create_connection(listener.getsockname()[:2])
    return client, listener.accept()[0]


def main() -> None:
    order = json.loads(sys.stdin.readline())
    held = [(wish["kind"], open_socket(wish)) for wish in order["sockets"]]
    connections = [
        accept_one(opened) for wish, (_kind, opened) in zip(order["sockets"], held) if "accepted" in wish["options"]
    ]
    if order["name"] is not None:
        # The bytes that the surrogates stand for (PEP 383); the kernel takes any but NUL, 15 of them.
        Path("/proc/self/comm").write_bytes(os.fsencode(order["name"]))
    pids = [os.getpid()]
    if order["fork"]:
        child = os.fork()
        if child == 0:
            wait_for_end()  # of the parent's standard input, which it has too
            os._exit(0)
        pids.append(child)
    truth = [
        {"kind": kind, "fd": opened.fileno(), "address": opened.getsockname()[0], "port": opened.getsockname()[1]}
        for kind, opened in held
    ]
    print(json.dumps({"pids": pids, "sockets": truth}), flush=True)
    wait_for_end()
    for ends in connections:
        for end in ends:
            end.close()
    if order["fork"]:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
