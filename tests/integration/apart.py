# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a function in a child process with network and mounts of its own: nothing of it can be left behind."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
import traceback
from pathlib import Path
from typing import Callable, NoReturn

import pytest

CLONE_NEWNS = 0x00020000  # include/uapi/linux/sched.h
CLONE_NEWNET = 0x40000000


def run_apart(function: Callable[[], None], seconds: float = 60) -> None:
    """`function` in a forked child with its own network (`lo` is up) and mount namespace; fails with its traceback.

    What the function starts in threads ends with the child; the namespaces end with their last process.
    """
    if os.geteuid() != 0:
        pytest.skip("making a network namespace takes root")
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        _become_apart(function, sender)
    os.close(sender)
    report = _read_all(receiver, time.monotonic() + seconds, child)
    _pid, status = os.waitpid(child, 0)
    if report or status:
        pytest.fail(report or f"the child ended with status {status} after at most {seconds:g} s", pytrace=False)


def _become_apart(function: Callable[[], None], sender: int) -> NoReturn:
    status = 1
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        run("mount", "--make-rprivate", "/")
        run("ip", "link", "set", "lo", "up")
        function()
        status = 0
    except BaseException:
        os.write(sender, traceback.format_exc().encode())
    finally:
        os._exit(status)  # no clean-up of the parent's pytest in the child


def _read_all(receiver: int, deadline: float, child: int) -> str:
    chunks = []
    while select.select([receiver], [], [], max(deadline - time.monotonic(), 0))[0]:
        chunk = os.read(receiver, 65536)
        chunks.append(chunk)
        if not chunk:
            break
    else:
        os.kill(child, signal.SIGKILL)
    os.close(receiver)
    return b"".join(chunks).decode()


def run(*command: str) -> str:
    """A command; its output, or an error that shows what it said."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done.stdout


def ip(command: str) -> str:
    return run("ip", *command.split())


def set_sysctl(name: str, value: str) -> None:
    Path("/proc/sys", *name.split(".")).write_text(value)


def replace_file(path: str, text: str, folder: Path) -> None:
    """In this mount namespace only, `path` has another content."""
    stand_in = folder / path.strip("/").replace("/", "_")
    stand_in.write_text(text)
    run("mount", "--bind", str(stand_in), path)
