# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws addresses of every kind onto the links of a world."""

from __future__ import annotations

from .scene import Placed, Scene


def draw_address(scene: Scene) -> None:
    draw = scene.random.choice((_draw_ipv4, _draw_ipv4, _draw_ipv6, _draw_ipv6, _draw_ipv6, _draw_linklocal))
    placed = draw(scene)
    scene.addresses.append(placed)
    scene.steps.append(placed.add())


def _draw_ipv4(scene: Scene) -> Placed:
    link = scene.pick_link()
    if scene.chance(6):
        address, prefixlen = f"127.0.{scene.random.randint(0, 1)}.{scene.random.randint(1, 9)}", 8
    else:
        address, prefixlen = scene.ipv4(), scene.random.choice((24, 24, 24, 29, 32))
    if scene.chance(12):
        return Placed(link, address, 32, f"{address} peer {scene.ipv4()}/{scene.random.choice((32, 24))}")
    words = [f"{address}/{prefixlen}"]
    if scene.chance(60):
        words.append("brd +")
    elif scene.chance(10):
        words.append(f"brd {address.rpartition('.')[0]}.77")
    for percent, word in ((5, "scope link"), (5, "scope host"), (8, "noprefixroute"), (10, "preferred_lft 0")):
        if scene.chance(percent):
            words.append(word)
    return Placed(link, address, prefixlen, " ".join(words))


def _draw_ipv6(scene: Scene) -> Placed:
    link, address = scene.pick_link(), scene.ipv6()
    prefixlen = scene.random.choice((64, 64, 64, 128))
    words = [f"{address}/{prefixlen}"]
    if scene.chance(8):
        words = [f"{address}", f"peer {scene.ipv6()}/{prefixlen}"]
    kind = scene.random.randint(1, 100)
    if kind <= 15:
        _make_slow(scene, link)
    elif kind <= 27:
        _make_slow(scene, link)
        scene.steps += [
            f"sysctl net/ipv6/conf/{link}/optimistic_dad=1",
            f"sysctl net/ipv6/conf/{link}/use_optimistic=1",
        ]
        words.append("optimistic")
    else:
        words.append("nodad")
        if kind <= 40:
            words.append("preferred_lft 0")
        elif kind <= 45:
            words.append("noprefixroute")
    return Placed(link, address, prefixlen, " ".join(words))


def _draw_linklocal(scene: Scene) -> Placed:
    link = scene.pick_link()
    address = f"fe80::{scene.random.randint(1, 3)}"
    if scene.chance(15):
        _make_slow(scene, link)
        return Placed(link, address, 64, f"{address}/64")
    return Placed(link, address, 64, f"{address}/64 nodad")


def _make_slow(scene: Scene, link: str) -> None:
    """What is added to the link from here on stays tentative for the whole look."""
    scene.steps += slow_dad(link)


def slow_dad(link: str) -> list[str]:
    return [f"sysctl net/ipv6/conf/{link}/accept_dad=1", f"sysctl net/ipv6/conf/{link}/dad_transmits=1000"]


def draw_dadfailed(scene: Scene) -> None:
    """The other end of the veth pair has the address already, and defends it."""
    address = scene.random.choice((scene.ipv6(), "fe80::9"))
    defend = f"addr add {address}/64 dev v0b nodad"
    placed = Placed("v0a", address, 64, f"{address}/64")
    where = "ip" if "v0b" in scene.links else "other ip"
    scene.addresses.append(placed)
    scene.steps += [
        f"{where} link set v0b nomaster",
        f"{where} link set v0b up",
        "ip link set v0a up",
        f"{where} {defend}",
        "sysctl net/ipv6/conf/v0a/accept_dad=1",
        "sysctl net/ipv6/conf/v0a/dad_transmits=1",
        placed.add(),
        f"wait v0a {address} dadfailed",
    ]
    if scene.chance(60):
        scene.steps.append(f"{where} addr del {address}/64 dev v0b")
