# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a process calls itself reaches nobody's terminal, and no template engine, as it is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .stage import Stage
from .world import HOLDER, HOSTILE_NAME, HOSTILE_SHOWN, Kind, World

FOLDER = "a\x1b]0;{{7*7}}\n\u202eb"  # also sets a terminal's title, and turns the direction of what follows
FOLDER_SHOWN = "a\\x1b]0;{{7*7}}\\n\\u202eb"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stale listener of a process whose name and executable do their worst."""
    folder = tmp_path_factory.mktemp("hostile") / FOLDER
    folder.mkdir()
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    shutil.copy(Path(sys.base_prefix, "bin", version), folder / version)
    world = World()
    try:
        wish = Kind("hostile", "tcp", "192.0.2.7", 3001, "stale_address", False, False)
        command = ["env", f"PYTHONHOME={sys.base_prefix}", str(folder / version), str(HOLDER)]
        world.hold([wish], name=HOSTILE_NAME, command=command)
        world.ip("address delete 192.0.2.7/24 dev lan0")
        yield world
    finally:
        world.close()


@pytest.mark.parametrize("backend", ["netlink", "psutil"])
def test_names_are_escaped_in_the_result(hostile: World, stage: Stage, backend: str) -> None:
    options = {"ports": ["3001"], "backend": backend}
    printed = stage.run(hostile.name, "listener_info", options, psutil=backend == "psutil")
    (listener,) = printed.result["listeners"]
    (owner,) = listener["owners"]
    assert owner["name"] == HOSTILE_SHOWN
    assert FOLDER_SHOWN in owner["exe"]
    assert str(printed.result).isprintable()


def test_the_finding_is_one_line(hostile: World, stage: Stage) -> None:
    result = stage.run(hostile.name, "bind_check", {"ports": ["3001"]}).result
    _head, line = result["msg"].split("\n")
    assert f"  {HOSTILE_SHOWN}  stale-address: {HOSTILE_SHOWN} listens on 192.0.2.7:3001/tcp" in line
    assert line.isprintable()


def test_playbook_shows_them_escaped_and_never_as_a_template(hostile: World) -> None:
    done = hostile.namespace.run(
        "ansible-playbook", "infracheck.bindings.check_bindings", "-e", "bind_check_ports=3001"
    )
    assert done.returncode == 2, done.stdout
    assert "{{7*7}}" in done.stdout
    assert "[31m49" not in done.stdout
    assert all(line.isprintable() for line in done.stdout.split("\n")), done.stdout
