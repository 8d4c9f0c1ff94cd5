# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""stale-address: a listener whose address has gone."""

from __future__ import annotations

from collections.abc import Iterator

from .._model import bindings, findings
from .._wire import spelling
from . import first_look, wording

SLUG = "stale-address"


def find_stale_addresses(view: first_look.View) -> Iterator[findings.Finding]:
    """The bind address is no longer local to the socket's L3 domain, and nothing says that this is intended."""
    hidden: dict[str, list[bindings.Listener]] = {}
    for listener in view.listeners:
        if listener.binding.state == bindings.UNKNOWN:
            hidden.setdefault(listener.binding.reason, []).append(listener)
        if listener.binding.state != bindings.STALE_ADDRESS:
            continue
        socket, binding = listener.socket, listener.binding
        address = spelling.format_address(socket.packed)
        yield findings.Finding(
            rule=SLUG,
            verdict=findings.FAIL,
            severity=findings.ERROR,
            message=f"{wording.describe_holder(listener)} listens on {spelling.format_endpoint(socket)},"
            f" but {address} is no longer an address of this host",
            listener=listener,
            remedy=findings.RECONFIGURE,
            remedy_reason=f"add {address} again (the listener then serves at once), or configure an address that"
            " exists and restart; a restart with the present configuration fails with EADDRNOTAVAIL",
            evidence={"reason": binding.reason, "reachable": binding.reachable, "rebindable": binding.rebindable},
        )
    for reason, listeners in hidden.items():
        yield from wording.find_unknown(SLUG, findings.ERROR, listeners, reason)
