# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict for a host: collect, run the rules, confirm, decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Optional

from .._model import findings
from .._model.gaps import Gap
from .._rules import engine, restart_blocked
from . import arguments, results
from .collect import Collected, collect_asked

RULE_NAMES = [rule.slug for rule in engine.RULES]

Collect = Callable[[dict[str, Any]], Collected]


def check_bindings(params: dict[str, Any], collect: Collect = collect_asked) -> tuple[results.Json, tuple[Gap, ...]]:
    """What bind_check returns, with `failed`, and the gaps to warn of.

    Raises InvalidOption, BackendUnavailable, UnreadableTable.
    """
    confirm_after = arguments.parse_confirm_after(params["confirm_after"])
    slugs = [name for name in params["rules"] or RULE_NAMES if name not in params["skip_rules"]]
    collected = _look(params, slugs, collect)
    found = engine.evaluate(collected.view, slugs)
    notes: list[str] = []
    if confirm_after and engine.may_pass(found):
        time.sleep(confirm_after)
        collected = _look(params, slugs, collect)
        found, notes = keep_confirmed(found, engine.evaluate(collected.view, slugs))
    if collected.undecided:
        notes = [*notes, f"{collected.undecided} more were left out: it cannot be seen whether they match `units`"]
    failing = len(engine.find_failing(found, params["fail_on"], params["fail_on_unknown"]))
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


def _look(params: dict[str, Any], slugs: Collection[str], collect: Collect) -> Collected:
    """Connections are read only where they matter: on ports of listeners that are known to lack SO_REUSEADDR."""
    collected = collect(params)
    if restart_blocked.SLUG not in slugs or not any(
        restart_blocked.may_be_blocked(listener) for listener in collected.view.listeners
    ):
        return collected
    from .._readers import backends
    from . import restarts

    return restarts.add_restarts(backends.select_backend(params["backend"]), collected, restart_blocked.may_be_blocked)


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
