# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gaps as JSON values, the counts of a check, and the text for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .._model import bindings, findings
from .._model.gaps import Gap
from .._rules import views
from .._wire import spelling

Json = dict[str, Any]


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
    where = f"{spelling.format_endpoint(finding.listener.socket)}  {views.describe_holder(finding.listener)}"
    return f"{where}  {said}  → {finding.remedy}" if finding.verdict == findings.FAIL else f"{where}  {said}"
