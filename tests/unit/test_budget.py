# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of bind_check may import on a host where all is well, and what it may bring along.

Every imported source is compiled on the host on every run, beside the 190 ms of a module that does nothing. Comments,
docstrings and annotations cost next to nothing there, so they are not counted. Whatever is sent, imported or not, is
also parsed on the controller, once in a play: 0.4 ms per kB of code, and 0.08 ms per name that is imported from a
module and is none itself, as each is first looked for as a file. `make bench` measures what comes of it.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from defaults import read_defaults
from targets import TARGET_PYTHONS

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTIONS = CHECKOUT / "collections"
PACKAGE = "ansible_collections.infracheck.bindings.plugins.module_utils"
FOLDER = CHECKOUT / "plugins" / "module_utils"

# What was tried out to keep a check near a ping: code in characters.
IMPORTED_CODE = 60_000
IMPORTED_FILES = 18
FROZEN_DATACLASSES = 8
SENT_CODE = 232_000
IMPORTED_NAMES = 10

CGROUP2_PLACES = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))

# In a network namespace with two healthy listeners of its own, made in a cgroup as a unit has one, and a link that
# nobody needs and that is down: what is imported once bind_check has looked at them.
LOOK = f"""
import ctypes, json, socket, subprocess, sys
with open(sys.argv[3] + "/cgroup.procs", "w") as procs:
    procs.write("0")
CLONE_NEWNET = 0x40000000
if ctypes.CDLL(None).unshare(CLONE_NEWNET):
    sys.exit("no network namespace could be made")
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "link", "add", "spare", "type", "veth", "peer", "name", "spare-far"], check=True)
listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
listeners[1].bind(("127.0.0.1", 0))
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
from {PACKAGE}._module import quick_start, results
from {PACKAGE}._module.check import check_bindings
result, _gaps = check_bindings(json.loads(sys.argv[2]))
print(json.dumps([result, sorted(set(sys.modules) - before)]))
"""

MODULES = ("bind_check.py", "stale_binding_facts.py", "reuseaddr_facts.py", "bind_preflight.py", "rebind_plan.py")

# Each with what it is for: none of that happens on a host where all is well.
TEST_RARE = [
    ("_readers.psutil_backend", "backend=psutil"),
    ("_rules.portable_locality", "backend=psutil"),
    ("_readers.proc_sockets", "a kernel without sock_diag"),
    ("_wire.proc_net", "a kernel without sock_diag"),
    ("_readers.route_lookups", "an address that the tables do not show to be local"),
    ("_rules.closer_look", "a binding that is not plainly valid"),
    ("_readers.every_process", "a socket whose holder is not in the cgroup of its creator"),
    ("_readers.process_state", "a process that cannot be looked into"),
    ("_readers.services", "somebody who asks for the unit of a listener"),
    ("_wire.cgroup_path", "somebody who asks for the unit of a listener"),
    ("_module.selections", "a caller who narrows the look down"),
    ("_module.second_look", "an address that is not plainly there, or a finding that may be over"),
    ("_readers.cgroup_paths", "a cgroup hierarchy that is not where it mostly is, or whoever may not use handles"),
    ("_wire.procfs", "somebody who asks for the unit of a listener, or a process that cannot be looked into"),
    ("_wire.route_request", "an address that the tables do not show to be local"),
    ("_model.prefixes", "a caller who names addresses"),
    ("_readers.systemd", "a socket that systemd holds"),
    ("_readers.refused", "a process that does not give its socket"),
    ("_wire.container_path", "a container"),
    ("_readers.socket_units", "a socket whose options could not be read"),
    ("_rules.engine", "a host on which not all is plainly in order"),
    ("_module.judgement", "a host on which not all is plainly in order"),
    ("_module.listener_results", "a finding, or include_listeners"),
    ("_module.restarts", "a listener without SO_REUSEADDR"),
    ("_rules.reuse", "a listener without SO_REUSEADDR"),
    ("_readers.connections", "a listener without SO_REUSEADDR"),
]


@pytest.fixture(scope="module")
def cgroup() -> Iterator[Path]:
    places = [
        place for place in CGROUP2_PLACES if (place / "cgroup.controllers").is_file() and os.stat(place).st_ino == 1
    ]
    if os.geteuid() != 0 or not places or not os.access(places[0], os.W_OK):
        pytest.skip(
            "making a network namespace and a cgroup takes root, and all of the cgroup2 hierarchy where systemd has it"
        )
    path = places[0] / f"infracheck{os.getpid()}.service"
    path.mkdir()
    try:
        yield path
    finally:
        path.rmdir()


