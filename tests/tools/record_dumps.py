# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records what the kernel answers to our netlink requests, as fixtures of the unit tests.

One command, as root: .venv/bin/python tests/tools/record_dumps.py

Makes a network namespace of its own (it ends with this process), configures it, asks, and writes one text file per dump
below tests/unit/fixtures/netlink: what `ip` or `ss` says of it as comments, then the payload of each message in hex.
What differs from run to run (inodes, cookies, time stamps) is replaced or left out, so that a diff shows what a kernel
changed.
"""

from __future__ import annotations

import os
import platform
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_socket import (  # noqa: E402
    NETLINK_ROUTE,
    NETLINK_SOCK_DIAG,
    NetlinkSocket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire import inet_diag, rtnetlink  # noqa: E402

FIXTURES = ROOT / "tests/unit/fixtures/netlink"

SYSCTLS = ("net/ipv6/conf/default/router_solicitations=0", "net/ipv6/conf/default/addr_gen_mode=1")
NETWORK = """
link set lo up
link add veth0 address 02:00:00:00:00:01 mtu 1400 type veth peer name veth1 address 02:00:00:00:00:02
link add br0 address 02:00:00:00:00:03 type bridge
link set veth1 master br0
link set veth0 up
link set veth1 up
link set br0 up
address add 192.0.2.1/24 broadcast + dev veth0
address add 192.0.2.2/24 dev veth0 label veth0:two
address add 198.51.100.1 peer 198.51.100.2 dev veth0
address add 192.0.2.129/25 dev br0 valid_lft 36000 preferred_lft 18000
address add 2001:db8::1/64 dev veth0 nodad
address add 2001:db8::2/64 dev veth0 nodad preferred_lft 0
address add 2001:db8::3 peer 2001:db8::4 dev br0 nodad
address add 2001:db8::5/64 dev br0
address add fe80::1/64 dev veth0 nodad
route add local 203.0.113.0/24 dev lo
route add local 198.18.0.0/15 tos 0x10 dev lo metric 7
route add local 2001:db8:5::/64 dev lo
rule add priority 50 from 192.0.2.1 table 100
rule add priority 60 table 1000
"""
IFLA_STATS, IFLA_STATS64, IFLA_AF_SPEC, IFLA_INFO_SLAVE_DATA = 7, 23, 26, 5
IP_FREEBIND, IP_TRANSPARENT, SO_BINDTODEVICE = 15, 19, 25


class Listener(NamedTuple):
    type: socket.SocketKind
    address: str
    port: int
    options: tuple[tuple[int, int, int | bytes], ...] = ()
    scope: str = ""


LISTENERS = (
    Listener(socket.SOCK_STREAM, "192.0.2.1", 80),
    Listener(socket.SOCK_STREAM, "192.0.2.99", 81, ((socket.IPPROTO_IP, IP_FREEBIND, 1),)),
    Listener(socket.SOCK_STREAM, "192.0.2.98", 82, ((socket.IPPROTO_IP, IP_TRANSPARENT, 1),)),
    Listener(socket.SOCK_STREAM, "::", 83, ((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0),)),
    Listener(socket.SOCK_STREAM, "::1", 84, ((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1),)),
    Listener(socket.SOCK_STREAM, "::ffff:192.0.2.1", 85, ((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0),)),
    Listener(socket.SOCK_DGRAM, "0.0.0.0", 53, ((socket.SOL_SOCKET, SO_BINDTODEVICE, b"veth0"),)),
    Listener(socket.SOCK_DGRAM, "224.0.0.251", 5353),
    Listener(socket.SOCK_DGRAM, "fe80::1", 547, ((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1),), "veth0"),
)

AF_INET, AF_INET6 = rtnetlink.AF_INET, rtnetlink.AF_INET6
LOCAL = rtnetlink.pack_table_request
DIAG = inet_diag.pack_listener_request
# file, protocol of netlink, request, its payload, what tells a person the same
DUMPS: tuple[tuple[str, int, int, bytes, str], ...] = (
    ("links", NETLINK_ROUTE, rtnetlink.RTM_GETLINK, rtnetlink.pack_link_request(), "ip link"),
    ("addresses", NETLINK_ROUTE, rtnetlink.RTM_GETADDR, rtnetlink.pack_address_request(), "ip address"),
    ("local_ipv4", NETLINK_ROUTE, rtnetlink.RTM_GETROUTE, LOCAL(AF_INET, 255), "ip -4 -N route show table local"),
    ("local_ipv6", NETLINK_ROUTE, rtnetlink.RTM_GETROUTE, LOCAL(AF_INET6, 255), "ip -6 -N route show table local"),
    ("rules_ipv4", NETLINK_ROUTE, rtnetlink.RTM_GETRULE, rtnetlink.pack_rule_request(AF_INET), "ip -4 rule"),
    ("rules_ipv6", NETLINK_ROUTE, rtnetlink.RTM_GETRULE, rtnetlink.pack_rule_request(AF_INET6), "ip -6 rule"),
    ("tcp_ipv4", NETLINK_SOCK_DIAG, inet_diag.SOCK_DIAG_BY_FAMILY, DIAG(AF_INET, "tcp"), "ss -H -4ltn"),
    ("tcp_ipv6", NETLINK_SOCK_DIAG, inet_diag.SOCK_DIAG_BY_FAMILY, DIAG(AF_INET6, "tcp"), "ss -H -6ltn"),
    ("udp_ipv4", NETLINK_SOCK_DIAG, inet_diag.SOCK_DIAG_BY_FAMILY, DIAG(AF_INET, "udp"), "ss -H -4lun"),
    ("udp_ipv6", NETLINK_SOCK_DIAG, inet_diag.SOCK_DIAG_BY_FAMILY, DIAG(AF_INET6, "udp"), "ss -H -6lun"),
)


def make_world() -> list[socket.socket]:
    for setting in SYSCTLS:
        path, value = setting.split("=")
        Path("/proc/sys", path).write_text(value, encoding="ascii")
    subprocess.run(["ip", "-batch", "-"], input=NETWORK, text=True, check=True)
    return [open_listener(listener) for listener in LISTENERS]


def open_listener(listener: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    opened = socket.socket(family, listener.type)
    for level, name, value in listener.options:
        opened.setsockopt(level, name, value)
    place = (listener.address, listener.port)
    scope = socket.if_nametoindex(listener.scope) if listener.scope else 0
    opened.bind((*place, 0, scope) if family == socket.AF_INET6 else place)
    if listener.type == socket.SOCK_STREAM:
        opened.listen(7)
    return opened


def settle_row(payload: bytes, number: int) -> bytes:
    """A socket row (struct inet_diag_msg, 72 bytes): inode 1001 and so on, no cookie, cgroup 1."""
    fixed = payload[:44] + bytes(8) + payload[52:68] + struct.pack("=I", 1000 + number) + payload[72:]
    return change_attribute(fixed, 72, inet_diag.INET_DIAG_CGROUP_ID, lambda _value: struct.pack("=Q", 1))


def settle_address(payload: bytes, _number: int) -> bytes:
    """struct ifa_cacheinfo: the lifetimes, without the times of creation and change."""
    return change_attribute(payload, 8, rtnetlink.IFA_CACHEINFO, lambda value: value[:8] + bytes(8))


def settle_link(payload: bytes, _number: int) -> bytes:
    """Without statistics, the settings of the protocols, and the data of a kind (a bridge's has timers)."""
    short = drop_attributes(payload, 16, {IFLA_STATS, IFLA_STATS64, IFLA_AF_SPEC})
    data = {rtnetlink.IFLA_INFO_DATA, IFLA_INFO_SLAVE_DATA}
    return change_attribute(short, 16, rtnetlink.IFLA_LINKINFO, lambda value: drop_attributes(value, 0, data))


def drop_attributes(payload: bytes, offset: int, unwanted: set[int]) -> bytes:
    kept = [attribute for kind, attribute in split_attributes(payload, offset) if kind & 0x3FFF not in unwanted]
    return payload[:offset] + b"".join(kept)


def change_attribute(payload: bytes, offset: int, wanted: int, change: Callable[[bytes], bytes]) -> bytes:
    parts = [payload[:offset]]
    for kind, attribute in split_attributes(payload, offset):
        value = attribute[4 : struct.unpack_from("=H", attribute)[0]]
        changed = change(value) if kind & 0x3FFF == wanted else value
        parts.append(struct.pack("=HH", 4 + len(changed), kind) + changed + bytes(-len(changed) % 4))
    return b"".join(parts)


def split_attributes(payload: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    while offset < len(payload):
        length, kind = struct.unpack_from("=HH", payload, offset)
        end = offset + ((length + 3) & ~3)
        yield kind, payload[offset:end]
        offset = end


def format_dump(title: str, told: Iterable[str], payloads: Iterable[bytes]) -> str:
    lines = [f"# {title}, as Linux {platform.release().split('-')[0]} ({sys.byteorder}-endian) sends it", "#"]
    lines += [f"# {line}".rstrip() for line in told]
    for payload in payloads:
        lines.append("")
        lines += [payload[start : start + 16].hex(" ", 4) for start in range(0, len(payload), 16)]
    return "\n".join(lines) + "\n"


SETTLE: dict[int, Callable[[bytes, int], bytes]] = {
    rtnetlink.RTM_GETLINK: settle_link,
    rtnetlink.RTM_GETADDR: settle_address,
    inet_diag.SOCK_DIAG_BY_FAMILY: settle_row,
}


def record() -> None:
    listeners = make_world()
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for name, protocol, request, payload, command in DUMPS:
        with NetlinkSocket(protocol) as channel:
            payloads = channel.dump(request, payload)
        told = subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout.splitlines()
        if protocol == NETLINK_SOCK_DIAG:  # rows come in the order of a hash
            payloads, told = sorted(payloads, key=lambda row: row[4:6]), sorted(told, key=str.split)
        if request in SETTLE:
            payloads = [SETTLE[request](payload, number) for number, payload in enumerate(payloads, 1)]
        (FIXTURES / f"{name}.hex").write_text(format_dump(f"`{command}`", told, payloads), encoding="utf-8")
    for listener in listeners:
        listener.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["--inside"]:
        record()
    else:
        os.execvp("unshare", ["unshare", "--net", sys.executable, str(Path(__file__).resolve()), "--inside"])
