# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TCP sockets that are merely bound: what is found at their processes is what the kernel lists. SEED=… plays others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.diag_connections import (
    FIRST_RELEASE_WITH_BOUND,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.sockopts import parse_release

PROGRAM = Path(__file__).parent / "bound_world.py"
RELEASE = os.uname().release
# What the rounds must have shown, so that the agreement means something.
SEEN = (
    "bound, own", "bound, passed", "bound, outside", "chosen, own", "child, own", "refused, own", "shut, own", "mptcp",
    "doubtful, listed", "doubtful, not listed", "answer ok", "answer blocked",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root"),
    pytest.mark.skipif(
        parse_release(RELEASE) < FIRST_RELEASE_WITH_BOUND, reason=f"kernel {RELEASE} does not list them: no judge"
    ),
]


def test_what_is_found_is_what_the_kernel_lists() -> None:
    command = [sys.executable, str(PROGRAM), os.environ.get("SEED") or "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    kinds = shown["kinds"]
    print(kinds)
    assert shown["wrong"] == []
    assert not [kind for kind in SEEN if kinds.get(kind, 0) < 3], kinds
    assert kinds["listed"] >= 50
    assert kinds["answer doubtful"] < kinds["answer ok"] / 5