def look(python: str, cgroup: Path) -> list[str]:
    command = [python, "-I", "-B", "-c", LOOK, str(COLLECTIONS), json.dumps(read_defaults()), str(cgroup)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result, modules = json.loads(done.stdout)
    assert (result["summary"]["listeners"], result["findings"]) == (2, [])
    return list(modules)


class WithoutAnnotations(ast.NodeTransformer):
    """All but those of a NamedTuple's fields, which make them."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return node if node.value is None else ast.copy_location(ast.Assign([node.target], node.value), node)


def parse(path: Path) -> ast.Module:
    """A source without its comments and docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def count_imported(path: Path) -> int:
    return len(ast.unparse(WithoutAnnotations().visit(parse(path))))


def count_sent(path: Path) -> int:
    return len(ast.unparse(parse(path)))


def list_sources(modules: list[str]) -> list[Path]:
    paths = [
        FOLDER / f"{name[len(PACKAGE) + 1 :].replace('.', os.sep)}.py" for name in modules if name.startswith(PACKAGE)
    ]
    return [path for path in paths if path.is_file()]


@pytest.fixture(scope="module", params=TARGET_PYTHONS)
def imported(request: pytest.FixtureRequest, cgroup: Path) -> list[str]:
    return look(request.param, cgroup)


def test_what_is_imported_is_small(imported: list[str]) -> None:
    sources = list_sources(imported)
    assert sum(map(count_imported, sources)) <= IMPORTED_CODE
    assert len(sources) <= IMPORTED_FILES
    assert count_dataclasses(imported) <= FROZEN_DATACLASSES


def count_dataclasses(imported: list[str]) -> int:
    modules = [importlib.import_module(name) for name in imported if name.startswith(PACKAGE)]
    classes = {item for module in modules for item in vars(module).values() if isinstance(item, type)}
    return sum(dataclasses.is_dataclass(item) for item in classes)


@pytest.mark.parametrize(("module", "reason"), TEST_RARE)
def test_what_is_rarely_needed_is_not_imported(imported: list[str], module: str, reason: str) -> None:
    assert (FOLDER / f"{module.replace('.', os.sep)}.py").is_file(), "renamed? then here as well"
    assert f"{PACKAGE}.{module}" not in imported, f"that is for {reason}"


def test_what_is_sent_is_small() -> None:
    sent, names = find_sent(CHECKOUT / "plugins" / "modules" / "bind_check.py")
    assert sum(map(count_sent, sent)) <= SENT_CODE
    assert names <= IMPORTED_NAMES


# Each with the modules that need it: the look into every process for bound sockets is for wishes alone.
TEST_OTHERS = [
    ("_readers/bound_sockets.py", {"bind_preflight.py", "rebind_plan.py"}),
    ("_readers/unlisted_sockets.py", {"bind_preflight.py", "rebind_plan.py"}),
    ("_module/unlisted.py", {"bind_preflight.py", "rebind_plan.py"}),
    ("_module/wished_places.py", {"bind_preflight.py", "rebind_plan.py"}),
    ("_module/preflight.py", {"bind_preflight.py"}),
]


@pytest.mark.parametrize(("name", "needing"), TEST_OTHERS)
def test_what_only_other_modules_need_is_not_sent(name: str, needing: set[str]) -> None:
    sent = {module: find_sent(CHECKOUT / "plugins" / "modules" / module)[0] for module in MODULES}
    assert {module for module, paths in sent.items() if FOLDER / name in paths} == needing


def find_sent(module: Path) -> tuple[list[Path], int]:
    """Our sources that Ansible packs for a module, which are those that any import statement in them names; and how
    many names they import from each other that are no modules."""
    names, found, pending = 0, set(), [module]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            folder = _find_folder(path, node) if isinstance(node, ast.ImportFrom) else None
            if folder is not None:
                assert isinstance(node, ast.ImportFrom)
                modules = [source for name in node.names if (source := folder / f"{name.name}.py").is_file()]
                names += len(node.names) - len(modules)
                pending += modules
                pending += [source] if (source := folder.with_suffix(".py")).is_file() else []
    return sorted(found), names


def _find_folder(path: Path, node: ast.ImportFrom) -> Path | None:
    """Where the names of an import statement come from, as if it were a folder; None for others than our own."""
    if node.level:
        return path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
    if not str(node.module).startswith(PACKAGE):
        return None
    return FOLDER.joinpath(*str(node.module)[len(PACKAGE) + 1 :].split("."))


def test_the_counted_sources_are_those_of_this_checkout() -> None:
    package = importlib.import_module(f"{PACKAGE}._module.check")
    assert package.__file__ is not None
    assert Path(package.__file__).resolve().is_relative_to(FOLDER), sys.path
