# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script of the role, run as one: systemctl is a stand-in that keeps the state of each unit in a file, and real
listeners are real.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from contracts import CHECKOUT

SCRIPTS = CHECKOUT / "roles" / "rebind" / "files"
# What each start does to a unit is told by the lines of NAME.starts: the state that it has then.
SYSTEMCTL = """#!/bin/sh
cd {folder} || exit 99
echo "$*" >>calls
[ "$1" = --system ] || exit 98
shift 2
verb=$1
shift
while [ "$1" != -- ]; do shift; done
shift
for unit; do
    case $verb in
        show) cat "$unit.state"; continue ;;
        stop) echo inactive >"$unit.state" ;;
        start | restart)
            [ "$verb $(cat "$unit.state")" != "start active" ] || continue
            next=$(head -n 1 "$unit.starts" 2>/dev/null)
            sed -i 1d "$unit.starts" 2>/dev/null
            echo "${{next:-active}}" >"$unit.state"
            ;;
        reset-failed) ls "$unit.unloaded" >/dev/null 2>&1 && exit 1 ;;
    esac
done
exit 0
"""


def port_of(listening: socket.socket) -> str:
    return str(listening.getsockname()[1])


class Host:
    """A folder with the stand-in, and what became of its units."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self.folder = folder
        self.port = port_of(listener)
        program = folder / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(SYSTEMCTL.format(folder=shlex.quote(str(folder))))
        program.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def add(self, unit: str, state: str = "active", starts: tuple[str, ...] = ()) -> None:
        (self.folder / f"{unit}.state").write_text(f"{state}\n")
        (self.folder / f"{unit}.starts").write_text("".join(f"{state}\n" for state in starts))

    def state(self, unit: str) -> str:
        return (self.folder / f"{unit}.state").read_text().strip()

    @property
    def calls(self) -> list[str]:
        """Without the questions."""
        rows = (self.folder / "calls").read_text().splitlines()
        return [row.replace("--system --no-ask-password ", "") for row in rows if " show " not in row]

    def restart(
        self,
        how: str,
        units: str = "a.service",
        *,
        patience: int = 0,
        wait: int = 0,
        ports: Optional[str] = None,
        start: str = "a.service",
        along: str = "",
    ) -> float:
        """Seconds that it took. ports: by default one that listens."""
        arguments = ["--system", how, str(patience), str(wait), self.port if ports is None else ports]
        arguments += [units.split()[0], units, start, along]
        text = (SCRIPTS / "restart_unit.sh").read_text()
        began = time.monotonic()
        # As the role runs it: the text is an argument, so that nothing has to be copied to the host.
        subprocess.run(
            ["/bin/sh", "-c", text, "restart_unit.sh", *arguments],
            cwd=self.folder,
            env=self.environment,
            check=True,
            timeout=60,
        )
        return time.monotonic() - began


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def host(tmp_path: Path, listener: socket.socket) -> Host:
    return Host(tmp_path, listener)


def test_a_restart_forgives_earlier_failures_first(host: Host) -> None:
    """Else its StartLimitBurst= may be used up, and the restart is a stop."""
    host.add("a.service")
    host.restart("restart")
    assert host.calls == ["reset-failed -- a.service", "restart -- a.service"]


def test_one_that_is_down_is_started_once_more(host: Host) -> None:
    host.add("a.service", starts=("failed", "active"))
    host.restart("restart")
    assert host.calls[-2:] == ["reset-failed -- a.service", "start -- a.service"]
    assert host.state("a.service") == "active"


def test_one_that_stays_down_is_not_started_for_ever(host: Host) -> None:
    host.add("a.service", starts=("failed",) * 9)
    host.restart("restart")
    assert [call.split()[0] for call in host.calls].count("start") == 1


def test_one_that_is_not_loaded_is_started_all_the_same(host: Host) -> None:
    host.add("a.service", starts=("active",))
    (host.folder / "a.service.unloaded").touch()
    host.restart("stop")
    assert host.state("a.service") == "active"


def test_all_are_stopped_together_and_what_ran_is_started(host: Host) -> None:
    for unit in ("a.socket", "b.socket", "a.service", "worker.service"):
        host.add(unit)
    host.restart("stop", "a.socket b.socket a.service", start="a.socket b.socket", along="worker.service app.target")
    assert host.calls == [
        "stop -- a.socket b.socket a.service",
        "reset-failed -- a.socket b.socket a.service",
        "start -- a.socket b.socket",
        "start -- worker.service app.target",
    ]
    assert host.state("a.service") == "inactive"


def test_what_was_stopped_along_is_started_also_when_the_unit_stays_down(host: Host) -> None:
    host.add("a.service", starts=("failed",) * 9)
    host.add("worker.service", "inactive")
    host.restart("stop", along="worker.service")
    assert host.state("worker.service") == "active"


def test_names_are_no_patterns_and_no_shell(host: Host) -> None:
    name = r"a\x2d*$(touch${IFS}gone).service"
    host.add(name)
    (host.folder / "ax2d-$(touch${IFS}gone).service").touch()  # what it matches as a pattern
    host.restart("stop", name, start=name)
    assert host.calls[0] == f"stop -- {name}"
    assert not list(host.folder.glob("gone*"))


def test_it_is_done_as_soon_as_it_listens(host: Host) -> None:
    host.add("a.service")
    assert host.restart("restart", patience=30) < 5


def test_one_without_a_port_is_given_a_moment_to_fail(host: Host) -> None:
    host.add("a.service")
    assert host.restart("restart", ports="") >= 1


def test_it_is_given_the_time_to_listen_and_not_killed_for_it(host: Host) -> None:
    host.add("a.service")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        assert 1 <= host.restart("restart", ports=port_of(bound), patience=2) < 10
    assert host.calls == ["reset-failed -- a.service", "restart -- a.service"]


def test_to_watch_is_to_do_nothing(host: Host) -> None:
    host.add("a.service", "failed")
    host.restart("watch", patience=30, along="worker.service")
    assert host.calls == []


def connect(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


def restart_until_clear(host: Host, listener: socket.socket, wait: int, seconds: float) -> str:
    """The state after so many seconds with a connection on the port, which is then reset; and it runs to its end."""
    client, served = connect(listener)
    script = (SCRIPTS / "restart_unit.sh").read_text()
    arguments = ["--system", "stop", "0", str(wait), port_of(listener), "a.service", "a.service", "a.service", ""]
    with subprocess.Popen(["/bin/sh", "-c", script, "restart_unit.sh", *arguments], env=host.environment) as running:
        try:
            time.sleep(seconds)
            state = host.state("a.service")
            for end in (client, served):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.close()
            assert running.wait(timeout=20) == 0
        finally:
            running.kill()
    return state


def test_it_is_started_when_its_ports_are_clear(host: Host, listener: socket.socket) -> None:
    """Not before, and soon after: the connection is reset half-way."""
    host.add("a.service")
    assert restart_until_clear(host, listener, wait=30, seconds=1.5) == "inactive"
    assert host.state("a.service") == "active"


def test_a_port_that_is_not_clear_in_time_is_tried_all_the_same(host: Host, listener: socket.socket) -> None:
    """Stopped it serves nobody."""
    host.add("a.service")
    client, served = connect(listener)
    with client, served:
        assert 1 <= host.restart("stop", wait=2) < 15
    assert host.state("a.service") == "active"


def test_while_the_port_is_busy_it_is_tried_again_when_that_is_over(host: Host, listener: socket.socket) -> None:
    host.add("a.service", starts=("failed", "active"))
    assert restart_until_clear(host, listener, wait=1, seconds=4) == "failed"
    assert host.state("a.service") == "active"
