# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts that are none: a network namespace each, with listeners of its own, reached by the local connection."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .holders import Holders
from .scene import CLONE_NEWNET

LISTENERS = 10

# What check_bindings.yml is, with a ping in place of the check.
PING_PLAYBOOK = """\
- name: Ping
  hosts: all
  gather_facts: false
  tasks:
    - name: Ping
      ansible.builtin.ping:
      register: pinged
    - name: Show
      ansible.builtin.debug:
        msg: "{{ pinged.ping.splitlines() }}"
    - name: Fail
      ansible.builtin.assert:
        that: pinged.ping == 'pong'
        quiet: true
"""


@contextlib.contextmanager
def set_fleet(hosts: int, folder: Path) -> Iterator[Path]:
    """The inventory of so many hosts, which are gone afterwards."""
    holders = Holders()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        inventory = [_make_host(holders, f"host{number:04d}", folder) for number in range(hosts)]
        holders.wait_ready()
        path = folder / "inventory"
        path.write_text("\n".join(inventory) + "\n")
        yield path
    finally:
        holders.end()


def _make_host(holders: Holders, name: str, folder: Path) -> str:
    pid = holders.fork("bench-host", _become_host)
    interpreter = folder / name
    # /proc/PID is the parent's word for a child that it has not yet reaped, so it cannot be another process.
    interpreter.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{pid}/ns/net {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    return f"{name} ansible_connection=local ansible_python_interpreter={interpreter}"


def _become_host() -> list[socket.socket]:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return [socket.create_server(("127.0.0.1", 8000 + number)) for number in range(LISTENERS)]
