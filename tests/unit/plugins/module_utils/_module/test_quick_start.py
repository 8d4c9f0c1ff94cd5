# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Importing the collection from a zip file, as a managed host does, on every Python that is here."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from targets import TARGET_PYTHONS

CHECKOUT = Path(__file__).resolve().parents[5]
PLUGINS = CHECKOUT / "plugins"
PACKAGE = "ansible_collections.infracheck.bindings.plugins.module_utils"
# Counts the compilations of every file in the zip file, while what a module imports is imported from it.
IMPORT = f"""
import builtins, collections, gc, json, sys, zipimport
counts = collections.Counter()
def count(source, path, *rest, **named):
    counts[path.partition(".zip/")[2]] += 1
    return builtins.compile(source, path, *rest, **named)
zipimport.compile = count
sys.path.insert(0, sys.argv[1])
if sys.argv[2] == "first":
    often = gc.get_threshold()[0]
    from {PACKAGE}._module import quick_start
    assert gc.get_threshold()[0] > 10 * often
from {PACKAGE}._module import check
from {PACKAGE}._readers import netlink_backend
import {PACKAGE}._rules.portable_locality as late
assert check.__loader__.get_source(check.__name__).startswith("# Copyright")
assert late.PortableLocality.__module__ == late.__name__
try:
    import {PACKAGE}._module.no_such_file
except ModuleNotFoundError as error:
    assert error.name == "{PACKAGE}._module.no_such_file"
json.dump(counts, sys.stdout)
"""


@pytest.fixture(scope="module")
def zipped(tmp_path_factory):
    """The collection's module_utils in a zip file, below empty packages, as Ansible packs it."""
    path = tmp_path_factory.mktemp("zip") / "payload.zip"
    root = Path(*PACKAGE.split("."))
    with zipfile.ZipFile(path, "w") as archive:
        for folder in (*reversed(root.parents[:-1]), root):
            archive.writestr(str(folder / "__init__.py"), "")
        for source in PLUGINS.glob("module_utils/*/*.py"):
            archive.write(source, root / source.relative_to(PLUGINS / "module_utils"))
    return path


def count_compilations(python, zipped, order):
    command = [python, "-I", "-B", "-c", IMPORT, str(zipped), order]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("python", TARGET_PYTHONS)
def test_each_source_is_compiled_once(python, zipped):
    counts = count_compilations(python, zipped, "first")
    twice = {path.partition("module_utils/")[2] for path, count in counts.items() if count != 1}
    # What is found before the finder is there; "" are the packages above.
    assert twice == {"", "__init__.py", "_module/__init__.py", "_module/quick_start.py"}
    assert len(counts) > 20


def test_without_it_each_is_compiled_twice(zipped):
    """Else Python does it by itself now, and this file can go."""
    assert set(count_compilations(sys.executable, zipped, "never").values()) == {2}


def test_outside_of_a_zip_file_nothing_changes():
    look = "list(sys.meta_path), gc.get_threshold()"
    compare = f"before = {look}; import {PACKAGE}._module.quick_start; assert ({look}) == before"
    subprocess.run([sys.executable, "-c", f"import gc, sys; sys.path[:] = {sys.path}; {compare}"], check=True)


@pytest.mark.parametrize("module", sorted((PLUGINS / "modules").glob("*.py")), ids=lambda path: path.stem)
def test_every_module_imports_it_before_all_else_of_ours(module):
    imports = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if str(node.module).startswith("ansible_collections.")]
    assert (ours[0].module, [name.name for name in ours[0].names]) == (f"{PACKAGE}._module", ["quick_start"])
