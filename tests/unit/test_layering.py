# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may import whom, held over the syntax trees: _model ← _wire ← _readers, _model ← _rules, and only _module and the
modules see both sides. See CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
UTILS = PLUGINS / "module_utils"
COLLECTION = "ansible_collections.infracheck.bindings.plugins.module_utils"

# Layer: what its files may import of this collection, as prefixes. The spelling of addresses is everybody's.
MAY_IMPORT = {
    "_model": ("_model",),
    "_wire": ("_model", "_wire"),
    "_readers": ("_model", "_wire", "_readers"),
    "_rules": ("_model", "_wire.spelling", "_rules"),
    "_module": ("_model", "_wire", "_readers", "_rules", "_module"),
    "modules": ("_model", "_module"),
    "action": (),
}
BESIDE_UTILS = ("modules", "action")
PURE = ("_model", "_wire", "_rules")
# fmt: off
IMPURE_MODULES = frozenset((
    "os", "io", "socket", "ctypes", "subprocess", "psutil", "ansible", "time",
    "datetime", "random", "select", "selectors", "signal", "threading", "fcntl", "pwd",
    "grp", "resource", "tempfile", "shutil", "pathlib", "glob", "platform", "locale",
    "logging", "asyncio", "multiprocessing",
))
# fmt: on
IMPURE_BUILTINS = frozenset(("open", "print", "input", "exec", "eval", "__import__", "breakpoint"))
KNOWS_ANSIBLE = ("_module", "modules", "action")
ONLY_FILE_WITH_PSUTIL = "_readers/psutil_backend.py"
# In the standard library of the control node, but not of Python 3.9.
NEWER_THAN_3_9 = frozenset(("tomllib", "compression", "annotationlib", "string.templatelib"))
VAGUE_NAMES = frozenset(("utils", "util", "common", "helper", "helpers", "misc"))
# With a checkout as the collection, these at the top would shadow ansible-core's own.
CORE_NAMES = frozenset(("basic", "facts", "common", "urls", "compat", "six"))

HEADER = (
    "# Copyright (c) 2026 the infracheck.bindings contributors\n"
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)\n"
    "# SPDX-License-Identifier: GPL-3.0-or-later\n"
)


class Import(NamedTuple):
    name: str  # absolute: os.path, or _wire.spelling for one of ours
    is_ours: bool
    line: int


def find_files() -> list[str]:
    """Every Python file below plugins, as its path from module_utils (_wire/spelling.py), or modules/NAME.py and the
    like.
    """
    utils = [path.relative_to(UTILS) for path in UTILS.rglob("*.py")]
    others = [path.relative_to(PLUGINS) for folder in BESIDE_UTILS for path in (PLUGINS / folder).rglob("*.py")]
    return sorted(str(path) for path in (*utils, *others) if path.name != "__init__.py")


FILES = find_files()


def path_of(name: str) -> Path:
    return (PLUGINS if layer_of(name) in BESIDE_UTILS else UTILS) / name


def layer_of(name: str) -> str:
    return name.split("/")[0]


def parse(name: str) -> ast.Module:
    return ast.parse(path_of(name).read_text(encoding="utf-8"), name)


