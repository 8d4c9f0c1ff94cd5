# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One restart each, with the real readers: a listener, what is left of a connection, what is foretold, what happens."""

from __future__ import annotations

import errno
import os
import socket
from typing import Optional

from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    FOUND,
    IPV4,
    IPV6,
    Listener,
    Owner,
    Ownership,
    Socket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import Outlook
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.connections import read_occupants
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_backend import (
    read_network,
    read_sockets,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.socket_options import read_options
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.restart_outlook import PortUse, foresee_restart
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.reuse import infer_flags


def foresee(listener: socket.socket) -> tuple[Listener, Outlook]:
    """Of a listener of this very process."""
    inode, port = os.fstat(listener.fileno()).st_ino, listener.getsockname()[1]
    row: Socket = next(row for row in read_sockets(["tcp"])[0] if row.inode == inode)
    ownership = Ownership((Owner(os.getpid(), "", None, None, listener.fileno()),), FOUND, None)
    options, _gaps = read_options([row], [ownership])
    occupants, _gaps = read_occupants({"tcp": [port]})
    locality = Locality(read_network()[0])
    readings = {inode: (options[0].reuseaddr, options[0].reuseport)}
    use = PortUse({("tcp", port): infer_flags(occupants["tcp"], readings)}, {}, False)
    found = Listener(row, locality.judge(row), ownership, options[0])
    return found, foresee_restart(found, use, locality)


def listen(family: str, port: int = 0, reuseaddr: bool = False) -> socket.socket:
    listener = socket.socket({IPV4: socket.AF_INET, IPV6: socket.AF_INET6}[family])
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuseaddr)
    try:
        listener.bind(({IPV4: "127.0.0.1", IPV6: "::1"}[family], port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def try_to_listen(family: str, port: int, reuseaddr: bool = False) -> Optional[str]:
    """The kernel's errno by name, or None."""
    try:
        listen(family, port, reuseaddr).close()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None


def connect(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Client and server."""
    client = socket.create_connection(listener.getsockname()[:2], timeout=5)
    return client, listener.accept()[0]


def close_first(listener: socket.socket) -> None:
    """A connection that the server closes first: TIME_WAIT on its port."""
    client, server = connect(listener)
    server.close()
    client.recv(1)
    client.close()
