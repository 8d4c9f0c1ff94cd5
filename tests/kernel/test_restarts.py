# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel is the judge: what is foretold of a restart is done, and what else holds a port is compared with its dump.

CASES=50000 plays more, SEED=… other ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

CASES = int(os.environ.get("CASES") or 5000)
SEED = int(os.environ.get("SEED") or 0)
TOLD = 3  # disagreements to show in full
MOST_UNKNOWN = 0.02

HERE = Path(__file__).parent
# What the histories must have shown, so that the agreement means something.
SEEN = (
    "restart tcp blocked",
    "restart tcp ok",
    "restart udp ok",
    "preflight tcp blocked",
    "preflight tcp ok",
    "preflight tcp unavailable",
    "preflight udp blocked",
    "preflight udp ok",
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")


def run(*arguments: str, timeout: float = 900) -> str:
    """A program in this folder, in a process of its own: it moves into another network namespace."""
    command = [sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def clearing() -> Iterator[subprocess.Popen[str]]:
    """Waits for a minute, while the other tests run."""
    command = [sys.executable, str(HERE / "restart_clearing.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_restarts() -> None:
    result = json.loads(run("restart_run.py", "--cases", str(CASES), "--seed", str(SEED), "--json"))
    counts = Counter(result["counts"])
    print(f"{counts['cases']} cases from seed {SEED}: {dict(sorted(counts.items()))}")
    assert not result["wrong"], "\n\n".join("\n".join(story) for story in result["wrong"][:TOLD])
    assert counts["cases"] >= CASES
    assert counts["unknown"] <= MOST_UNKNOWN * counts["cases"]
    rare = {name: counts[name] for name in SEEN if counts[name] * 1000 < CASES}
    assert not rare, f"the histories forget what they are meant to show: {rare}"


def test_occupants_are_what_the_whole_dump_shows() -> None:
    result = json.loads(run("restart_occupants.py"))
    assert result["rounds"] >= 30
    assert result["rows"] > 1000
    assert set(result["states"]) >= {"bound", "close_wait", "established", "fin_wait_2", "listening", "time_wait"}
    assert result["wrong"] == []


def test_options_that_are_set_late_cannot_be_seen() -> None:
    """The one honest exception, and where it ends: see docs/guides/reuse_settings.md."""
    shown = json.loads(run("restart_late.py"))
    # SO_REUSEADDR after the first connection ended: the live socket reads as fine, and the kernel refuses.
    assert shown["after the first connection"] == {"reads": True, "foretold": "ok", "kernel": "EADDRINUSE"}
    # Before it ended, its connections still inherit it.
    assert shown["between listen and the first connection"] == {"reads": True, "foretold": "ok", "kernel": "ok"}
    assert shown["before bind"] == {"reads": True, "foretold": "ok", "kernel": "ok"}


def test_ports_are_free_when_it_was_said(clearing: subprocess.Popen[str]) -> None:
    """clear_in_seconds against the real end of TIME_WAIT and of a half-closed orphan, whose timers cannot be tuned."""
    output, errors = clearing.communicate(timeout=200)
    assert clearing.returncode == 0, errors
    shown = json.loads(output)
    assert len(shown) == 18
    for name, seen in shown.items():
        assert seen["verdict"] == "blocked", name
        assert 50 <= seen["foretold"] <= 66, (name, seen)
        assert abs(seen["waited"] - seen["foretold"]) <= 2, (name, seen)
