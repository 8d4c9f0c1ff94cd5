# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restart-blocked: a listener that a restart would not get back now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .._model import bindings, findings
from .._wire import spelling
from . import first_look, wording

SLUG = "restart-blocked"

_TOLD_BY_OTHERS = (bindings.STALE_ADDRESS, bindings.STALE_INTERFACE, bindings.PENDING, bindings.UNKNOWN)


def find_blocked_restarts(view: first_look.View) -> Iterator[findings.Finding]:
    """A restart right now would fail with EADDRINUSE."""
    hidden: dict[str, list[bindings.Listener]] = {}
    if view.restarts is None:
        return
    links = view.locality.links
    outlooks, holders = view.restarts.outlooks, view.restarts.holders
    for listener in view.listeners:
        outlook = outlooks.get(listener.socket)
        if outlook is None or listener.binding.state in _TOLD_BY_OTHERS:
            continue
        if outlook.verdict == "unknown":
            hidden.setdefault(outlook.reason or "", []).append(listener)
        if outlook.verdict != "blocked":
            continue
        from . import blockers

        groups = blockers.group_blockers(outlook.blockers, holders)
        seconds = outlook.clear_in_seconds
        yield findings.Finding(
            rule=SLUG,
            verdict=findings.FAIL,
            severity=findings.WARNING,
            message=f"a restart of {wording.describe_holder(listener)} would fail now with {outlook.errno}:"
            f" {spelling.format_endpoint(listener.socket)} is kept busy by {blockers.describe_blockers(groups)}",
            listener=listener,
            remedy=findings.MANUAL if seconds is None else findings.WAIT,
            remedy_reason=_explain(seconds),
            evidence={
                "errno": outlook.errno,
                "clear_in_seconds": seconds,
                "blockers": blockers.list_blockers(groups, links),
            },
        )
    for reason, listeners in hidden.items():
        yield from wording.find_unknown(
            SLUG, findings.WARNING, listeners, f"whether a restart would succeed is not known: {reason}"
        )


def may_be_blocked(listener: bindings.Listener) -> bool:
    """Whether this rule wants to know what else is on the port.

    Not of UDP, where nothing outlives its socket. Not of what could not be read: no-reuseaddr says so already.
    """
    return listener.socket.protocol == bindings.TCP and listener.options.reuseaddr is False


def _explain(seconds: Optional[int]) -> str:
    change = "so that it does not happen again, let the program set SO_REUSEADDR before bind()"
    if seconds is None:
        return (
            "stop, wait until what keeps the port busy has ended (an open connection stays for a minute after its end),"
            f" start; {change}"
        )
    return f"in {seconds} seconds the last of them is gone, unless new ones come: stop, wait that long, start; {change}"
