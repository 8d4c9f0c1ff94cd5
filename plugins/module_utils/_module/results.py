# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gaps as JSON values, the counts of a check, and the text for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .._model import bindings
from .._model.backends import Gap

Json = dict[str, Any]


def render_gaps(gaps: Sequence[Gap]) -> list[Json]:
    return [gap._asdict() for gap in gaps]


def summarize(listeners: Sequence[bindings.Listener], found: Sequence[Json]) -> dict[str, int]:
    """Counts of listeners by the state of their binding (a wildcard counts as valid), and of findings by severity."""
    states = Counter(listener.binding.state for listener in listeners)
    # In the words of _model/findings.py, which a host where all is well need not load.
    severities = Counter(finding["severity"] for finding in found if finding["verdict"] == "fail")
    return {
        "listeners": len(listeners),
        "valid": states[bindings.VALID] + states[bindings.WILDCARD],
        "intended": states[bindings.INTENDED],
        "unknown": states[bindings.UNKNOWN],
        "findings": len(found),
        "errors": severities["error"],
        "warnings": severities["warning"],
        "infos": severities["info"],
    }


def compose_message(summary: dict[str, int], lines: Sequence[str], certain: bool = True) -> str:
    """What a person reads: how many were looked at, then the lines.

    certain: nothing was hidden that could take back a "valid".
    """
    total, valid = summary["listeners"], summary["valid"]
    if total == 0:
        head = "No listener was found to look at"
    elif valid == total and certain and not summary["findings"]:
        head = f"All {total} bindings are valid"
    else:
        head = f"{total} looked at: {valid} valid, {summary['intended']} intended, {summary['unknown']} unknown"
    return "\n".join([head, *lines])
