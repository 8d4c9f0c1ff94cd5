# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tells one socket from another before it is asked anything: inodes, and the name of its protocol."""

from __future__ import annotations

import re
from typing import Optional

_LINK = re.compile(r"socket:\[([0-9]{1,20})\]\Z")
_INODE_COLUMN = 9  # proc_pid_net(5), /proc/net/tcp: sl local rem st queues timer retransmits uid timeout inode
# struct proto.name of what can hold a TCP port: tcp_prot, tcpv6_prot, mptcp_prot, mptcp_v6_prot.
_TCP_NAMES = frozenset((b"TCP", b"TCPv6", b"MPTCP", b"MPTCPv6"))


def parse_socket_link(link: str) -> Optional[int]:
    """The inode in the link of a descriptor, `socket:[1234]`; None for anything else."""
    match = _LINK.match(link)
    return int(match.group(1)) if match else None


def parse_inodes(raw: bytes) -> set[int]:
    """Every inode of /proc/net/tcp or tcp6. Lines that do not look like one are left out: what is not in the answer is
    merely looked at more closely."""
    inodes = set()
    for line in raw.splitlines()[1:]:
        fields = line.split(None, _INODE_COLUMN + 1)
        if len(fields) > _INODE_COLUMN and fields[_INODE_COLUMN].isdigit():
            inodes.add(int(fields[_INODE_COLUMN][:20]))
    return inodes


def may_hold_tcp_port(name: bytes) -> bool:
    """By the extended attribute system.sockprotoname; where the kernel gives no name, it may."""
    plain = name.rstrip(b"\0")
    return not plain or plain in _TCP_NAMES
