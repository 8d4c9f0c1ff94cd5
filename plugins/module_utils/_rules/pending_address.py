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


def find_pending_addresses(view: View) -> Iterator[Finding]:
    """The bind address is tentative, or duplicate address detection failed for it."""
    for listener in view.listeners:
        if listener.binding.state != PENDING:
            continue
        socket = listener.socket
        address = format_address(socket.packed)
        duplicate = any((found.flags or 0) & IFA_F_DADFAILED for found in view.locality.addresses_of(socket.packed))
        what = (
            "another host has that address (duplicate address detection failed)"
            if duplicate
            else "the address is still tentative"
        )
        yield Finding(
            rule=SLUG,
            verdict=FAIL,
            severity=ERROR if duplicate else WARNING,
            message=f"{describe_holder(listener)} listens on {describe_endpoint(socket)}, but {what}",
            listener=listener,
            remedy=MANUAL if duplicate else WAIT,
            remedy_reason=f"find the other holder of {address} on that link, then remove the address here and add it again"
            if duplicate
            else "duplicate address detection ends by itself within seconds once the link is up; the listener then serves without a restart",
            evidence={"reason": listener.binding.reason, "dadfailed": duplicate},
        )
    if not view.capabilities.address_flags:
        unseen = [item for item in view.listeners if item.socket.family == IPV6 and item.binding.state != WILDCARD]
        yield from find_unknown(
            SLUG, WARNING, unseen, "it cannot be seen whether the address is tentative or a duplicate"
        )
