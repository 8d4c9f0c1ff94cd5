# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""wait_for_address against a kernel that really changes, in a network namespace of its own for each test."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.changes import ABSENT, PRESENT, Wish
from ansible_collections.infracheck.bindings.plugins.module_utils._model.prefixes import Prefix
from ansible_collections.infracheck.bindings.plugins.module_utils._module.address_wait import (
    render_wait,
    wait_for_address,
    watch_until,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import address_events
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.address_events import AddressEvents
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.address_watch import AddressWatch
from contracts import find_violations

from .apart import ip, run, run_apart, set_sysctl

DEFAULTS = {
    "address": None,
    "interface": None,
    "state": "present",
    "timeout": 10.0,
    "settle": 0.0,
    "poll_interval": 1.0,
    "backend": "auto",
}
NOBODY = 65534


def wait(**options: Any) -> dict[str, Any]:
    result, _gaps = wait_for_address({**DEFAULTS, **options})
    assert find_violations("wait_for_address", result) == []
    return result


def add_link(name: str = "va", peer: str = "vb") -> None:
    ip(f"link add {name} type veth peer name {peer}")
    for end in (name, peer):
        set_sysctl(f"net.ipv6.conf.{end}.addr_gen_mode", "1")
        ip(f"link set {end} up")


def do_later(*steps: tuple[float, str]) -> None:
    """`ip` commands from a thread, each so many seconds after the one before."""

    def work() -> None:
        for seconds, command in steps:
            time.sleep(seconds)
            ip(command)

    threading.Thread(target=work, daemon=True).start()


def list_events(result: dict[str, Any]) -> list[str]:
    return [row["event"] for row in result["events"]]


def test_interface_by_an_alternative_name() -> None:
    def body() -> None:
        add_link()
        ip("link property add dev va altname second")
        ip("address add 192.0.2.5/24 dev va")
        assert wait(interface="second", timeout=0.0)["met"]
        assert not wait(interface="second", state="absent", timeout=0.0)["met"]

    run_apart(body)


def test_address_that_comes() -> None:
    def body() -> None:
        add_link()
        do_later((0.3, "address add 192.0.2.5/24 dev va"))
        result = wait(address="192.0.2.5")
        assert (result["met"], result["failed"], result["source"]) == (True, False, "netlink")
        assert 0.25 <= result["elapsed"] < 0.8
        (event,) = result["events"]
        assert (event["event"], event["interface"], event["address"], event["prefixlen"]) == (
            "added",
            "va",
            "192.0.2.5",
            24,
        )
        (address,) = result["addresses"]
        assert (address["address"], address["interface"], address["tentative"]) == ("192.0.2.5", "va", False)
        assert wait(address="192.0.2.5", interface="va", timeout=0.0)["met"], "a timeout of 0 looks once"
        assert not wait(address="192.0.2.5", interface="vb", timeout=0.0)["met"]

    run_apart(body)


def test_address_that_goes() -> None:
    def body() -> None:
        add_link()
        ip("address add 192.0.2.5/24 dev va")
        ip("address add 192.0.2.6/24 dev va")
        do_later((0.3, "address del 192.0.2.5/24 dev va"))
        result = wait(address="192.0.2.0/24", state="absent")
        assert result["met"]
        assert list_events(result) == ["removed", "removed"], "a secondary goes with its primary"
        assert result["addresses"] == []

    run_apart(body)


def test_flapping_address_must_settle() -> None:
    def body() -> None:
        add_link()
        ip("address add 192.0.2.5/24 dev va")
        flaps = [(0.2, f"address {verb} 192.0.2.5/24 dev va") for verb in ("del", "add") * 3]
        do_later(*flaps)
        result = wait(address="192.0.2.5", settle=0.5)
        assert result["met"]
        assert list_events(result) == ["removed", "added"] * 3
        assert result["elapsed"] >= 1.15 + 0.5
        assert result["held"] >= 0.5
        last = result["events"][-1]["at"]
        assert result["elapsed"] - last == pytest.approx(0.5, abs=0.05)

    run_apart(body)


def try_bind(address: str) -> str:
    with socket.socket(socket.AF_INET6) as plain:
        try:
            plain.bind((address, 0))
        except OSError as error:
            return errno.errorcode[error.errno or 0]
    return "ok"


def test_bindable_waits_for_duplicate_address_detection() -> None:
    def body() -> None:
        add_link()
        seen_by_kernel: list[str] = []

        def add() -> None:
            ip("address add 2001:db8::5/64 dev va")
            seen_by_kernel.append(try_bind("2001:db8::5"))

        threading.Timer(0.2, add).start()
        assert wait(address="2001:db8::5", state="present")["addresses"][0]["tentative"]
        result = wait(address="2001:db8::5", state="bindable")
        assert try_bind("2001:db8::5") == "ok"
        assert seen_by_kernel == ["EADDRNOTAVAIL"]
        assert result["met"]
        assert result["elapsed"] > 0.3
        assert [(row["event"], row["flags"]) for row in result["events"]] == [("changed", [])]
        assert not result["addresses"][0]["tentative"]

    run_apart(body)


def test_optimistic_address_is_bindable_at_once() -> None:
    def body() -> None:
        add_link()
        set_sysctl("net.ipv6.conf.va.optimistic_dad", "1")
        ip("address add 2001:db8::5/64 dev va optimistic")
        result = wait(address="2001:db8::5", state="bindable", timeout=0.0)
        assert try_bind("2001:db8::5") == "ok"
        assert result["met"]
        assert result["addresses"][0]["optimistic"]

    run_apart(body)


def test_failed_detection_is_never_bindable() -> None:
    def body() -> None:
        add_link()
        ip("address add 2001:db8::5/64 dev vb nodad")
        do_later((0.2, "address add 2001:db8::5/64 dev va"))
        result = wait(address="2001:db8::5", interface="va", state="bindable", timeout=4.0)
        assert (result["met"], result["failed"]) == (False, True)
        assert result["addresses"][0]["dadfailed"]
        failed = [(row["event"], "dadfailed" in row["flags"]) for row in result["events"]]
        assert failed == [("added", False), ("changed", True)]
        assert "2001:db8::5/64 on va (tentative, dadfailed)" in result["msg"]
        assert "2 events, the last one" in result["msg"]
        ip("address del 2001:db8::5/64 dev vb")
        do_later((0.2, "address del 2001:db8::5/64 dev va"), (0.1, "address add 2001:db8::5/64 dev va"))
        assert wait(address="2001:db8::5", state="bindable")["met"], "and is after it was configured anew"

    run_apart(body)


def test_interface_that_is_created_anew() -> None:
    def body() -> None:
        add_link()
        ip("address add 192.0.2.5/24 dev va")
        before = socket.if_nametoindex("va")
        do_later(
            (0.2, "link del va"),
            (0.3, "link add va type veth peer name vb"),
            (0.0, "link set va up"),
            (0.2, "address add 192.0.2.5/24 dev va"),
        )
        result = wait(address="192.0.2.5", interface="va", settle=0.6)
        assert result["met"]
        assert result["elapsed"] >= 0.65 + 0.6
        after = result["addresses"][0]["ifindex"]
        events = [row for row in result["events"] if row["event"] != "link_changed"]
        assert [row["event"] for row in events] == ["removed", "link_removed", "link_added", "added"]
        assert [row["ifindex"] for row in events] == [before, before, after, after]
        assert after != before
        do_later((0.2, "link del va"))
        assert wait(interface="va", state="absent")["met"], "without its interface an address is gone"

    run_apart(body)


def test_interface_that_is_renamed() -> None:
    def body() -> None:
        add_link()
        ip("address add 192.0.2.5/24 dev va")
        do_later((0.2, "link set va down"), (0.0, "link set va name wan0"), (0.0, "link set wan0 up"))
        result = wait(address="192.0.2.5", interface="wan0")
        assert result["met"]
        assert result["addresses"][0]["interface"] == "wan0"
        assert wait(address="192.0.2.5", interface="va", state="absent", timeout=0.0)["met"]

    run_apart(body)


def test_leaving_a_bridge_is_not_the_end_of_an_interface() -> None:
    """A bridge announces its ports in the group of links too, as AF_BRIDGE, and RTM_DELLINK says "left" there."""

    def body() -> None:
        add_link()
        ip("address add 192.0.2.5/24 dev va")
        ip("link add br0 type bridge")
        ip("link set va master br0")
        do_later((0.2, "link set va nomaster"), (0.2, "link set va master br0"))
        result = wait(address="192.0.2.5", interface="va", settle=0.8)
        assert result["met"]
        assert result["elapsed"] < 1.0
        assert "removed" not in list_events(result)
        assert "link_removed" not in list_events(result)

    run_apart(body)


def test_link_down_takes_ipv6_addresses_away() -> None:
    def body() -> None:
        add_link()
        ip("address add 2001:db8::5/64 dev va nodad")
        ip("address add 192.0.2.5/24 dev va")
        do_later((0.2, "link set va down"))
        assert wait(address="2001:db8::5", state="absent")["met"]
        assert wait(address="192.0.2.5", state="bindable", timeout=0.0)["met"]

    run_apart(body)


def make_storm(rounds: int) -> str:
    """A batch for ip: a hundred addresses come and go `rounds` times, which is 200 changes each."""
    lines = []
    for _round in range(rounds):
        lines += [f"address add 10.1.0.{number}/32 dev va" for number in range(1, 101)]
        lines += [f"address del 10.1.0.{number}/32 dev va" for number in range(1, 101)]
    return "\n".join(lines) + "\n"


def start_batch(text: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)

    def feed() -> None:
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    return process


def test_storm_of_10000_changes_is_seen_in_full() -> None:
    def body() -> None:
        add_link()
        watch = AddressWatch(Wish(Prefix(bytes([10, 1, 0, 0]), 24), "va", ABSENT, 1.0))
        with AddressEvents() as source:
            storm = start_batch(make_storm(50))
            ending = watch_until(watch, source, 60)
        assert storm.wait() == 0
        result = render_wait(watch, ending, source.name, ())
        assert ending.met
        assert watch.event_count == 10_000
        assert (len(result["events"]), result["events_dropped"]) == (1000, 9000)
        assert Counter(list_events(result)) == {"added": 500, "removed": 500}

    run_apart(body)


def test_storm_that_overflows_a_tiny_buffer_ends_in_the_right_state() -> None:
    """Real ENOBUFS: the smallest buffer that the kernel allows holds one or two notifications."""

    def body() -> None:
        add_link()
        last = "address add 10.1.0.7/32 dev va\naddress add 198.51.100.7/32 dev va\n"
        wish = Wish(Prefix(bytes([198, 51, 100, 7]), 32), None, PRESENT, 0.0)
        watch = AddressWatch(wish)
        everything = AddressWatch(wish._replace(prefix=Prefix(bytes(4), 0), state=ABSENT))
        with AddressEvents(receive_buffer=1) as source:
            storm = start_batch(make_storm(50) + last)
            ending = watch_until(watch, source, 60)
            assert storm.wait() == 0
            watch_until(everything, source, 0.2)
        assert ending.met, "the one address that counts came last, and was not missed"
        assert "reread" in {event.event for event in watch.events}
        truth = json.loads(run("ip", "-json", "-4", "address", "show", "dev", "va"))[0]["addr_info"]
        seen = {(row["address"], row["interface"]) for row in render_wait(everything, ending, "", ())["addresses"]}
        assert {address for address, interface in seen if interface == "va"} == {row["local"] for row in truth}
        assert len(truth) == 2

    run_apart(body)


def test_loss_before_the_first_look_is_made_good() -> None:
    """Everything happens between the subscription and the first reading of notifications."""

    def body() -> None:
        add_link()
        with AddressEvents(receive_buffer=1) as source:
            assert start_batch(make_storm(5) + "address add 192.0.2.5/24 dev va\n").wait() == 0
            watch = AddressWatch(Wish(Prefix(bytes([192, 0, 2, 5]), 32), "va", PRESENT, 0.0))
            assert watch_until(watch, source, 5).met
            gone = AddressWatch(Wish(Prefix(bytes([10, 1, 0, 0]), 24), "va", ABSENT, 0.2))
            assert watch_until(gone, source, 5).met

    run_apart(body)


def test_time_over_says_what_was_seen_last() -> None:
    def body() -> None:
        add_link()
        nothing = wait(address="192.0.2.5", timeout=0.3)
        assert nothing["failed"]
        assert 0.3 <= nothing["elapsed"] < 0.5
        assert nothing["msg"].startswith("192.0.2.5 was not present within 0.30")
        assert nothing["msg"].endswith("Seen last: on no interface; nothing changed meanwhile")
        assert "no interface eth9" in wait(address="192.0.2.5", interface="eth9", timeout=0.1)["msg"]
        do_later((0.1, "address add 192.0.2.5/24 dev va"), (0.1, "address del 192.0.2.5/24 dev va"))
        flapped = wait(address="192.0.2.5", timeout=0.6, settle=0.4)
        said = r"Seen last: on no interface; 2 events, the last one 0\.\d+ s before: removed 192\.0\.2\.5 on va$"
        assert re.search(said, flapped["msg"])
        ip("address add 192.0.2.5/24 dev va")
        still = wait(address="192.0.2.5", state="absent", timeout=0.1)
        assert "Seen last: 192.0.2.5/24 on va; nothing changed meanwhile" in still["msg"]

    run_apart(body)


def test_without_privileges() -> None:
    """Nobody may enlarge the receive buffer beyond net.core.rmem_max; the notifications come all the same."""

    def body() -> None:
        add_link()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                result = wait(address="192.0.2.5")
                status = 0 if result["met"] and list_events(result) == ["added"] else 2
            finally:
                os._exit(status)
        time.sleep(0.3)
        ip("address add 192.0.2.5/24 dev va")
        assert os.waitpid(child, 0)[1] == 0

    run_apart(body)


def test_cut_off_notification_counts_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        add_link()
        monkeypatch.setattr(address_events, "_LARGEST_MESSAGE", 40)
        do_later((0.2, "address add 192.0.2.5/24 dev va"))
        result = wait(address="192.0.2.5")
        assert result["met"]
        assert list_events(result) == ["reread", "added"]

    run_apart(body)


def test_descriptors_are_closed() -> None:
    def body() -> None:
        before = set(os.listdir("/proc/self/fd"))
        wait(address="127.0.0.1")
        wait(address="192.0.2.5", timeout=0.0)
        assert set(os.listdir("/proc/self/fd")) == before

    run_apart(body)
