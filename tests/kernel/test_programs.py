# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real servers: what is read from their sockets is what strace saw them set, and what is foretold of them happens."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener, Options
from ansible_collections.infracheck.bindings.plugins.module_utils._module.collect import collect
from ansible_collections.infracheck.bindings.plugins.module_utils._module.restarts import add_restarts
from ansible_collections.infracheck.bindings.plugins.module_utils._module.selections import Selection
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_backend import NETLINK

CHECKOUT = Path(__file__).resolve().parents[2]
FETCHED = CHECKOUT / ".cache" / "programs"
PACKAGES = ("nginx-light", "redis-server", "postgresql", "openssh-server", "strace")
ROOT = FETCHED / "root"
NOBODY = 65534
PATIENCE = 30  # seconds for a server to listen

HTTP_SERVER = """
import http.server, sys
class Server(http.server.HTTPServer):
    allow_reuse_address = eval(sys.argv[2])
Server(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="running servers as another user, and reading them, needs root"
)


class Server(NamedTuple):
    command: Callable[[Path, int], list[str]]
    reuseaddr: bool
    runs_as_nobody: bool = False


def find_program(pattern: str) -> str:
    for root in (ROOT, Path("/")):
        found = sorted(root.glob(pattern))
        if found:
            return str(found[-1])
    raise AssertionError(f"no {pattern}: run {CHECKOUT / 'tests/tools/programs.sh'}")


def write_nginx(folder: Path, port: int) -> list[str]:
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off; "
        + "".join(
            f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + f"server {{ listen 127.0.0.1:{port}; }} }}"
    )
    return [find_program("usr/sbin/nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def write_redis(folder: Path, port: int) -> list[str]:
    return [
        find_program("usr/bin/redis-server"),
        *("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)),
    ]


def write_postgresql(folder: Path, port: int) -> list[str]:
    initdb = find_program("usr/lib/postgresql/*/bin/initdb")
    made = subprocess.run(
        [initdb, "-D", str(folder / "data"), "--no-sync", "-A", "trust"],
        **as_nobody(), env=environment(), cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    arguments = ["-p", str(port), "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    return [initdb.replace("initdb", "postgres"), "-D", str(folder / "data"), *arguments]


def write_sshd(folder: Path, port: int) -> list[str]:
    keygen, key = find_program("usr/bin/ssh-keygen"), folder / "key"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], env=environment(), check=True, timeout=30)
    os.chown(key, NOBODY, NOBODY)  # as root it would want its own user on the machine
    (folder / "sshd_config").write_text(f"ListenAddress 127.0.0.1:{port}\nHostKey {key}\nPidFile none\nUsePAM no\n")
    return [find_program("usr/sbin/sshd"), "-D", "-e", "-f", str(folder / "sshd_config")]


def write_http(allow: bool) -> Callable[[Path, int], list[str]]:
    return lambda _folder, port: [sys.executable, "-c", HTTP_SERVER, str(port), str(allow)]


SERVERS = {
    "http.server": Server(write_http(True), True),
    "http.server without allow_reuse_address": Server(write_http(False), False),
    "nginx": Server(write_nginx, True),
    "redis-server": Server(write_redis, True),
    "postgresql": Server(write_postgresql, True, runs_as_nobody=True),
    "sshd": Server(write_sshd, True, runs_as_nobody=True),
}


def environment() -> dict[str, str]:
    libraries = ":".join(str(path) for path in (ROOT / "usr/lib").glob("*-linux-gnu"))
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_LIBRARY_PATH": libraries, "HOME": "/"}


def as_nobody() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    fetched = subprocess.run(
        [str(CHECKOUT / "tests/tools/programs.sh"), str(FETCHED), *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode != 0:
        pytest.skip(f"the servers could not be fetched: {fetched.stderr.strip()}")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where user nobody gets to, which pytest's own folders are not."""
    made = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    made.chmod(0o755)
    os.chown(made, NOBODY, NOBODY)
    try:
        yield made
    finally:
        shutil.rmtree(made)


