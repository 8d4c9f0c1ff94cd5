# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links and addresses through psutil (net_if_addrs, net_if_stats: getifaddrs(3) and a few ioctls)."""

from __future__ import annotations

import socket
from typing import Any, Callable, NamedTuple, Optional, TypeVar

from .._model import addresses, backends
from .._wire import spelling

_T = TypeVar("_T")

SOURCE = "psutil"
_FLAGS = {"up": addresses.IFF_UP, "loopback": addresses.IFF_LOOPBACK, "running": addresses.IFF_RUNNING}
# KAME's stack keeps the scope inside the address: fe80:4::1 is fe80::1 on the interface with index 4.
_EMBEDS_SCOPES = ("darwin", "freebsd", "openbsd", "netbsd", "dragonfly")

UNSEEN = (
    backends.Gap(
        SOURCE, "address flags", "psutil does not give them, so that a pending address cannot be told; nor lifetimes"
    ),
    backends.Gap(
        SOURCE,
        "link details",
        "psutil gives no kind, operational state or master, so that a link that is down"
        " cannot be told from one that is idle",
    ),
    backends.Gap(
        SOURCE,
        "local routes",
        "psutil gives no routes, rules, VRFs or ip_nonlocal_bind, so that `reachable` and `rebindable` stay unknown",
    ),
)


class ScopedAddress(NamedTuple):
    packed: bytes
    ifindex: Optional[int]  # of the scope, where the address itself says so


def read_network(library: Any, platform: str) -> backends.Networks:
    """Links with those of the flags UP, RUNNING and LOOPBACK that psutil knows, and every IPv4 and IPv6 address.

    Never raises: what could not be read is None and has its Gap.
    """
    gaps = list(UNSEEN)
    rows = ask(gaps, "addresses", library.net_if_addrs)
    stats = ask(gaps, "links", library.net_if_stats)
    indexes = ask(gaps, "interface indexes", lambda: {name: index for index, name in socket.if_nameindex()}) or {}
    links: Optional[tuple[addresses.Link, ...]] = None
    if rows is not None or stats is not None:
        names = sorted({link_name(name) for name in (*(rows or ()), *(stats or ()))})
        macs = {link_name(name): mac for name, found in (rows or {}).items() if (mac := _find_mac(library, found))}
        links = tuple(sorted(_make_link(name, indexes, (stats or {}).get(name), macs.get(name)) for name in names))
    listed = None if rows is None else _read_addresses(rows, indexes, platform, gaps)
    return addresses.NO_NETWORK._replace(links=links, addresses=listed), tuple(gaps)


def ask(gaps: list[backends.Gap], subject: str, question: Callable[[], _T]) -> Optional[_T]:
    """The answer, or None and a Gap."""
    try:
        return question()
    except Exception as error:  # psutil lets through whatever its parsers run into
        gaps.append(backends.Gap(SOURCE, subject, describe_error(error)))
        return None


def describe_error(error: Exception) -> str:
    return spelling.printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def link_name(name: str) -> str:
    """getifaddrs() calls an IPv4 address by its label, where it has one: eth0:1 is on eth0."""
    return name.partition(":")[0]


def _make_link(name: str, indexes: dict[str, int], stats: Any, mac: Optional[str]) -> addresses.Link:
    words = getattr(stats, "flags", "")  # psutil 5.9.3; empty on systems where it does not know
    flags = sum(_FLAGS.get(word, 0) for word in set(words.split(","))) if words else None
    return addresses.Link(
        ifindex=indexes.get(name, 0),
        name=spelling.printable(name),
        kind=None,
        flags=flags,
        operstate=None,
        mtu=getattr(stats, "mtu", None),
        mac=mac,
        master=0,
        vrf_table=None,
    )


def _find_mac(library: Any, rows: Any) -> Optional[str]:
    family = getattr(library, "AF_LINK", None)
    texts = [row.address for row in rows if row.family == family and row.address]
    return spelling.printable(texts[0].lower().replace("-", ":")) if texts else None


def _read_addresses(
    rows: dict[str, Any], indexes: dict[str, int], platform: str, gaps: list[backends.Gap]
) -> Optional[tuple[addresses.Address, ...]]:
    listed = []
    for name, found in rows.items():
        for row in found:
            if row.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            address = _make_address(name, row, indexes, platform)
            if address is None:
                # An address that cannot be read is one that a listener could be on: better none at all.
                gaps.append(
                    backends.Gap(SOURCE, "addresses", spelling.printable(f"{name} has the address {row.address!r}"))
                )
                return None
            listed.append(address)
    return tuple(listed)


def _make_address(name: str, row: Any, indexes: dict[str, int], platform: str) -> Optional[addresses.Address]:
    scoped = read_address(row.address or "", platform)
    if scoped is None:
        return None
    packed = scoped.packed
    mask, peer, broadcast = (_pack(text, platform, len(packed)) for text in (row.netmask, row.ptp, row.broadcast))
    prefixlen = 8 * len(packed) if mask is None else bin(int.from_bytes(mask, "big")).count("1")
    if platform.startswith("linux") and broadcast != _broadcast_of(packed, prefixlen):
        # glibc has one place for broadcast and peer address, and psutil goes by IFF_BROADCAST, which a veth with a
        # peer address has too: then this is the other end.
        broadcast = None
    return addresses.Address(
        family="ipv4" if len(packed) == 4 else "ipv6",
        packed=packed,
        prefixlen=prefixlen,
        ifindex=indexes.get(link_name(name), 0),
        scope=None,
        flags=None,
        peer=peer if peer != packed else None,
        broadcast=broadcast if len(packed) == 4 else None,
        label=spelling.printable(name) if len(packed) == 4 else None,
        preferred_lifetime=None,
        valid_lifetime=None,
    )


def _pack(text: Optional[str], platform: str, length: int) -> Optional[bytes]:
    found = read_address(text, platform) if text else None
    return found.packed if found is not None and len(found.packed) == length else None


def _broadcast_of(packed: bytes, prefixlen: int) -> Optional[bytes]:
    if len(packed) != 4 or prefixlen > 30:
        return None
    return (int.from_bytes(packed, "big") | (1 << (32 - prefixlen)) - 1).to_bytes(4, "big")


def read_address(text: str, platform: str) -> Optional[ScopedAddress]:
    """Address text as psutil gives it, its scope (%eth0, or KAME's embedded one) taken off; None for anything else."""
    bare = text.partition("%")[0]
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in bare else socket.AF_INET, bare)
    except (OSError, ValueError):
        return None
    if addresses.needs_scope(packed) and platform.startswith(_EMBEDS_SCOPES):
        return ScopedAddress(packed[:2] + b"\0\0" + packed[4:], int.from_bytes(packed[2:4], "big") or None)
    return ScopedAddress(packed, None)
