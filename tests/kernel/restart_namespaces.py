# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two network namespaces joined by a veth pair: one with the ports, one for clients from outside."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000

LOOPBACKS = ("127.0.0.1", "127.0.0.2")
SERVER4, SECOND4, CLIENT4 = "10.9.0.1", "10.9.0.3", "10.9.0.2"
SERVER6, CLIENT6 = "fd00:9::1", "fd00:9::2"
LINK_LOCAL6 = "fe80::9:1"
DEVICE, PEER = "v0", "v1"
UPSTREAM_PORT = 999  # where outgoing connections lead, in the client's namespace

# Ports below are free for histories: nothing takes one of them by itself.
FIRST_PORT, LAST_PORT = 1024, 60999
EPHEMERAL = "61000 65535"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


class Namespaces:
    """Moves the calling process for good: into the server's namespace. Both vanish with it."""

    def __init__(self) -> None:
        _call("unshare", CLONE_NEWNET)
        self._client = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _prepare(("ip", "link", "set", "lo", "up"))
        _call("unshare", CLONE_NEWNET)
        self._server = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        peer = f"/proc/{os.getpid()}/fd/{self._client}"
        _prepare(("ip", "link", "set", "lo", "up"))
        _prepare(("ip", "link", "add", DEVICE, "type", "veth", "peer", "name", PEER, "netns", peer))
        _bring_up(DEVICE, (f"{SERVER4}/24", f"{SECOND4}/24", f"{SERVER6}/64", f"{LINK_LOCAL6}/64"))
        with self.outside():
            _bring_up(PEER, (f"{CLIENT4}/24", f"{CLIENT6}/64", "fe80::9:2/64"))
            self.peer_index = socket.if_nametoindex(PEER)
            self.upstream = socket.create_server(("::", UPSTREAM_PORT), family=socket.AF_INET6, dualstack_ipv6=True)
        self.device_index = socket.if_nametoindex(DEVICE)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """What is opened in here is in the client's namespace."""
        _call("setns", self._client, CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", self._server, CLONE_NEWNET)


def _bring_up(link: str, addresses: tuple[str, ...]) -> None:
    _prepare(("ip", "link", "set", link, "addrgenmode", "none"))
    _prepare(("ip", "link", "set", link, "up"))
    for address in addresses:
        _prepare(("ip", "address", "add", address, "dev", link, *(("nodad",) if ":" in address else ())))


def _prepare(command: tuple[str, ...]) -> None:
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write(EPHEMERAL)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
