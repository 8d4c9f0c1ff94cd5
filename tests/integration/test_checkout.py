# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkout works in place as a collection, and so does what is built from it, anywhere else."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest
import yaml

from .conftest import CHECKOUT, Namespace

TEST_LITERAL_COMMANDS = [
    "ansible-playbook check_bindings.yml",
    "ansible-playbook infracheck.bindings.check_bindings",
    "ansible localhost -m bind_check",
    "ansible localhost -m infracheck.bindings.bind_check",
    "ansible-doc infracheck.bindings.bind_check",
]

# What somebody who installs the collection gets; everything else is there to develop it.
INSTALLED = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "extensions",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}


def module_files(output: str) -> list[Path]:
    """The files that `-vvv` names as the modules which ran, links resolved."""
    return [Path(found).resolve() for found in re.findall(r"Using module file (\S+)", output)]


@pytest.mark.parametrize("command", TEST_LITERAL_COMMANDS)
def test_literal_command(namespace: Namespace, command: str) -> None:
    namespace.listen("127.0.0.1", 8080)
    done = namespace.run(*command.split())
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["bind_check", "infracheck.bindings.bind_check"])
def test_module_that_runs_is_the_checkout(namespace: Namespace, name: str) -> None:
    done = namespace.run("ansible", "localhost", "-m", name, "-vvv")
    assert module_files(done.stdout) == [CHECKOUT / "plugins/modules/bind_check.py"], done.stdout


@pytest.mark.parametrize("name", ["bind_check", "infracheck.bindings.bind_check"])
def test_check_is_packed_by_the_action_plugin_of_the_checkout(namespace: Namespace, name: str) -> None:
    done = namespace.run("ansible", "localhost", "-m", name, ANSIBLE_DEBUG="1")
    loaded = re.findall(r"Loading ActionModule '\S+' from (\S+)", done.stdout)
    assert {Path(path).resolve() for path in loaded} == {CHECKOUT / "plugins/action/bind_check.py"}, done.stdout


def test_check_can_run_as_an_async_job(namespace: Namespace) -> None:
    """As its action plugin hands on what Ansible's own does."""
    namespace.listen("127.0.0.1", 8080)
    done = namespace.run("ansible", "localhost", "-m", "infracheck.bindings.bind_check", "-B", "60", "-P", "1")
    assert done.returncode == 0, done.stdout
    assert "All 1 bindings are valid" in done.stdout
    assert "ansible_job_id" in done.stdout


def test_tarball_holds_the_collection_and_nothing_else(namespace: Namespace, tmp_path: Path) -> None:
    with tarfile.open(build_tarball(namespace, tmp_path)) as tarball:
        names = tarball.getnames()
    assert {name.split("/")[0] for name in names} <= INSTALLED
    assert {"plugins/modules/bind_check.py", "plugins/action/bind_check.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_installed_tarball_works_from_another_folder(namespace: Namespace, tmp_path: Path) -> None:
    tarball = build_tarball(namespace, tmp_path)
    installed = tmp_path / "installed"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # An own home: nothing of this machine's configuration, and no collections of its user, may help.
    environment = {"HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(installed)}

    done = namespace.run(
        "ansible-galaxy", "collection", "install", str(tarball), "-p", str(installed), cwd=elsewhere, **environment
    )
    assert done.returncode == 0, done.stdout

    namespace.listen("127.0.0.1", 8080)
    for command in (
        "ansible-playbook -vvv infracheck.bindings.check_bindings",
        "ansible-doc infracheck.bindings.bind_check",
    ):
        done = namespace.run(*command.split(), cwd=elsewhere, **environment)
        assert done.returncode == 0, done.stdout
        for file in module_files(done.stdout):
            assert installed in file.parents or "ansible/modules" in str(file)


def build_tarball(namespace: Namespace, folder: Path) -> Path:
    done = namespace.run("ansible-galaxy", "collection", "build", "--output-path", str(folder))
    assert done.returncode == 0, done.stdout
    (tarball,) = folder.glob("infracheck-bindings-*.tar.gz")
    return tarball


def test_action_group_holds_every_module() -> None:
    groups = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["action_groups"]
    modules = [path.stem for path in (CHECKOUT / "plugins/modules").glob("*.py")]
    assert groups["bindings"] == sorted(modules)
