# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of restart plans for tests, with plain defaults, and listeners in short text form."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener, Ownership, Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import (
    DECLARED,
    NO_METHOD,
    Case,
    Check,
    Proof,
    Prospect,
    Settings,
    Wish,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import OK, Outlook
from ansible_collections.infracheck.bindings.plugins.module_utils._model.units import Unit
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.server_config import parse_endpoint
from builders import make_listener, make_ownership

NGINX = Service("systemd", "nginx.service", "system")
USERS_NGINX = Service("systemd", "nginx.service", "user", 1000)
CONTAINER = Service("podman", "web", "container")
DOCKER = Service("docker", "4c01" * 16, "container")


def make_unit(name: str = "nginx.service", **fields: Any) -> Unit:
    given: dict[str, Any] = {
        "load_state": "loaded",
        "active_state": "active",
        "sub_state": "running",
        "transient": False,
        "can_start": True,
        "can_stop": True,
        "can_reload": True,
        "refuse_manual_start": False,
        "refuse_manual_stop": False,
        "need_daemon_reload": False,
        "kill_mode": "mixed",
        "control_group": f"/system.slice/{name}",
        "main_pid": 812,
        "user": "",
        "exec_path": "",
        "exec_start": (),
        "environment": (),
        "environment_files": (),
        "accept": False,
        "free_bind": False,
        "listens": (),
        "unix_listens": 0,
        "triggers": (),
        "triggered_by": (),
        "after": (),
        "restarted_along": (),
    }
    return Unit(name, **{**given, **fields})


# For make_case: a unit that systemd listens for, and what a unit has of which nothing tells where it will listen.
WITH_SOCKET: dict[str, Any] = {
    "service": Service("systemd", "ssh.socket", "system"),
    "unit": make_unit("ssh.socket", can_reload=False),
    "companion": make_unit("ssh.service"),
}
UNPROVEN = Proof(NO_METHOD, (), None)


def wish(text: str, interface: Optional[str] = None) -> Wish:
    """ADDRESS:PORT, with /udp behind it for UDP."""
    endpoint, _slash, protocol = text.partition("/")
    return parse_endpoint(endpoint, protocol or "tcp", interface)


def prospect(
    text: str,
    verdict: str = OK,
    reason: Optional[str] = None,
    clear_in: Optional[int] = None,
    own: bool = False,
    held_by: tuple[str, ...] = (),
    interface: Optional[str] = None,
) -> Prospect:
    return Prospect(wish(text, interface), Outlook(verdict, None, (), clear_in, reason), own, held_by)


def listens(text: str, state: str = "valid", ownership: Optional[Ownership] = None, ifindex: int = 0) -> Listener:
    where = wish(text)
    address = ".".join(map(str, where.packed)) if len(where.packed) == 4 else text[1 : text.index("]")]
    return make_listener(
        address, where.port, state, ownership=ownership or make_ownership(), protocol=where.protocol, ifindex=ifindex
    )


def make_case(**fields: Any) -> Case:
    """nginx on 192.0.2.10:80, which is gone, and 127.0.0.1:8080; declared to move to 192.0.2.20:80."""
    given: dict[str, Any] = {
        "service": NGINX,
        "unit": make_unit(),
        "companion": None,
        "unreadable": None,
        "stale": (listens("192.0.2.10:80", "stale_address"),),
        "healthy": (listens("127.0.0.1:8080"),),
        "check": Check(("nginx", "-t"), 0, "ok"),
        "proof": Proof(DECLARED, (prospect("192.0.2.20:80"), prospect("127.0.0.1:8080")), None),
        "dependents": (),
        "carries_run": None,
        "kills_run": False,
        "has_rights": True,
        "interfaces": {2: "eth0", 3: "eth1"},
        "rebinds_on_reload": False,
    }
    return Case(**{**given, **fields})


def make_settings(**fields: Any) -> Settings:
    given: dict[str, Any] = {
        "actions": {},
        "unproven": False,
        "containers": False,
        "never": {},
        "units": (),
        "max_units": 5,
        "max_wait": 0,
        "allow_downtime": False,
    }
    return Settings(**{**given, **fields})
