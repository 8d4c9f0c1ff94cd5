# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws what happens to a world after its listeners are open."""

from __future__ import annotations

from typing import Callable

from .addressing import draw_address, draw_dadfailed, slow_dad
from .routing import draw_route, draw_rule
from .scene import Placed, Scene

SETTINGS = (
    "net/ipv4/ip_nonlocal_bind",
    "net/ipv6/ip_nonlocal_bind",
    "net/ipv6/conf/{link}/disable_ipv6",
    "net/ipv6/conf/all/disable_ipv6",
    "net/ipv6/conf/{link}/keep_addr_on_down",
    "net/ipv6/conf/{link}/forwarding",
    "net/ipv4/conf/{link}/promote_secondaries",
    "net/ipv4/conf/{link}/ignore_routes_with_linkdown",
    "net/ipv6/conf/{link}/ignore_routes_with_linkdown",
    "net/ipv6/conf/{link}/use_optimistic",
    "net/ipv6/conf/{link}/optimistic_dad",
)


def draw_mutations(scene: Scene) -> tuple[str, ...]:
    """Steps to follow. Draws that extend the scene put their steps there, and are taken from there."""
    first = len(scene.steps)
    draws = list(_DRAWS)
    for _draw in range(scene.random.choice((0, 1, 1, 2, 2, 3, 4, 6))):
        draw = scene.random.choices(draws, [_DRAWS[draw] for draw in draws])[0]
        draw(scene)
    steps = tuple(scene.steps[first:])
    del scene.steps[first:]
    return steps


def _pick_address(scene: Scene) -> Placed:
    return scene.random.choice(scene.addresses or [Placed("lo", "127.0.0.1", 8, "127.0.0.1/8")])


def _remove(scene: Scene) -> None:
    scene.steps.append(_pick_address(scene).delete())


def _remove_and_add(scene: Scene) -> None:
    placed = _pick_address(scene)
    scene.steps += [placed.delete(), placed.add()]


def _add_tentative(scene: Scene) -> None:
    placed = _pick_address(scene)
    arguments = placed.arguments.replace("nodad", "").replace("optimistic", "").strip()
    scene.steps += [placed.delete(), *slow_dad(placed.link), placed._replace(arguments=arguments).add()]


def _move(scene: Scene) -> None:
    placed, link = _pick_address(scene), scene.pick_link()
    scene.steps += [placed.delete(), placed.add(link)]


def _deprecate(scene: Scene) -> None:
    placed = _pick_address(scene)
    if "peer" not in placed.arguments:
        scene.steps.append(f"ip addr change {placed.address}/{placed.prefixlen} dev {placed.link} preferred_lft 0")


def _flush(scene: Scene) -> None:
    scene.steps.append(f"ip addr flush dev {scene.pick_link()}")


def _down(scene: Scene) -> None:
    scene.steps.append(f"ip link set {scene.pick_link()} down")


def _down_and_up(scene: Scene) -> None:
    link = scene.pick_link()
    scene.steps += [f"ip link set {link} down", f"ip link set {link} up"]


def _up(scene: Scene) -> None:
    scene.steps.append(f"ip link set {scene.pick_link()} up")


def _delete_link(scene: Scene) -> None:
    scene.steps.append(f"ip link del {scene.pick_made_link()}")


def _recreate_link(scene: Scene) -> None:
    link = scene.pick_made_link()
    scene.steps.append(f"ip link del {link}")
    if scene.chance(10):
        # The very index that it had (links are numbered in the order of their making, lo being 1): pins hold again.
        scene.steps.append(f"ip link add {link} index {scene.random.randint(2, 6)} type veth peer name again")
    else:
        scene.steps += scene.links.get(link, [])
    if scene.chance(80):
        scene.steps.append(f"ip link set {link} up")
    if scene.chance(70):
        scene.steps += [placed.add() for placed in scene.addresses if placed.link == link]


def _rename(scene: Scene) -> None:
    link = scene.pick_made_link()
    steps = [f"ip link set {link} name renamed0"]
    scene.steps += [f"ip link set {link} down", *steps, "ip link set renamed0 up"] if scene.chance(50) else steps


def _move_link_away(scene: Scene) -> None:
    link = scene.pick_made_link()
    scene.steps.append(f"ip link set {link} netns OTHER")
    if scene.chance(30):
        scene.steps += [f"other ip link set {link} netns OWN", f"ip link set {link} up"]


def _unmaster(scene: Scene) -> None:
    scene.steps.append(f"ip link set {scene.pick_made_link()} {scene.random.choice(('nomaster', 'master br0'))}")


def _delete_route(scene: Scene) -> None:
    if scene.routes:
        scene.steps.append(f"ip route del {scene.random.choice(scene.routes)}")


def _delete_kernel_route(scene: Scene) -> None:
    """Table `local` is only a table: its rows can be taken out from below an address."""
    placed = _pick_address(scene)
    scene.steps.append(f"ip route del local {placed.address} dev {placed.link} table local")


def _flip_setting(scene: Scene) -> None:
    setting = scene.random.choice(SETTINGS[:2] if scene.chance(30) else SETTINGS)
    scene.steps.append(f"sysctl {setting.format(link=scene.pick_link())}={scene.random.choice((0, 1, 1))}")


_DRAWS: dict[Callable[[Scene], None], int] = {
    _remove: 14,
    _remove_and_add: 4,
    _add_tentative: 7,
    _move: 7,
    _deprecate: 3,
    _flush: 3,
    _down: 9,
    _down_and_up: 6,
    _up: 2,
    _delete_link: 7,
    _recreate_link: 8,
    _rename: 4,
    _move_link_away: 5,
    _unmaster: 2,
    _delete_route: 6,
    _delete_kernel_route: 2,
    _flip_setting: 10,
    draw_address: 4,
    draw_dadfailed: 2,
    draw_route: 4,
    draw_rule: 2,
}
