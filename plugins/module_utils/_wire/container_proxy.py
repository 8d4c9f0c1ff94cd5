# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of docker-proxy, and whether an address is among those that /proc/PID/net shows."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple, Optional

from . import spelling

# daemon/libnetwork/portmapper/proxy_linux.go of moby (libnetwork/portmapper/proxy.go before): always in this order.
_COMMAND = re.compile(
    r"[^\0]+\0-proto\0(tcp|udp)\0-host-ip\0([0-9a-f.:]+)\0-host-port\0([0-9]{1,5})"
    r"\0-container-ip\0([0-9a-f.:]+)\0-container-port\0[0-9]{1,5}\0(?:-use-listen-fd\0)?\Z"
)


class Published(NamedTuple):
    """One port that the host offers for a container. Addresses packed."""

    protocol: str
    host: bytes
    port: int
    container: bytes


def parse_proxy_command(raw: bytes) -> Optional[Published]:
    """/proc/PID/cmdline, or None where it is not what docker starts."""
    match = _COMMAND.match(raw.decode("latin-1"))
    if match is None:
        return None
    protocol, host, port, container = match.groups()
    try:
        return Published(protocol, ip_address(host).packed, int(port), ip_address(container).packed)
    except ValueError:
        return None


def has_address(raw: bytes, packed: bytes) -> bool:
    """Whether an address is assigned, by /proc/PID/net/fib_trie (IPv4) or /proc/PID/net/if_inet6."""
    if len(packed) != 4:  # net/ipv6/addrconf.c, if6_seq_show
        return any(line.startswith(packed.hex().encode() + b" ") for line in raw.split(b"\n"))
    # net/ipv4/fib_trie.c, fib_trie_seq_show: a leaf, then one line for each of its routes.
    leaf = re.escape(spelling.format_address(packed)).encode()
    return re.search(rb"\|-- " + leaf + rb"\n(?: +/[^\n]*\n)*? +/32 host LOCAL", raw) is not None
