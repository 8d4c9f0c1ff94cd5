# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of rebind_plan as records. Every error names the option, the value and what is allowed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from .._model import plans
from .._rules import rebind_outcome, restart_proof
from .._wire import server_config
from . import arguments, unit_names

_LONGEST_WAIT = 3600  # seconds
_WISH = "ADDRESS:PORT, [IPV6]:PORT, either with /udp, or a dictionary of address, port, protocol and interface"
_WISH_KEYS = {"address", "port", "protocol", "interface"}
_UNIT_LABEL = re.compile(r"([^\s/*?\[]+)( of uid [0-9]+)?")
_CONTAINER_LABEL = re.compile(r"[a-z]+ container \S+( of uid [0-9]+)?")
_LABEL = "the name of a unit, for a user's with ` of uid NUMBER` behind it, or `ENGINE container ID`, as in a plan"

T = TypeVar("T")


def parse_settings(params: Mapping[str, Any]) -> plans.Settings:
    """Raises InvalidOption."""
    for option, least, most in (("max_wait", 0, _LONGEST_WAIT), ("max_units", 0, 10000)):
        if not least <= params[option] <= most:
            raise _refuse(option, params[option], f"a number from {least} to {most}")
    for glob, why in params["never_restart"].items():
        if not isinstance(why, str) or not why.strip():
            raise _refuse("never_restart", why, "a reason, as text", glob)
    return plans.Settings(
        actions={unit: _spell_action(value) for unit, value in _parse_commands("actions", params["actions"]).items()},
        unproven=params["unproven"] == "restart",
        containers=params["containers"],
        never={name: why for glob, why in params["never_restart"].items() for name in complete_glob(str(glob))},
        units=tuple(name for glob in arguments.parse_globs("units", params["units"]) for name in complete_glob(glob)),
        max_units=params["max_units"],
        max_wait=params["max_wait"],
        allow_downtime=params["allow_downtime"],
    )


def parse_checks(value: Mapping[str, Any]) -> dict[str, str]:
    """Label → command, empty for none. Raises InvalidOption."""
    return _parse_commands("checks", value)


def _parse_commands(option: str, value: Mapping[str, Any]) -> dict[str, str]:
    for unit, command in value.items():
        if not isinstance(command, str) or not (command.strip() or option == "checks"):
            raise _refuse(option, command, "text", unit)
        if not _is_command(command):
            raise _refuse(option, command, "a command whose quotes are closed, as for a shell", unit)
    return {unit: command.strip() for unit, command in _complete_labels(option, value).items()}


def _is_command(text: str) -> bool:
    try:
        words = shlex.split(text)
    except ValueError:
        return False
    return "\0" not in text and (not words or bool(words[0].strip()))


def _spell_action(text: str) -> str:
    """Nobody means a program called Reload."""
    return text.lower() if text.lower() in (plans.RELOAD, plans.RESTART) else text


def parse_expected(value: Mapping[str, Any]) -> dict[str, tuple[plans.Wish, ...]]:
    """Label → where it is to listen. Raises InvalidOption."""
    expected = {}
    for unit, wishes in value.items():
        if not isinstance(wishes, list) or not wishes:
            raise _refuse("expected", wishes, f"a list of at least one: {_WISH}", unit)
        expected[unit] = tuple(_parse_wish(unit, wish) for wish in wishes)
    return _complete_labels("expected", expected)


def _complete_labels(option: str, value: Mapping[str, T]) -> dict[str, T]:
    """By label, which for units is completed as systemctl does it. What can be the label of nothing is refused: an
    option that is silently not applied may be the one that holds a restart back. Raises InvalidOption.
    """
    labels: dict[str, T] = {}
    for key, item in value.items():
        label = str(key).strip()
        match = _UNIT_LABEL.fullmatch(label)
        if match:
            label = unit_names.complete_unit(match[1]) + (match[2] or "")
        elif not _CONTAINER_LABEL.fullmatch(label):
            raise _refuse(option, key, _LABEL)
        if label in labels:
            raise _refuse(option, key, f"each unit once, and {label} is in it twice")
        labels[label] = item
    return labels


def complete_glob(glob: str) -> tuple[str, ...]:
    """As it is (it may mean a container), and what systemctl would take for the name of a service as one."""
    glob = glob.strip()
    return tuple(dict.fromkeys((glob, unit_names.complete_unit(glob))))


