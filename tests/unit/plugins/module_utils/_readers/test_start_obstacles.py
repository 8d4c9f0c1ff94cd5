# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep systemd from starting a unit again."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import commands, start_obstacles
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.commands import Done, run_command
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.start_obstacles import read_obstacle
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.units import Manager
from plans import make_unit

SYSTEM = Manager(None)
FAILED = "x.service: ConditionPathExists=/a failed.\nx.service: ConditionUser=!b succeeded.\nConditions failed."
UNKNOWN_OPTION = "systemd-analyze: unrecognized option '--unit=x.service'"

TEST_CONDITIONS: list[tuple[Done, Optional[str]]] = [
    (Done(0, "", "", ""), None),
    (Done(1, FAILED, "", ""), "ConditionPathExists=/a failed"),
    (Done(1, "x.service: AssertPathExists=/a failed.\nAsserts failed.", "", ""), "AssertPathExists=/a failed"),
    (Done(1, "Conditions failed.", "", ""), "its conditions fail"),
    # Not the answer to the question: nothing is known then.
    (Done(1, UNKNOWN_OPTION, "", ""), None),
    (Done(1, "Unit x.service not found.", "", ""), None),
    (Done(None, "could not be run: No such file", "", ""), None),
]


@pytest.mark.parametrize(("done", "obstacle"), TEST_CONDITIONS)
def test_conditions(monkeypatch: pytest.MonkeyPatch, done: Done, obstacle: Optional[str]) -> None:
    asked = []

    def run(command: list[str], **_options: Any) -> Done:
        asked.append(command)
        return done

    monkeypatch.setattr(commands, "run_command", run)
    assert read_obstacle(SYSTEM, make_unit("x.service")) == obstacle
    assert asked == [["systemd-analyze", "--no-pager", "condition", "--unit=x.service"]]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_says_so_in_these_words(tmp_path: Path) -> None:
    """Of a unit in a folder of the test's own, as nothing is to be installed for it."""
    unit = "infracheck-condition.service"
    (tmp_path / unit).write_text("[Unit]\nConditionPathExists=/no/such/path\n[Service]\nExecStart=/bin/true\n")
    command = ["systemd-analyze", "--no-pager", "condition", f"--unit={unit}"]
    done = run_command(command, timeout=30, environment={"SYSTEMD_UNIT_PATH": str(tmp_path)})
    if "unrecognized option" in done.output:
        pytest.skip("this systemd cannot evaluate the conditions of a unit")
    assert done.status == 1
    assert done.output.splitlines() == [f"{unit}: ConditionPathExists=/no/such/path failed.", "Conditions failed."]


@pytest.fixture
def without_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "run_command", lambda *_words, **_options: Done(0, "", "", ""))


@pytest.mark.usefixtures("without_conditions")
def test_a_program_that_is_gone(tmp_path: Path) -> None:
    program = tmp_path / "server"
    unit = make_unit("x.service", exec_path=str(program), main_pid=0)
    gone = f"its ExecStart={program} is not there, or is no program"
    assert read_obstacle(SYSTEM, unit) == gone
    program.write_text("#!/bin/sh\n")
    assert read_obstacle(SYSTEM, unit) == gone
    program.chmod(0o755)
    assert read_obstacle(SYSTEM, unit) is None


@pytest.mark.usefixtures("without_conditions")
@pytest.mark.parametrize("path", ["", "relative", sys.executable, "/a\0b"])
def test_what_is_there_or_cannot_be_told(path: str) -> None:
    assert read_obstacle(SYSTEM, make_unit(exec_path=path, main_pid=0)) is None


@pytest.mark.usefixtures("without_conditions")
def test_a_program_that_only_the_running_one_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """BindPaths=, RootImage=: it is not in the host's own tree."""
    seen = []

    def is_no_program(path: str) -> bool:
        seen.append(path)
        return not path.startswith("/proc/")

    monkeypatch.setattr(start_obstacles, "_is_no_program", is_no_program)
    assert read_obstacle(SYSTEM, make_unit(exec_path="/opt/x", main_pid=77)) is None
    assert seen == ["/opt/x", "/proc/77/root/opt/x"]


def test_of_another_users_unit_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "run_command", None)
    other = Manager(os.geteuid() + 4242)
    assert read_obstacle(other, make_unit(exec_path="/no/such/program", main_pid=0)) is None
    assert read_obstacle(Manager(os.geteuid()), make_unit(exec_path="/no/such/program", main_pid=0)) is not None
