# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where all is in order no rule finds anything: without that, what one of them says would be lost in silence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener, Options, Ownership
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import Outlook, Restarts
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.engine import RULES, evaluate
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality, View, is_in_order
from builders import REUSES, SEES_ALL, make_address, make_link, make_network, make_ownership, make_route, make_socket
from hypothesis import given, settings
from hypothesis import strategies as st

SLUGS = [rule.slug for rule in RULES]

DOWN: dict[str, Any] = {"flags": 0x1002, "operstate": "down"}
LO, DOWN_LINK = make_link(1, "lo", flags=0x10049, operstate="unknown"), make_link(2, "eth0", **DOWN)
LINKS = [LO, make_link(2, "eth0"), make_link(3, "eth1")]
ADDRESSES = [
    make_address("127.0.0.1/8", 1, scope=254),
    make_address("192.0.2.5/24", 2),
    make_address("2001:db8::5/64", 3),
]
NETWORK = make_network(LINKS, ADDRESSES)


def look(sockets, network=NETWORK, capabilities=SEES_ALL, options=REUSES, ownership=None, restarts=None):
    """A view as a run makes it: with the verdict on each socket in that network."""
    locality = Locality(network)
    listeners = [Listener(socket, locality.judge(socket), ownership or make_ownership(), options) for socket in sockets]
    return View(tuple(listeners), capabilities, locality, restarts)


SOCKETS = [
    make_socket("0.0.0.0", 22),
    make_socket("127.0.0.1", 25),
    make_socket("192.0.2.5", 443, ifindex=2),
    make_socket("2001:db8::5", 53, protocol="udp"),
]


def test_a_healthy_host_is_in_order():
    assert is_in_order(look(SOCKETS))
    assert is_in_order(look([]))


def test_what_the_kernel_holds_itself_has_no_options_and_needs_none():
    unread = Options(reason="the kernel itself holds it")
    assert is_in_order(look(SOCKETS, options=unread, ownership=Ownership((), "kernel", None)))
    assert not is_in_order(look(SOCKETS, options=unread, ownership=Ownership((), "denied", None)))
    read = Options(reuseaddr=False, reuseport=False)
    assert not is_in_order(look(SOCKETS, options=read, ownership=Ownership((), "kernel", None)))


def test_links_that_are_down_and_that_nobody_needs_change_nothing():
    network = make_network([*LINKS, make_link(4, "docker0", kind="bridge", **DOWN)], ADDRESSES)
    assert is_in_order(look(SOCKETS, network))


def test_a_link_that_is_down_changes_nothing_where_another_carries_the_address():
    both = [make_address("192.0.2.5/24", 2), make_address("192.0.2.5/24", 3)]
    assert is_in_order(look([make_socket()], make_network([LO, DOWN_LINK, make_link(3, "eth1")], both)))


def test_what_a_route_alone_makes_local_is_in_order_where_its_link_is_up():
    network = make_network([LO, DOWN_LINK], [make_address("127.0.0.1/8", 1)], [make_route("127.0.0.0/8", 1)])
    assert is_in_order(look([make_socket("127.0.1.1")], network))


@pytest.mark.parametrize("turn", [1, -1])
def test_each_pin_counts_for_itself(turn):
    network = make_network([*LINKS, make_link(4, "eth2", **DOWN)], ADDRESSES)
    pinned = [make_socket("0.0.0.0", 67, ifindex=4), make_socket("0.0.0.0", 68)][::turn]
    assert not is_in_order(look(pinned, network))
    assert is_in_order(look([make_socket("0.0.0.0", 68)], network))


def test_a_restart_that_was_looked_into_is_for_the_rules():
    blocked = Outlook("blocked", "EADDRINUSE", (), None, "held")
    assert not is_in_order(look(SOCKETS, restarts=Restarts({SOCKETS[0]: blocked}, {})))


NO_LINK_FLAGS = SEES_ALL._replace(link_state=False)
NO_ADDRESS_FLAGS = SEES_ALL._replace(address_flags=False)
ANYIP = [make_route("2001:db8::/64", 1)]  # delivers to the tentative address below it

