# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""reuseaddr_facts, bind_preflight and the rules about restarts, on live sockets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contracts import find_violations

from .conftest import Namespace
from .stage import NOBODY, Stage
from .test_listener_info import unit

__all__ = ["unit"]  # a fixture

# Three listeners. Of the first two the server closed a connection first, of the third one is open.
SERVER = """
import socket, sys, time
held = []
for port, reuseaddr, stays in ((8001, 0, False), (8002, 1, False), (8003, 0, True)):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuseaddr)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    client = socket.create_connection(("127.0.0.1", port))
    server = listener.accept()[0]
    if not stays:
        server.close()
        client.recv(1)
        client.close()
    held += [listener, client, server]
time.sleep(0.1)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(namespace: Namespace, unit: Path) -> Iterator[str]:
    """Its unit, in `namespace`."""
    command = ["sh", "-c", f'echo $$ >{unit}/cgroup.procs && exec "$@"', "sh", sys.executable, "-c", SERVER]
    process = subprocess.Popen(  # not `ip netns exec`, which takes /sys and its cgroups away
        ["nsenter", f"--net=/run/netns/{namespace.name}", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield unit.name
    finally:
        process.communicate()


def gather(namespace: Namespace, stage: Stage, **options: Any) -> dict[int, dict[str, Any]]:
    result = stage.run(namespace.name, "reuseaddr_facts", options).result
    assert find_violations("reuseaddr_facts", result) == []
    return {listener["port"]: listener for listener in result["ansible_facts"]["reuseaddr"]}


def test_facts(namespace: Namespace, stage: Stage, server: str) -> None:
    found = gather(namespace, stage)
    assert {port: listener["options"]["reuseaddr"] for port, listener in found.items()} == {
        8001: False,
        8002: True,
        8003: False,
    }
    restarts = {port: listener["restart"] for port, listener in found.items()}
    assert {port: restart["verdict"] for port, restart in restarts.items()} == {
        8001: "blocked",
        8002: "ok",
        8003: "blocked",
    }
    (timed,) = restarts[8001]["blockers"]
    assert (timed["state"], timed["count"], timed["owners"], timed["service"]) == ("time_wait", 1, [], None)
    assert 40 < restarts[8001]["clear_in_seconds"] <= 66
    assert restarts[8003]["clear_in_seconds"] is None
    (open_one,) = restarts[8003]["blockers"]
    assert (open_one["state"], open_one["service"]["unit"]) == ("established", server)


def test_facts_of_another_user_say_what_can_be_said(namespace: Namespace, stage: Stage, server: str) -> None:
    result = stage.run(namespace.name, "reuseaddr_facts", {}, user=NOBODY).result
    assert find_violations("reuseaddr_facts", result) == []
    for listener in result["ansible_facts"]["reuseaddr"]:
        assert listener["options"]["reuseaddr"] is None
        assert listener["restart"]["verdict"] == "unknown"
    assert result["ansible_facts"]["binding_gaps"]


def test_facts_of_psutil_are_unknown(namespace: Namespace, stage: Stage, server: str) -> None:
    result = stage.run(namespace.name, "reuseaddr_facts", {"backend": "psutil"}, psutil=True).result
    assert find_violations("reuseaddr_facts", result) == []
    assert {found["restart"]["verdict"] for found in result["ansible_facts"]["reuseaddr"]} == {"unknown"}


def test_check(namespace: Namespace, stage: Stage, server: str) -> None:
    result = stage.run(namespace.name, "bind_check", {}).result
    assert find_violations("bind_check", result) == []
    found = [(finding["rule"], finding["listener"]["port"], finding["remedy"]) for finding in result["findings"]]
    assert sorted(found) == [
        ("no-reuseaddr", 8001, "manual"),
        ("no-reuseaddr", 8003, "manual"),
        ("restart-blocked", 8001, "wait"),
        ("restart-blocked", 8003, "manual"),
    ]
    assert f"a restart of {server} would fail now with EADDRINUSE: 127.0.0.1:8001/tcp is kept busy" in result["msg"]
    assert not result.get("failed"), "a listener that can be restarted later is at most a warning"


def preflight(namespace: Namespace, stage: Stage, **options: Any) -> list[dict[str, Any]]:
    result = stage.run(namespace.name, "bind_preflight", options).result
    assert find_violations("bind_preflight", result) == []
    return list(result["results"])


def test_preflight_of_a_unit(namespace: Namespace, stage: Stage, server: str) -> None:
    results = preflight(namespace, stage, unit=server)
    assert [(found["port"], found["verdict"]) for found in results] == [
        (8001, "blocked"),
        (8002, "ok"),
        (8003, "blocked"),
    ]
    assert results[2]["reason"].startswith("connections of the unit that are open now stay on the port")
    assert results[0]["clear_in_seconds"] is not None
    assert results[2]["clear_in_seconds"] is None


def test_preflight_of_a_unit_without_listeners(namespace: Namespace, stage: Stage) -> None:
    """A typo, or a stopped service, must not look like one that would come back."""
    result = stage.run(namespace.name, "bind_preflight", {"unit": "no.such-unit"}).result
    assert find_violations("bind_preflight", result) == []
    (answer,) = result["results"]
    assert (answer["verdict"], answer["address"], answer["port"], answer["protocol"]) == ("unknown", None, None, None)
    assert "what no.such-unit.service would bind is not known: it has no listener now" in answer["reason"]
    assert "what no.such-unit.service would bind" in [gap["subject"] for gap in result["gaps"]]


def test_preflight_of_a_unit_that_cannot_be_seen(namespace: Namespace, stage: Stage, server: str) -> None:
    result = stage.run(namespace.name, "bind_preflight", {"unit": server, "backend": "psutil"}, psutil=True).result
    assert find_violations("bind_preflight", result) == []
    (answer,) = result["results"]
    assert answer["verdict"] == "unknown"
    assert "of 3 listeners the unit cannot be seen" in answer["reason"]


WISHES: list[tuple[dict[str, Any], str, Any]] = [
    ({"address": "127.0.0.1", "port": 8001}, "blocked", "EADDRINUSE"),
    ({"address": "0.0.0.0", "port": 8002, "reuseaddr": True}, "blocked", "EADDRINUSE"),
    ({"address": "127.0.0.2", "port": 8001, "reuseaddr": True}, "ok", None),
    ({"address": "192.0.2.77", "port": 8001}, "unavailable", "EADDRNOTAVAIL"),
    ({"address": "192.0.2.77", "port": 8009, "freebind": True}, "ok", None),
    ({"address": "::1", "port": 80, "user": "nobody"}, "denied", "EACCES"),
    ({"address": "::1", "port": 80}, "ok", None),
    ({"address": "::", "port": 8001, "v6only": True}, "ok", None),
    ({"address": "::", "port": 8001}, "blocked", "EADDRINUSE"),
    ({"address": "127.0.0.1", "port": 8001, "protocol": "udp"}, "ok", None),
    ({"address": "127.0.0.1", "port": 8010, "interface": "eth99"}, "unavailable", "ENODEV"),
    ({"address": "127.0.0.1", "port": 8010, "interface": "lo"}, "ok", None),
]


def test_preflight_of_wishes(namespace: Namespace, stage: Stage, server: str) -> None:
    results = preflight(namespace, stage, wishes=[wish for wish, _verdict, _errno in WISHES])
    assert [(found["verdict"], found["errno"]) for found in results] == [tuple(row[1:]) for row in WISHES]
    for found, (wish, _verdict, _errno) in zip(results, WISHES):
        assert (found["address"], found["port"]) == (wish["address"], wish["port"])
    assert results[0]["blockers"][0]["service"]["unit"] == server


BIND = """
import errno, json, os, pwd, socket, sys
for wish in json.load(sys.stdin):
    family = socket.AF_INET6 if ":" in wish["address"] else socket.AF_INET
    kind = socket.SOCK_DGRAM if wish.get("protocol") == "udp" else socket.SOCK_STREAM
    if "user" in wish:
        os.seteuid(pwd.getpwnam(wish["user"]).pw_uid)
    with socket.socket(family, kind) as made:
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, wish.get("reuseaddr", False))
            made.setsockopt(socket.IPPROTO_IP, 15, wish.get("freebind", False))
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, wish.get("v6only", False))
            if "interface" in wish:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, wish["interface"].encode())
            made.bind((wish["address"], wish["port"]))
            if kind == socket.SOCK_STREAM:
                made.listen()
            print("ok")
        except OSError as error:
            print(errno.errorcode[error.errno])
    os.seteuid(0)
