# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which unit a cgroup path stands for, read from the root downwards, as systemd itself reads it; or which container.

Only the first directory that is not a slice decides (src/basic/cgroup-util.c: cg_path_get_unit, cg_path_get_user_unit).
Whatever is below it was delegated: to a service, to a container, or to the manager of an ordinary user, who may call a
directory nginx.service and would thereby still not be the system's nginx.service.
"""

from __future__ import annotations

import re
from typing import Optional

from .._model import bindings

_TYPES = frozenset(
    ("service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope")
)
# As text: re compiles a pattern when it is first used, and keeps it; a run meets few of these.
_NAME = r"[A-Za-z0-9:_.\\-][A-Za-z0-9:_.\\@-]*\Z"  # src/basic/unit-name.c, VALID_CHARS
_UID = r"(?:0|[1-9][0-9]{0,9})\Z"
_RESERVED_UIDS = (0xFFFF, 0xFFFFFFFF)  # (uid_t) -1 in 16 and in 32 bits, src/basic/user-util.h uid_is_valid
_SESSION = r"session-[A-Za-z0-9]+\.scope\Z"
# Directories below the root that can hold containers without a unit (container_path.py, loaded for these alone).
_CONTAINER_PLACES = ("lxc", "docker", "libpod_parent", "kubepods")


def parse_cgroup_path(path: str, root: str = "") -> Optional[bindings.Service]:
    """Who starts and stops the processes of that cgroup, or None where the path does not say.

    path: as in /proc/PID/cgroup ("0::" cut off), or relative to the mount point of the hierarchy. root: where the
    manager's own tree begins when that is not /, which is PID 1's path less /init.scope (cg_shift_path).
    A path that leads out of this cgroup namespace (/../…) says nothing: what its first directories are cannot be seen
    from here. scope user with uid None: a unit of a manager whose uid the path does not tell (capsule@NAME.service).
    """
    if path.endswith(" (deleted)"):  # the cgroup is gone, its last process is not
        path = path[: -len(" (deleted)")]
    if root not in ("", "/") and (path + "/").startswith(root.rstrip("/") + "/"):
        path = path[len(root.rstrip("/")) :]
    names = [name for name in path.split("/") if name]
    if not path.startswith("/") or ".." in names or "." in names:
        return None
    if names and names[0].startswith(_CONTAINER_PLACES):
        from . import container_path

        container = container_path.parse_placed(names)
        if container is not None:
            return container
    slices = _count_slices(names)
    if slices == len(names):
        return None
    return _parse_system(names[:slices], names[slices:])


def _parse_system(slices: list[str], names: list[str]) -> Optional[bindings.Service]:
    unit = _parse_unit(names[0])
    if unit is None:
        return None
    manager, uid = _parse_manager(slices, names[0])
    if manager:
        below = names[1:]
        below = below[_count_slices(below) :]
        user_unit = _parse_unit(below[0]) if below else None
        if user_unit is not None:
            # Without a uid a container would read as one of the system's.
            container = None if uid is None else _parse_container(user_unit, uid)
            return container or bindings.Service("systemd", user_unit, "user", uid)
    return _parse_container(unit, None) or bindings.Service("systemd", unit, "system")


def _parse_container(unit: str, uid: Optional[int]) -> Optional[bindings.Service]:
    if not unit.endswith(".scope") and not unit.startswith("systemd-nspawn@"):
        return None
    from . import container_path

    return container_path.parse_unit(unit, uid)


def _parse_manager(slices: list[str], name: str) -> tuple[bool, Optional[int]]:
    """Is what comes below this directory read as the units of a user, and of which?"""
    if name.startswith("user@") and name.endswith(".service"):
        uid = _parse_uid(name[len("user@") : -len(".service")])
        return uid is not None, uid
    if name.startswith("capsule@") and name.endswith(".service"):
        return True, None
    # User units below a session: systemd before 206, and still read so.
    if name.startswith("session-") and re.match(_SESSION, name):
        owner = slices[-1] if slices else ""
        return True, _parse_uid(owner[len("user-") : -len(".slice")]) if owner.startswith("user-") else None
    return False, None


def _parse_uid(text: str) -> Optional[int]:
    if not re.match(_UID, text) or int(text) in _RESERVED_UIDS or int(text) > 0xFFFFFFFF:
        return None
    return int(text)


def _parse_unit(name: str) -> Optional[str]:
    """The unit name of a directory (cg_path_decode_unit), or None. A slice is none here: they have been skipped."""
    unit = _unescape(name)
    return unit if len(name) >= 3 and _is_unit_name(unit) and not unit.endswith(".slice") else None


def _unescape(name: str) -> str:
    # systemd puts one underscore before a name that the kernel could take for its own (cg_escape).
    return name[1:] if name.startswith("_") else name


def _is_unit_name(name: str, *, plain: bool = False) -> bool:
    stem, dot, suffix = name.rpartition(".")
    if not dot or suffix not in _TYPES or len(name) > 255 or not re.match(_NAME, stem):
        return False
    _prefix, at, instance = stem.partition("@")
    return not at if plain else not at or bool(instance)


def _count_slices(names: list[str]) -> int:
    for position, name in enumerate(names):
        if len(name) < 7 or not name.endswith(".slice") or not _is_unit_name(_unescape(name), plain=True):
            return position
    return len(names)
