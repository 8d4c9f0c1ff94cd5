# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What two samples of a host both show: a flap is no finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .._model import findings


def keep_confirmed(
    first: Sequence[findings.Finding], second: Sequence[findings.Finding]
) -> tuple[list[findings.Finding], list[str]]:
    """What both samples show, as the second one shows it, and a line for a person about the rest."""
    before = {_confirmation_key(finding) for finding in first}
    confirmed = [finding for finding in second if _confirmation_key(finding) in before]
    after = {_confirmation_key(finding) for finding in second}
    dropped = len(before ^ after)
    if not dropped:
        return confirmed, []
    return confirmed, [f"{dropped} more showed in only one of the two samples and were left out"]


def _confirmation_key(finding: findings.Finding) -> tuple[str, str, Optional[tuple[object, ...]]]:
    """Never a pid or an inode: a service that restarted in between and is stale again is still stale."""
    listener = finding.listener
    return (finding.rule, finding.verdict, listener.socket.identity if listener is not None else None)
