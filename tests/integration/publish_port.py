# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for dockerd and its docker-proxy: run by a copy of the interpreter that has the name of either.

As dockerd, or anything else, it starts docker-proxy beside it, which listens and shows the command line that docker
gives it: /proc/PID/cmdline is the memory where the arguments began, which a process may write (proc(5)); their length
stays. Arguments: dockerd ADDRESS PORT CONTAINER, docker-proxy ADDRESS PORT CONTAINER PADDING. Both end with their
standard input.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path

ARG_START = 47  # of the fields in /proc/PID/stat, from 0


def make_cmdline(program: str, address: str, port: str, container: str) -> bytes:
    words = [program, "-proto", "tcp", "-host-ip", address, "-host-port", port]
    words += ["-container-ip", container, "-container-port", "80"]
    return b"".join(word.encode() + b"\0" for word in words)


def start_proxy(address: str, port: str, container: str) -> None:
    folder = Path(sys.executable).parent
    words = [str(folder / "docker-proxy"), sys.argv[0], address, port, container]
    missing = len(make_cmdline(words[0], address, port, container)) - sum(len(word) + 1 for word in words)
    with subprocess.Popen([*words, "x" * (missing - 1)]):
        pass  # and wait for it: it has our standard input


def be_proxy(address: str, port: str, container: str) -> None:
    wanted = make_cmdline(sys.executable, address, port, container)
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ctypes.memmove(int(fields[ARG_START - 2]), wanted, len(wanted))
    assert Path("/proc/self/cmdline").read_bytes() == wanted
    with socket.create_server((address, int(port))):
        print("listening", flush=True)
        while os.read(0, 4096):
            pass


if __name__ == "__main__":
    if Path(sys.executable).name == "docker-proxy":
        be_proxy(*sys.argv[1:4])
    else:
        start_proxy(*sys.argv[1:4])
