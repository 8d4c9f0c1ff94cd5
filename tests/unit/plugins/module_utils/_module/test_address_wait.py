# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import math
from typing import Any, Union

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import IFA_F_TENTATIVE, Address, Link
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import (
    BackendUnavailable,
    Gap,
    UnreadableTable,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.changes import Batch, Change, Wish
from ansible_collections.infracheck.bindings.plugins.module_utils._model.prefixes import Prefix
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments
from ansible_collections.infracheck.bindings.plugins.module_utils._module.address_wait import (
    parse_wish,
    render_wait,
    wait_for_address,
    watch_until,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import address_events
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.address_polls import AddressPolls
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_socket import NetlinkError
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.address_watch import AddressWatch
from builders import SEES_ALL, make_address, make_backend, make_link, make_network
from contracts import find_violations

ETH0 = make_link(2, "eth0")
FOUR = make_address("192.0.2.5/24")
SIX = make_address("2001:db8::5/64")
OPTIONS: dict[str, Any] = {
    "address": "192.0.2.5",
    "interface": None,
    "state": "present",
    "timeout": 10.0,
    "settle": 0.0,
    "poll_interval": 1.0,
    "backend": "auto",
}

Step = tuple[float, Union[Batch, Exception]]


class FakeSource:
    """A kernel that follows a script: each wait returns the next batch after so many seconds, or nothing at all."""

    name = "netlink"

    def __init__(self, readings: list[Any], steps: list[Step]) -> None:
        self.now = 100.0
        self.readings = readings
        self.steps = steps
        self.waited: list[float] = []

    def clock(self) -> float:
        return self.now

    def read_present(self) -> tuple[tuple[Link, ...], tuple[Address, ...]]:
        reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if isinstance(reading, Exception):
            self.now += 0.5
            raise reading
        return (ETH0,), reading

    def wait(self, seconds: float) -> Batch:
        self.waited.append(round(seconds, 3))
        after, batch = self.steps[0] if self.steps else (math.inf, Batch([]))
        if seconds == 0 and after > 0:
            return Batch([])
        if after > seconds:
            self.steps[:1] = [(after - seconds, batch)] if self.steps else []
            self.now += seconds
            return Batch([])
        self.steps.pop(0)
        self.now += after
        if isinstance(batch, Exception):
            raise batch
        return batch


def run(wish: Wish, readings: list[Any], *steps: Step, timeout: float = 10.0) -> tuple[AddressWatch, Any, FakeSource]:
    watch, source = AddressWatch(wish), FakeSource(readings, list(steps))
    ending = watch_until(watch, source, timeout, source.clock)
    assert find_violations("wait_for_address", render_wait(watch, ending, source.name, ())) == []
    return watch, ending, source


def wish(**options: Any) -> Wish:
    return parse_wish({**OPTIONS, **options})


def test_what_is_so_already_is_not_waited_for() -> None:
    _watch, ending, source = run(wish(), [(FOUR,)])
    assert (ending.met, ending.ended, source.waited) == (True, 100.0, [0])


def test_a_notification_older_than_the_reading_does_no_harm() -> None:
    """Added and removed between subscription and reading: the reading shows nothing, then both are told."""
    told = Batch([Change(FOUR, False), Change(FOUR, True)])
    _watch, ending, _source = run(wish(), [()], (0.0, told), timeout=1.0)
    assert not ending.met


def test_it_ends_with_the_change() -> None:
    _watch, ending, _source = run(wish(), [()], (3.0, Batch([Change(FOUR, False)])))
    assert (ending.met, ending.ended) == (True, 103.0)


def test_it_waits_no_longer_than_it_must_for_settling() -> None:
    _watch, ending, source = run(wish(settle=2.0), [(FOUR,)])
    assert (ending.met, ending.ended, source.waited) == (True, 102.0, [0, 2.0])


def test_time_over() -> None:
    watch, ending, source = run(wish(), [()], timeout=4.0)
    assert (ending.met, ending.ended, source.waited) == (False, 104.0, [0, 4.0])
    message = render_wait(watch, ending, source.name, ())["msg"]
    assert message == (
        "192.0.2.5 was not present within 4.000 s. Seen last: on no interface; nothing changed meanwhile"
    )


def test_time_over_while_it_settles() -> None:
    told = Batch([Change(FOUR, False)])
    watch, ending, _source = run(wish(settle=3.0), [()], (2.0, told), timeout=4.0)
    assert not ending.met
    message = render_wait(watch, ending, "netlink", ())["msg"]
    assert "192.0.2.5 was not present and was so for 3 s within 4.000 s" not in message
    assert "192.0.2.5/24 on eth0, for 2.000 of 3 s" in message


def test_lost_notifications_are_made_good_by_a_reading() -> None:
    watch, ending, _source = run(wish(), [(), (FOUR,)], (1.0, Batch([], lost=True)))
    assert ending.met
    assert [event.event for event in watch.events] == ["reread", "added"]


def test_nothing_is_decided_before_all_that_waits_is_taken() -> None:
    first, second = Batch([Change(FOUR, False)], more=True), Batch([Change(FOUR, True)])
    _watch, ending, _source = run(wish(), [()], (1.0, first), (0.0, second), timeout=2.0)
    assert not ending.met


def test_interrupted_readings_are_repeated_while_there_is_time() -> None:
    busy = NetlinkError("interrupted", errno.EINTR)
    _watch, ending, _source = run(wish(), [busy, busy, (FOUR,)])
    assert (ending.met, ending.ended) == (True, 101.0)
    with pytest.raises(NetlinkError, match="interrupted"):
        run(wish(), [busy], timeout=3.0)
    with pytest.raises(NetlinkError, match="denied"):
        run(wish(), [NetlinkError("denied", errno.EACCES), (FOUR,)])


def test_polls_see_what_a_reading_shows() -> None:
    slept: list[float] = []
    present = [make_network((ETH0,), ()), make_network((ETH0,), ()), make_network((ETH0,), (FOUR,))]
    source = AddressPolls(lambda: (present.pop(0) if len(present) > 1 else present[0], ()), 1.0, slept.append)
    watch = AddressWatch(wish(settle=1.5))
    ending = watch_until(watch, source, 10.0, lambda: 100.0 + sum(slept))
    assert (ending.met, ending.ended, slept) == (True, 102.5, [0, 1.0, 1.0, 0.5])
    assert [(event.at, event.event) for event in watch.events] == [(101.0, "added")]


# options, option named, part of what is allowed
TEST_WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"address": "192.0.2.300"}, "address", "CIDR"),
    ({"address": "192.0.2.5/24"}, "address", "host bits"),
    ({"address": "fe80::1%eth0"}, "address", "scope id"),
    ({"address": "0.0.0.0"}, "address", "wildcard"),
    ({"address": "::"}, "address", "wildcard"),
    ({"address": "ff02::1"}, "address", "multicast"),
    ({"interface": " "}, "interface", "name"),
    ({"interface": "a/b"}, "interface", "name"),
    ({"interface": "v\0a"}, "interface", "name"),
    ({"interface": "x" * 128}, "interface", "name"),
    ({"timeout": -1.0}, "timeout", "from 0 on"),
    ({"timeout": math.nan}, "timeout", "from 0 on"),
    ({"timeout": math.inf}, "timeout", "from 0 on"),
    ({"settle": -0.5}, "settle", "from 0 on"),
    ({"settle": 11.0}, "settle", "at most the seconds of timeout (10)"),
    ({"poll_interval": 0.0}, "poll_interval", "0.01"),
]


