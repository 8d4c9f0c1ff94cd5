# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contracts in docs/schemas/: well made, closed, and the same as what the documentation of the modules says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.infracheck.bindings.plugins.module_utils._model import bindings, findings
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.engine import RULES
from contracts import CHECKOUT, SCHEMAS, Json, find_violations, is_result_schema, load_schema

FILES = sorted(path.name for path in SCHEMAS.glob("*.json"))
DOCUMENTED = sorted(name[:-5] for name in FILES if is_result_schema(name[:-5]))

# Keys whose schema leaves them open: the documentation says no more either.
OPEN_OBJECTS = {"evidence", "module_args"}

RETURN_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}


def find_objects(schema: Any, path: str = "$", asserts_only: bool = False) -> Iterator[tuple[str, Json]]:
    """Every subschema that describes an object, less those below if, then and else, which only add to one."""
    if isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from find_objects(item, f"{path}[{number}]", asserts_only)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and not asserts_only:
        yield path, schema
    for key, value in schema.items():
        yield from find_objects(value, f"{path}.{key}", asserts_only or key in ("if", "then", "else"))


@pytest.mark.parametrize("file", FILES)
def test_schema_says_what_it_is(file: str) -> None:
    schema = load_schema(file)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("file", [file for file in FILES if file != "ansible_result.json"])
def test_every_object_is_closed_and_every_key_described(file: str) -> None:
    for path, schema in find_objects(load_schema(file)):
        name = path.rpartition(".")[2]
        closed = schema.get("additionalProperties") is False or schema.get("unevaluatedProperties") is False
        assert closed or name in OPEN_OBJECTS, path
        for key, value in schema.get("properties", {}).items():
            assert "description" in value or "$ref" in value or "const" in value, f"{path}.{key}"


@pytest.mark.parametrize("file", FILES)
def test_every_reference_leads_somewhere(file: str) -> None:
    references = re.findall(r'"\$ref": "([^"]+)"', (SCHEMAS / file).read_text())
    for reference in references:
        target, _hash, pointer = reference.partition("#")
        found: Any = load_schema(target or file)
        for step in pointer.split("/")[1:]:
            found = found[step]
        assert found, reference


def test_the_words_are_those_of_the_code() -> None:
    finding = load_schema("finding.json")["properties"]
    assert finding["rule"]["enum"] == [rule.slug for rule in RULES]
    assert finding["severity"]["enum"] == list(findings.SEVERITIES)
    assert finding["remedy"]["enum"] == list(findings.REMEDIES)
    binding = load_schema("listener.json")["$defs"]["binding"]["properties"]
    assert binding["state"]["enum"] == list(bindings.STATES)


TEST_BROKEN = [
    ({"port": 0}, "$.port"),
    ({"port": "443"}, "$.port"),
    ({"family": "ipv6"}, "$.address"),
    ({"address": "192.0.2.5%eth0"}, "$.address"),
    ({"owner_status": "denied"}, "$.owners"),
    ({"owners": []}, "$.owners"),
    ({"v6only": False}, "$.v6only"),
    ({"protocol": "udp"}, "$.backlog"),
    ({"ifindex": 3}, "$.options.bind_device"),
    ({"more": 1}, "$"),
    ({"binding": {"state": "gone", "reachable": None, "rebindable": None, "reason": "x"}}, "$.binding.state"),
    ({"binding": {"state": "stale_address", "reachable": True, "rebindable": False, "reason": "x"}}, "reachable"),
]

LISTENER: Json = {
    "protocol": "tcp",
    "family": "ipv4",
    "address": "192.0.2.5",
    "port": 443,
    "interface": None,
    "ifindex": None,
    "netns": None,
    "v6only": None,
    "backlog": 511,
    "queued": 0,
    "uid": 0,
    "inode": 30211,
    "owners": [{"pid": 812, "name": "nginx", "exe": "/usr/sbin/nginx", "user": "root", "fd": 6}],
    "owner_status": "found",
    "service": {"manager": "systemd", "unit": "nginx.service", "scope": "system", "uid": None},
    "options": dict.fromkeys(load_schema("listener.json")["$defs"]["options"]["properties"]),
    "binding": {"state": "valid", "reachable": True, "rebindable": True, "reason": "192.0.2.5 is assigned to eth0"},
}


def test_a_listener_as_it_should_be_is_accepted() -> None:
    assert find_violations("listener", LISTENER) == []


