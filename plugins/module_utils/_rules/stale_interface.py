# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""stale-interface: a listener pinned to a link that was deleted."""

from __future__ import annotations

from collections.abc import Iterator

from .._model import bindings, findings
from .._wire import spelling
from . import first_look, wording

SLUG = "stale-interface"


def find_stale_interfaces(view: first_look.View) -> Iterator[findings.Finding]:
    """The listener is pinned to an ifindex that no longer exists (deleted, or deleted and made again by that name)."""
    for listener in view.listeners:
        if listener.binding.state != bindings.STALE_INTERFACE:
            continue
        socket = listener.socket
        # An address that is there on another link hints at an interface created again, which has a new index.
        now_on = sorted({address.ifindex for address in view.locality.addresses_of(socket.packed)})
        yield findings.Finding(
            rule=SLUG,
            verdict=findings.FAIL,
            severity=findings.ERROR,
            message=f"{wording.describe_holder(listener)} listens on {spelling.format_endpoint(socket)},"
            f" pinned to interface index {socket.ifindex}, which no longer exists",
            listener=listener,
            remedy=findings.MANUAL,
            remedy_reason="only a restart binds it again, and only once the interface that the service names exists:"
            " that name cannot be seen from outside, so check the configuration first",
            evidence={"reason": listener.binding.reason, "ifindex": socket.ifindex, "address_now_on_ifindex": now_on},
        )
    unseen = [listener for listener in view.listeners if listener.socket.ifindex is None]
    yield from wording.find_unknown(
        SLUG, findings.ERROR, unseen, "it cannot be seen whether the socket is pinned to an interface"
    )
