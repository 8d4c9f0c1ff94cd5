# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.carrier import read_carrier, read_tunnels


def add_process(proc: Path, pid: int, parent: int, environment: bytes = b"") -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "status").write_text(f"Name:\tx\nPPid:\t{parent}\n")
    (folder / "environ").write_bytes(environment)


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process below sudo, a shell and sshd, as a task with become is."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    me = os.getpid()
    add_process(tmp_path, me, 900000003)
    add_process(tmp_path, 900000003, 900000002, b"A=1\0")
    add_process(tmp_path, 900000002, 900000001, b"A=1\0SSH_CONNECTION=198.51.100.7 50000 192.0.2.5 22\0")
    add_process(tmp_path, 900000001, 1, b"")
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_bytes(b"0::/user.slice/user-0.slice/session-3.scope\n")
    return tmp_path


def test_the_way_up_and_the_address_that_sudo_hides(proc: Path) -> None:
    carrier = read_carrier(str(proc))
    assert carrier.ancestors == (900000003, 900000002, 900000001)
    assert (carrier.address, carrier.port) == ("192.0.2.5", 22)
    assert carrier.cgroup == "/user.slice/user-0.slice/session-3.scope"


def test_our_own_environment_comes_first(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "fe80::7%eth0 50000 2001:db8::5 2222")
    carrier = read_carrier(str(proc))
    assert (carrier.address, carrier.port) == ("2001:db8::5", 2222)


@pytest.mark.parametrize("value", ["nonsense", "a b c d", "198.51.100.7 50000 192.0.2.5 port", "1 2 3"])
def test_a_variable_that_says_something_else_says_nothing(
    proc: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", value)
    assert read_carrier(str(proc)).address is None


def test_without_proc_there_is_nothing_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert read_carrier(str(tmp_path)) == ((), None, 0, "")


def test_a_circle_of_parents_has_an_end(tmp_path: Path) -> None:
    me = os.getpid()
    add_process(tmp_path, me, 900000001)
    add_process(tmp_path, 900000001, me)
    assert len(read_carrier(str(tmp_path)).ancestors) <= 64


def test_tunnels(tmp_path: Path) -> None:
    for descriptor, text in (("5", "pos:\t0\nflags:\t02\niff:\ttun0\n"), ("6", "pos:\t0\n")):
        (tmp_path / "812" / "fdinfo").mkdir(parents=True, exist_ok=True)
        (tmp_path / "812" / "fdinfo" / descriptor).write_text(text)
    assert read_tunnels([812, 813], str(tmp_path)) == {"tun0"}


def test_this_very_process_has_a_parent() -> None:
    assert os.getppid() in (*read_carrier().ancestors, 1)