@pytest.mark.parametrize(("options", "option", "allowed"), TEST_WRONG)
def test_wrong_option(options: dict[str, Any], option: str, allowed: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_wish({**OPTIONS, **options})
    assert f"option {option}: " in str(caught.value)
    assert allowed in str(caught.value)


def test_wish() -> None:
    assert wish(address="192.0.2.0/24", interface=" eth0 ") == Wish(
        Prefix(bytes([192, 0, 2, 0]), 24), "eth0", "present", 0
    )
    assert wish(address=None, interface="eth0").prefix is None
    assert wish(address="0.0.0.0/0").prefix == Prefix(bytes(4), 0)


# options, addresses, message
TEST_MESSAGES: list[tuple[dict[str, Any], tuple[Address, ...], str]] = [
    ({}, (FOUR,), "192.0.2.5 is present (waited 0.000 s)"),
    ({"interface": "eth0"}, (FOUR,), "192.0.2.5 on eth0 is present (waited 0.000 s)"),
    ({"interface": "eth1"}, (FOUR,), "Seen last: no interface eth1; nothing"),
    ({"interface": "eth0"}, (), "Seen last: not there; nothing"),
    ({"address": None, "interface": "eth0", "state": "absent"}, (), "Every address on eth0 is absent (waited"),
    ({"address": "192.0.2.0/24", "state": "absent"}, (), "Every address of 192.0.2.0/24 is absent (waited"),
    ({"address": "192.0.2.0/24"}, (FOUR,), "An address of 192.0.2.0/24 is present (waited"),
    ({"address": None, "interface": "eth0"}, (), "An address on eth0 was not present within"),
    ({"settle": 1.0}, (FOUR,), "192.0.2.5 is present, for 1 s without a break (waited 1.000 s)"),
    (
        {"address": "2001:db8::5", "state": "bindable"},
        (SIX._replace(flags=IFA_F_TENTATIVE),),
        "Seen last: 2001:db8::5/64 on eth0 (tentative); nothing",
    ),
    (
        {"address": "10.0.0.0/8", "state": "absent"},
        tuple(make_address(f"10.0.0.{number}/8") for number in range(5)),
        "Seen last: 10.0.0.0/8 on eth0, 10.0.0.1/8 on eth0, 10.0.0.2/8 on eth0 and 2 more; nothing",
    ),
]


@pytest.mark.parametrize(("options", "addresses", "message"), TEST_MESSAGES)
def test_message(options: dict[str, Any], addresses: tuple[Address, ...], message: str) -> None:
    watch, ending, source = run(wish(**options), [addresses])
    assert message in render_wait(watch, ending, source.name, ())["msg"]


def test_without_netlink_it_polls_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = SEES_ALL._replace(address_flags=False)
    backend = make_backend([((), make_network((ETH0,), (FOUR,)))], capabilities=blind)
    refuse_netlink(monkeypatch)
    monkeypatch.setattr(arguments, "select_backend", lambda name: backend)
    result, gaps = wait_for_address({**OPTIONS, "timeout": 1.0})
    assert (result["met"], result["source"]) == (True, "psutil")
    assert gaps == (
        Gap(
            "rtnetlink",
            "changes as they happen",
            "no; read every 1 s through psutil: what came and went in between was not seen, nor when it did",
        ),
    )
    with pytest.raises(InvalidOption, match="does not see whether an IPv6 address is still tentative"):
        wait_for_address({**OPTIONS, "address": "2001:db8::5", "state": "bindable"})
    with pytest.raises(UnreadableTable, match="no"):
        wait_for_address({**OPTIONS, "backend": "netlink"})


def test_neither_netlink_nor_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    def select(name: str) -> Any:
        if name == "psutil":
            raise BackendUnavailable("psutil is missing")

    refuse_netlink(monkeypatch)
    monkeypatch.setattr(arguments, "select_backend", select)
    with pytest.raises(BackendUnavailable, match="no; psutil is missing"):
        wait_for_address(OPTIONS)


def refuse_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NetlinkError("no", errno.EPERM)

    monkeypatch.setattr(address_events, "AddressEvents", refuse)


def test_addresses_that_cannot_be_polled_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Gap("psutil", "addresses", "denied")
    backend = make_backend([((), make_network((ETH0,), None))], gaps=[gap])
    monkeypatch.setattr(arguments, "select_backend", lambda name: backend)
    with pytest.raises(UnreadableTable, match="addresses could not be read: denied"):
        wait_for_address({**OPTIONS, "backend": "psutil"})