def find_imports(tree: ast.AST, package: list[str]) -> Iterator[Import]:
    """Every import, also inside functions; `package` is where relative ones start (["_wire"])."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield make_import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)]
            parts = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield Import(name_module(".".join(parts), alias.name), True, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            origin = make_import(node.module or "", node.lineno)
            for alias in node.names:
                yield origin._replace(name=name_module(origin.name, alias.name)) if origin.is_ours else origin


def name_module(origin: str, name: str) -> str:
    """_wire.spelling for `from .._wire import spelling`; _wire.spelling as well for what is imported from that file."""
    whole = f"{origin}.{name}" if origin else name
    parts = whole.split(".")
    return whole if UTILS.joinpath(*parts).is_dir() or UTILS.joinpath(*parts).with_suffix(".py").is_file() else origin


def make_import(name: str, line: int) -> Import:
    if name == COLLECTION or name.startswith(f"{COLLECTION}."):
        return Import(name[len(COLLECTION) + 1 :], True, line)
    return Import(name, name.startswith("ansible_collections"), line)


def imports_of(name: str) -> list[Import]:
    return list(find_imports(parse(name), name.split("/")[:-1]))


def is_below(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def test_every_layer_is_here_and_none_that_nobody_named():
    assert {layer_of(name) for name in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name):
    allowed = MAY_IMPORT[layer_of(name)]
    wrong = [
        f"line {found.line}: {found.name}"
        for found in imports_of(name)
        if found.is_ours and not is_below(found.name, allowed)
    ]
    assert not wrong, f"{name} may import {', '.join(allowed)} only"


@pytest.mark.parametrize("name", [name for name in FILES if layer_of(name) in PURE])
def test_pure_layers_touch_no_host(name):
    tree = parse(name)
    imported = {found.name.split(".")[0] for found in imports_of(name) if not found.is_ours}
    assert not imported & IMPURE_MODULES
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & IMPURE_BUILTINS


@pytest.mark.parametrize("name", FILES)
def test_standard_library_alone(name):
    """psutil in its one file; ansible only where AnsibleModule may be known."""
    foreign = {found.name.split(".")[0] for found in imports_of(name) if not found.is_ours} - sys.stdlib_module_names
    allowed = set()
    if name == ONLY_FILE_WITH_PSUTIL:
        allowed.add("psutil")
    if layer_of(name) in KNOWS_ANSIBLE:
        allowed.add("ansible")
    assert foreign <= allowed
    assert not {found.name for found in imports_of(name)} & NEWER_THAN_3_9


@pytest.mark.parametrize("name", [name for name in FILES if layer_of(name) not in KNOWS_ANSIBLE])
def test_ansible_is_not_known_below(name):
    named = {node.id for node in ast.walk(parse(name)) if isinstance(node, ast.Name)}
    named |= {node.attr for node in ast.walk(parse(name)) if isinstance(node, ast.Attribute)}
    assert not named & {"AnsibleModule", "exit_json", "fail_json"}


@pytest.mark.parametrize("name", [name for name in FILES if layer_of(name) != "modules"])
def test_imports_within_module_utils_are_relative(name):
    absolute = [
        node
        for node in ast.walk(parse(name))
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("ansible_collections")
    ]
    assert not absolute, "the short module names of a checkout work with relative imports only"


@pytest.mark.parametrize("name", FILES)
def test_file_begins_as_every_file_does(name):
    text = path_of(name).read_text(encoding="utf-8")
    if layer_of(name) == "modules":
        text = text.replace("#!/usr/bin/python\n", "", 1)
    else:
        assert ast.get_docstring(parse(name)), "no docstring that says what the file is about"
    assert text.startswith(HEADER)
    # Not in the records: typing compiles each annotation of a NamedTuple that is kept as text, on every run.
    assert ("\nfrom __future__ import annotations\n" in text) == (layer_of(name) != "_model")
    parts = Path(name).with_suffix("").parts
    assert not set(parts) & VAGUE_NAMES
    assert parts[0] not in CORE_NAMES


# -- the test itself sees what it should

TEST_SEEN = [
    ("import os.path", "_wire", Import("os.path", False, 1)),
    ("from os import path", "_wire", Import("os", False, 1)),
    ("from .spelling import printable", "_wire", Import("_wire.spelling", True, 1)),
    ("from . import spelling", "_wire", Import("_wire.spelling", True, 1)),
    ("from .._readers.owners import read_owners", "_wire", Import("_readers.owners", True, 1)),
    ("from .. import _readers", "_wire", Import("_readers", True, 1)),
    ("from .._wire import spelling", "_rules", Import("_wire.spelling", True, 1)),
    (f"from {COLLECTION}._readers import owners", "_wire", Import("_readers.owners", True, 1)),
    (f"from {COLLECTION}._readers.owners import read_owners", "_wire", Import("_readers.owners", True, 1)),
    ("import ansible_collections.other.thing", "_wire", Import("ansible_collections.other.thing", True, 1)),
    ("def f():\n    import psutil", "_rules", Import("psutil", False, 2)),
]


@pytest.mark.parametrize(("source", "package", "expected"), TEST_SEEN)
def test_every_way_to_import_is_seen(source, package, expected):
    assert list(find_imports(ast.parse(source), [package])) == [expected]
