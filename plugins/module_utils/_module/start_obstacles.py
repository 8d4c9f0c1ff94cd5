# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Would systemd start them again? Asked last, and only of the units that would be stopped."""

from __future__ import annotations

from collections.abc import Sequence

from .._model import plans
from .._readers import start_obstacles, units
from .._rules import restart_plan


def find_obstacles(cases: Sequence[plans.Case], settings: plans.Settings) -> list[plans.Case]:
    return [
        _look(case) if restart_plan.plan_unit(case, settings).action in (plans.RESTART, plans.RESTART_SOCKET) else case
        for case in cases
    ]


def _look(case: plans.Case) -> plans.Case:
    for unit in (case.unit, case.companion):
        if unit is not None and case.service is not None:
            obstacle = start_obstacles.read_obstacle(units.Manager(case.service.uid), unit)
            if obstacle is not None:
                return case._replace(obstacle=f"{unit.name}: {obstacle}")
    return case
