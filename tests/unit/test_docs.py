# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guides say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import STATES
from ansible_collections.infracheck.bindings.plugins.module_utils._model.findings import REMEDIES, SEVERITIES
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.engine import RULES, Rule
from contracts import CHECKOUT

GUIDES = CHECKOUT / "docs" / "guides"
STALE = (GUIDES / "what_stale_means.md").read_text()
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted(GUIDES.glob("*.md"))]
NAMES = [str(page.relative_to(CHECKOUT)) for page in PAGES]


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("rule", RULES, ids=[rule.slug for rule in RULES])
def test_each_rule_is_told_in_the_sentence_of_its_docstring(rule: Rule) -> None:
    sentence = one_line(rule.find.__doc__ or "")
    assert re.fullmatch(r"[A-Z].*\.", sentence), "the rule is its docstring, in one sentence"
    _before, heading, section = STALE.partition(f"\n### {rule.slug}\n")
    assert heading, f"there is no section about {rule.slug}"
    assert one_line(section).startswith(f"{sentence} ")


def test_the_guide_has_no_rule_that_does_not_exist() -> None:
    assert re.findall(r"^### (.+)$", STALE, re.MULTILINE) == [rule.slug for rule in RULES]


def test_states_are_told_in_the_order_in_which_they_apply() -> None:
    _before, _heading, section = STALE.partition("\n## States\n")
    told = re.findall(r"^\| `(\w+)` \|", section.partition("\n## ")[0], re.MULTILINE)
    assert told == list(STATES)


def test_remedies_and_severities_are_words_of_the_code() -> None:
    remedies = set(re.findall(r"[Rr]emedy:? `(\w+)`", STALE))
    assert remedies
    assert remedies <= set(REMEDIES)
    severities = set(re.findall(r"[Ss]everity:? (\w+)", STALE))
    assert severities == set(SEVERITIES)


def test_readme_lists_every_module_and_rule() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    modules = {path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py")}
    assert set(re.findall(r"^\| `(\w+)` \| ", readme, re.MULTILINE)) == modules
    rules = re.findall(r"^\| ([a-z-]+) \| (?:error|warning|info)", readme, re.MULTILINE)
    assert rules == [rule.slug for rule in RULES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_and_path_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    for path in re.findall(r"`((?:plugins|tests|docs|playbooks|changelogs|meta)/[\w./-]+)`", text):
        assert (CHECKOUT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"`make ([a-z-]+)", page.read_text()):
        assert target in targets, target