# Each with the rule that has something to say.
TEST_FOUND = [
    ("stale-address", look([make_socket("192.0.2.6")], NETWORK)),
    ("stale-interface", look([make_socket(ifindex=7)], NETWORK)),
    ("stale-interface", look([make_socket(ifindex=None)], NETWORK)),
    ("stale-interface", look([make_socket("0.0.0.0", ifindex=None)], NETWORK)),
    (
        "pending-address",
        look([make_socket("2001:db8::5")], make_network(LINKS, [make_address("2001:db8::5/64", 3, 0x40)])),
    ),
    (
        "pending-address",
        look([make_socket("2001:db8::5")], make_network(LINKS, [make_address("2001:db8::5/64", 3, 0x40)], ANYIP)),
    ),
    ("pending-address", look([make_socket("2001:db8::5")], NETWORK, NO_ADDRESS_FLAGS)),
    ("link-down", look([make_socket()], NETWORK, NO_LINK_FLAGS)),
    ("link-down", look([make_socket()], make_network([], ADDRESSES))),
    ("link-down", look([make_socket()], make_network([make_link(2, **DOWN)], ADDRESSES))),
    ("link-down", look([make_socket("0.0.0.0", ifindex=2)], make_network([make_link(2, **DOWN)], ADDRESSES))),
    # Only a route tells on which link it is.
    (
        "link-down",
        look([make_socket("192.0.2.77")], make_network([LO, DOWN_LINK], [], [make_route("192.0.2.0/24", 2)])),
    ),
    # A link that came while the host was looked at carries it as well.
    (
        "link-down",
        look(
            [make_socket()],
            make_network([LO, DOWN_LINK], [make_address("192.0.2.5/24", 2), make_address("192.0.2.5/24", 9)]),
        ),
    ),
    ("pinned-elsewhere", look([make_socket(ifindex=3)], NETWORK)),
    ("no-reuseaddr", look([make_socket()], NETWORK, options=Options(reuseaddr=False, reuseport=False))),
    ("no-reuseaddr", look([make_socket()], NETWORK, options=Options(reason="denied"))),
    ("shared-binding", look([make_socket(inode=1), make_socket(inode=2)], ownership=Ownership((), "denied", None))),
]


def test_there_is_a_case_of_every_rule():
    # restart-blocked has something to say of a view that was looked into for it alone.
    assert {rule for rule, _view in TEST_FOUND} == set(SLUGS) - {"restart-blocked"}


@pytest.mark.parametrize(("rule", "view"), TEST_FOUND)
def test_where_a_rule_finds_something_not_all_is_in_order(rule, view):
    assert rule in {finding.rule for finding in evaluate(view, SLUGS)}
    assert not is_in_order(view)


flags = st.sampled_from([True, True, True, False])
links = st.lists(
    st.builds(
        lambda link, fields: link._replace(**fields), st.sampled_from(LINKS), st.sampled_from([{}, {}, {}, DOWN])
    ),
    max_size=3,
    unique_by=lambda link: link.ifindex,
)
addresses = st.lists(
    st.builds(
        lambda address, fields: address._replace(**fields),
        st.sampled_from(ADDRESSES),
        st.sampled_from([{}, {}, {}, {"ifindex": 3}, {"ifindex": 9}, {"flags": 0x40}, {"flags": 0x48}]),
    ),
    max_size=4,
)
networks = st.one_of(
    st.just(NETWORK),
    st.builds(make_network, links, addresses),
    st.builds(make_network, st.just(LINKS), addresses),
    st.builds(make_network, links, addresses, st.just([make_route("192.0.2.0/24", 2)])),
    st.builds(make_network, st.just([LO, DOWN_LINK]), addresses),
    st.builds(make_network, st.none(), addresses),
)
sockets = st.lists(
    st.builds(
        make_socket,
        st.sampled_from(
            ["0.0.0.0", "::", "127.0.0.1", "192.0.2.5", "192.0.2.77", "2001:db8::5", "fe80::1", "224.0.0.251"]
        ),
        st.integers(1, 3),
        protocol=st.sampled_from(["tcp", "udp"]),
        ifindex=st.sampled_from([0, 0, 0, 2, 3, 7, None]),
        inode=st.integers(1, 3),
        freebind=st.sampled_from([False, False, True, None]),
    ),
    max_size=4,
)
options = st.sampled_from([REUSES, REUSES, Options(reuseaddr=False, reuseport=False), Options(reason="denied")])
ownerships = st.sampled_from(
    [make_ownership(), make_ownership(), Ownership((), "kernel", None), Ownership((), "denied", None)]
)
capabilities = st.builds(
    lambda pins, address_flags, link_state: SEES_ALL._replace(
        pins=pins, address_flags=address_flags, link_state=link_state
    ),
    flags,
    flags,
    flags,
)
views = st.builds(look, sockets, network=networks, capabilities=capabilities, options=options, ownership=ownerships)


@settings(max_examples=1000, deadline=None)
@given(views)
def test_where_all_is_in_order_no_rule_finds_anything(view):
    if is_in_order(view):
        assert evaluate(view, SLUGS) == []
