# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every integration test needs: the command line tools under test, and a network namespace to run them in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import pytest

if TYPE_CHECKING:
    from .stage import Stage
    from .world import World

CHECKOUT = Path(__file__).resolve().parents[2]

# Binds and listens, says so, and then stays: what a test needs of a service.
LISTENER = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=int(sys.argv[3]))
print("listening", flush=True)
sys.stdin.read()
"""


class Namespace:
    """A network namespace with nothing in it but `lo`, and the processes that a test starts in it."""

    def __init__(self) -> None:
        self.name = f"infracheck-{uuid.uuid4().hex[:8]}"
        self._processes: list[subprocess.Popen[str]] = []
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> None:
        subprocess.run(["ip", "-netns", self.name, *arguments], check=True)

    def run(self, *command: str, cwd: Path = CHECKOUT, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of the virtual environment under test, as typed in `cwd`. Returns whatever its exit status."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            cwd=cwd,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )

    def listen(self, address: str, port: int) -> None:
        """Starts a TCP listener of its own process; returns when it listens."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, sys.executable, "-c", LISTENER, address, str(port), str(int(family))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"

    def close(self) -> None:
        for process in self._processes:
            process.communicate()  # closes its standard input, on which it ends
        subprocess.run(["ip", "netns", "delete", self.name], check=True)


def missing_for_namespaces() -> Optional[str]:
    if os.geteuid() != 0:
        return "making a network namespace takes root"
    return None


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    reason = missing_for_namespaces()
    if reason:
        pytest.skip(reason)
    made = Namespace()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Listeners of every kind; a test may add to it what others do not look at, and takes nothing away."""
    from .world import World

    reason = missing_for_namespaces()
    if reason:
        pytest.skip(reason)
    made = World()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """Where modules run as processes of their own."""
    from .stage import Stage

    made = Stage()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def cgroups() -> Path:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    places = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    if not places:
        pytest.skip("no cgroup2 hierarchy is mounted on this machine")
    return places[0]


@pytest.fixture(scope="module")
def folder(stage: Stage) -> Path:
    """One that every user can reach."""
    made = stage.folder / f"plan-{uuid.uuid4().hex[:8]}"
    made.mkdir()
    return made
