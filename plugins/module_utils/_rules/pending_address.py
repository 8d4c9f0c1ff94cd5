# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pending-address: a listener whose address is there, but not yet (or never) usable."""

from __future__ import annotations

from collections.abc import Iterator

from .._model.addresses import IFA_F_DADFAILED
from .._model.findings import ERROR, FAIL, MANUAL, WAIT, WARNING, Finding
from .._model.listeners import IPV6, PENDING, WILDCARD
from .._wire.text import format_address
from .view import View, describe_endpoint, describe_holder, find_unknown

SLUG = "pending-address"

_DUPLICATE = "another host has that address (duplicate address detection failed)"
_TENTATIVE = "the address is still tentative"
_UNSEEN = "it cannot be seen whether the address is tentative or a duplicate"
_WAIT = "duplicate address detection ends within seconds once the link is up; the listener then serves by itself"


def find_pending_addresses(view: View) -> Iterator[Finding]:
    """The bind address is tentative, or duplicate address detection failed for it."""
    for listener in view.listeners:
        if listener.binding.state != PENDING:
            continue
        socket = listener.socket
        address = format_address(socket.packed)
        duplicate = any((found.flags or 0) & IFA_F_DADFAILED for found in view.locality.addresses_for(socket))
        where = f"{describe_holder(listener)} listens on {describe_endpoint(socket)}"
        resolve = f"find the other holder of {address} on that link, then remove it here and add it again"
        yield Finding(
            rule=SLUG,
            verdict=FAIL,
            severity=ERROR if duplicate else WARNING,
            message=f"{where}, but {_DUPLICATE if duplicate else _TENTATIVE}",
            listener=listener,
            remedy=MANUAL if duplicate else WAIT,
            remedy_reason=resolve if duplicate else _WAIT,
            evidence={"reason": listener.binding.reason, "dadfailed": duplicate},
        )
    if not view.capabilities.address_flags:
        unseen = [item for item in view.listeners if item.socket.family == IPV6 and item.binding.state != WILDCARD]
        yield from find_unknown(SLUG, WARNING, unseen, _UNSEEN)
