# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units as their manager has them in memory, and the commands that talk to that manager."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from typing import NamedTuple, Optional, Union

from .._model.units import EnvironmentFile, Unit
from .._wire import spelling, systemd_show, unit_show
from . import commands

_TIMEOUT = 10  # seconds


class Manager(NamedTuple):
    """A service manager: uid None is the system's."""

    uid: Optional[int]

    @property
    def command(self) -> tuple[str, ...]:
        """What `systemctl` is for it. The manager of another user is reached as that user: --machine=USER@ needs
        systemd 248 and a session of its own.
        """
        if self.uid is None:
            return ("systemctl", "--no-ask-password")
        bus = (f"XDG_RUNTIME_DIR=/run/user/{self.uid}", f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{self.uid}/bus")
        if not self.is_foreign:
            return ("env", *bus, "systemctl", "--user")
        # Emptied first: that user can read the environment of what runs in its name.
        become = ("setpriv", f"--reuid={self.uid}", f"--regid={_find_group(self.uid)}", "--init-groups")
        return ("env", "--ignore-environment", f"PATH={commands.PATH}", *bus, *become, "systemctl", "--user")

    @property
    def is_foreign(self) -> bool:
        """Whether it is the manager of somebody else, whose word is no more than theirs."""
        return self.uid is not None and self.uid != os.geteuid()

    @property
    def has_rights(self) -> bool:
        return os.geteuid() in (0, self.uid)


def read_units(manager: Manager, names: Sequence[str]) -> dict[str, Union[Unit, str]]:
    """Each unit by the name that was asked for, or why it could not be read. One call, if all goes well."""
    try:
        units = _show(manager, names)
    except systemd_show.SystemdShowError as error:
        if len(names) == 1:
            return {names[0]: str(error)}
        # One that cannot be parsed hides no other.
        return {name: read_units(manager, [name])[name] for name in names}
    return dict.fromkeys(names, units) if isinstance(units, str) else dict(zip(names, units))


def _show(manager: Manager, names: Sequence[str]) -> Union[list[Unit], str]:
    """Text: why the manager gives no answer. Raises SystemdShowError for one that cannot be read."""
    command = (*manager.command, "show", "--no-pager", f"--property={','.join(unit_show.PROPERTIES)}", "--", *names)
    done = commands.run_command(command, timeout=_TIMEOUT)
    if done.status is None:
        return f"systemctl show: {done.output}"
    if done.status != 0:
        # Of a single name that it does not like, or of the manager: the others are asked for by themselves.
        reason = f"systemctl show: {done.output or 'no answer'}"
        if len(names) == 1:
            return reason
        raise systemd_show.SystemdShowError(reason)
    # What somebody else's manager says may be anything; nothing that is run is made of it.
    text = "\n".join(map(spelling.printable, done.full_output.split("\n"))) if manager.is_foreign else done.full_output
    units = unit_show.parse_units(text)
    if len(units) != len(names):
        raise systemd_show.SystemdShowError(f"systemctl show answered for {len(units)} of {len(names)} units")
    return units


def read_environment(unit: Unit) -> dict[str, str]:
    """What the unit's commands are started with: Environment=, then the files, systemd.exec(5). Unreadable files are
    taken as empty: what is made with them is then refused, or proven by other means.
    """
    environment = dict(assignment.partition("=")[::2] for assignment in unit.environment)
    for file in unit.environment_files:
        environment.update(_read_environment_file(file))
    return environment


def _read_environment_file(file: EnvironmentFile) -> dict[str, str]:
    if not os.path.isfile(file.path):  # a pipe would be waited for
        return {}
    try:
        with open(file.path, encoding="utf-8", errors="surrogateescape") as stream:
            lines = [line.strip() for line in stream]
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#;")
    return {key.strip(): _unquote(value.strip()) for key, separator, value in pairs if separator}


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _find_group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid
