# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a world that shows a disagreement as small as it can get: what can be left out, is."""

from __future__ import annotations

from typing import Callable

from .world import World

TRIES = 400  # worlds that one search may play


def shrink(world: World, still_wrong: Callable[[World], bool]) -> World:
    """The smallest world found that is `still_wrong`. Listeners first: every one less makes the other tries cheaper."""
    left = [TRIES]

    def check(candidate: World) -> bool:
        left[0] -= 1
        return left[0] >= 0 and still_wrong(candidate)

    size = -1
    while size != _size(world) and left[0] > 0:
        size = _size(world)
        for part in ("listeners", "mutations", "build"):
            world = _drop_from(world, part, check)
        world = _plain_listeners(world, check)
    return world


def _size(world: World) -> int:
    return len(world.to_json())


def _drop_from(world: World, part: str, check: Callable[[World], bool]) -> World:
    """Leaves out runs of items, long ones first, then single ones (the complement half of Zeller's ddmin)."""
    length = len(getattr(world, part))
    while length:
        start = 0
        while start < len(getattr(world, part)):
            kept = getattr(world, part)
            fewer = world._replace(**{part: kept[:start] + kept[start + length :]})
            if check(fewer):
                world = fewer
            else:
                start += length
        length //= 2
    return world


def _plain_listeners(world: World, check: Callable[[World], bool]) -> World:
    """Sets each listener's options back to the defaults, where that changes nothing."""
    for position in range(len(world.listeners)):
        for name, plain in type(world.listeners[position])._field_defaults.items():
            listener = world.listeners[position]
            if getattr(listener, name) == plain:
                continue
            listeners = list(world.listeners)
            listeners[position] = listener._replace(**{name: plain})
            candidate = world._replace(listeners=tuple(listeners))
            if check(candidate):
                world = candidate
    return world