class Running:
    """A server below strace, until the end of the block; it is ended as systemd would."""

    def __init__(self, server: Server, folder: Path, port: int) -> None:
        self.trace = folder / f"trace-{time.monotonic_ns()}"
        strace = shutil.which("strace") or find_program("usr/bin/strace")
        calls = "trace=socket,setsockopt,bind,listen"
        watch = [strace, "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", str(self.trace)]
        self._process = subprocess.Popen(
            [*watch, *server.command(folder, port)],
            **(as_nobody() if server.runs_as_nobody else {}), env=environment(), cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._port = port

    def __enter__(self) -> Running:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            found = self.look()
            if found is not None and found.ownership.owners:
                return self
            time.sleep(0.05)
        self._end()
        assert self._process.stdout is not None
        raise AssertionError(f"does not listen: {self._process.stdout.read().decode()}")

    def __exit__(self, *exception: object) -> None:
        self._end()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _end(self) -> None:
        # The whole session of that strace, which this test started.
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(timeout=10)
                return
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._process.wait(timeout=10)

    def look(self) -> Optional[Listener]:
        selection = Selection(("tcp",), (range(self._port, self._port + 1),), (), ())
        listeners = collect(NETLINK, selection, all_owners=True).view.listeners
        return listeners[0] if listeners else None


def read_trace(trace: Path, port: int) -> dict[str, bool]:
    """What the process set on the descriptor that it bound to that port, up to listen()."""
    lines = trace.read_text().splitlines()
    (bound,) = {
        match.groups()
        for match in (re.match(rf"(\d+) +bind\((\d+), .*htons\({port}\).* = 0$", line) for line in lines)
        if match
    }
    pid, descriptor = bound
    pattern = rf"{pid} +setsockopt\({descriptor}, SOL_SOCKET, (SO_\w+), \[(\d+)\], 4\) = 0$"
    found = dict.fromkeys(("SO_REUSEADDR", "SO_REUSEPORT", "SO_KEEPALIVE"), False)
    for line in lines:
        if re.match(rf"{pid} +socket\(.* = {descriptor}$", line):
            found = dict.fromkeys(found, False)  # the number is used anew
        match = re.match(pattern, line)
        if match and match.group(1) in found:
            found[match.group(1)] = match.group(2) != "0"
        if re.match(rf"{pid} +listen\({descriptor}, ", line):
            return found
    raise AssertionError(f"{trace.read_text()}: no listen()")


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize("name", SERVERS)
def test_what_is_read_is_what_strace_saw(name: str, folder: Path) -> None:
    server, port = SERVERS[name], find_port()
    with Running(server, folder, port) as running:
        found = running.look()
        assert found is not None
        seen = read_trace(running.trace, port)
        assert found.options == Options(seen["SO_REUSEADDR"], seen["SO_REUSEPORT"], seen["SO_KEEPALIVE"], 0)
        assert found.options.reuseaddr is server.reuseaddr


@pytest.mark.parametrize("allow", [True, False])
def test_what_is_foretold_of_http_server_happens(allow: bool, folder: Path) -> None:
    """One request, whose connection the server closes first; then a restart of the program itself."""
    server, port = Server(write_http(allow), allow), find_port()
    with Running(server, folder, port) as running:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            while client.recv(65536):
                pass
        time.sleep(0.2)
        selection = Selection(("tcp",), (range(port, port + 1),), (), ())
        collected = add_restarts(NETLINK, collect(NETLINK, selection))
        assert collected.view.restarts is not None
        (outlook,) = collected.view.restarts.outlooks.values()
        assert running.look() is not None
    assert outlook.verdict == ("ok" if allow else "blocked")
    if allow:
        with Running(server, folder, port):
            return
    with pytest.raises(AssertionError, match="Address already in use"), Running(server, folder, port):
        raise AssertionError("the server came up, which was foretold not to be")
