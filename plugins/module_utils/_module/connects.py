# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a task's options to endpoints, and from what came of them to its result (docs/schemas/connect_check.json)."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Sequence
from typing import Any, Optional

from .._model import backends
from .._model.endpoints import AT_ITSELF, AT_SO_ERROR, CLASSES, CONNECTED, Connect, ConnectSettings, Endpoint, Trial
from .._readers import connects
from .._rules import connect_outcome
from .._wire import spelling
from .._wire.endpoints import InvalidEndpoint, parse_endpoint
from . import arguments, results

_LONGEST = 1e6  # seconds, and more than enough of anything else


def check_connects(params: dict[str, Any]) -> tuple[results.Json, Sequence[backends.Gap]]:
    """What connect_check returns. Raises InvalidOption."""
    settings = parse_settings(params)
    endpoints = parse_endpoints(params["endpoints"], settings.family)
    trials, gaps = connects.read_connects(endpoints, settings, connect_outcome.is_met)
    result = compose_result(endpoints, trials, gaps)
    return dict(result, failed=params["fail"] and result["summary"]["unmet"] > 0), gaps


def parse_settings(params: dict[str, Any]) -> ConnectSettings:
    """Raises InvalidOption."""
    for option, least, allowed in (
        ("timeout", 0.001, "seconds from 0.001 on"),
        ("attempts", 1, "a number from 1 on"),
        ("delay", 0, "seconds from 0 on"),
        ("settle", 0, "seconds from 0 on"),
        ("concurrency", 1, "a number from 1 on"),
    ):
        if not least <= params[option] <= _LONGEST:  # refuses nan as well
            raise arguments.InvalidOption(option, params[option], allowed)
    family = None if params["family"] == "any" else params["family"]
    return ConnectSettings(
        params["timeout"], params["attempts"], params["delay"], params["settle"], params["concurrency"], family
    )


def parse_endpoints(values: list[Any], family: Optional[str]) -> list[Endpoint]:
    """Raises InvalidOption."""
    if not values:
        raise arguments.InvalidOption(
            "endpoints", values, "at least one endpoint: nothing tried would look like success"
        )
    try:
        return [parse_endpoint(value, f"endpoints[{number}]", family) for number, value in enumerate(values)]
    except InvalidEndpoint as error:
        raise arguments.InvalidOption(error.option, error.value, error.allowed) from None


def compose_result(endpoints: list[Endpoint], trials: list[Trial], gaps: Sequence[backends.Gap]) -> results.Json:
    """`endpoints`, `summary`, `gaps` and `msg`; a failure is when summary.unmet is not 0."""
    outcomes = [connect_outcome.judge(endpoint, trial) for endpoint, trial in zip(endpoints, trials)]
    rows = list(zip(endpoints, trials, outcomes))
    classes = Counter(outcome.klass for outcome in outcomes)
    unmet = [_compose_line(*row) for row, outcome in zip(rows, outcomes) if not outcome.met]
    return {
        "endpoints": [_render_endpoint(*row) for row in rows],
        "summary": {
            "endpoints": len(rows),
            "met": len(rows) - len(unmet),
            "unmet": len(unmet),
            "classes": {name: classes[name] for name in CLASSES if classes[name]},
        },
        "gaps": results.render_gaps(gaps),
        "msg": "\n".join([_compose_headline(len(rows), len(unmet)), *unmet]),
    }


def _compose_headline(total: int, unmet: int) -> str:
    if not unmet:
        return "The endpoint is as expected." if total == 1 else f"All {total} endpoints are as expected."
    verb = "is" if unmet == 1 else "are"
    return "The endpoint is not as expected:" if total == 1 else f"{unmet} of {total} endpoints {verb} not as expected:"


def _compose_line(endpoint: Endpoint, trial: Trial, outcome: connect_outcome.Outcome) -> str:
    by_name = endpoint.address is None and outcome.connect is not None
    tried = spelling.format_address(outcome.connect.address.packed) if by_name and outcome.connect else None
    return connect_outcome.compose_line(endpoint, trial, outcome, tried)


def _render_endpoint(endpoint: Endpoint, trial: Trial, outcome: connect_outcome.Outcome) -> results.Json:
    return {
        "host": endpoint.host,
        "port": endpoint.port,
        "source": spelling.format_address(endpoint.source.packed) if endpoint.source else None,
        "interface": endpoint.interface,
        "expect": endpoint.expect,
        "met": outcome.met,
        "attempts": trial.attempts,
        **_render_connect(outcome.connect, outcome.klass, outcome.reason),
        "others": [
            _render_connect(connect, *connect_outcome.classify(connect))
            for connect in trial.connects
            if connect is not outcome.connect
        ],
    }


def _render_connect(connect: Optional[Connect], klass: str, reason: str) -> results.Json:
    error = connect.error if connect else None
    return {
        "connected": klass == CONNECTED,
        "class": klass,
        "reason": reason,
        "so_error": error if connect and connect.stage in (AT_SO_ERROR, AT_ITSELF) else None,
        "errno": errno.errorcode.get(error, str(error)) if error else None,
        "address": spelling.format_address(connect.address.packed) if connect else None,
        "scope": connect.address.scope if connect else None,
        "local_address": spelling.format_address(connect.local)
        if connect and connect.local and any(connect.local)
        else None,
        "elapsed_ms": round(connect.seconds * 1000, 3) if connect else None,
    }
