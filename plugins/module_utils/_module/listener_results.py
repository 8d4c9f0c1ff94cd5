# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listeners and findings as JSON values, in the one shape that every module returns (docs/schemas/)."""

from __future__ import annotations

from typing import Optional

from .._model import addresses, bindings, findings
from .._rules import wording
from .._wire import spelling
from . import results


def render_listener(listener: bindings.Listener, links: dict[int, addresses.Link]) -> results.Json:
    """As docs/schemas/listener.json has it; `links` by ifindex."""
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


def _render_service(ownership: bindings.Ownership) -> Optional[results.Json]:
    service = wording.find_service(ownership)
    return service._asdict() if service is not None else None


def render_finding(finding: findings.Finding, links: dict[int, addresses.Link]) -> results.Json:
    listener = finding.listener
    return dict(finding._asdict(), listener=render_listener(listener, links) if listener is not None else None)


def compose_line(finding: findings.Finding) -> str:
    """What a person reads of it: where, who, which rule, what, and the remedy."""
    said = f"{finding.rule}: {'unknown, ' if finding.verdict != findings.FAIL else ''}{finding.message}"
    if finding.listener is None:
        return f"-  {said}"
    where = f"{spelling.format_endpoint(finding.listener.socket)}  {wording.describe_holder(finding.listener)}"
    return f"{where}  {said}  → {finding.remedy}" if finding.verdict == findings.FAIL else f"{where}  {said}"
