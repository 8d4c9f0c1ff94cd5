# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All rules, and how their findings are put in order.

A new rule is one function in its own file and one line in RULES; CONTRIBUTING.md tells what else knows of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Callable, NamedTuple

from .._model import findings
from . import (
    first_look,
    link_down,
    no_reuseaddr,
    pending_address,
    pinned_elsewhere,
    restart_blocked,
    shared_binding,
    stale_address,
    stale_interface,
)


class Rule(NamedTuple):
    slug: str  # stable: users name it in `rules` and `skip_rules`
    find: Callable[[first_look.View], Iterable[findings.Finding]]
    may_pass: bool  # what it finds may be over a moment later, so that a second look is worth waiting for


RULES = (
    Rule("stale-address", stale_address.find_stale_addresses, may_pass=True),
    Rule("stale-interface", stale_interface.find_stale_interfaces, may_pass=True),
    Rule("pending-address", pending_address.find_pending_addresses, may_pass=True),
    Rule("link-down", link_down.find_links_down, may_pass=True),
    Rule("pinned-elsewhere", pinned_elsewhere.find_pinned_elsewhere, may_pass=True),
    Rule("no-reuseaddr", no_reuseaddr.find_missing_reuseaddr, may_pass=False),
    Rule("restart-blocked", restart_blocked.find_blocked_restarts, may_pass=True),
    Rule("shared-binding", shared_binding.find_shared_bindings, may_pass=False),
)


def evaluate(view: first_look.View, slugs: Collection[str]) -> list[findings.Finding]:
    """The findings of the named rules, the worst first, then by listener, then in the order of RULES."""
    found = [finding for rule in RULES if rule.slug in slugs for finding in rule.find(view)]
    return sorted(found, key=_sort_key)  # stable


def may_pass(found: Iterable[findings.Finding]) -> bool:
    """Whether one of them may be gone a moment later."""
    passing = {rule.slug for rule in RULES if rule.may_pass}
    return any(finding.verdict == findings.FAIL and finding.rule in passing for finding in found)


def find_failing(found: Iterable[findings.Finding], fail_on: str, fail_on_unknown: bool) -> list[findings.Finding]:
    """Those that make a check fail: at or above `fail_on` (`never`: none), unknown ones only on request."""
    if fail_on == "never":
        return []
    limit = findings.SEVERITIES.index(fail_on)
    return [
        finding
        for finding in found
        if findings.SEVERITIES.index(finding.severity) <= limit
        and (finding.verdict == findings.FAIL or fail_on_unknown)
    ]


def _sort_key(finding: findings.Finding) -> tuple[bool, int, bool, tuple[object, ...]]:
    listener = finding.listener
    identity = listener.socket.sort_key if listener is not None else ()
    # What is known to be wrong comes before what is not known.
    return (finding.verdict != findings.FAIL, findings.SEVERITIES.index(finding.severity), listener is None, identity)
