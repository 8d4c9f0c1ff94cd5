# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where not all is plainly in order: what the rules find, what a second look confirms, and whether the check fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, Optional

from .._model import findings
from .._readers import services
from .._rules import engine, first_look, restart_blocked
from . import arguments, collect

Collect = Callable[[], collect.Collected]


class Judgement(NamedTuple):
    collected: collect.Collected  # what was judged: the second look, where there was one
    found: list[findings.Finding]
    notes: list[str]  # for a person
    failing: int  # how many of the findings make the check fail


def judge(params: dict[str, Any], collected: collect.Collected, confirm_after: float, look: Collect) -> Judgement:
    """confirm_after: seconds until a second look, which is taken if a finding could be over by then; 0 = none.

    Raises UnreadableTable.
    """
    slugs = [name for name in params["rules"] or arguments.RULES if name not in params["skip_rules"]]
    collected, found = _apply_rules(params, collected, slugs)
    notes: list[str] = []
    if confirm_after and engine.may_pass(found):
        time.sleep(confirm_after)
        collected = look()
        again: list[findings.Finding] = []
        if not first_look.is_in_order(collected.view):
            collected, again = _apply_rules(params, collected, slugs)
        found, notes = _keep_confirmed(found, again)
    failing = len(engine.find_failing(found, params["fail_on"], params["fail_on_unknown"]))
    return Judgement(collected, found, notes, failing)


def _apply_rules(
    params: dict[str, Any], collected: collect.Collected, slugs: Collection[str]
) -> tuple[collect.Collected, list[findings.Finding]]:
    """Connections are read only where they matter: on ports of listeners that are known to lack SO_REUSEADDR."""
    view = collected.view
    collected = collected._replace(view=view._replace(listeners=tuple(services.name_services(view.listeners))))
    if restart_blocked.SLUG in slugs and any(map(restart_blocked.may_be_blocked, collected.view.listeners)):
        from . import restarts

        backend = arguments.select_backend(params["backend"])
        collected = restarts.add_restarts(backend, collected, restart_blocked.may_be_blocked)
    return collected, engine.evaluate(collected.view, slugs)


def _keep_confirmed(
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
