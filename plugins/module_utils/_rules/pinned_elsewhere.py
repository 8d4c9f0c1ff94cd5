# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pinned-elsewhere: a listener pinned to one link, with the address of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .._model import addresses, bindings, findings
from .._wire import spelling
from . import closer_look, first_look, wording

SLUG = "pinned-elsewhere"


def find_pinned_elsewhere(view: first_look.View) -> Iterator[findings.Finding]:
    """The listener is pinned to a link, and only other links have its bind address."""
    links = view.locality.links
    for listener in view.listeners:
        socket = listener.socket
        if listener.binding.state != bindings.VALID or not closer_look.is_pinned_elsewhere(view.locality, socket):
            continue
        pinned = links[socket.ifindex or 0].name
        holders = sorted({_name(links, found.ifindex) for found in view.locality.closer.addresses_for(socket)})
        where = f"{wording.describe_holder(listener)} listens on {spelling.format_endpoint(socket)}"
        yield findings.Finding(
            rule=SLUG,
            verdict=findings.FAIL,
            severity=findings.INFO,  # an address kept on lo for a service on one link is a common and sound set-up
            message=f"{where}, pinned to {pinned}, but that address is on {', '.join(holders)}",
            listener=listener,
            remedy=findings.MANUAL,
            remedy_reason=f"only what arrives by {pinned} reaches it; if {spelling.format_address(socket.packed)} moved"
            " to another link, configure the service for that one and restart it",
            evidence={"reason": listener.binding.reason, "pinned_to": pinned, "address_on": holders},
        )


def _name(links: Mapping[int, addresses.Link], ifindex: int) -> str:
    """A link that was made after the links had been read is known by its index alone."""
    return links[ifindex].name if ifindex in links else f"interface index {ifindex}"