"""


def test_the_wishes_come_true(namespace: Namespace, server: str) -> None:
    """The same list, bound for real."""
    done = subprocess.run(
        ["ip", "netns", "exec", namespace.name, sys.executable, "-c", BIND],
        input=json.dumps([wish for wish, _verdict, _errno in WISHES]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [code or "ok" for _wish, _verdict, code in WISHES]


WRONG = [
    ({"address": "somewhere", "port": 1}, "option wishes[0].address: 'somewhere' is not allowed"),
    ({"address": "::1", "port": 0}, "option wishes[0].port: 0 is not allowed"),
    ({"address": "fe80::1%lo", "port": 1, "interface": "eth0"}, "option wishes[0].interface: 'eth0' is not allowed"),
    ({"address": "::1", "port": 1, "user": "no-such-user"}, "option wishes[0].user: 'no-such-user' is not allowed"),
]


@pytest.mark.parametrize(("wish", "message"), WRONG)
def test_a_wrong_wish_is_told(namespace: Namespace, stage: Stage, wish: dict[str, Any], message: str) -> None:
    result = stage.run(namespace.name, "bind_preflight", {"wishes": [wish]}).result
    assert result["failed"]
    assert result["msg"].startswith(message)


def test_a_shared_port_is_found(namespace: Namespace, stage: Stage) -> None:
    holder = (
        "import socket, sys\nheld = socket.socket()\nheld.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
        "held.bind(('127.0.0.1', 8100))\nheld.listen()\nprint('ready', flush=True)\nsys.stdin.read()\n"
    )
    rename = "open('/proc/self/comm', 'w').write('{}')\n"
    started = []
    try:
        for name in ("first", "second"):
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace.name, sys.executable, "-c", rename.format(name) + holder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            started.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        result = stage.run(namespace.name, "bind_check", {"rules": ["shared-binding"]}).result
        assert find_violations("bind_check", result) == []
        (finding,) = result["findings"]
        assert finding["evidence"] == {"holders": ["first", "second"], "sockets": 2}
    finally:
        for process in started:
            process.communicate()
