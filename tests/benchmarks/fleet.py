# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts that are none: a network namespace each, with listeners of its own, reached by the local connection or by
ssh to an sshd that the client starts there itself, so that nothing listens for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Optional, Union

from .holders import Holders
from .scene import CLONE_NEWNET

LISTENERS = 10
_SYSTEM_PATH = "/usr/sbin:/sbin"
PERSIST = 2  # seconds that a connection outlives its last task
_PROXY = '-o ProxyCommand="nsenter --net=/proc/{pid}/ns/net /usr/sbin/sshd -i -f {folder}/sshd_config"'

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


class Fleet(NamedTuple):
    local: Path  # an inventory
    ssh: Optional[Path]  # another of the same hosts; None where there is no sshd


@contextlib.contextmanager
def set_fleet(hosts: int, folder: Path) -> Iterator[Fleet]:
    """The inventories of so many hosts, which are gone afterwards."""
    holders = Holders()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        pids = {f"host{number:04d}": holders.fork("bench-host", _become_host) for number in range(hosts)}
        holders.wait_ready()
        local = {"ansible_connection": "local"}
        ways = {name: {"ansible_python_interpreter": _write_python(name, pid, folder)} for name, pid in pids.items()}
        ssh = _set_up_ssh(folder)
        proxies = {
            name: {"ansible_ssh_common_args": _PROXY.format(pid=pid, folder=folder)} for name, pid in pids.items()
        }
        yield Fleet(
            _write_inventory(folder / "local.json", ways, local),
            _write_inventory(folder / "ssh.json", proxies, ssh) if ssh else None,
        )
        if ssh:
            time.sleep(PERSIST + 1)  # by then the clients have closed the connections that they kept
    finally:
        holders.end()


def _write_python(name: str, pid: int, folder: Path) -> str:
    interpreter = folder / name
    # /proc/PID is the parent's word for a child that it has not yet reaped, so it cannot be another process.
    interpreter.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{pid}/ns/net {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    return str(interpreter)


def _set_up_ssh(folder: Path) -> dict[str, Union[str, bool]]:
    """Makes a key pair and a configuration; what is the same for all hosts. Nothing where there is no sshd."""
    if shutil.which("sshd", path=_SYSTEM_PATH) is None:
        return {}
    key = folder / "key"
    for old in (key, folder / "key.pub"):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks itself in
    (folder / "sshd_config").write_text(
        f"HostKey {key}\nAuthorizedKeysFile {key}.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
    )
    return {
        "ansible_python_interpreter": sys.executable,
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_args": f"-o ControlMaster=auto -o ControlPersist={PERSIST}s -o UserKnownHostsFile=/dev/null"
        " -o LogLevel=ERROR",
        "ansible_host_key_checking": False,
        "ansible_user": "root",
    }


def _write_inventory(path: Path, hosts: Mapping[str, Mapping[str, str]], shared: Mapping[str, object]) -> Path:
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": shared}}))
    return path


def _become_host() -> list[socket.socket]:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return [socket.create_server(("127.0.0.1", 8000 + number)) for number in range(LISTENERS)]
