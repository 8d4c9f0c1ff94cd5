# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel settings that decide what may be bound."""

from __future__ import annotations

from contextlib import suppress
from typing import Optional


def read_shared_domains(proc: str = "/proc") -> Optional[bool]:
    """net.ipv4.tcp_l3mdev_accept: listeners outside of VRFs take connections from inside, and share their ports. None =
    unknown; every kernel with VRFs has it."""
    with suppress(OSError, ValueError), open(f"{proc}/sys/net/ipv4/tcp_l3mdev_accept", "rb") as file:
        return int(file.read()) != 0
    return None


def read_ephemeral_ports(proc: str = "/proc") -> range:
    """net.ipv4.ip_local_port_range, which IPv6 uses as well: what the kernel chooses from. Empty where unreadable."""
    try:
        with open(f"{proc}/sys/net/ipv4/ip_local_port_range", "rb") as file:
            first, last = map(int, file.read().split())
    except (OSError, ValueError):
        return range(0)
    return range(first, last + 1)
