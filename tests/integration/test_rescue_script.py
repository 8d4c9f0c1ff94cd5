# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rescue of the role does to ip_nonlocal_bind: the script itself, in network and mount namespaces of its own,
with stand-ins for systemd-run and systemctl, whose timers are real.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .conftest import CHECKOUT

SCRIPT = CHECKOUT / "roles" / "rebind" / "files" / "start_with_nonlocal_bind.sh"
SETTINGS = [f"/proc/sys/net/{family}/ip_nonlocal_bind" for family in ("ipv4", "ipv6")]

# As systemd has it: a name that exists is an error, and two dollar signs are one.
SYSTEMD_RUN = """#!/bin/sh
[ ! -e "$STATE/no-timers" ] || exit 1
for argument; do
    case $argument in
        --unit=*) name=$STATE/${argument#--unit=}.timer ;;
        --on-active=*) seconds=${argument#--on-active=} ;;
    esac
    last=$argument
done
[ ! -e "$name" ] || exit 1
command=$(printf '%s' "$last" | sed 's/[$][$]/$/g')
# In a session of its own, as a unit is.
timer='echo $$ >"$1"; sleep "$2"; rm -f "$1"; exec sh -c "$3"'
setsid sh -c "$timer" sh "$name" "$seconds" "$command" 9>&- >/dev/null 2>&1 </dev/null &
while [ ! -s "$name" ]; do sleep 0.05; done
"""
SYSTEMCTL = """#!/bin/sh
[ "$1" = stop ] || exit 1
shift
for unit; do
    [ ! -e "$STATE/$unit" ] || { kill -- "-$(cat "$STATE/$unit")"; rm -f "$STATE/$unit"; }
done
"""


class Rescue:
    """A host of namespaces in which a process sleeps until the test is over."""

    def __init__(self, folder: Path, sleeper: int) -> None:
        self.folder = folder
        self._enter = ["nsenter", "--target", str(sleeper), "--net", "--mount"]
        self.environment = {**os.environ, "STATE": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [*self._enter, *command], env=self.environment, check=True, capture_output=True, text=True, timeout=30
        )
        return done.stdout

    def settings(self) -> list[str]:
        return self.run("cat", *SETTINGS).split()

    def await_settings(self, *values: str, seconds: float = 8) -> None:
        end = time.monotonic() + seconds
        while self.settings() != list(values):
            assert time.monotonic() < end, f"they are {self.settings()} still"
            time.sleep(0.1)

    def await_listener(self, endpoint: str) -> None:
        end = time.monotonic() + 20
        while endpoint not in self.run("ss", "--listening", "--tcp", "--numeric", "--no-header"):
            assert time.monotonic() < end, f"nobody listens on {endpoint}"
            time.sleep(0.1)

    def start(self, limit: int, *commands: str, ports: str = "-") -> subprocess.Popen[bytes]:
        arguments = ["/bin/sh", "-c", SCRIPT.read_text(), SCRIPT.name, str(limit), ports, "a.service", *commands]
        return subprocess.Popen([*self._enter, *arguments], env=self.environment, start_new_session=True)

    def told(self, name: str) -> list[str]:
        return (self.folder / name).read_text().split()


