# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`systemctl show` of .socket units, as records: which unit listens where. systemctl(1), systemd.socket(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional

from .._model import bindings

PROPERTIES = ("Id", "ActiveState", "Listen", "BindToDevice", "SocketProtocol")

_PROTOCOLS = {"Stream": bindings.TCP, "Datagram": bindings.UDP}  # src/core/socket.c, listen_lookup
_OTHER_PROTOCOLS = ("132", "136")  # SocketProtocol=sctp, udplite; the tables of TCP and UDP do not have them
_LISTEN = re.compile(r"(.*) \(([A-Za-z]+)\)", re.DOTALL)
_IPV4 = re.compile(r"([0-9.]+):([0-9]{1,5})")
_IPV6 = re.compile(r"\[([0-9a-f:.]+)\]:([0-9]{1,5})(?:%(.+))?")  # src/basic/socket-util.c, sockaddr_pretty
_NOT_IP = ("/", "@", "<", "vsock:")


class SystemdShowError(Exception):
    """The output is not what systemctl writes."""


class Listen(NamedTuple):
    protocol: str  # tcp | udp
    packed: bytes  # 4 or 16 bytes, network order
    port: int  # 0: any that was free
    device: Optional[str]  # BindToDevice, or the scope of a link-local address (a number where it has no name any more)


class SocketUnit(NamedTuple):
    name: str
    active: bool  # holds its sockets, or may do so
    listens: tuple[Listen, ...]  # the Internet sockets among what it listens on


def parse_properties(text: str) -> list[dict[str, list[str]]]:
    """Blocks of KEY=VALUE lines, divided by empty lines; a key can come several times. Raises SystemdShowError."""
    blocks: list[dict[str, list[str]]] = [{}]
    for number, line in enumerate(text.split("\n"), 1):
        key, separator, value = line.partition("=")
        if not line:
            blocks.append({})
        elif not separator or not key:
            raise SystemdShowError(f"systemctl show, line {number}: not KEY=VALUE")
        else:
            blocks[-1].setdefault(key, []).append(value)
    return [block for block in blocks if block]


def parse_socket_units(text: str) -> list[SocketUnit]:
    """The output of `systemctl show --property=` PROPERTIES. Raises SystemdShowError."""
    return [_parse_unit(block) for block in parse_properties(text)]


def _parse_unit(block: Mapping[str, list[str]]) -> SocketUnit:
    def read(key: str) -> str:
        return block.get(key, [""])[-1]

    name = read("Id")
    if not name:
        raise SystemdShowError("systemctl show: a unit without a name")
    listens = [] if read("SocketProtocol") in _OTHER_PROTOCOLS else block.get("Listen", [])
    parsed = [_parse_listen(value, read("BindToDevice") or None) for value in listens]
    active = read("ActiveState") not in ("inactive", "failed")
    return SocketUnit(name, active, tuple([listen for listen in parsed if listen is not None]))


def _parse_listen(value: str, device: Optional[str]) -> Optional[Listen]:
    """ADDRESS (Type), or None for what is not an Internet socket."""
    match = _LISTEN.fullmatch(value)
    if match is None:
        raise SystemdShowError("systemctl show: Listen is not ADDRESS (Type)")
    text, kind = match.groups()
    if kind not in _PROTOCOLS or text.startswith(_NOT_IP):
        return None
    from ipaddress import ip_address  # not loaded on a host where PID 1 holds none of the sockets

    address = _IPV4.fullmatch(text) or _IPV6.fullmatch(text)
    try:
        if address is None:
            raise ValueError(text)
        packed = ip_address(address[1]).packed
    except ValueError:
        raise SystemdShowError("systemctl show: Listen has an unknown form of address") from None
    scope = address[3] if address.re is _IPV6 else None
    return Listen(_PROTOCOLS[kind], packed, int(address[2]), device or scope)


def match_socket_units(units: Iterable[SocketUnit], socket: bindings.Socket, indexes: Mapping[str, int]) -> list[str]:
    """The names of the units that listen where this socket does; one, when it is clear whose it is.

    indexes: ifindex of each device that a unit names and that exists. The pin decides only between several units: its
    interface may have been made anew, and the socket then still is that unit's.
    """
    pinned = {
        unit.name: listen.device
        for unit in units
        if unit.active
        for listen in unit.listens
        if (listen.protocol, listen.packed, listen.port) == (socket.protocol, socket.packed, socket.port)
        and (socket.ifindex is None or bool(socket.ifindex) == bool(listen.device))
    }
    if len(pinned) > 1 and socket.ifindex:
        exact = [name for name, device in pinned.items() if _find_index(device, indexes) == socket.ifindex]
        return sorted(exact or pinned)
    return sorted(pinned)


def _find_index(device: Optional[str], indexes: Mapping[str, int]) -> Optional[int]:
    if device is None or device in indexes:
        return indexes.get(device or "")
    return int(device) if device.isdecimal() and len(device) <= 10 else None
