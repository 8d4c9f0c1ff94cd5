# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.plugins.action.normal import ActionModule as AnyModule
from ansible_collections.infracheck.bindings.plugins.action.bind_check import ActionModule


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """As it was, with nothing that a test made out of its sight."""
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def action() -> ActionModule:
    return ActionModule.__new__(ActionModule)  # without the task, connection and loaders that run() below leaves alone


def test_it_is_off_meanwhile_and_the_result_is_passed_on(action: ActionModule, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def run(self: object, tmp: object, task_vars: object) -> dict[str, Any]:
        seen.extend((self is action, gc.isenabled(), task_vars))
        return {"msg": "All 3 bindings are valid"}

    monkeypatch.setattr(AnyModule, "run", run)
    frozen = gc.get_freeze_count()
    assert action.run(task_vars={"x": 1}) == {"msg": "All 3 bindings are valid"}
    assert seen == [True, False, {"x": 1}]
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen  # what was made meanwhile is not looked through afterwards either


def test_it_is_on_again_after_an_error(action: ActionModule, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_arguments: object) -> dict[str, Any]:
        raise ConnectionError("gone")

    monkeypatch.setattr(AnyModule, "run", run)
    with pytest.raises(ConnectionError, match="gone"):
        action.run()
    assert gc.isenabled()


def test_whoever_had_it_off_finds_it_off(action: ActionModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnyModule, "run", lambda *_arguments: {})
    gc.disable()
    frozen = gc.get_freeze_count()
    action.run()
    assert not gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_what_it_can_do_is_what_any_module_can() -> None:
    names = ("_supports_check_mode", "_supports_async", "_requires_connection")
    assert [getattr(ActionModule, name) for name in names] == [getattr(AnyModule, name) for name in names]