@contextmanager
def killed(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """It and what it has started, at the end at the latest."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


@pytest.fixture
def rescue(tmp_path: Path) -> Iterator[Rescue]:
    for name, text in (("systemd-run", SYSTEMD_RUN), ("systemctl", SYSTEMCTL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    script = "mount -t tmpfs run /run && ip link set lo up && echo ready && exec sleep 600"
    command = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as sleeper:
        try:
            if sleeper.stdout is None or sleeper.stdout.readline() != b"ready\n":
                pytest.skip("no namespaces can be made here")
            yield Rescue(tmp_path, sleeper.pid)
        finally:
            sleeper.kill()
            for timer in tmp_path.glob("*.timer"):
                with suppress(ProcessLookupError):
                    os.killpg(int(timer.read_text()), signal.SIGKILL)


SHOW = "cat " + " ".join(SETTINGS)


def test_they_are_changed_for_the_last_command_alone(rescue: Rescue) -> None:
    told = rescue.folder
    commands = (f"{SHOW} >{told}/stop", f"{SHOW} >{told}/reset; exit 1", f"{SHOW} >{told}/start")
    assert rescue.start(20, *commands).wait(timeout=30) == 0
    assert (rescue.told("stop"), rescue.told("reset"), rescue.told("start")) == (["0", "0"], ["0", "0"], ["1", "1"])
    assert rescue.settings() == ["0", "0"]
    assert rescue.run("sh", "-c", "ls /run/infracheck-rebind").split() == ["lock"]
    assert not list(told.glob("*.timer"))


def test_it_waits_for_the_ports_also_when_a_command_before_the_last_failed(rescue: Rescue) -> None:
    """systemd has dropped a unit that nothing refers to once it has stopped, and reset-failed is then an error."""
    listen = "import socket, time; time.sleep(1.5); kept = socket.create_server(('192.0.2.9', 7000)); time.sleep(60)"
    start = f'setsid {sys.executable} -c "{listen}" >/dev/null 2>&1 & echo $! >{rescue.folder}/server.pid'
    with killed(rescue.start(20, "exit 5", start, ports="7000")) as _nothing:
        rescue.await_settings("1", "1")
        rescue.await_settings("0", "0", seconds=20)
    try:
        assert "192.0.2.9:7000" in rescue.run("ss", "--listening", "--tcp", "--numeric", "--no-header")
    finally:
        os.kill(int(rescue.told("server.pid")[0]), signal.SIGKILL)


def test_who_else_listens_on_the_port_is_not_taken_for_the_unit(rescue: Rescue) -> None:
    """Another service has the same port at another address, and the unit is to have two listeners on it."""
    listen = "import socket, time; kept = socket.create_server(('127.0.0.1', 7000)); time.sleep(60)"
    other = f'setsid {sys.executable} -c "{listen}" >/dev/null 2>&1 & echo $! >{rescue.folder}/other.pid'
    rescue.run("sh", "-c", other)
    rescue.await_listener("127.0.0.1:7000")  # else it would rightly be taken for one of the unit's
    own = (
        "import socket, time; time.sleep(1); first = socket.create_server(('127.0.0.2', 7000)); time.sleep(1.5);"
        " second = socket.create_server(('192.0.2.9', 7000)); time.sleep(60)"
    )
    start = f'setsid {sys.executable} -c "{own}" >/dev/null 2>&1 & echo $! >{rescue.folder}/server.pid'
    try:
        with killed(rescue.start(20, "true", start, ports="7000,7000")) as _nothing:
            rescue.await_settings("1", "1")
            rescue.await_settings("0", "0", seconds=20)
        assert "192.0.2.9:7000" in rescue.run("ss", "--listening", "--tcp", "--numeric", "--no-header")
    finally:
        for name in ("other.pid", "server.pid"):
            os.kill(int(rescue.told(name)[0]), signal.SIGKILL)


def test_the_deadline_is_one_for_all_commands_and_is_kept(rescue: Rescue) -> None:
    with killed(rescue.start(2, "sleep 1", f"date +%s.%N >{rescue.folder}/on; sleep 9")) as _nothing:
        rescue.await_settings("1", "1")
        rescue.await_settings("0", "0")
        assert time.time() - float(rescue.told("on")[0]) < 4


def test_killed_the_timer_puts_them_back_in_time(rescue: Rescue) -> None:
    with killed(rescue.start(3, "sleep 9")) as _nothing:
        rescue.await_settings("1", "1")
    began = time.monotonic()
    assert rescue.settings() == ["1", "1"]
    rescue.await_settings("0", "0")
    assert time.monotonic() - began < 4


def test_whoever_comes_after_one_that_was_killed_does_not_keep_them_changed(rescue: Rescue) -> None:
    with killed(rescue.start(30, "sleep 9")) as _nothing:
        rescue.await_settings("1", "1")
    assert rescue.settings() == ["1", "1"]
    assert rescue.start(20, "true", f"{SHOW} >{rescue.folder}/start").wait(timeout=30) == 0
    assert rescue.told("start") == ["1", "1"]
    assert rescue.settings() == ["0", "0"]
    assert not list(rescue.folder.glob("*.timer"))


def test_what_was_on_stays_on(rescue: Rescue) -> None:
    rescue.run("sh", "-c", f"echo 1 >{SETTINGS[0]}")
    assert rescue.start(20, "true").wait(timeout=30) == 0
    assert rescue.settings() == ["1", "0"]


def test_two_at_a_time_take_turns(rescue: Rescue) -> None:
    first = rescue.start(20, "true", f"echo first >>{rescue.folder}/order; sleep 2; echo over >>{rescue.folder}/order")
    with killed(first):
        rescue.await_settings("1", "1")
        assert rescue.start(20, "true", f"echo second >>{rescue.folder}/order").wait(timeout=30) == 0
        assert rescue.told("order") == ["first", "over", "second"]
    assert rescue.settings() == ["0", "0"]


def test_without_a_timer_they_are_not_changed_and_the_unit_is_started_all_the_same(rescue: Rescue) -> None:
    (rescue.folder / "no-timers").touch()
    assert rescue.start(20, "true", f"{SHOW} >{rescue.folder}/start").wait(timeout=30) != 0
    assert rescue.told("start") == ["0", "0"]
    assert rescue.run("sh", "-c", "ls /run/infracheck-rebind").split() == ["lock"]
