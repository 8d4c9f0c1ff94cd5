#!/usr/bin/env python3
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connects standard input and output with ADDRESS PORT: a ProxyCommand for ssh into a machine without a network."""

from __future__ import annotations

import os
import select
import socket
import sys


def main() -> None:
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
        while True:
            for source in select.select([0, connection], [], [])[0]:
                data = os.read(0, 65536) if source == 0 else connection.recv(65536)
                if not data:
                    return
                if source == 0:
                    connection.sendall(data)
                else:
                    os.write(1, data)


if __name__ == "__main__":
    main()
