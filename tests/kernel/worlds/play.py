# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one world: build it, open its listeners, change it, then ask both sides about every listener."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, Optional

from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import UNKNOWN

from . import compare, view
from .build import PRELUDE, Namespaces
from .kernel_answers import Answer, ask
from .ours import Answers, Judge
from .sockets import Opened, open_all
from .variety import count_features
from .world import Disagreement, World

LOOKS = 20  # until nothing changes in between


class Outcome(NamedTuple):
    world: World
    disagreements: tuple[Disagreement, ...]
    counts: Counter[str]  # what occurred
    complaints: tuple[str, ...]  # of the steps


class _Look(NamedTuple):
    ours: dict[str, Answers]
    queues: dict[int, tuple[int, int]]
    answers: dict[int, Answer]


def play(world: World, judges: Mapping[str, Judge]) -> Outcome:
    """Changes the network namespace of this process. Raises whatever our side raises."""
    namespaces = Namespaces()
    opened: list[Opened] = []
    try:
        complaints = namespaces.run((*PRELUDE, *world.build))
        opened = open_all(world.listeners)
        complaints += namespaces.run(world.mutations)
        look = _look_while_quiet(opened, judges)
        if look is None:
            never = Disagreement(None, "settling", "nothing", "something changed during every look")
            return Outcome(world, (never,), Counter(), tuple(complaints))
        return Outcome(
            world,
            tuple(_compare(world, opened, look)),
            count_features(world, opened, look.answers) + _count_unknown(look),
            tuple(complaints),
        )
    finally:
        for listener in opened:
            listener.listening.close()
        namespaces.close()


def _look_while_quiet(opened: list[Opened], judges: Mapping[str, Judge]) -> Optional[_Look]:
    """Links settle in the background: a look counts when nothing was announced from its beginning to its end."""
    with contextlib.closing(view.Quiet()) as quiet:
        for _look in range(LOOKS):
            time.sleep(0.001)
            quiet.heard()
            queues = {listener.spec.port: listener.queue() for listener in opened if listener.is_tcp}
            ours = {name: judge() for name, judge in judges.items()}
            claimed = {socket.port: binding.reachable for socket, binding in ours["netlink"]}
            answers = ask(opened, claimed)
            if not quiet.heard():
                return _Look(ours, queues, answers)
    return None


def _compare(world: World, opened: list[Opened], look: _Look) -> list[Disagreement]:
    found = list(compare.compare_netlink(opened, look.answers, look.queues, look.ours["netlink"]))
    if "psutil" in look.ours:
        # The kernel's own rows of table `local`, taken out by hand.
        routes_deleted = any(step.startswith("ip route del local") for step in world.mutations)
        found += compare.compare_psutil(opened, look.answers, look.ours["psutil"], routes_deleted)
    return found


def _count_unknown(look: _Look) -> Counter[str]:
    return Counter(
        f"{name} said unknown"
        for name, answers in look.ours.items()
        for _socket, binding in answers
        if binding.state == UNKNOWN
    )
