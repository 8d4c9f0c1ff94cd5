# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.units import EnvironmentFile, Unit
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import commands
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.commands import Done, run_command
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.units import (
    Manager,
    read_environment,
    read_units,
)
from plans import make_unit

GOOD = "Id={name}\nLoadState=loaded\nActiveState=active\n"


class Systemctl:
    """Answers for every unit but those that it was told to break on."""

    def __init__(self, broken: Sequence[str] = (), done: Any = None) -> None:
        self.calls: list[tuple[str, ...]] = []
        self._broken = broken
        self._done = done

    def __call__(self, command: Sequence[str], **_options: Any) -> Done:
        names = list(command)[list(command).index("--") + 1 :]
        self.calls.append(tuple(names))
        if self._done is not None:
            return Done(*self._done)
        blocks = [
            f"Id={name}\nExecStart=cannot be read\n" if name in self._broken else GOOD.format(name=name)
            for name in names
        ]
        return Done(0, "", "\n".join(blocks), "")


def install(monkeypatch: pytest.MonkeyPatch, systemctl: Systemctl) -> Systemctl:
    monkeypatch.setattr(commands, "run_command", systemctl)
    return systemctl


def test_all_units_are_read_with_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl = install(monkeypatch, Systemctl())
    found = read_units(Manager(None), ["a.service", "b.socket"])
    assert [unit.name for unit in found.values() if isinstance(unit, Unit)] == ["a.service", "b.socket"]
    assert systemctl.calls == [("a.service", "b.socket")]


def test_one_that_cannot_be_read_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Systemctl(broken=["b.service"]))
    found = read_units(Manager(None), ["a.service", "b.service", "c.service"])
    assert [name for name, unit in found.items() if isinstance(unit, Unit)] == ["a.service", "c.service"]
    assert found["b.service"] == "systemctl show: ExecStart has an unknown form"


def test_one_name_that_systemctl_does_not_take_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl = Systemctl()

    def answer(command: Sequence[str], **options: Any) -> Done:
        done = systemctl(command, **options)
        return Done(1, "Failed to mangle unit name", "", "") if "b" in command else done

    monkeypatch.setattr(commands, "run_command", answer)
    found = read_units(Manager(None), ["a.service", "b"])
    assert isinstance(found["a.service"], Unit)
    assert found["b"] == "systemctl show: Failed to mangle unit name"


def test_a_manager_that_does_not_answer_is_not_asked_again_for_each_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty units would be twenty times ten seconds."""
    systemctl = install(monkeypatch, Systemctl(done=(None, "did not end within 10 seconds", "", "")))
    found = read_units(Manager(1000), ["a.service", "b.service"])
    assert set(found.values()) == {"systemctl show: did not end within 10 seconds"}
    assert len(systemctl.calls) == 1


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        ((1, "Failed to connect to bus", "", ""), "Failed to connect to bus"),
        ((None, "did not end within 10 seconds", "", ""), "did not end"),
        ((0, "", "", ""), "answered for 0 of 1 units"),
        ((0, "", GOOD.format(name="a.service") + "\n" + GOOD.format(name="b.service"), ""), "answered for 2 of 1"),
    ],
)
def test_why_not(monkeypatch: pytest.MonkeyPatch, done: Any, reason: str) -> None:
    install(monkeypatch, Systemctl(done=done))
    assert reason in str(read_units(Manager(None), ["a.service"])["a.service"])


def test_the_manager_of_another_user_is_reached_as_that_user() -> None:
    other = os.geteuid() + 4242
    command = Manager(other).command
    assert f"--reuid={other}" in command
    # What that user can read in /proc of it: nothing that was in our environment.
    assert command[:2] == ("env", "--ignore-environment")
    assert command.index("setpriv") > command.index(f"XDG_RUNTIME_DIR=/run/user/{other}")
    assert f"XDG_RUNTIME_DIR=/run/user/{other}" in command
    assert command[-2:] == ("systemctl", "--user")
    assert Manager(os.geteuid()).command[:2] == ("env", f"XDG_RUNTIME_DIR=/run/user/{os.geteuid()}")
    assert (Manager(other).is_foreign, Manager(os.geteuid()).is_foreign, Manager(None).is_foreign) == (
        True,
        False,
        False,
    )
    assert Manager(None).command == ("systemctl", "--no-ask-password")


def test_the_environment_of_a_unit(tmp_path: Path) -> None:
    file = tmp_path / "default"
    file.write_text("# a comment\n; another\n\nA=1\nB='two words'\nC=\"three\"\nnonsense\n D = 4 \n")
    os.mkfifo(tmp_path / "pipe")
    unit = make_unit(
        environment=("A=0", "E=x=y"),
        environment_files=(
            EnvironmentFile(str(file), False),
            EnvironmentFile(str(tmp_path / "missing"), True),
            EnvironmentFile(str(tmp_path / "pipe"), False),
        ),
    )
    assert read_environment(unit) == {"A": "1", "B": "two words", "C": "three", "D": "4", "E": "x=y"}


def test_a_command_is_run_and_what_it_says_is_made_harmless() -> None:
    done = run_command(["sh", "-c", r"printf 'out\n'; printf 'a\033[31m\377\n' >&2; exit 3"], timeout=10)
    assert done.status == 3
    assert done.output.splitlines() == [r"a\x1b[31m\xff", "out"]
    assert done.full_output == "out\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [(["/no/such/program"], "could not be run"), (["sleep", "10"], "did not end within 0.1 seconds")],
)
def test_a_command_that_does_not_run_or_end(command: list[str], said: str) -> None:
    done = run_command(command, timeout=0.1)
    assert done.status is None
    assert said in done.output


def test_a_command_for_a_user_that_does_not_exist_is_not_run() -> None:
    assert run_command(["true"], timeout=10, user="no-such-user").status is None


@pytest.mark.skipif(os.geteuid() != 0, reason="running as another user takes root")
def test_a_command_runs_as_the_user_alone() -> None:
    for user in ("nobody", str(pwd.getpwnam("nobody").pw_uid)):
        done = run_command(["id"], timeout=10, user=user)
        assert "(nobody)" in done.output
        assert "root" not in done.output


@pytest.mark.skipif(os.geteuid() != 0, reason="running as another user takes root")
def test_the_command_of_another_user_has_no_terminal_of_ours() -> None:
    session = run_command(["sh", "-c", "echo $$; ps -o sid= -p $$"], timeout=10, user="nobody").full_output.split()
    assert session[0] == session[1]


def test_what_somebody_elses_manager_says_is_made_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be any program that listens at that user's bus."""
    said = "Id=a\x1b[31m.service\nLoadState=ma\udcffsked\nTriggers=b\u202e.service\n"
    install(monkeypatch, Systemctl(done=(0, "", said, "")))
    unit = read_units(Manager(os.geteuid() + 4242), ["a.service"])["a.service"]
    assert isinstance(unit, Unit)
    assert (unit.name, unit.load_state, unit.triggers) == ("a\\x1b[31m.service", "ma\\xffsked", ("b\\u202e.service",))
