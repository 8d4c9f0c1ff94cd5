# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws the first half of a world: settings and links, then what is put on them."""

from __future__ import annotations

from .addressing import draw_address, draw_dadfailed
from .routing import draw_route, draw_rule
from .scene import Scene


def draw_topology(scene: Scene) -> None:
    if scene.chance(2):  # nothing at all: not even a table `local`
        return
    draw_settings(scene)
    if not scene.chance(4):
        scene.steps.append("ip link set lo up")
    _draw_links(scene)
    for _draw in range(scene.random.randint(2, 9)):
        draw_address(scene)
    if scene.chance(12):
        draw_dadfailed(scene)
    for _draw in range(scene.random.choice((0, 0, 1, 1, 2, 4))):
        draw_route(scene)
    if scene.chance(15):
        draw_rule(scene)


def draw_settings(scene: Scene) -> None:
    for percent, setting in (
        (8, "net/ipv4/ip_nonlocal_bind=1"),
        (8, "net/ipv6/ip_nonlocal_bind=1"),
        (40, "net/ipv4/conf/default/promote_secondaries=1"),
        (40, "net/ipv6/conf/default/keep_addr_on_down=1"),
        (15, "net/ipv6/conf/all/keep_addr_on_down=1"),
        (15, "net/ipv6/conf/all/forwarding=1"),
        (8, "net/ipv4/conf/all/ignore_routes_with_linkdown=1"),
        (8, "net/ipv6/conf/all/ignore_routes_with_linkdown=1"),
        (20, "net/ipv6/conf/default/addr_gen_mode=0"),
        (10, "net/ipv6/bindv6only=1"),
        (10, "net/core/somaxconn=3"),
        (5, "net/ipv4/conf/all/route_localnet=1"),
    ):
        if scene.chance(percent):
            scene.steps.append(f"sysctl {setting}")


def _draw_links(scene: Scene) -> None:
    for number in range(scene.random.choice((1, 1, 2))):
        _draw_veth(scene, f"v{number}a", f"v{number}b")
    if scene.chance(35):
        _add_link(scene, "br0", [f"ip link add br0 address {scene.mac()} type bridge forward_delay 0 mcast_snooping 0"])
        if scene.chance(60):
            scene.steps.append(f"ip link set {scene.random.choice(_veths(scene))} master br0")
    if scene.chance(35):
        below = scene.random.choice([name for name in scene.links if name != "lo"])
        _add_link(scene, "m0", [f"ip link add m0 link {below} address {scene.mac()} type macvlan mode bridge"])
    if scene.chance(10):
        _add_link(scene, "t0", ["ip tuntap add dev t0 mode tun"])
    if scene.chance(5):
        _add_link(scene, "x0", [f"ip link add x0 address {scene.mac()} type vxlan id 5 dstport 4789 dev v0a"])


def _veths(scene: Scene) -> list[str]:
    return [name for name in scene.links if name.startswith("v")]


def _draw_veth(scene: Scene, name: str, peer: str) -> None:
    steps = [f"ip link add {name} address {scene.mac()} type veth peer name {peer} address {scene.mac()}"]
    if scene.chance(20):  # the far end elsewhere: the usual shape of a container's link
        steps += [f"ip link set {peer} netns OTHER", f"other ip link set {peer} up"]
        _add_link(scene, name, steps)
        return
    _add_link(scene, name, steps)
    scene.links[peer] = scene.links[name]
    if not scene.chance(20):
        scene.steps.append(f"ip link set {peer} up")


def _add_link(scene: Scene, name: str, steps: list[str]) -> None:
    scene.links[name] = steps
    scene.steps += steps
    if not scene.chance(10):
        scene.steps.append(f"ip link set {name} up")
