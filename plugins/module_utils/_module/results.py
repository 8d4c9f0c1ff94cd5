# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module says: its answer, warnings and errors as Ansible prints them; gaps as JSON values, the counts of a
check, and the text for a person.

run_module() is the one place that knows AnsibleModule.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .._model import backends, bindings
from . import arguments

Json = dict[str, Any]


class Module(Protocol):
    """The part of AnsibleModule that is used here."""

    params: dict[str, Any]

    def warn(self, warning: str) -> None: ...
    def exit_json(self, **kwargs: Any) -> None: ...
    def fail_json(self, msg: str, **kwargs: Any) -> None: ...


def run_module(module: Module, answer: Callable[[dict[str, Any]], tuple[Json, Sequence[backends.Gap]]]) -> None:
    """Exit with what `answer` makes of the parameters, after a warning for each gap.

    `failed` in the answer fails the task; all the rest is still returned.
    """
    try:
        result, gaps = answer(module.params)
    except (arguments.InvalidOption, backends.BackendUnavailable, backends.UnreadableTable) as error:
        module.fail_json(msg=str(error))
        return
    gc.freeze()  # on its way out Python looks through all objects for cycles, which takes longer than most readings
    for gap in gaps:  # whoever reads only the screen is told as well that not everything was seen
        module.warn(f"not everything could be read: {gap.subject} ({gap.source}): {gap.reason}")
    if result.pop("failed", False):
        module.fail_json(**result)
    else:
        module.exit_json(changed=False, **result)


def render_gaps(gaps: Sequence[backends.Gap]) -> list[Json]:
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
