# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""stale-address: a listener whose address has gone."""

from __future__ import annotations

from collections.abc import Iterator

from .._model.findings import ERROR, FAIL, RECONFIGURE, Finding
from .._model.listeners import STALE_ADDRESS, UNKNOWN, Listener
from .._wire.text import format_address
from .view import View, describe_endpoint, describe_holder, find_unknown

SLUG = "stale-address"


def find_stale_addresses(view: View) -> Iterator[Finding]:
    """The bind address is no longer local to the socket's L3 domain, and nothing says that this is intended."""
    hidden: dict[str, list[Listener]] = {}
    for listener in view.listeners:
        if listener.binding.state == UNKNOWN:
            hidden.setdefault(listener.binding.reason, []).append(listener)
        if listener.binding.state != STALE_ADDRESS:
            continue
        socket, binding = listener.socket, listener.binding
        address = format_address(socket.packed)
        yield Finding(
            rule=SLUG,
            verdict=FAIL,
            severity=ERROR,
            message=f"{describe_holder(listener)} listens on {describe_endpoint(socket)},"
            f" but {address} is no longer an address of this host",
            listener=listener,
            remedy=RECONFIGURE,
            remedy_reason=f"add {address} again (the listener then serves at once), or configure an address that"
            " exists and restart; a restart with the present configuration fails with EADDRNOTAVAIL",
            evidence={"reason": binding.reason, "reachable": binding.reachable, "rebindable": binding.rebindable},
        )
    for reason, listeners in hidden.items():
        yield from find_unknown(SLUG, ERROR, listeners, reason)
