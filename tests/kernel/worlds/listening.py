# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws what listens in a world."""

from __future__ import annotations

from typing import Optional, Union

from .scene import IPV4_PREFIXES, IPV6_PREFIXES, Scene
from .world import Listener

FIRST_PORT = 2000
NEVER_A_LINK = 4242  # an index that no link of a world has

# name → how often
IPV4_KINDS = {
    "placed": 40,
    "loopback": 8,
    "anyip": 14,
    "unassigned": 8,
    "broadcast": 9,
    "multicast": 5,
    "wildcard": 7,
    "odd": 4,
}
IPV6_KINDS = {
    "placed": 46,
    "loopback": 6,
    "anyip": 14,
    "unassigned": 8,
    "linklocal": 8,
    "multicast": 8,
    "wildcard": 8,
    "odd": 3,
}


def draw_listeners(scene: Scene) -> tuple[Listener, ...]:
    number = scene.random.randint(4, 22)
    return tuple(_draw(scene, FIRST_PORT + position) for position in range(number))


def _draw(scene: Scene, port: int) -> Listener:
    random = scene.random
    kinds, is_ipv4 = (IPV4_KINDS, True) if scene.chance(48) else (IPV6_KINDS, False)
    kind = random.choices(list(kinds), list(kinds.values()))[0]
    address, link = (_draw_ipv4 if is_ipv4 else _draw_ipv6)(scene, kind)
    is_mapped = is_ipv4 and scene.chance(20)
    if is_mapped:
        address = f"::ffff:{address}"
    pin, pin_by = _draw_pin(scene, address, link)
    # What cannot be bound plainly is opened all the same quite often: such listeners are half of the matter.
    likely = kind in ("anyip", "unassigned", "odd")
    return Listener(
        protocol=random.choice(("tcp", "udp")),
        family=4 if is_ipv4 and not is_mapped else 6,
        address=address,
        port=port,
        pin=pin,
        pin_by=pin_by,
        v6only=not is_ipv4 and scene.chance(40),
        freebind=scene.chance(60 if likely else 12),
        transparent=scene.chance(15 if likely else 7),
        backlog=random.choice((1, 5, 5, 128, 100000)),
        uid=random.choice((0, 0, 0, 33, 1000, 4294967290)),
        queued=random.choice((0, 0, 0, 0, 1, 2)),
    )


def _draw_pin(scene: Scene, address: str, link: Optional[str]) -> tuple[Union[str, int, None], str]:
    random = scene.random
    if address.startswith(("fe80", "ff01", "ff02")):
        return link or scene.pick_link(), random.choice(("scope", "scope", "device"))
    if not scene.chance(25):
        return None, "device"
    if scene.chance(10):
        return NEVER_A_LINK, "ifindex"
    return random.choice((link or scene.pick_link(), scene.pick_link())), random.choice(("device", "ifindex"))


def _draw_ipv4(scene: Scene, kind: str) -> tuple[str, Optional[str]]:
    """The address, and the link that it belongs to."""
    random = scene.random
    if kind == "placed":
        placed = [row for row in scene.addresses if row.is_ipv4]
        if placed:
            row = random.choice(placed)
            return row.address, row.link
    if kind == "loopback":
        return random.choice(
            ("127.0.0.1", f"127.0.{random.randint(0, 1)}.{random.randint(2, 9)}", "127.255.255.254")
        ), "lo"
    if kind == "anyip":
        prefixes = [prefix for prefix in scene.prefixes if ":" not in prefix]
        if prefixes:
            return f"{random.choice(prefixes).rpartition('.')[0]}.{random.randint(1, 8)}", None
    if kind == "broadcast":
        prefix = random.choice(IPV4_PREFIXES)
        return random.choice((f"{prefix}.255", f"{prefix}.255", f"{prefix}.7", f"{prefix}.77", "255.255.255.255")), None
    if kind == "multicast":
        return random.choice(("224.0.0.251", "239.1.2.3")), None
    if kind == "wildcard":
        return "0.0.0.0", None
    if kind == "odd":
        return random.choice(
            (f"{random.choice(IPV4_PREFIXES)}.0", "127.255.255.255", "127.0.0.0", "0.0.0.5", "240.0.0.1")
        ), None
    return random.choice((scene.ipv4(), "198.18.7.9", "8.8.8.8")), None


def _draw_ipv6(scene: Scene, kind: str) -> tuple[str, Optional[str]]:
    random = scene.random
    if kind == "placed":
        placed = [row for row in scene.addresses if not row.is_ipv4]
        if placed:
            row = random.choice(placed)
            return row.address, row.link
    if kind == "linklocal":
        return f"fe80::{random.randint(1, 4)}", None
    if kind == "loopback":
        return "::1", random.choice(("lo", None))
    if kind == "anyip":
        prefixes = [prefix for prefix in scene.prefixes if ":" in prefix]
        if prefixes:
            return f"{random.choice(prefixes).partition('::')[0]}::{random.randint(0, 7)}", None
    if kind == "multicast":
        return random.choice(("ff02::fb", "ff02::1", "ff01::5", "ff05::2", "ff0e::1:3")), None
    if kind == "wildcard":
        return "::", None
    if kind == "odd":  # the subnet-router anycast address, and one that never leaves a host
        return random.choice((random.choice(IPV6_PREFIXES), "::2", "100::1")), None
    return random.choice((scene.ipv6(), "2001:db8:77::9")), None
