# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host for rebind_plan, made up at its edges: sockets, network, systemd, programs, ports, what started the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import Network
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Ownership, Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import Rights
from ansible_collections.infracheck.bindings.plugins.module_utils._model.units import Unit
from ansible_collections.infracheck.bindings.plugins.module_utils._module import (
    arguments,
    cases,
    known_units,
    plan,
    restarts,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import (
    bind_rights,
    commands,
    start_obstacles,
    sysctls,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.carrier import Carrier
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.commands import Done
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.units import Manager
from builders import make_address, make_backend, make_link, make_network, make_socket
from plans import make_unit

HERE = "192.0.2.20"
GONE = "192.0.2.10"
NETWORK = make_network([make_link()], [make_address(f"{HERE}/24"), make_address("127.0.0.1/8", 1)])
STALE = make_socket(GONE, 80)
HEALTHY = make_socket(HERE, 8080)

OPTIONS: dict[str, Any] = {
    "expected": {},
    "checks": {},
    "actions": {},
    "unproven": "refuse",
    "containers": False,
    "never_restart": {},
    "units": [],
    "max_units": 5,
    "max_wait": 0.0,
    "allow_downtime": False,
    "intended_addresses": [],
    "confirm_after": 0,
    "since": None,
    "connects": [],
    "failed": {},
    "rescued": [],
    "left": [],
}


class PlanWorld:
    """units: by name; text is why one cannot be read. ownerships: by port (nginx.service when not given)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.samples: list[tuple[Sequence[Socket], Network]] = [((STALE, HEALTHY), NETWORK)]
        self.ownerships: dict[int, Ownership] = {}
        self.units: dict[str, Union[Unit, str]] = {"nginx.service": make_unit()}
        self.commands: dict[str, Done] = {}
        self.run: list[tuple[str, Optional[str]]] = []  # what was run, and as whom
        self.slept: list[float] = []
        self.obstacles: dict[str, str] = {}  # by unit
        self.asked: list[str] = []  # units of which it was looked at what is in the way of a start
        self.carrier = Carrier((), None, 0, "/user.slice/session-1.scope")
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(arguments, "select_backend", lambda _name: make_backend(self.samples, self.ownerships))
        monkeypatch.setattr("time.sleep", self.slept.append)
        monkeypatch.setattr(cases, "read_carrier", lambda: self.carrier)
        monkeypatch.setattr(sysctls, "read_ephemeral_ports", lambda: range(32768, 61000))
        monkeypatch.setattr(known_units, "read_units", self._read_units)
        monkeypatch.setattr(start_obstacles, "read_obstacle", self._read_obstacle)
        monkeypatch.setattr(commands, "run_command", self._run)
        monkeypatch.setattr(restarts, "read_occupants", lambda ports, **_options: (dict.fromkeys(ports, ()), ()))
        monkeypatch.setattr(bind_rights, "read_unit_rights", lambda unit: Rights(unit, None, True, 1024))
        monkeypatch.setattr(bind_rights, "read_user_rights", lambda user: Rights(str(user), 0, True, 1024))
        monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
        self.set_rights(True)

    def set_rights(self, has_rights: bool) -> None:
        self._monkeypatch.setattr(Manager, "has_rights", has_rights)

    def plan(self, **options: Any) -> dict[str, Any]:
        result, gaps = plan.plan_rebind({**OPTIONS, **options})
        assert [gap._asdict() for gap in gaps] == result["gaps"]
        return result

    def _read_units(self, _manager: Manager, names: Sequence[str]) -> dict[str, Union[Unit, str]]:
        return {name: self.units.get(name, "it is not there") for name in names}

    def _read_obstacle(self, _manager: Manager, unit: Unit) -> Optional[str]:
        self.asked.append(unit.name)
        return self.obstacles.get(unit.name)

    def _run(self, command: Sequence[str], *, user: Optional[str] = None, **_options: Any) -> Done:
        text = " ".join(command)
        self.run.append((text, user))
        return self.commands.get(text, Done(None, "could not be run", "", ""))
