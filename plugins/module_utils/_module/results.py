# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as JSON values, in the one shape that every module returns (docs/schemas/), and the text for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Optional

from .._model import addresses, bindings, findings, owners
from .._model.gaps import Gap
from .._rules import views
from .._wire import spelling

Json = dict[str, Any]


def render_listener(listener: bindings.Listener, links: dict[int, addresses.Link]) -> Json:
    """DESIGN's contract for one listener; `links` by ifindex."""
    socket, binding, ownership, options = listener
    link = links.get(socket.ifindex or 0)
    name = link.name if link is not None else None
    return {
        "protocol": socket.protocol,
        "family": socket.family,
        "address": spelling.format_address(socket.packed),
        "port": socket.port,
        "interface": name,
        "ifindex": socket.ifindex or None,
        "netns": None,
        "v6only": socket.v6only,
        "backlog": socket.backlog,
        "queued": socket.queued,
        "uid": socket.uid,
        "inode": socket.inode or None,
        "owners": [owner._asdict() for owner in ownership.owners],
        "owner_status": ownership.status,
        "service": _render_service(ownership),
        "options": {
            "reuseaddr": options.reuseaddr,
            "reuseport": options.reuseport,
            "freebind": socket.freebind,
            "transparent": socket.transparent,
            "keepalive": options.keepalive,
            "defer_accept": options.defer_accept,
            "bind_device": {"name": name, "ifindex": socket.ifindex} if socket.ifindex else None,
        },
        "binding": binding._asdict(),
    }


def _render_service(ownership: owners.Ownership) -> Optional[Json]:
    return ownership.service._asdict() if ownership.service is not None else None


def render_finding(finding: findings.Finding, links: dict[int, addresses.Link]) -> Json:
    listener = finding.listener
    return dict(finding._asdict(), listener=render_listener(listener, links) if listener is not None else None)


def render_gaps(gaps: Sequence[Gap]) -> list[Json]:
    return [gap._asdict() for gap in gaps]


def summarize(listeners: Sequence[bindings.Listener], found: Sequence[findings.Finding]) -> dict[str, int]:
    """Counts of listeners by the state of their binding (a wildcard counts as valid), and of findings by severity."""
    states = Counter(listener.binding.state for listener in listeners)
    severities = Counter(finding.severity for finding in found if finding.verdict == findings.FAIL)
    return {
        "listeners": len(listeners),
        "valid": states[bindings.VALID] + states[bindings.WILDCARD],
        "intended": states[bindings.INTENDED],
        "unknown": states[bindings.UNKNOWN],
        "findings": len(found),
        "errors": severities[findings.ERROR],
        "warnings": severities[findings.WARNING],
        "infos": severities[findings.INFO],
    }


def compose_message(
    summary: dict[str, int], found: Sequence[findings.Finding], notes: Sequence[str] = (), certain: bool = True
) -> str:
    """What a person reads: how many were looked at, then one line per finding in the order given, then notes.

    certain: nothing was hidden that could take back a "valid".
    """
    total, valid = summary["listeners"], summary["valid"]
    if total == 0:
        head = "No listener was found to look at"
    elif valid == total and certain and not found:
        head = f"All {total} bindings are valid"
    else:
        head = f"{total} looked at: {valid} valid, {summary['intended']} intended, {summary['unknown']} unknown"
    return "\n".join([head, *map(_compose_line, found), *notes])


def _compose_line(finding: findings.Finding) -> str:
    said = f"{finding.rule}: {'unknown, ' if finding.verdict != findings.FAIL else ''}{finding.message}"
    if finding.listener is None:
        return f"-  {said}"
    where = f"{views.describe_endpoint(finding.listener.socket)}  {views.describe_holder(finding.listener)}"
    return f"{where}  {said}  → {finding.remedy}" if finding.verdict == findings.FAIL else f"{where}  {said}"
