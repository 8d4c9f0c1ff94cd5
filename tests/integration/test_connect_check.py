# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every class of connect_check made real, each in a network namespace of its own."""

from __future__ import annotations

import errno
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.endpoints import Endpoint
from ansible_collections.infracheck.bindings.plugins.module_utils._module.connects import check_connects
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import connect_socket, descriptors
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.names import THREADS
from contracts import find_violations

from .apart import ip, replace_file, run_apart, set_sysctl
from .conftest import CHECKOUT

MODULE = "ansible_collections.infracheck.bindings.plugins.modules.connect_check"
DEFAULTS = {"timeout": 2, "attempts": 1, "delay": 0.1, "settle": 0, "concurrency": 1000, "family": "any", "fail": True}
SILENT = "192.0.2.66"  # a neighbour with a fixed MAC address that nobody has


def check(*values: Any, **options: Any) -> list[dict[str, Any]]:
    """The `endpoints` of a run in this very process."""
    return check_all(list(values), **options)["endpoints"]  # type: ignore[no-any-return]


def check_all(values: list[Any], **options: Any) -> dict[str, Any]:
    result = run_check(values, **options)
    assert find_violations("connect_check", result) == []
    return result


def run_check(values: list[Any], **options: Any) -> dict[str, Any]:
    """As check_all, without a look at the schema, which takes longer than what is timed."""
    return check_connects({**DEFAULTS, **options, "endpoints": values})[0]


