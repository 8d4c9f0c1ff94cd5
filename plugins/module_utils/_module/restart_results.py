# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bind would meet, as JSON values (docs/schemas/restart.json)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from .._model import addresses, bindings, restarts
from .._rules import blockers
from . import results


def render_outlook(
    outlook: restarts.Outlook, holders: Mapping[int, bindings.Ownership], links: Mapping[int, addresses.Link]
) -> results.Json:
    """`holders` by inode, `links` by ifindex."""
    return {
        "verdict": outlook.verdict,
        "errno": outlook.errno,
        "blockers": blockers.list_blockers(blockers.group_blockers(outlook.blockers, holders), links),
        "clear_in_seconds": outlook.clear_in_seconds,
        "reason": outlook.reason or _compose_reason(outlook),
    }


def _compose_reason(outlook: restarts.Outlook) -> Optional[str]:
    return "the port is kept busy by what `blockers` lists" if outlook.blockers else None
