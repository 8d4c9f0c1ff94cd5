# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as JSON values, in the one shape that every module returns (docs/schemas/), and the text for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Optional

from .._model.addresses import Link
from .._model.findings import ERROR, FAIL, INFO, WARNING, Finding
from .._model.gaps import Gap
from .._model.listeners import INTENDED, UNKNOWN, VALID, WILDCARD, Listener
from .._model.owners import Ownership
from .._rules.view import describe_endpoint, describe_holder
from .._wire.text import format_address

Json = dict[str, Any]


def render_listener(listener: Listener, links: dict[int, Link]) -> Json:
    """DESIGN's contract for one listener; `links` by ifindex."""
    socket, binding, ownership, options = listener
    link = links.get(socket.ifindex or 0)
    name = link.name if link is not None else None
    return {
        "protocol": socket.protocol,
        "family": socket.family,
        "address": format_address(socket.packed),
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


def _render_service(ownership: Ownership) -> Optional[Json]:
    return ownership.service._asdict() if ownership.service is not None else None


def render_finding(finding: Finding, links: dict[int, Link]) -> Json:
    listener = finding.listener
    return dict(finding._asdict(), listener=render_listener(listener, links) if listener is not None else None)


def render_gaps(gaps: Sequence[Gap]) -> list[Json]:
    return [gap._asdict() for gap in gaps]


def summarize(listeners: Sequence[Listener], findings: Sequence[Finding]) -> dict[str, int]:
    """Counts of listeners by the state of their binding (a wildcard counts as valid), and of findings by severity."""
    states = Counter(listener.binding.state for listener in listeners)
    severities = Counter(finding.severity for finding in findings if finding.verdict == FAIL)
    return {
        "listeners": len(listeners),
        "valid": states[VALID] + states[WILDCARD],
        "intended": states[INTENDED],
        "unknown": states[UNKNOWN],
        "findings": len(findings),
        "errors": severities[ERROR],
        "warnings": severities[WARNING],
        "infos": severities[INFO],
    }


def compose_message(
    summary: dict[str, int], findings: Sequence[Finding], notes: Sequence[str] = (), certain: bool = True
) -> str:
    """What a person reads: how many were looked at, then one line per finding in the order given, then notes.

    certain: nothing was hidden that could take back a "valid".
    """
    total, valid = summary["listeners"], summary["valid"]
    if total == 0:
        head = "No listener was found to look at"
    elif valid == total and certain and not findings:
        head = f"All {total} bindings are valid"
    else:
        head = f"{total} looked at: {valid} valid, {summary['intended']} intended, {summary['unknown']} unknown"
    return "\n".join([head, *map(_compose_line, findings), *notes])


def _compose_line(finding: Finding) -> str:
    said = f"{finding.rule}: {'unknown, ' if finding.verdict != FAIL else ''}{finding.message}"
    if finding.listener is None:
        return f"-  {said}"
    where = f"{describe_endpoint(finding.listener.socket)}  {describe_holder(finding.listener)}"
    return f"{where}  {said}  → {finding.remedy}" if finding.verdict == FAIL else f"{where}  {said}"
