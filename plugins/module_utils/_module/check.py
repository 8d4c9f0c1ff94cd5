# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict for a host: collect, run the rules, confirm, decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from .._model import findings
from .._model.gaps import Gap
from .._rules import in_order
from . import arguments, results
from .collect import Collected, collect_asked

Collect = Callable[[dict[str, Any]], Collected]


def check_bindings(params: dict[str, Any], collect: Collect = collect_asked) -> tuple[results.Json, tuple[Gap, ...]]:
    """What bind_check returns, with `failed`, and the gaps to warn of.

    Raises InvalidOption, BackendUnavailable, UnreadableTable.
    """
    confirm_after = arguments.parse_confirm_after(params["confirm_after"])
    slugs = [name for name in params["rules"] or findings.RULES if name not in params["skip_rules"]]
    collected, found = _look(params, slugs, collect)
    notes: list[str] = []
    failing = 0
    if found:
        from .._rules import engine
        from . import confirmation

        if confirm_after and engine.may_pass(found):
            time.sleep(confirm_after)
            collected, again = _look(params, slugs, collect)
            found, notes = confirmation.keep_confirmed(found, again)
        failing = len(engine.find_failing(found, params["fail_on"], params["fail_on_unknown"]))
    if collected.undecided:
        notes = [*notes, f"{collected.undecided} more were left out: it cannot be seen whether they match `units`"]
    if params["fail_on_unknown"] and params["fail_on"] != "never":
        failing += collected.undecided
    listeners, links = collected.view.listeners, collected.view.locality.links
    summary = results.summarize(listeners, found)
    certain = all(listener.socket.ifindex is not None for listener in listeners)  # a dead pin is no valid binding
    result: results.Json = {
        "findings": [],
        "summary": summary,
        "failing": failing,
        "failed": failing > 0,
        "msg": results.compose_message(summary, found, notes, certain),
        "gaps": results.render_gaps(collected.gaps),
    }
    if found or params["include_listeners"]:
        from . import listener_results

        result["findings"] = [listener_results.render_finding(finding, links) for finding in found]
    if params["include_listeners"]:
        result["listeners"] = [listener_results.render_listener(listener, links) for listener in listeners]
    return result, collected.gaps


def _look(params: dict[str, Any], slugs: Collection[str], collect: Collect) -> tuple[Collected, list[findings.Finding]]:
    """One look at the host, and what the rules say of it.

    Connections are read only where they matter: on ports of listeners that are known to lack SO_REUSEADDR.
    """
    collected = collect(params)
    if in_order.is_in_order(collected.view):
        return collected, []
    from .._rules import engine, restart_blocked

    if restart_blocked.SLUG in slugs and any(map(restart_blocked.may_be_blocked, collected.view.listeners)):
        from .._readers import backends
        from . import restarts

        backend = backends.select_backend(params["backend"])
        collected = restarts.add_restarts(backend, collected, restart_blocked.may_be_blocked)
    return collected, engine.evaluate(collected.view, slugs)
