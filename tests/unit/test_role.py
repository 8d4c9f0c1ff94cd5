# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role checks of its variables covers all of them."""

from __future__ import annotations

import re
from typing import Any

import yaml
from contracts import CHECKOUT

ROLE = CHECKOUT / "roles" / "rebind"
PLAYBOOK = (CHECKOUT / "playbooks" / "rebind.yml").read_text()


def load(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text())


OPTIONS = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
VARIABLES = load("vars/main.yml")


def find_names(text: str) -> set[str]:
    code = "\n".join(line.partition(" # ")[0] for line in text.splitlines() if not line.lstrip().startswith("#"))
    return set(re.findall(r"(?<![\w.])rebind_\w+(?!\.yml)\b", code)) - {"rebind_"}


def test_every_name_that_the_role_or_the_playbook_uses_is_known_to_be_one_of_theirs() -> None:
    """One that is not would make each second run of the role in a play fail."""
    known = set(OPTIONS) | find_names(VARIABLES["rebind_builtin_names"])
    used = find_names(PLAYBOOK).union(*(find_names(path.read_text()) for path in (ROLE / "tasks").glob("*.yml")))
    assert len(used) > 40
    assert used | set(VARIABLES) <= known
    assert known <= used | set(VARIABLES) | set(OPTIONS)


def test_each_number_has_a_range_and_its_default_is_in_it() -> None:
    defaults = load("defaults/main.yml")
    numbers = {name for name, option in OPTIONS.items() if option["type"] in ("int", "float")}
    assert set(VARIABLES["rebind_builtin_ranges"]) == numbers
    for name, (least, most) in VARIABLES["rebind_builtin_ranges"].items():
        assert least <= defaults[name] <= most


def test_the_defaults_are_those_that_are_told() -> None:
    assert {name: option["default"] for name, option in OPTIONS.items()} == load("defaults/main.yml")
