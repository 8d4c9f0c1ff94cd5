#!/usr/bin/env python3
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client that is slow to close: client.py ADDRESS PORT SECONDS [stay].

It keeps its end for so many seconds after the server has closed, and then resets what is left of the connection.
With "stay" it asks the server not to close.
"""

from __future__ import annotations

import socket
import struct
import sys
import time


def main() -> None:
    address, port, seconds, *wish = sys.argv[1:]
    with socket.create_connection((address, int(port))) as connection:
        connection.sendall("".join(wish).encode())
        while connection.recv(100):
            pass
        time.sleep(float(seconds))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


if __name__ == "__main__":
    main()
