#!/usr/bin/env python3
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tunnel with both ends on this host, tunnel.py ADDRESS:PORT…: what goes into tun1 comes out of tun0, and vice versa.

It listens there like a VPN server, and does nothing with who comes. 10.8.0.1 is at tun0, 10.8.0.2 at tun1, and the
tables 101 and 102 lead from each to the other through the tunnel.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

_TUNSETIFF = 0x400454CA  # include/uapi/linux/if_tun.h, as are the flags
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000


def open_tunnel(name: str, own: str, peer: str, table: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    for words in (
        f"address add {own}/32 dev {name}",
        f"link set {name} up",
        f"route add {peer} dev {name} src {own} table {table}",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    return device


def main() -> None:
    listeners = []
    for argument in sys.argv[1:]:
        address, _colon, port = argument.rpartition(":")
        listeners.append(socket.create_server((address, int(port))))
    server = open_tunnel("tun0", "10.8.0.1", "10.8.0.2", "102")
    client = open_tunnel("tun1", "10.8.0.2", "10.8.0.1", "101")
    while True:
        for source in select.select([server, client, *listeners], [], [])[0]:
            if isinstance(source, int):
                os.write(client if source == server else server, os.read(source, 65536))
            else:
                source.accept()[0].close()


if __name__ == "__main__":
    main()
