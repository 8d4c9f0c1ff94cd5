# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a unit before it is restarted, and what is to be done with it."""

from collections.abc import Mapping
from typing import NamedTuple, Optional

from . import bindings, restarts
from .units import Unit

RESTART = "restart"
RESTART_SOCKET = "restart_socket"
RELOAD = "reload"
CUSTOM = "custom"
NONE = "none"
ACTIONS = (RESTART, RESTART_SOCKET, RELOAD, CUSTOM, NONE)

# How it is known where a unit will listen.
DECLARED = "declared"
LISTEN_STREAM = "ListenStream"
SSHD = "sshd -T"
NGINX = "nginx -t"
NO_METHOD = "none"


class Wish(NamedTuple):
    """Where a unit is to listen after a restart."""

    protocol: str  # tcp | udp
    family: str  # ipv4 | ipv6
    packed: bytes
    port: int
    interface: Optional[str]  # by name: what it will be pinned to


class Prospect(NamedTuple):
    """A wish, and what the kernel would say to it with the unit's own sockets closed."""

    wish: Wish
    outlook: restarts.Outlook
    by_own_connections: bool  # what blocks it are connections of the unit itself, and nothing else
    held_by: tuple[str, ...]  # units or processes that hold what blocks it


class Check(NamedTuple):
    """A configuration check that was run."""

    command: tuple[str, ...]
    status: Optional[int]  # exit status; None = could not be run
    output: str  # its last lines
    address_missing: bool = False  # it says no more than that an address cannot be bound


class Proof(NamedTuple):
    """Where the unit will listen, and how that is known."""

    method: str  # DECLARED | LISTEN_STREAM | SSHD | NGINX | NO_METHOD
    prospects: tuple[Prospect, ...]
    problem: Optional[str]  # why the method says nothing, or why there is none
    bound: Optional[bool] = None  # NGINX: whether the check bound everything


class Dependent(NamedTuple):
    """Another active unit that systemd would restart along."""

    unit: str
    listeners: int  # how many it holds


class Case(NamedTuple):
    """Everything about one unit with a stale listener. Lists in the order of listeners."""

    service: Optional[bindings.Service]  # None: nobody was found who holds them
    unit: Optional[Unit]
    companion: Optional[Unit]  # of a .socket: the service it starts
    unreadable: Optional[str]  # why there is no unit
    stale: tuple[bindings.Listener, ...]
    healthy: tuple[bindings.Listener, ...]
    check: Optional[Check]
    proof: Proof
    dependents: tuple[Dependent, ...]
    carries_run: Optional[str]  # why this very run depends on the unit
    kills_run: bool  # its stop would end this very run, or what this run hangs on is stopped along
    has_rights: bool
    interfaces: Mapping[int, str]  # index → name
    rebinds_on_reload: bool  # told to reload its program binds anew, and ends where it cannot
    obstacle: Optional[str] = None  # why systemd would not start it now


class Settings(NamedTuple):
    """What the caller allows. Globs on unit names."""

    actions: dict[str, str]  # unit → reload | restart | command
    unproven: bool  # restart also without proof
    containers: bool
    never: dict[str, str]  # glob → reason
    units: tuple[str, ...]  # only these; empty = all
    max_units: int
    max_wait: float  # seconds
    allow_downtime: bool


class Wait(NamedTuple):
    """A restart has to wait until the port is clear."""

    seconds: Optional[int]  # None = nobody can say: connections are still open
    stop_first: bool  # with the unit stopped meanwhile


class Plan(NamedTuple):
    """What is to be done with one unit, and why."""

    case: Case
    action: str
    decision: str  # slug: why this action
    reason: str  # one sentence
    advice: str  # how to go on where nothing is done; else empty
    wait: Optional[Wait]
