# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All rules, and how their findings are put in order.

A new rule is one function in its own file and one line in RULES.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Callable, NamedTuple

from .._model.findings import FAIL, SEVERITIES, Finding
from .link_down import find_links_down
from .no_reuseaddr import find_missing_reuseaddr
from .pending_address import find_pending_addresses
from .pinned_elsewhere import find_pinned_elsewhere
from .restart_blocked import find_blocked_restarts
from .shared_binding import find_shared_bindings
from .stale_address import find_stale_addresses
from .stale_interface import find_stale_interfaces
from .view import View


class Rule(NamedTuple):
    slug: str  # stable: users name it in `rules` and `skip_rules`
    find: Callable[[View], Iterable[Finding]]
    may_pass: bool  # what it finds may be over a moment later, so that a second look is worth waiting for


RULES = (
    Rule("stale-address", find_stale_addresses, may_pass=True),
    Rule("stale-interface", find_stale_interfaces, may_pass=True),
    Rule("pending-address", find_pending_addresses, may_pass=True),
    Rule("link-down", find_links_down, may_pass=True),
    Rule("pinned-elsewhere", find_pinned_elsewhere, may_pass=True),
    Rule("no-reuseaddr", find_missing_reuseaddr, may_pass=False),
    Rule("restart-blocked", find_blocked_restarts, may_pass=True),
    Rule("shared-binding", find_shared_bindings, may_pass=False),
)


def evaluate(view: View, slugs: Collection[str]) -> list[Finding]:
    """The findings of the named rules, the worst first, then by listener, then in the order of RULES."""
    found = [finding for rule in RULES if rule.slug in slugs for finding in rule.find(view)]
    return sorted(found, key=_sort_key)  # stable


def may_pass(findings: Iterable[Finding]) -> bool:
    """Whether one of them may be gone a moment later."""
    passing = {rule.slug for rule in RULES if rule.may_pass}
    return any(finding.verdict == FAIL and finding.rule in passing for finding in findings)


def find_failing(findings: Iterable[Finding], fail_on: str, fail_on_unknown: bool) -> list[Finding]:
    """Those that make a check fail: at or above `fail_on` (`never`: none), unknown ones only on request."""
    if fail_on == "never":
        return []
    limit = SEVERITIES.index(fail_on)
    return [
        finding
        for finding in findings
        if SEVERITIES.index(finding.severity) <= limit and (finding.verdict == FAIL or fail_on_unknown)
    ]


def _sort_key(finding: Finding) -> tuple[bool, int, bool, tuple[object, ...]]:
    listener = finding.listener
    identity = listener.socket.sort_key if listener is not None else ()
    # What is known to be wrong comes before what is not known.
    return (finding.verdict != FAIL, SEVERITIES.index(finding.severity), listener is None, identity)
