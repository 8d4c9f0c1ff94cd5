# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether this very run hangs on a unit: the sshd, the socket or the tunnel that it came in by."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Optional

from .._model import addresses, bindings
from .._model.units import Unit
from .._readers.carrier import Carrier, read_tunnels
from .._rules import first_look


def find_carrier(
    units: Sequence[Unit], listeners: Sequence[bindings.Listener], carrier: Carrier, view: first_look.View
) -> Optional[str]:
    pids = {owner.pid for listener in listeners for owner in listener.ownership.owners if owner.pid != 1}
    pids |= {unit.main_pid for unit in units if unit.main_pid}
    if pids & set(carrier.ancestors):
        return "this very run is one of its processes' children"
    if carrier.address is None:
        return None
    came_in_at = addresses.unmap(ip_address(carrier.address).packed)
    ends = {(addresses.unmap(listener.socket.packed), listener.socket.port) for listener in listeners}
    if any((packed, carrier.port) in ends for packed in (came_in_at, bytes(4), bytes(16))):
        return "this very run came in by one of its ports"
    links = view.locality.links
    found = view.locality.addresses_of(came_in_at)
    behind = {links[address.ifindex].name for address in found if address.ifindex in links}
    if behind & read_tunnels(pids):
        return "this very run came in through its tunnel"
    return None


def kills_run(units: Sequence[Unit], carrier: Carrier) -> bool:
    """Whether stopping one of them would end this process."""
    return any(
        unit.kill_mode in ("control-group", "mixed") and _is_below(carrier.cgroup, unit.control_group) for unit in units
    )


def _is_below(path: str, group: str) -> bool:
    return bool(group) and (path == group or path.startswith(f"{group}/"))
