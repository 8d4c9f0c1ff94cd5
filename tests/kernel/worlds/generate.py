# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One seed, one world."""

from __future__ import annotations

from random import Random

from .changes import draw_mutations
from .listening import draw_listeners
from .scene import Scene
from .topology import draw_topology
from .world import World


def draw_world(seed: int) -> World:
    scene = Scene(Random(seed))
    draw_topology(scene)
    build = tuple(scene.steps)
    listeners = draw_listeners(scene)
    return World(seed, build, listeners, draw_mutations(scene))