def _refuse(option: str, value: object, allowed: str, key: object = None) -> arguments.InvalidOption:
    """By the name of the module's option, and the one that users of the role have written."""
    place = option if key is None else f"{option}[{key}]"
    return arguments.InvalidOption(place, value, f"{allowed}; in the role it is rebind_{option}")


def _parse_wish(unit: str, value: object) -> plans.Wish:
    if isinstance(value, str):
        text, _slash, protocol = value.strip().partition("/")
        interface = None
    elif isinstance(value, dict) and {"address", "port"} <= set(value) <= _WISH_KEYS:
        address = str(value["address"]).strip("[]")
        text = f"[{address}]:{value['port']}" if ":" in address else f"{address}:{value['port']}"
        protocol, interface = str(value.get("protocol") or ""), value.get("interface") or None
    else:
        raise _refuse("expected", value, _WISH, unit)
    if protocol not in ("", "tcp", "udp") or not (interface is None or isinstance(interface, str)):
        raise _refuse("expected", value, _WISH, unit)
    try:
        return server_config.parse_endpoint(text, protocol or "tcp", interface)
    except server_config.ServerConfigError:
        raise _refuse("expected", value, _WISH, unit) from None


def parse_since(params: Mapping[str, Any]) -> list[rebind_outcome.Before]:
    """The earlier plan that a caller hands back, and what became of it. Raises InvalidOption."""
    left: dict[str, Mapping[str, Any]] = {}
    for entry in params["left"]:
        if not all(isinstance(entry.get(key), str) for key in ("label", "reason")):
            raise arguments.InvalidOption("left", entry, "an entry of a plan, or a dictionary of label and reason")
        left[entry["label"]] = entry
    return [_parse_before(entry, params["failed"], params["rescued"], left) for entry in params["since"] or ()]


def _parse_before(
    entry: Any, failed: Mapping[str, Any], rescued: list[str], left: Mapping[str, Mapping[str, Any]]
) -> rebind_outcome.Before:
    try:
        label = str(entry["label"])
        last = left.get(label, entry)
        return rebind_outcome.Before(
            label=label,
            action=str(entry["action"]),
            stale=tuple(make_place(listener) for listener in entry["stale"]),
            healthy=tuple(make_place(listener) for listener in entry["healthy"]),
            wished=tuple(make_place(bind) for bind in entry["proof"]["binds"]) if entry["proven"] else (),
            failed=str(failed[label]) if label in failed else None,
            rescued=label in rescued,
            left=_explain_left(last, is_last=label in left),
            companion=label.replace(str(entry["unit"]), str(entry["companion"]), 1) if entry["companion"] else "",
            engine=str(entry["manager"]) if entry["scope"] == "container" else "",
            tried=frozenset(_parse_connect(row) for row in entry["endpoints"]),
            waited=label in left and (bool(last.get("wait")) or last.get("decision") == restart_proof.PORT_BUSY),
        )
    except (KeyError, TypeError, ValueError):
        raise arguments.InvalidOption("since", entry, "the plan that this module returned, as it was") from None


def _explain_left(entry: Mapping[str, Any], *, is_last: bool) -> str:
    """Why nothing was done with it: by the last look, or by the plan where that already says how to go on."""
    reason, advice = str(entry.get("reason") or ""), str(entry.get("advice") or "")
    if not (is_last or advice):
        return ""
    return f"{reason}; {advice}" if reason and advice else reason or advice


def parse_refused(connects: Sequence[Mapping[str, Any]]) -> set[rebind_outcome.Refused]:
    """What did not answer, of the endpoints that connect_check returned. Raises InvalidOption."""
    refused = set()
    for row in connects:
        try:
            place = _parse_connect(row)
        except (KeyError, TypeError, ValueError):
            raise arguments.InvalidOption(
                "connects", row, "the endpoints that connect_check returned, as they were"
            ) from None
        if not row.get("connected"):
            refused.add(place)
    return refused


def _parse_connect(row: Mapping[str, Any]) -> rebind_outcome.Refused:
    return rebind_outcome.Refused(str(row["host"]), int(row["port"]), row["interface"])


def make_place(value: Mapping[str, Any]) -> rebind_outcome.Place:
    """Of a listener or a bind, as results have them. A dead interface has its index for a name. Raises KeyError."""
    interface = value["interface"]
    if interface is None and value.get("ifindex"):
        interface = f"index {value['ifindex']}"
    return rebind_outcome.Place(str(value["protocol"]), str(value["address"]), int(value["port"]), interface)
