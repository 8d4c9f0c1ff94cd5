# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.unit_names import complete_name

TEST_NAMES = [
    ("nginx", "nginx.service"),
    ("nginx.service", "nginx.service"),
    ("ssh.socket", "ssh.socket"),
    ("my.app", "my.app.service"),
    ("my.app@1.2", "my.app@1.2.service"),
    (" user.slice ", "user.slice"),
]


@pytest.mark.parametrize(("given", "name"), TEST_NAMES)
def test_names_are_completed_as_systemctl_does(given, name):
    assert complete_name(given) == name


@pytest.mark.parametrize("given", ["", " ", "a/b", "ngin*", "a?"])
def test_one_unit_is_to_be_named(given):
    with pytest.raises(InvalidOption):
        complete_name(given)
