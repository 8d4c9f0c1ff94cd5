# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Pythons of managed hosts, as far as they are on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
_FIND = Path(__file__).resolve().parents[1] / "tools" / "find_python.sh"


def _find(version: str) -> object:
    done = subprocess.run([str(_FIND), version], capture_output=True, text=True, check=False)
    missing = pytest.mark.skip(reason=f"no Python {version} on this machine")
    return pytest.param(done.stdout.strip(), id=version, marks=[] if done.returncode == 0 else [missing])


TARGET_PYTHONS = [_find(version) for version in VERSIONS]
