# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schemas of docs/schemas/, for tests that hold something against them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMAS = CHECKOUT / "docs" / "schemas"

Json = dict[str, Any]


@cache
def load_schema(file: str) -> Json:
    return json.loads((SCHEMAS / file).read_text())  # type: ignore[no-any-return]


@cache
def _validator(name: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry(retrieve=lambda uri: Resource.from_contents(load_schema(uri)))  # type: ignore[call-arg]
    schema = {"$ref": f"{name}.json"}
    return Draft202012Validator(schema, registry=registry, format_checker=FormatChecker(["ipv4", "ipv6"]))


def find_violations(name: str, value: object) -> list[str]:
    """What is wrong with a value by docs/schemas/<name>.json: one line for each, with its path and the value there."""
    errors = sorted(_validator(name).iter_errors(value), key=lambda error: error.json_path)
    return [f"{error.json_path}: {error.message[:300]}" for error in errors]


def is_result_schema(name: str) -> bool:
    """Of a whole module's result, and not of a record in one."""
    return (CHECKOUT / "plugins" / "modules" / f"{name}.py").exists()