@pytest.mark.parametrize(("change", "where"), TEST_BROKEN, ids=[str(change) for change, _where in TEST_BROKEN])
def test_a_broken_listener_is_refused(change: Json, where: str) -> None:
    assert any(where in line for line in find_violations("listener", {**LISTENER, **change}))


# -- the RETURN block of each module


def read_return(module: str) -> Json:
    tree = ast.parse((CHECKOUT / "plugins" / "modules" / f"{module}.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["RETURN"]:
            return yaml.safe_load(ast.literal_eval(node.value))  # type: ignore[no-any-return]
    raise AssertionError(f"{module} has no RETURN")


def resolve(schema: Json, file: str) -> tuple[Json, str]:
    """A subschema with its references followed and the null of `anyOf: [null, …]` taken off, and the file it is in."""
    while True:
        choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
        reference = choices[0].get("$ref") if len(choices) == 1 else schema.get("$ref")
        if reference is None:
            return schema, file
        target, _hash, pointer = str(reference).partition("#")
        file = target or file
        schema = load_schema(file)
        for step in pointer.split("/")[1:]:
            schema = schema[step]


def type_of(schema: Json) -> Optional[str]:
    """The one type besides null; None where there is only null."""
    types = schema.get("type")
    if types is None:
        return {bool: "boolean", int: "integer", str: "string"}[type(schema["const"])]
    names = {types} if isinstance(types, str) else set(types)
    names -= {"null"}
    assert len(names) <= 1, schema
    return names.pop() if names else None


def find_linked(text: str) -> Optional[Json]:
    """The documentation that RV(infracheck.bindings.MODULE#module:PATH) in a text points to."""
    link = re.search(r"RV\(infracheck\.bindings\.(\w+)#module:([\w.\[\]]+)\)", text)
    if link is None:
        return None
    documented: Json = {"contains": read_return(link.group(1))}
    for step in link.group(2).split("."):
        documented = documented["contains"][step.replace("[]", "")]
    return documented


def compare(documented: Json, schema: Json, file: str, path: str) -> Iterator[str]:
    """What the documentation of one return value and its schema do not agree on."""
    schema, file = resolve(schema, file)
    expected = RETURN_TYPES[documented["type"]]
    found = type_of(schema)
    if found not in (expected, None):
        yield f"{path}: documented as {documented['type']}, by {file} it is {found}"
        return
    contains = documented.get("contains")
    if expected == "array":
        schema, file = resolve(schema["items"], file)
        element = type_of(schema)
        if RETURN_TYPES[documented["elements"]] != element:
            yield f"{path}: its elements are documented as {documented['elements']}, by {file} they are {element}"
            return
    properties = schema.get("properties")
    if properties is None and contains is None:
        return
    if contains is None:
        text = documented["description"]
        linked = find_linked(text if isinstance(text, str) else " ".join(text))
        if linked is None:
            yield f"{path}: {file} has keys, the documentation has neither `contains` nor a link to where they are"
            return
        contains = linked["contains"]
    yield from compare_keys(contains, schema, file, path)


def compare_keys(contains: Json, schema: Json, file: str, path: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for key in sorted(set(contains) ^ set(properties)):
        yield f"{path}.{key}: only in {'the documentation' if key in contains else file}"
    for key in sorted(set(contains) & set(properties)):
        yield from compare(contains[key], properties[key], file, f"{path}.{key}")


@pytest.mark.parametrize("module", DOCUMENTED)
def test_return_block_agrees_with_schema(module: str) -> None:
    file = f"{module}.json"
    assert list(compare_keys(read_return(module), load_schema(file), file, module)) == []


def test_a_return_block_that_disagrees_is_noticed() -> None:
    documented = {"fine": {"type": "str"}, "typed": {"type": "int"}, "extra": {"type": "str"}}
    properties = {"fine": {"type": "string"}, "typed": {"type": ["string", "null"]}, "missing": {"type": "null"}}
    assert list(compare_keys(documented, {"properties": properties}, "x.json", "x")) == [
        "x.extra: only in the documentation",
        "x.missing: only in x.json",
        "x.typed: documented as int, by x.json it is string",
    ]


@pytest.mark.parametrize("module", DOCUMENTED)
def test_always_returned_is_required(module: str) -> None:
    required = set(load_schema(f"{module}.json")["required"])
    always = {
        key
        for key, value in read_return(module).items()
        if value["returned"] in ("always", "unless an option is wrong")
    }
    assert always == required
