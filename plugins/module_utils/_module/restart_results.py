# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bind would meet, as JSON values (docs/schemas/restart.json)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from .._model.addresses import Link
from .._model.owners import Ownership
from .._model.restarts import Outlook
from .._rules.blockers import group_blockers, list_blockers
from .results import Json


def render_outlook(outlook: Outlook, holders: Mapping[int, Ownership], links: Mapping[int, Link]) -> Json:
    """`holders` by inode, `links` by ifindex."""
    return {
        "verdict": outlook.verdict,
        "errno": outlook.errno,
        "blockers": list_blockers(group_blockers(outlook.blockers, holders), links),
        "clear_in_seconds": outlook.clear_in_seconds,
        "reason": outlook.reason or _compose_reason(outlook),
    }


def _compose_reason(outlook: Outlook) -> Optional[str]:
    return "the port is kept busy by what `blockers` lists" if outlook.blockers else None
