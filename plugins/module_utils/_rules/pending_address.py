# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pending-address: a listener whose address is there, but not yet (or never) usable."""

from __future__ import annotations

from collections.abc import Iterator

from .._model import addresses, bindings, findings
from .._wire import spelling
from . import first_look, wording

SLUG = "pending-address"

_DUPLICATE = "another host has that address (duplicate address detection failed)"
_TENTATIVE = "the address is still tentative"
_UNSEEN = "it cannot be seen whether the address is tentative or a duplicate"
_WAIT = "duplicate address detection ends within seconds once the link is up; the listener then serves by itself"


def find_pending_addresses(view: first_look.View) -> Iterator[findings.Finding]:
    """The bind address is tentative, or duplicate address detection failed for it."""
    for listener in view.listeners:
        if listener.binding.state != bindings.PENDING:
            continue
        socket = listener.socket
        address = spelling.format_address(socket.packed)
        duplicate = any(
            (found.flags or 0) & addresses.IFA_F_DADFAILED for found in view.locality.closer.addresses_for(socket)
        )
        where = f"{wording.describe_holder(listener)} listens on {spelling.format_endpoint(socket)}"
        resolve = f"find the other holder of {address} on that link, then remove it here and add it again"
        yield findings.Finding(
            rule=SLUG,
            verdict=findings.FAIL,
            severity=findings.ERROR if duplicate else findings.WARNING,
            message=f"{where}, but {_DUPLICATE if duplicate else _TENTATIVE}",
            listener=listener,
            remedy=findings.MANUAL if duplicate else findings.WAIT,
            remedy_reason=resolve if duplicate else _WAIT,
            evidence={"reason": listener.binding.reason, "dadfailed": duplicate},
        )
    if not view.capabilities.address_flags:
        unseen = [
            item
            for item in view.listeners
            if item.socket.family == bindings.IPV6 and item.binding.state != bindings.WILDCARD
        ]
        yield from wording.find_unknown(SLUG, findings.WARNING, unseen, _UNSEEN)
