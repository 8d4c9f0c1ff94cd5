# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`systemctl show` of any units, as records: everything that a restart depends on. systemctl(1), systemd.unit(5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .._model.units import EnvironmentFile, Unit, UnitListen
from . import systemd_show

PROPERTIES = (
    *systemd_show.PROPERTIES,
    "LoadState",
    "SubState",
    "Transient",
    "CanStart",
    "CanStop",
    "CanReload",
    "RefuseManualStart",
    "RefuseManualStop",
    "NeedDaemonReload",
    "KillMode",
    "ControlGroup",
    "MainPID",
    "User",
    "ExecStart",
    "Environment",
    "EnvironmentFiles",
    "Accept",
    "FreeBind",
    "Transparent",
    "Triggers",
    "TriggeredBy",
    "After",
    "RequiredBy",
    "BoundBy",
    "ConsistsOf",
    "RequisiteOf",
    "PropagatesStopTo",
)
# src/core/unit-dependency-atom.c: UNIT_ATOM_PROPAGATE_STOP, UNIT_ATOM_PROPAGATE_RESTART
_STOPPED_ALONG = ("RequiredBy", "BoundBy", "ConsistsOf", "RequisiteOf", "PropagatesStopTo")


# src/core/dbus-execute.c by way of src/systemctl/systemctl-show.c: the words come without quotes.
_EXEC = re.compile(r"\{ path=(.*?) ; argv\[\]=(.*?) ; ignore_errors=(?:yes|no) ; ", re.DOTALL)
_ENVIRONMENT_FILE = re.compile(r"(.*) \(ignore_errors=(yes|no)\)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def parse_units(text: str) -> list[Unit]:
    """The output of `systemctl show --property=` PROPERTIES, in its order. Raises SystemdShowError.

    A unit that does not exist comes with load_state "not-found".
    """
    blocks = systemd_show.parse_properties(text)
    sockets = {unit.name: unit for unit in systemd_show.parse_socket_units(text)}
    units = []
    for block in blocks:
        name = _last(block, "Id")
        listens = tuple(UnitListen(*listen) for listen in sockets[name].listens)
        units.append(_parse_unit(name, block, listens))
    return units


def _parse_unit(name: str, block: Mapping[str, list[str]], listens: tuple[UnitListen, ...]) -> Unit:
    def is_set(key: str) -> bool:
        return _last(block, key) == "yes"

    exec_path, exec_start = _parse_exec(_first(block, "ExecStart"))
    return Unit(
        name=name,
        load_state=_last(block, "LoadState"),
        active_state=_last(block, "ActiveState"),
        sub_state=_last(block, "SubState"),
        transient=is_set("Transient"),
        can_start=is_set("CanStart"),
        can_stop=is_set("CanStop"),
        can_reload=is_set("CanReload"),
        refuse_manual_start=is_set("RefuseManualStart"),
        refuse_manual_stop=is_set("RefuseManualStop"),
        need_daemon_reload=is_set("NeedDaemonReload"),
        kill_mode=_last(block, "KillMode"),
        control_group=_last(block, "ControlGroup"),
        main_pid=_parse_pid(_last(block, "MainPID")),
        user=_last(block, "User"),
        exec_path=exec_path,
        exec_start=exec_start,
        environment=_parse_environment(_last(block, "Environment")),
        environment_files=tuple(map(_parse_environment_file, block.get("EnvironmentFiles", ()))),
        accept=is_set("Accept"),
        free_bind=is_set("FreeBind") or is_set("Transparent"),
        listens=listens,
        unix_listens=len(block.get("Listen", ())) - len(listens),
        triggers=_words(block, "Triggers"),
        triggered_by=_words(block, "TriggeredBy"),
        after=_words(block, "After"),
        restarted_along=tuple(dict.fromkeys(word for key in _STOPPED_ALONG for word in _words(block, key))),
    )


def _first(block: Mapping[str, list[str]], key: str) -> str:
    return block.get(key, [""])[0]


def _last(block: Mapping[str, list[str]], key: str) -> str:
    return block.get(key, [""])[-1]


def _words(block: Mapping[str, list[str]], key: str) -> tuple[str, ...]:
    return tuple(_last(block, key).split())


def _parse_pid(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise systemd_show.SystemdShowError("systemctl show: MainPID is not a number")
    return int(text)


def _parse_exec(text: str) -> tuple[str, tuple[str, ...]]:
    """Its path and its words."""
    if not text:
        return "", ()
    match = _EXEC.match(text)
    if match is None:
        raise systemd_show.SystemdShowError("systemctl show: ExecStart has an unknown form")
    return match.group(1), tuple(match.group(2).split())


def _parse_environment(text: str) -> tuple[str, ...]:
    """Assignments, each in double quotes where it contains anything unusual."""
    return tuple(
        _ESCAPE.sub(r"\1", quoted) if quoted else bare
        for quoted, bare in (match.groups() for match in _QUOTED.finditer(text))
    )


def _parse_environment_file(text: str) -> EnvironmentFile:
    match = _ENVIRONMENT_FILE.fullmatch(text)
    if match is None:
        raise systemd_show.SystemdShowError("systemctl show: EnvironmentFiles has an unknown form")
    return EnvironmentFile(match.group(1), match.group(2) == "yes")
