#!/usr/bin/env python3
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that knows nothing of SO_REUSEADDR: listens on ADDRESS:PORT…, says hello to each client, and closes first.

A client that sends "stay" keeps its connection.
"""

from __future__ import annotations

import select
import socket
import sys


def main() -> None:
    listeners = []
    for argument in sys.argv[1:]:
        address, port = argument.rsplit(":", 1)
        listener = socket.socket()
        listener.bind((address, int(port)))
        listener.listen()
        listeners.append(listener)
    kept = []
    while True:
        for listener in select.select(listeners, [], [])[0]:
            connection, _peer = listener.accept()
            connection.settimeout(0.3)
            try:
                connection.sendall(b"hello\n")
                wish = connection.recv(4)
            except OSError:  # a client that says nothing, or has gone
                wish = b""
            if wish == b"stay":
                kept.append(connection)
            else:
                connection.close()


if __name__ == "__main__":
    main()
