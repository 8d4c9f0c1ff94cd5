# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's own answers about every listener of a world."""

from __future__ import annotations

import socket
from typing import NamedTuple, Optional

from . import view
from .build import write_sysctl
from .delivery import deliver
from .sockets import SO_BINDTOIFINDEX, Opened

REBIND_PORT = 20000  # added to the listener's own


class Answer(NamedTuple):
    rebindable: Optional[bool]  # None: the pin is dead, so there is nothing to bind to
    plainly_rebindable: Optional[bool]  # the same with ip_nonlocal_bind off
    reachable: Optional[bool]  # None: not asked
    address_flags: tuple[int, ...]  # IFA_F_* of the IPv6 address, on every link on which it counts for the listener
    nonlocal_bind: bool  # of the listener's address family


def ask(opened: list[Opened], expect: dict[int, Optional[bool]]) -> dict[int, Answer]:
    """Answers by port. expect: what is thought of `reachable`."""
    rebindable = {listener.spec.port: _rebindable(listener) for listener in opened}
    nonlocal_bind = {family: _read_nonlocal_bind(family) for family in (4, 6)}
    plainly = _plainly_rebindable(opened, rebindable, nonlocal_bind)
    reachable = deliver(opened, plainly, expect)
    addresses = view.read_ipv6_addresses()
    return {
        listener.spec.port: Answer(
            rebindable[listener.spec.port],
            plainly[listener.spec.port],
            reachable.get(listener.spec.port),
            tuple(row.flags for row in addresses if _concerns(listener, row)),
            nonlocal_bind[listener.bind_family],
        )
        for listener in opened
    }


def is_dead(listener: Opened) -> bool:
    return listener.pin != 0 and not view.ifindex_exists(listener.pin)


def _concerns(listener: Opened, row: view.Ipv6Address) -> bool:
    """Whether it is the listener's address, where the listener can mean it: of one link only for these scopes."""
    if listener.ipv4 is not None or row.address != listener.host:
        return False
    return listener.pin in (0, row.ifindex) or not row.scope & (view.SCOPE_LINK | view.SCOPE_HOST)


def _rebindable(listener: Opened) -> Optional[bool]:
    if is_dead(listener):
        return None
    with socket.socket(listener.family, listener.listening.type) as again:
        if listener.v6only is not None:
            again.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, listener.v6only)
        if listener.pin:
            again.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, listener.pin)
        try:
            again.bind(listener.bind_target(listener.spec.port + REBIND_PORT))
            if listener.is_tcp:
                again.listen(1)
        except OSError:
            return False
    return True


def _nonlocal_bind_path(family: int) -> str:
    return f"net/ipv{family}/ip_nonlocal_bind"


def _read_nonlocal_bind(family: int) -> bool:
    with open(f"/proc/sys/{_nonlocal_bind_path(family)}", encoding="ascii") as file:
        return file.read().strip() != "0"


def _plainly_rebindable(
    opened: list[Opened], rebindable: dict[int, Optional[bool]], nonlocal_bind: dict[int, bool]
) -> dict[int, Optional[bool]]:
    if not any(nonlocal_bind.values()):
        return rebindable
    on = [family for family, value in nonlocal_bind.items() if value]
    try:
        for family in on:
            write_sysctl(_nonlocal_bind_path(family), "0")
        return {listener.spec.port: _rebindable(listener) for listener in opened}
    finally:
        for family in on:
            write_sysctl(_nonlocal_bind_path(family), "1")
