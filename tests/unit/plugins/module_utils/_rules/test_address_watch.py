# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ipaddress import ip_network
from typing import Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_OPTIMISTIC,
    IFA_F_TENTATIVE,
    Address,
    Link,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.changes import (
    ABSENT,
    BINDABLE,
    PRESENT,
    STATES,
    Change,
    Wish,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.prefixes import Prefix
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.address_watch import (
    KEPT_EVENTS,
    AddressWatch,
    is_bindable,
)
from builders import make_address, make_link
from hypothesis import given
from hypothesis import strategies as st

ETH0, ETH1 = make_link(2, "eth0"), make_link(3, "eth1")
FOUR = make_address("192.0.2.5/24", 2)
SIX = make_address("2001:db8::5/64", 2)
TENTATIVE = SIX._replace(flags=IFA_F_TENTATIVE)
FAILED = SIX._replace(flags=IFA_F_TENTATIVE | IFA_F_DADFAILED)


def make_wish(
    text: Optional[str] = "192.0.2.5", state: str = PRESENT, interface: Optional[str] = None, settle: float = 0
) -> Wish:
    network = ip_network(text) if text else None
    prefix = Prefix(network.network_address.packed, network.prefixlen) if network else None
    return Wish(prefix, interface, state, settle)


def make_watch(wish: Wish, *addresses: Address, links: tuple[Link, ...] = (ETH0, ETH1)) -> AddressWatch:
    watch = AddressWatch(wish)
    watch.reread(links, addresses, 0.0, continuous=False)
    return watch


def names(watch: AddressWatch) -> list[str]:
    return [event.event for event in watch.events]


# wish, addresses, whether it is so
TEST_STATES = [
    (make_wish(), (FOUR,), True),
    (make_wish(), (), False),
    (make_wish(interface="eth0"), (FOUR,), True),
    (make_wish(interface="eth1"), (FOUR,), False),
    (make_wish("192.0.2.0/24"), (FOUR,), True),
    (make_wish("192.0.3.0/24"), (FOUR,), False),
    (make_wish("0.0.0.0/0"), (SIX,), False),
    (make_wish(None, interface="eth0"), (SIX,), True),
    (make_wish(None, interface="eth1"), (SIX,), False),
    (make_wish(state=ABSENT), (), True),
    (make_wish(state=ABSENT), (FOUR,), False),
    (make_wish(state=ABSENT, interface="eth1"), (FOUR,), True),
    (make_wish(state=ABSENT, interface="eth9"), (FOUR,), True),
    (make_wish(state=BINDABLE), (FOUR,), True),
    (make_wish("2001:db8::5", PRESENT), (TENTATIVE,), True),
    (make_wish("2001:db8::5", BINDABLE), (TENTATIVE,), False),
    (make_wish("2001:db8::5", BINDABLE), (FAILED,), False),
    (make_wish("2001:db8::5", BINDABLE), (SIX,), True),
    (make_wish("2001:db8::/64", BINDABLE), (TENTATIVE, make_address("2001:db8::6/64")), True),
]


@pytest.mark.parametrize(("wish", "addresses", "holds"), TEST_STATES)
def test_what_the_first_reading_says(wish: Wish, addresses: tuple[Address, ...], holds: bool) -> None:
    watch = make_watch(wish, *addresses)
    assert watch.find_wait(0.0) == (0.0 if holds else None)
    assert names(watch) == []


TEST_BINDABLE = [
    (SIX, True),
    (TENTATIVE, False),
    (FAILED, False),
    (SIX._replace(flags=IFA_F_TENTATIVE | IFA_F_OPTIMISTIC), True),
    (SIX._replace(flags=IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED), False),
    (SIX._replace(flags=IFA_F_DEPRECATED), True),
    (SIX._replace(flags=None), False),
    (FOUR._replace(flags=None), True),
    (FOUR, True),
]


@pytest.mark.parametrize(("address", "bindable"), TEST_BINDABLE)
def test_bindable(address: Address, bindable: bool) -> None:
    assert is_bindable(address) is bindable


def test_end_of_detection_makes_bindable() -> None:
    watch = make_watch(make_wish("2001:db8::5", BINDABLE), TENTATIVE)
    watch.apply(Change(SIX, False), 1.5)
    assert (watch.held_since, names(watch)) == (1.5, ["changed"])
    watch.apply(Change(FAILED, False), 2.0)
    assert watch.find_wait(2.0) is None
    assert watch.events[-1].flags == ("tentative", "dadfailed")


def test_every_break_starts_settling_anew() -> None:
    watch = make_watch(make_wish(settle=5), FOUR)
    assert watch.find_wait(2.0) == 3.0
    watch.apply(Change(FOUR, True), 3.0)
    assert watch.find_wait(3.0) is None
    watch.apply(Change(FOUR, False), 4.0)
    assert watch.find_wait(4.0) == 5.0
    watch.apply(Change(FOUR._replace(valid_lifetime=30), False), 6.0)
    assert watch.find_wait(8.9) == pytest.approx(0.1)
    assert watch.find_wait(9.5) == 0.0
    assert names(watch) == ["removed", "added", "changed"]


def test_a_change_elsewhere_is_no_event() -> None:
    watch = make_watch(make_wish(interface="eth0"), FOUR)
    watch.apply(Change(FOUR._replace(ifindex=3), False), 1.0)
    watch.apply(Change(SIX, False), 1.0)
    watch.apply(Change(ETH1._replace(flags=0), False), 1.0)
    watch.apply(Change(make_address("192.0.2.6/24"), True), 1.0)
    assert (watch.held_since, names(watch)) == (0.0, [])


def test_the_same_address_on_two_links_counts_until_both_are_gone() -> None:
    watch = make_watch(make_wish(state=ABSENT), FOUR, FOUR._replace(ifindex=3))
    watch.apply(Change(FOUR, True), 1.0)
    assert watch.find_wait(1.0) is None
    watch.apply(Change(FOUR._replace(ifindex=3), True), 2.0)
    assert watch.held_since == 2.0


def test_one_address_with_two_prefix_lengths_is_two() -> None:
    watch = make_watch(make_wish(state=ABSENT), FOUR, FOUR._replace(prefixlen=32))
    watch.apply(Change(FOUR, True), 1.0)
    assert watch.find_wait(1.0) is None


def test_a_vanished_link_takes_its_addresses_along() -> None:
    watch = make_watch(make_wish(interface="eth0"), FOUR)
    watch.apply(Change(ETH0, True), 1.0)
    assert watch.find_wait(1.0) is None
    assert not watch.has_interface()
    assert names(watch) == ["removed", "link_removed"]
    watch.apply(Change(ETH0._replace(ifindex=9), False), 2.0)
    watch.apply(Change(FOUR._replace(ifindex=9), False), 3.0)
    assert watch.held_since == 3.0
    assert names(watch)[2:] == ["link_added", "added"]


def test_an_address_may_be_told_of_before_its_link() -> None:
    watch = make_watch(make_wish(interface="eth5"))
    watch.apply(Change(FOUR._replace(ifindex=5), False), 1.0)
    assert watch.find_wait(1.0) is None
    watch.apply(Change(make_link(5, "eth5"), False), 2.0)
    assert watch.held_since == 2.0


def test_a_renamed_link_matches_by_its_new_name() -> None:
    watch = make_watch(make_wish(interface="wan0"), FOUR)
    watch.apply(Change(ETH0._replace(name="wan0"), False), 1.0)
    assert watch.held_since == 1.0
    watch.apply(Change(ETH0, False), 2.0)
    assert watch.find_wait(2.0) is None
    assert names(watch) == ["link_changed", "link_changed"]


def test_lost_notifications_start_settling_anew_even_if_all_looks_the_same() -> None:
    watch = make_watch(make_wish(settle=5), FOUR)
    watch.reread((ETH0, ETH1), (FOUR,), 4.0, continuous=False)
    assert (watch.find_wait(4.0), names(watch)) == (5.0, ["reread"])


def test_a_poll_that_shows_the_same_lets_it_settle() -> None:
    watch = make_watch(make_wish(settle=5), FOUR)
    watch.reread((ETH0, ETH1), (FOUR,), 4.0, continuous=True)
    assert (watch.find_wait(4.0), names(watch)) == (1.0, [])


def test_a_new_reading_tells_every_difference() -> None:
    watch = make_watch(make_wish("192.0.2.0/24", interface="eth0"), FOUR, make_address("192.0.2.6/24"))
    watch.reread((ETH1,), (), 1.0, continuous=True)
    assert names(watch) == ["removed", "removed", "link_removed"]
    watch.reread((ETH0, ETH1), (FOUR,), 2.0, continuous=True)
    assert names(watch)[3:] == ["link_added", "added"]
    watch.reread((ETH0, ETH1), (FOUR._replace(flags=IFA_F_DEPRECATED),), 3.0, continuous=True)
    assert names(watch)[5:] == ["changed"]
    assert watch.events[-1].flags == ("deprecated",)


def test_events_are_bounded_and_counted() -> None:
    watch = make_watch(make_wish(), FOUR)
    for number in range(KEPT_EVENTS):
        watch.apply(Change(FOUR, True), number)
        watch.apply(Change(FOUR, False), number)
    assert (len(watch.events), watch.event_count) == (KEPT_EVENTS, 2 * KEPT_EVENTS)


ADDRESSES = [
    base._replace(ifindex=ifindex, flags=flags)
    for base in (FOUR, SIX, make_address("192.0.2.6/24"))
    for ifindex in (2, 3)
    for flags in (0, IFA_F_TENTATIVE, IFA_F_TENTATIVE | IFA_F_DADFAILED)
]
LINKS = (ETH0, ETH1, ETH0._replace(name="eth9"), ETH1._replace(name="eth0"))
CHANGES = st.one_of(
    st.builds(Change, st.sampled_from(ADDRESSES), st.booleans()),
    st.builds(Change, st.sampled_from(LINKS), st.booleans()),
)
WISHES = st.builds(
    make_wish,
    st.sampled_from((None, "192.0.2.5", "192.0.2.0/24", "2001:db8::5", "::/0")),
    st.sampled_from(STATES),
    st.sampled_from((None, "eth0", "eth9")),
)


def holds_by_definition(wish: Wish, links: dict[int, Link], addresses: dict[tuple[int, bytes], Address]) -> bool:
    """The state as the documentation says it, counted anew from everything that is there."""
    matching = [
        address
        for address in addresses.values()
        if (wish.prefix is None or wish.prefix.covers(address.packed))
        and (wish.interface is None or (address.ifindex in links and links[address.ifindex].name == wish.interface))
    ]
    if wish.state == ABSENT:
        return not matching
    return any(wish.state == PRESENT or is_bindable(address) for address in matching)


@given(WISHES, st.lists(st.lists(CHANGES, max_size=5), max_size=12), st.booleans())
def test_any_history_ends_as_a_fresh_look_would(wish: Wish, history: list[list[Change]], reread: bool) -> None:
    """Changes one by one, or (with `reread`) every other group lost and read anew: state and since when agree."""
    watch = make_watch(wish)
    links: dict[int, Link] = {2: ETH0, 3: ETH1}
    addresses: dict[tuple[int, bytes], Address] = {}
    since: Optional[float] = 0.0 if holds_by_definition(wish, links, addresses) else None
    now = 0.0
    for number, group in enumerate(history):
        lost = reread and number % 2 == 1
        for change in group:
            now += 1
            replay(change, links, addresses)
            if not lost:
                watch.apply(change, now)
                holds = holds_by_definition(wish, links, addresses)
                since = None if not holds else now if since is None else since
        if lost:
            watch.reread(tuple(links.values()), tuple(addresses.values()), now, continuous=False)
            since = now if holds_by_definition(wish, links, addresses) else None
    assert watch.held_since == since


def replay(change: Change, links: dict[int, Link], addresses: dict[tuple[int, bytes], Address]) -> None:
    subject = change.subject
    if isinstance(subject, Link):
        if not change.gone:
            links[subject.ifindex] = subject
            return
        links.pop(subject.ifindex, None)
        for key in [key for key in addresses if key[0] == subject.ifindex]:
            del addresses[key]
    elif change.gone:
        addresses.pop((subject.ifindex, subject.packed), None)
    else:
        addresses[subject.ifindex, subject.packed] = subject
