# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict for a host: collect, judge, say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._model import backends
from .._rules import first_look
from . import arguments, results
from .collect import Collected, collect_asked


def _collect(params: dict[str, Any]) -> Collected:
    return collect_asked(params, named=params["include_listeners"])


def check_bindings(
    params: dict[str, Any], collect: Callable[[dict[str, Any]], Collected] = _collect
) -> tuple[results.Json, tuple[backends.Gap, ...]]:
    """What bind_check returns, with `failed`, and the gaps to warn of.

    Raises InvalidOption, BackendUnavailable, UnreadableTable.
    """
    confirm_after = arguments.parse_confirm_after(params["confirm_after"])
    collected = collect(params)
    rendered: list[results.Json] = []
    lines: list[str] = []
    failing = 0
    if not first_look.is_in_order(collected.view):
        from . import judgement, listener_results

        collected, found, notes, failing = judgement.judge(params, collected, confirm_after, lambda: collect(params))
        rendered = [listener_results.render_finding(finding, collected.view.locality.links) for finding in found]
        lines = [*map(listener_results.compose_line, found), *notes]
    if collected.undecided:
        lines.append(f"{collected.undecided} more were left out: it cannot be seen whether they match `units`")
        failing += collected.undecided * (params["fail_on_unknown"] and params["fail_on"] != "never")
    listeners, links = collected.view.listeners, collected.view.locality.links
    summary = results.summarize(listeners, rendered)
    certain = all(listener.socket.ifindex is not None for listener in listeners)  # a dead pin is no valid binding
    result: results.Json = {
        "findings": rendered,
        "summary": summary,
        "failing": failing,
        "failed": failing > 0,
        "msg": results.compose_message(summary, lines, certain),
        "gaps": results.render_gaps(collected.gaps),
    }
    if params["include_listeners"]:
        from . import listener_results

        result["listeners"] = [listener_results.render_listener(listener, links) for listener in listeners]
    return result, collected.gaps
