# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run in a network namespace of its own (unshare --net): makes a world there, reads it through psutil, netlink and
/proc/net, and writes what they said to standard output, pickled. It ends the one child that it starts.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any, NamedTuple

from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import Network
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Backend
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Binding, Ownership, Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import select_backend
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.proc_sockets import read_proc_sockets
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.portable_locality import PortableLocality

BUILD = """
link set lo up
link add veth0 type veth peer name veth1
link add br0 type bridge
link set veth0 up
link set veth1 up
address add 192.0.2.1/24 broadcast + dev veth0
address add 192.0.2.2/24 dev veth0 label veth0:two
address add 198.51.100.1 peer 198.51.100.2 dev veth0
address add 203.0.113.1/24 broadcast + dev br0
address add 192.0.2.50/24 dev veth0
address add 2001:db8::1/64 dev veth0 nodad
address add 2001:db8::50/64 dev veth0 nodad
address add fe80::1/64 dev veth0 nodad
route add local 198.18.0.0/15 dev lo
"""
CHANGE = """
address delete 192.0.2.50/24 dev veth0
address delete 2001:db8::50/64 dev veth0
"""
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
FREEBIND = (socket.IPPROTO_IP, 15, 1)
ONLY_V6, DUAL = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1), (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
REUSE = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
DEVICE = (socket.SOL_SOCKET, 25, b"veth0")
# port: type, address, options, scope. The ports name the sockets in the test.
SOCKETS: dict[int, tuple[int, str, tuple[Any, ...], str]] = {
    1000: (STREAM, "0.0.0.0", (), ""),
    1001: (STREAM, "::", (DUAL,), ""),
    1002: (STREAM, "127.0.0.1", (), ""),
    1003: (STREAM, "127.9.9.9", (), ""),
    1004: (STREAM, "::1", (ONLY_V6,), ""),
    1005: (STREAM, "192.0.2.1", (), ""),
    1006: (STREAM, "192.0.2.2", (), ""),
    1007: (STREAM, "198.51.100.1", (), ""),
    1008: (STREAM, "198.51.100.2", (FREEBIND,), ""),  # the peer's address, which glibc gives as our broadcast
    1009: (STREAM, "198.18.7.7", (), ""),  # AnyIP
    1010: (STREAM, "192.0.2.50", (), ""),  # goes
    1011: (STREAM, "192.0.2.99", (FREEBIND,), ""),  # never was
    1012: (STREAM, "2001:db8::1", (ONLY_V6,), ""),
    1013: (STREAM, "2001:db8::50", (ONLY_V6,), ""),  # goes
    1014: (STREAM, "fe80::1", (ONLY_V6,), "veth0"),
    1015: (STREAM, "::ffff:192.0.2.1", (DUAL,), ""),
    1016: (STREAM, "::ffff:192.0.2.50", (DUAL,), ""),  # goes
    1017: (STREAM, "192.0.2.255", (), ""),
    1018: (STREAM, "192.0.2.1", (DEVICE,), ""),
    2000: (DATAGRAM, "0.0.0.0", (), ""),
    2001: (DATAGRAM, "::", (ONLY_V6,), ""),
    2002: (DATAGRAM, "224.0.0.251", (), ""),
    2003: (DATAGRAM, "255.255.255.255", (), ""),
    2004: (DATAGRAM, "192.0.2.255", (), ""),
    2005: (DATAGRAM, "203.0.113.255", (FREEBIND,), ""),  # broadcast of a link that is down
    2006: (DATAGRAM, "192.0.2.50", (), ""),  # goes
    2007: (DATAGRAM, "ff02::fb", (ONLY_V6,), "veth0"),
    2008: (DATAGRAM, "fe80::1", (ONLY_V6,), "veth0"),
}
SHARED, REUSED = 3000, 3001  # one socket in two processes; two sockets of one address


class Said(NamedTuple):
    sockets: tuple[Socket, ...]
    bindings: list[Binding]
    owners: list[Ownership]
    network: Network


class Report(NamedTuple):
    netlink: Said
    psutil: Said
    psutil_one_holder: list[Ownership]
    proc: list[Socket]
    pids: tuple[int, int]


def open_socket(port: int, kind: int, address: str, options: tuple[Any, ...], scope: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, kind)
    for level, name, value in options:
        opened.setsockopt(level, name, value)
    index = socket.if_nametoindex(scope) if scope else 0
    opened.bind((address, port, 0, index) if family == socket.AF_INET6 else (address, port))
    if kind == STREAM:
        opened.listen(5)
    return opened


def listen_in_two(port: int) -> socket.socket:
    return open_socket(port, STREAM, "127.0.0.1", (REUSE,), "")


def read_all(backend: Backend) -> Said:
    sockets, _gaps = backend.read_sockets(("tcp", "udp"))
    network, _gaps = backend.read_network()
    if backend.name == "psutil":
        portable = PortableLocality(network, backend.capabilities)
        bindings = [portable.judge(found) for found in sockets]
    else:
        network, _gaps = backend.read_lookups(network, Locality(network).closer.find_open_lookups(sockets))
        if Locality(network).closer.needs_merged(sockets):
            network, _gaps = backend.read_merged(network)
        locality = Locality(network)
        bindings = [locality.judge(found) for found in sockets]
    owners, _gaps = backend.read_owners(sockets, range(len(sockets)))
    return Said(sockets, bindings, owners, network)


def main() -> None:
    subprocess.run(["ip", "-batch", "-"], input=BUILD, text=True, check=True)
    held = [open_socket(port, *what) for port, what in SOCKETS.items()]
    connected = socket.socket(socket.AF_INET, DATAGRAM)
    connected.connect(("192.0.2.1", 9))
    client = socket.create_connection(("127.0.0.1", 1000))
    held += [connected, client, listen_in_two(SHARED), listen_in_two(REUSED)]
    ready, waiting = os.pipe()
    child = os.fork()
    if child == 0:
        for opened in held[:-2]:
            opened.close()
        held[-1].close()
        held.append(listen_in_two(REUSED))
        os.write(waiting, b".")
        signal.pause()
        os._exit(1)
    try:
        os.read(ready, 1)
        subprocess.run(["ip", "-batch", "-"], input=CHANGE, text=True, check=True)
        through_psutil, through_netlink = select_backend("psutil"), select_backend("netlink")
        said = read_all(through_psutil)
        report = Report(
            netlink=read_all(through_netlink),
            psutil=said,
            psutil_one_holder=through_psutil.read_owners(said.sockets, ())[0],
            proc=read_proc_sockets("tcp", "asked for")[0] + read_proc_sockets("udp", "asked for")[0],
            pids=(os.getpid(), child),
        )
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    sys.stdout.buffer.write(pickle.dumps(report))


if __name__ == "__main__":
    main()
