# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Would systemd start them again? Asked last, and only of the units that would be stopped."""

from __future__ import annotations

from collections.abc import Sequence

from .._model.plans import RESTART, RESTART_SOCKET, Case, Settings
from .._readers.start_obstacles import read_obstacle
from .._readers.units import Manager
from .._rules.restart_plan import plan_unit


def find_obstacles(cases: Sequence[Case], settings: Settings) -> list[Case]:
    return [_look(case) if plan_unit(case, settings).action in (RESTART, RESTART_SOCKET) else case for case in cases]


def _look(case: Case) -> Case:
    for unit in (case.unit, case.companion):
        if unit is not None and case.service is not None:
            obstacle = read_obstacle(Manager(case.service.uid), unit)
            if obstacle is not None:
                return case._replace(obstacle=f"{unit.name}: {obstacle}")
    return case
