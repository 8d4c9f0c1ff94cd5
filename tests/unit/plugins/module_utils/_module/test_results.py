# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that talks to AnsibleModule."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import (
    BackendUnavailable,
    Gap,
    UnreadableTable,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.results import run_module


class FakeModule:
    def __init__(self):
        self.params: dict[str, Any] = {"a": 1}
        self.said: list[tuple[str, Any]] = []

    def warn(self, warning):
        self.said.append(("warn", warning))

    def exit_json(self, **result):
        self.said.append(("exit", result))

    def fail_json(self, msg, **result):
        self.said.append(("fail", {"msg": msg, **result}))


def test_an_answer_is_returned_unchanged_and_changes_nothing():
    module = FakeModule()
    run_module(module, lambda params: ({"got": params["a"]}, ()))
    assert module.said == [("exit", {"changed": False, "got": 1})]


def test_a_failed_answer_keeps_all_that_was_found():
    module = FakeModule()
    run_module(module, lambda params: ({"failed": True, "msg": "no", "findings": [1]}, ()))
    assert module.said == [("fail", {"msg": "no", "findings": [1]})]


def test_every_gap_is_a_warning():
    module = FakeModule()
    run_module(module, lambda params: ({}, [Gap("owners", "the holders", "denied")]))
    assert module.said[0] == ("warn", "not everything could be read: the holders (owners): denied")


TEST_ERRORS = [
    InvalidOption("ports", "x", "a port"),
    BackendUnavailable("no psutil"),
    UnreadableTable("no sockets"),
]


@pytest.mark.parametrize("error", TEST_ERRORS)
def test_an_expected_error_is_one_clear_message(error):
    def answer(_params):
        raise error

    module = FakeModule()
    run_module(module, answer)
    assert module.said == [("fail", {"msg": str(error)})]


def test_an_unexpected_error_is_not_swallowed():
    def answer(_params):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_module(FakeModule(), answer)
