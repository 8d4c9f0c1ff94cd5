# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws what decides beside addresses what is local: AnyIP, exceptions to it, other tables, and rules."""

from __future__ import annotations

from .scene import IPV4_PREFIXES, IPV6_PREFIXES, Scene


def draw_route(scene: Scene) -> None:
    """Routes that decide what is local: AnyIP, exceptions to it, and the same in tables that bind() does not ask."""
    route = _draw_ipv4_route(scene) if scene.chance(55) else _draw_ipv6_route(scene)
    scene.routes.append(route)
    scene.steps.append(f"ip route add {route}")


def _draw_ipv4_route(scene: Scene) -> str:
    prefix = scene.random.choice(IPV4_PREFIXES)
    network = scene.random.choice(
        (f"{prefix}.0/24", f"{prefix}.0/24", f"{prefix}.0/29", f"{prefix}.4/32", "198.18.7.0/24")
    )
    table = scene.random.choice(("local",) * 6 + ("main", "100"))
    device = scene.random.choice(("lo", "lo", scene.pick_link()))
    kind = scene.random.randint(1, 100)
    if kind <= 55:
        scene.prefixes.append(network)
        extra = " tos 0x10" if scene.chance(5) else ""
        return f"local {network} dev {device} table {table}{extra}"
    single = f"{prefix}.{scene.random.randint(1, 6)}/32"
    if kind <= 75:
        word = scene.random.choice(("blackhole", "unreachable", "prohibit", "throw"))
        return f"{word} {single} table {table} metric {scene.random.choice((0, 0, 5))}"
    word = scene.random.choice(("broadcast", "multicast", "unicast", "unicast"))
    # Never out of lo: what is sent there comes back, local or not, but only from inside (__mkroute_output).
    return f"{word} {single} dev {scene.pick_made_link()} table {table}"


def _draw_ipv6_route(scene: Scene) -> str:
    prefix = scene.random.choice(IPV6_PREFIXES)
    table = scene.random.choice(("local",) * 6 + ("main", "100"))
    device = scene.random.choice(("lo", "lo", scene.pick_link()))
    kind = scene.random.randint(1, 100)
    if kind <= 60:
        network = scene.random.choice((f"{prefix}/64", f"{prefix}/64", f"{prefix}4/128", "2001:db8:77::/64"))
        scene.prefixes.append(network)
        return f"local {network} dev {device} table {table} metric {scene.random.choice((1, 1024))}"
    single = f"{prefix}{scene.random.randint(0, 5)}/128"
    if kind <= 85:
        word = scene.random.choice(("blackhole", "unreachable", "prohibit"))
        return f"{word} {single} dev lo table {table} metric {scene.random.choice((1, 1024))}"
    return f"unicast {single} dev {scene.pick_made_link()} table {table}"


def draw_rule(scene: Scene) -> None:
    family = scene.random.choice(("", "-6 "))
    to = scene.random.choice((f"{scene.random.choice(IPV4_PREFIXES)}.0/24", scene.ipv4()))
    if family:
        to = scene.random.choice((f"{scene.random.choice(IPV6_PREFIXES)}/64", scene.ipv6()))
    # A table of its own that a rule leads to: what transparent proxies use, and what bind() never asks.
    anyip = to if "/" in to else f"{to}/{128 if family else 32}"
    scene.prefixes.append(anyip)
    act = scene.random.choice(("lookup 100", "lookup 100", "lookup main", "blackhole", "unreachable", "prohibit"))
    draws = (
        ([f"ip route add local {anyip} dev lo table 100", f"ip {family}rule add pref 50 to {to} lookup 100"], 4),
        ([f"ip {family}rule add pref 50 to {to} {act}"], 3),
        ([f"ip {family}rule add pref 50 fwmark 1 lookup 100"], 1),
        # Table `local` is not the first any more, or is never asked.
        (
            [
                f"ip {family}rule add pref 200 lookup local",
                f"ip {family}rule add pref 100 to {to} {act}",
                f"ip {family}rule del pref 0",
            ],
            3,
        ),
        ([f"ip {family}rule del pref 0"], 1),
        ([f"ip {family}rule add pref 50 to {to} {act}", f"ip {family}rule del pref 50"], 1),
    )
    steps = scene.random.choices([draw for draw, _weight in draws], [weight for _draw, weight in draws])[0]
    scene.steps += steps
