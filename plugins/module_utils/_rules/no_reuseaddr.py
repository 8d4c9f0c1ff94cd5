# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""no-reuseaddr: a listener that a restart may not get back."""

from __future__ import annotations

from collections.abc import Iterator

from .._model import bindings, findings
from .._wire import spelling
from . import first_look, wording

SLUG = "no-reuseaddr"


def find_missing_reuseaddr(view: first_look.View) -> Iterator[findings.Finding]:
    """A live TCP listener has no SO_REUSEADDR, so that a restart fails while connections are around."""
    hidden: dict[str, list[bindings.Listener]] = {}
    for listener in view.listeners:
        socket, options = listener.socket, listener.options
        if socket.protocol != bindings.TCP or listener.ownership.status == bindings.KERNEL:
            continue
        if options.reuseaddr is None:
            hidden.setdefault(options.reason or "not read", []).append(listener)
        if options.reuseaddr is not False or options.reuseport:
            continue  # SO_REUSEPORT of the same user has the same effect (inet_bind_conflict)
        yield findings.Finding(
            rule=SLUG,
            verdict=findings.FAIL,
            severity=findings.WARNING,
            message=f"{wording.describe_holder(listener)} listens on {spelling.format_endpoint(socket)} without"
            " SO_REUSEADDR: after a stop, its last connections keep the port busy, and a start fails with EADDRINUSE",
            listener=listener,
            remedy=findings.MANUAL,
            remedy_reason="let the program set SO_REUSEADDR on the socket before bind(), at every start"
            " (docs/guides/reuse_settings.md). The first restart after that change may still fail, as the connections"
            " of the old socket lack it: wait a minute between stop and start",
            evidence={"reuseaddr": False, "reuseport": options.reuseport},
        )
    for reason, listeners in hidden.items():
        yield from wording.find_unknown(
            SLUG, findings.WARNING, listeners, f"whether SO_REUSEADDR is set could not be read: {reason}"
        )