def check_in_process(values: list[Any], **options: Any) -> dict[str, Any]:
    """The module itself, in a fresh process: what it prints."""
    arguments = {"endpoints": values, **DEFAULTS, **options}
    done = subprocess.run(
        [sys.executable, "-m", MODULE],
        cwd=CHECKOUT / "collections",
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    assert find_violations("connect_check" if "endpoints" in result else "error", result) == []
    return result


def add_link() -> None:
    """veth `va` with 192.0.2.1/24 and 2001:db8::1/64, its other end `vb` up and without addresses."""
    ip("link add va type veth peer name vb")
    for end in ("va", "vb"):
        set_sysctl(f"net.ipv6.conf.{end}.addr_gen_mode", "1")
        ip(f"link set {end} up")
    ip("address add 192.0.2.1/24 dev va")
    ip("address add 2001:db8::1/64 dev va nodad")
    ip(f"neighbour add {SILENT} lladdr 02:00:00:00:00:99 dev va")


@contextmanager
def listening(address: str = "127.0.0.1", backlog: int = 100) -> Iterator[tuple[socket.socket, int]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family, backlog=backlog) as listener:
        yield listener, listener.getsockname()[1]


def accept_and_reset(listener: socket.socket) -> None:
    while True:
        accepted, _peer = listener.accept()
        # With this, close() sends RST (socket(7)).
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()


def test_connected() -> None:
    def body() -> None:
        with listening() as (_four, port), listening("::1") as (_six, port6):
            four, six = check(f"127.0.0.1:{port}", f"[::1]:{port6}")
        assert (four["class"], four["connected"], four["met"]) == ("connected", True, True)
        assert (four["so_error"], four["errno"], four["local_address"]) == (0, None, "127.0.0.1")
        assert 0 < four["elapsed_ms"] < 2000
        assert (six["class"], six["address"], six["local_address"]) == ("connected", "::1", "::1")

    run_apart(body)


# endpoint, class, errno, value of SO_ERROR
TEST_CLASSES: list[tuple[str, dict[str, Any], str, Optional[str], Optional[int]]] = [
    ("refused", {"host": "192.0.2.1"}, "refused", "ECONNREFUSED", errno.ECONNREFUSED),
    ("refused IPv6", {"host": "2001:db8::1"}, "refused", "ECONNREFUSED", errno.ECONNREFUSED),
    ("v4-mapped", {"host": "::ffff:192.0.2.1"}, "refused", "ECONNREFUSED", errno.ECONNREFUSED),
    ("silent", {"host": SILENT}, "timed_out", None, None),
    ("no route", {"host": "198.18.0.1"}, "unreachable", "ENETUNREACH", None),
    ("no route IPv6", {"host": "2001:db8:ffff::1"}, "unreachable", "ENETUNREACH", None),
    ("blackhole route", {"host": "198.51.100.1"}, "unreachable", "EINVAL", None),
    ("blackhole route IPv6", {"host": "2001:db8:1::1"}, "unreachable", "EINVAL", None),
    ("unreachable route", {"host": "198.51.101.1"}, "unreachable", "EHOSTUNREACH", None),
    ("unreachable route IPv6", {"host": "2001:db8:2::1"}, "unreachable", "EHOSTUNREACH", None),
    ("prohibit route", {"host": "198.51.102.1"}, "denied", "EACCES", None),
    ("prohibit route IPv6", {"host": "2001:db8:3::1"}, "denied", "EACCES", None),
    ("multicast", {"host": "224.0.0.1"}, "unreachable", "ENETUNREACH", None),
    ("source not here", {"host": "192.0.2.1", "source": "192.0.2.50"}, "no_source", "EADDRNOTAVAIL", None),
    ("source not here IPv6", {"host": "2001:db8::1", "source": "2001:db8::50"}, "no_source", "EADDRNOTAVAIL", None),
    ("interface not here", {"host": "192.0.2.1", "interface": "nope0"}, "no_source", "ENODEV", None),
    ("scope not here", {"host": "fe80::1%nope0"}, "no_source", "ENODEV", None),
    ("loopback source to outside", {"host": SILENT, "source": "127.0.0.1"}, "invalid", "EINVAL", None),
    ("scope and interface differ", {"host": "fe80::1%va", "interface": "vb"}, "invalid", "EINVAL", None),
    ("a source that works", {"host": "192.0.2.1", "source": "192.0.2.1"}, "refused", "ECONNREFUSED", 111),
]


@pytest.mark.parametrize(
    ("name", "endpoint", "klass", "code", "so_error"), TEST_CLASSES, ids=[row[0] for row in TEST_CLASSES]
)
def test_class(name: str, endpoint: dict[str, Any], klass: str, code: Optional[str], so_error: Optional[int]) -> None:
    def body() -> None:
        add_link()
        for number, kind in enumerate(("blackhole", "unreachable", "prohibit")):
            ip(f"route add {kind} 198.51.{100 + number}.0/24")
            ip(f"-6 route add {kind} 2001:db8:{1 + number}::/48")
        (answer,) = check({**endpoint, "port": 9, "expect": klass}, timeout=0.3)
        assert (answer["class"], answer["errno"], answer["so_error"]) == (klass, code, so_error), answer
        assert answer["met"]

    run_apart(body)


def test_neighbour_that_does_not_answer_is_unreachable() -> None:
    def body() -> None:
        add_link()
        set_sysctl("net.ipv4.neigh.va.retrans_time_ms", "50")  # three probes, one second apart by default
        (answer,) = check("192.0.2.77:9", timeout=5)
        assert (answer["class"], answer["errno"], answer["so_error"]) == (
            "unreachable",
            "EHOSTUNREACH",
            errno.EHOSTUNREACH,
        )
        assert answer["elapsed_ms"] < 4000

    run_apart(body)


def test_host_without_any_address_has_no_source() -> None:
    """IPv4 sends from 0.0.0.0, and no answer can come; IPv6 says EADDRNOTAVAIL, as both do where no port is left."""

    def body() -> None:
        ip("link add va type veth peer name vb")
        for end in ("va", "vb"):
            set_sysctl(f"net.ipv6.conf.{end}.addr_gen_mode", "1")
            ip(f"link set {end} up")
        ip("address flush dev lo")
        ip("route add 198.51.100.0/24 dev va")
        ip("-6 route add 2001:db8:9::/48 dev va")
        four, six = check("198.51.100.1:9", "[2001:db8:9::1]:9", timeout=0.3)
        assert (four["class"], four["errno"], four["local_address"]) == ("no_source", None, None)
        assert (six["class"], six["errno"]) == ("no_source", "EADDRNOTAVAIL")

    run_apart(body)


@pytest.mark.parametrize("source", [None, "127.0.0.1"])
def test_no_local_port_left(source: Optional[str]) -> None:
    def body() -> None:
        set_sysctl("net.ipv4.ip_local_port_range", "40000 40003")
        with listening_on(5000) as _listener:
            held = [socket.create_connection(("127.0.0.1", 5000)) for _number in range(4)]
            (answer,) = check({"host": "127.0.0.1", "port": 5000, "source": source})
            assert (answer["class"], answer["errno"]) == ("local_limit", "EADDRNOTAVAIL")
            assert "port" in answer["reason"]
            for connection in held:
                connection.close()

    run_apart(body)


def test_connect_that_meets_itself_is_refused() -> None:
    """Asked for a free port of the ephemeral range, the kernel may start from that port and meet itself."""

    def body() -> None:
        set_sysctl("net.ipv4.ip_local_port_range", "40000 40001")
        answers = check("127.0.0.1:40000", "127.0.0.1:40001", concurrency=1)
        assert {row["class"] for row in answers} == {"refused"}
        met = [row for row in answers if row["so_error"] == 0]
        assert met, "the kernel did not do what this test is about"
        assert all("met itself" in row["reason"] and row["errno"] is None for row in met)

    run_apart(body)


@contextmanager
def listening_on(port: int) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", port), backlog=100) as listener:
        yield listener


def test_full_accept_queue_times_out() -> None:
    """The kernel completes handshakes for a program that never accepts; with a full queue it drops SYNs (listen(2))."""

    def body() -> None:
        with listening(backlog=0) as (_listener, port):
            (first,) = check(f"127.0.0.1:{port}")
            assert first["class"] == "connected", "one connection fits, though nobody accepts it"
            (second,) = check(f"127.0.0.1:{port}", timeout=0.5)
            assert (second["class"], second["errno"], second["so_error"]) == ("timed_out", None, None)
            assert 500 <= second["elapsed_ms"] < 700

    run_apart(body)


def test_reset_after_accept_shows_with_settle() -> None:
    def body() -> None:
        with listening() as (listener, port):
            threading.Thread(target=accept_and_reset, args=(listener,), daemon=True).start()
            answers = check(*[f"127.0.0.1:{port}"] * 50, settle=0.2)
            assert {(row["class"], row["errno"], row["so_error"]) for row in answers} == {("reset", "ECONNRESET", 104)}
            assert all(row["elapsed_ms"] < 200 for row in answers), "settle does not count as time to connect"
            without = check(*[f"127.0.0.1:{port}"] * 50)
            assert {row["class"] for row in without} <= {"connected", "reset"}

    run_apart(body)


def test_settle_does_not_change_a_healthy_connect() -> None:
    def body() -> None:
        with listening() as (_listener, port):
            started = time.monotonic()
            answers = check(*[f"127.0.0.1:{port}"] * 50, settle=0.3)
            assert {row["class"] for row in answers} == {"connected"}
            assert 0.3 <= time.monotonic() - started < 0.8

    run_apart(body)


def test_so_error_is_read_once_per_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    class Counting(socket.socket):
        def getsockopt(self, level: int, name: int, *length: int) -> Any:
            if (level, name) == (socket.SOL_SOCKET, socket.SO_ERROR):
                reads.append(self.fileno())
            return super().getsockopt(level, name, *length)

    open_connecting = connect_socket.open_connecting

    def open_counting(address: Any, endpoint: Endpoint) -> tuple[socket.socket, int]:
        channel, code = open_connecting(address, endpoint)
        return Counting(fileno=channel.detach()), code

    def body() -> None:
        monkeypatch.setattr(connect_socket, "open_connecting", open_counting)
        with listening() as (_listener, port):
            check(*[f"127.0.0.1:{port}", "127.0.0.1:9"] * 100, settle=0.05, concurrency=500)
        assert len(reads) == 200

    run_apart(body)


def test_attempts_until_the_service_is_there() -> None:
    def body() -> None:
        with socket.socket() as late:
            late.bind(("127.0.0.1", 0))
            threading.Timer(0.5, late.listen).start()
            (answer,) = check(f"127.0.0.1:{late.getsockname()[1]}", attempts=30, delay=0.1)
        assert (answer["class"], answer["met"]) == ("connected", True)
        assert 4 <= answer["attempts"] <= 8
        (gone,) = check({"host": "127.0.0.1", "port": 9}, attempts=3, delay=0.05)
        assert (gone["class"], gone["met"], gone["attempts"]) == ("refused", False, 3)

    run_apart(body)


def test_2000_refused_in_a_second() -> None:
    def body() -> None:
        threads = threading.active_count()
        values = [f"127.0.{number // 250}.{number % 250 + 1}:9" for number in range(2000)]
        started = time.monotonic()
        result = run_check(values)
        assert time.monotonic() - started < 1
        assert result["summary"]["classes"] == {"refused": 2000}
        assert [row["host"] for row in result["endpoints"]] == [value.rpartition(":")[0] for value in values]
        assert threading.active_count() == threads

    run_apart(body)


def test_2000_silent_in_the_timeout_and_a_second() -> None:
    def body() -> None:
        add_link()
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        threads = threading.active_count()
        started = time.monotonic()
        result = run_check([f"{SILENT}:{port}" for port in range(1, 2001)], timeout=2, concurrency=2000)
        assert 2 <= time.monotonic() - started < 3
        assert result["summary"]["classes"] == {"timed_out": 2000}
        assert result["gaps"] == [], "the soft limit on open files is this process's own to raise"
        assert threading.active_count() == threads

    run_apart(body)


def test_few_descriptors_only_take_longer() -> None:
    def body() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
        with listening() as (_listener, port):
            result = check_all([f"127.0.0.1:{port}", "127.0.0.1:9"] * 50)
        assert result["summary"]["classes"] == {"connected": 50, "refused": 50}
        (gap,) = result["gaps"]
        assert (gap["source"], gap["subject"]) == ("RLIMIT_NOFILE", "concurrency")

    run_apart(body)


def test_descriptors_that_go_missing_on_the_way_only_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another part of the process opens files after the limit was looked at."""

    def body() -> None:
        add_link()
        monkeypatch.setattr(descriptors, "read_free_descriptors", lambda wanted: 10_000)
        free = 20 + len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
        result = check_all([f"{SILENT}:9"] * 60, timeout=0.2)
        assert result["summary"]["classes"] == {"timed_out": 60}
        assert result["gaps"][0]["source"] == "RLIMIT_NOFILE"

    run_apart(body)


def test_no_descriptor_at_all_is_a_local_limit() -> None:
    def body() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        held = []
        with suppress(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        os.close(held.pop())  # the selector takes the last one
        (answer,) = check("127.0.0.1:9")
        assert (answer["class"], answer["errno"]) == ("local_limit", "EMFILE")

    run_apart(body)


def test_nothing_is_left_open() -> None:
    def body() -> None:
        add_link()
        before = set(os.listdir("/proc/self/fd"))
        with listening() as (_listener, port):
            check(f"127.0.0.1:{port}", "127.0.0.1:9", f"{SILENT}:9", "localhost:9", "224.0.0.1:9", timeout=0.2)
        assert set(os.listdir("/proc/self/fd")) == before

    run_apart(body)


def test_every_address_of_a_name_is_tried_and_reported(tmp_path: Path) -> None:
    def body() -> None:
        use_hosts(tmp_path, "127.0.0.2 many.test\n127.0.0.3 many.test\n::1 many.test\n")
        with listening("127.0.0.3") as (_listener, port):
            result = check_in_process(
                [f"many.test:{port}", {"host": "many.test", "port": 9, "expect": "refused"}, f"many.test:{port + 1}"],
                fail=False,
            )
        one, none, wrong = result["endpoints"]
        assert (one["class"], one["address"], one["met"]) == ("connected", "127.0.0.3", True)
        assert sorted((row["address"], row["class"]) for row in one["others"]) == [
            ("127.0.0.2", "refused"),
            ("::1", "refused"),
        ]
        assert (none["class"], none["met"], len(none["others"])) == ("refused", True, 2)
        assert (wrong["class"], wrong["met"], len(wrong["others"])) == ("refused", False, 2)
        (only,) = check_in_process([f"many.test:{port}"], family="ipv6", fail=False)["endpoints"]
        assert (only["address"], only["others"]) == ("::1", [])

    run_apart(body)


def use_hosts(folder: Path, hosts: str, sources: str = "files", nameserver: str = "192.0.2.53") -> None:
    replace_file("/etc/hosts", hosts, folder)
    replace_file("/etc/nsswitch.conf", f"hosts: {sources}\n", folder)
    replace_file("/etc/resolv.conf", f"nameserver {nameserver}\n", folder)


def test_name_without_address_is_unresolved(tmp_path: Path) -> None:
    def body() -> None:
        use_hosts(tmp_path, "127.0.0.1 localhost\n2001:db8::6 six.test\n")
        values = ["nowhere.invalid:80", {"host": "gone.invalid", "port": 80, "expect": "name_unresolved"}]
        result = check_in_process([*values, {"host": "six.test", "port": 80, "source": "127.0.0.1"}], fail=False)
        first, second, third = result["endpoints"]
        assert (first["class"], first["met"], first["address"], first["elapsed_ms"]) == (
            "name_unresolved",
            False,
            None,
            None,
        )
        assert "resolver" in first["reason"]
        assert second["met"]
        assert third["class"] == "name_unresolved", "no address of the family of the source"

    run_apart(body)


def test_slow_resolver_counts_against_the_timeout(tmp_path: Path) -> None:
    """A name server that never answers: its packets end at a neighbour that does not exist, in this very namespace."""

    def body() -> None:
        add_link()
        use_hosts(tmp_path, "127.0.0.1 localhost\n", "files dns", SILENT)
        behind = {"host": "localhost", "port": 9, "expect": "name_unresolved"}
        values = [*(f"name{number}.example:80" for number in range(20)), behind, "127.0.0.1:9"]
        started = time.monotonic()
        result = check_in_process(values, fail=False, timeout=1)
        assert time.monotonic() - started < 2.5, "neither the resolver nor its threads hold up the end"
        classes = ["name_unresolved"] * THREADS + ["local_limit"] * (21 - THREADS)
        assert [row["class"] for row in result["endpoints"][:21]] == classes
        assert "was not looked up" in result["endpoints"][20]["reason"]
        assert not result["endpoints"][20]["met"], "nobody asked for that name, so nothing is known of it"
        assert "did not answer within 1 s" in result["endpoints"][0]["reason"]
        assert result["endpoints"][21]["class"] == "refused"

    run_apart(body)


def test_link_local_address_with_a_scope() -> None:
    def body() -> None:
        ip("link add va type veth peer name vb")
        for end in ("va", "vb"):
            set_sysctl(f"net.ipv6.conf.{end}.accept_dad", "0")
            set_sysctl(f"net.ipv6.conf.{end}.addr_gen_mode", "1")
            ip(f"link set {end} up")
        ip("address add fe80::1/64 dev va nodad")
        index = socket.if_nametoindex("va")
        scoped, pinned, numbered = check(
            "[fe80::1%va]:9", {"host": "fe80::1", "port": 9, "interface": "va"}, f"[fe80::1%{index}]:9"
        )
        assert {row["class"] for row in (scoped, pinned, numbered)} == {"refused"}
        assert (scoped["host"], scoped["address"], scoped["scope"]) == ("fe80::1%va", "fe80::1", "va")
        assert (pinned["interface"], pinned["scope"]) == ("va", "va")

    run_apart(body)


def test_expectations_decide_about_failure() -> None:
    def body() -> None:
        with listening() as (_listener, port):
            values = [f"127.0.0.1:{port}", {"host": "127.0.0.1", "port": 9, "expect": "refused"}]
            good = check_in_process(values)
            assert (good.get("failed"), good["changed"], good["msg"]) == (
                None,
                False,
                "All 2 endpoints are as expected.",
            )
            bad = check_in_process([*values, "127.0.0.2:9", {"host": "127.0.0.1", "port": port, "expect": "refused"}])
            assert bad["failed"]
            assert bad["msg"].split("\n") == [
                "2 of 4 endpoints are not as expected:",
                "127.0.0.2:9 refused (ECONNREFUSED): nothing listens there, or a firewall says so; expected connected",
                f"127.0.0.1:{port} connected: the handshake was completed; expected refused",
            ]
            assert [row["met"] for row in bad["endpoints"]] == [True, True, False, False]
            assert "failed" not in check_in_process(["127.0.0.2:9"], fail=False)

    run_apart(body)


# values, options, what the message must name
TEST_WRONG_OPTIONS: list[tuple[list[Any], dict[str, Any], tuple[str, ...]]] = [
    ([], {}, ("endpoints", "[]")),
    (["127.0.0.1"], {}, ("endpoints[0]", "'127.0.0.1'", "host:port")),
    (["127.0.0.1:80", "::1:80"], {}, ("endpoints[1]", "'::1:80'", "brackets")),
    ([{"host": "127.0.0.1", "port": 80, "expect": "open"}], {}, ("endpoints[0].expect", "'open'", "refused")),
    (["127.0.0.1:80"], {"timeout": 0}, ("timeout", "0.0", "seconds from")),
    (["127.0.0.1:80"], {"attempts": 0}, ("attempts", "0", "from 1 on")),
    (["[::1]:80"], {"family": "ipv4"}, ("endpoints[0]", "family")),
]


@pytest.mark.parametrize(("values", "options", "parts"), TEST_WRONG_OPTIONS)
def test_wrong_option_is_one_clear_error(values: list[Any], options: dict[str, Any], parts: tuple[str, ...]) -> None:
    result = check_in_process(values, **options)
    assert result["failed"]
    assert "endpoints" not in result
    for part in parts:
        assert part in result["msg"]
