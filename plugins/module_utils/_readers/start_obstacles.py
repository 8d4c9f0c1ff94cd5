# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would keep systemd from starting a unit once it is stopped: a program that is gone, a condition that fails."""

from __future__ import annotations

import os
import stat
from typing import Optional

from .._model import units
from . import commands
from .units import Manager

_TIMEOUT = 10  # seconds
_CONDITIONS = ("Conditions failed.", "Asserts failed.")  # src/analyze/analyze-condition.c, src/core/unit.c


def read_obstacle(manager: Manager, unit: units.Unit) -> Optional[str]:
    """None: nothing is known to be in the way. Of another user's unit nothing is looked at, as that user chose what it
    names.
    """
    if manager.is_foreign:
        return None
    return _find_missing_program(unit) or (_read_failed_condition(unit.name) if manager.uid is None else None)


def _find_missing_program(unit: units.Unit) -> Optional[str]:
    """As the host sees it, and as what runs now does: RootDirectory=, RootImage= or BindPaths= may have brought it."""
    if not unit.exec_path.startswith("/"):
        return None
    roots = ("", f"/proc/{unit.main_pid}/root") if unit.main_pid else ("",)
    if all(_is_no_program(f"{root}{unit.exec_path}") for root in roots):
        return f"its ExecStart={unit.exec_path} is not there, or is no program"
    return None


def _is_no_program(path: str) -> bool:
    """What cannot be looked at may well be one."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) or not mode & 0o111


def _read_failed_condition(name: str) -> Optional[str]:
    """As the files have them by now. systemd before 250 has no such command, and then nothing is known."""
    done = commands.run_command(["systemd-analyze", "--no-pager", "condition", f"--unit={name}"], timeout=_TIMEOUT)
    if done.status != 1 or not any(line in _CONDITIONS for line in done.output.splitlines()):
        return None
    prefix = f"{name}: "
    failed = [line for line in done.output.splitlines() if line.startswith(prefix) and line.endswith(" failed.")]
    return "; ".join(line[len(prefix) : -1] for line in failed) or "its conditions fail"
