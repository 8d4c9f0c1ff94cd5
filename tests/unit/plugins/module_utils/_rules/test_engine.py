# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules over hand-made views: what each finds, says and recommends."""

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    UNKNOWN_OWNERSHIP,
    Ownership,
    Service,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.findings import REMEDIES, SEVERITIES
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import RULES as NAMES
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.engine import RULES, evaluate, find_failing
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import (
    Locality,
    View,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.wording import (
    describe_holder,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.spelling import format_endpoint
from builders import (
    SEES_ALL,
    make_address,
    make_link,
    make_listener,
    make_network,
    make_ownership,
    make_route,
    make_socket,
)

SLUGS = [rule.slug for rule in RULES]
NETWORK = make_network([make_link(2, "eth0"), make_link(3, "eth1", flags=0x1002, operstate="down")])


def view(*listeners, network=NETWORK, capabilities=SEES_ALL):
    return View(listeners, capabilities, Locality(network))


def findings(*listeners, **options):
    return evaluate(view(*listeners, **options), SLUGS)


def test_nothing_is_said_of_a_valid_listener():
    assert findings(make_listener(), make_listener("0.0.0.0", 80, "wildcard"), make_listener(state="intended")) == []


def test_stale_address_recommends_no_restart():
    (finding,) = findings(make_listener(state="stale_address"))
    assert (finding.rule, finding.verdict, finding.severity, finding.remedy) == (
        "stale-address",
        "fail",
        "error",
        "reconfigure",
    )
    assert (
        finding.message
        == "nginx.service listens on 192.0.2.5:443/tcp, but 192.0.2.5 is no longer an address of this host"
    )
    assert "EADDRNOTAVAIL" in finding.remedy_reason


def test_stale_interface_names_the_dead_index_and_where_the_address_is_now():
    network = make_network([make_link(9, "eth1")], [make_address("fe80::1/64", 9, scope=253)])
    (finding,) = findings(make_listener("fe80::1", state="stale_interface", ifindex=7), network=network)
    assert (finding.rule, finding.severity, finding.remedy) == ("stale-interface", "error", "manual")
    assert "interface index 7, which no longer exists" in finding.message
    assert finding.evidence["address_now_on_ifindex"] == [9]


TEST_PENDING = [
    (0x40, "warning", "wait", "still tentative"),
    (0x48, "error", "manual", "another host has that address"),
]


@pytest.mark.parametrize(("flags", "severity", "remedy", "text"), TEST_PENDING)
def test_pending_address_tells_waiting_from_a_duplicate(flags, severity, remedy, text):
    network = make_network([make_link()], [make_address("2001:db8::5/64", flags=flags)])
    (finding,) = findings(make_listener("2001:db8::5", state="pending"), network=network)
    assert (finding.rule, finding.severity, finding.remedy) == ("pending-address", severity, remedy)
    assert text in finding.message


TEST_LINKS = [
    ({"flags": 0x1002, "operstate": "down"}, "warning"),
    ({"flags": 0x1003, "operstate": "down"}, "warning"),  # up, without a carrier
    ({"flags": 0x1003, "operstate": "lowerlayerdown"}, "warning"),
    ({"flags": 0x1003, "operstate": "down", "kind": "bridge"}, "info"),
    ({"flags": 0x1002, "operstate": "down", "kind": "bridge"}, "warning"),  # switched off by somebody
    ({"flags": 0x11043, "operstate": "up"}, None),
    ({"flags": 0x10049, "operstate": "unknown"}, None),  # lo
    ({"flags": 0x10D1, "operstate": "unknown"}, None),  # tun
    ({"flags": 0x1003, "operstate": "dormant"}, None),
]


@pytest.mark.parametrize(("fields", "severity"), TEST_LINKS)
def test_link_down(fields, severity):
    network = make_network([make_link(2, "eth0", **fields)], [make_address("192.0.2.5/24")])
    found = findings(make_listener(), network=network)
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_link_down_is_silent_while_one_link_with_the_address_is_up():
    links = [make_link(2, "eth0", flags=0x1002, operstate="down"), make_link(3, "eth1")]
    network = make_network(links, [make_address("192.0.2.5/24", 2), make_address("192.0.2.5/24", 3)])
    assert findings(make_listener(), network=network) == []


TWO_LINKS = [make_link(2, "eth0"), make_link(3, "eth1")]


def test_an_address_that_moved_away_from_the_pinned_link_is_told():
    network = make_network(TWO_LINKS, [make_address("192.0.2.5/24", 2)])
    (finding,) = findings(make_listener(ifindex=3), network=network)
    assert (finding.rule, finding.severity, finding.remedy) == ("pinned-elsewhere", "info", "manual")
    assert finding.message.endswith("pinned to eth1, but that address is on eth0")
    assert finding.evidence["address_on"] == ["eth0"]


def test_an_address_on_a_link_that_came_after_the_links_were_read_is_told_by_its_index():
    network = make_network(TWO_LINKS, [make_address("192.0.2.5/24", 9)])
    (finding,) = findings(make_listener(ifindex=3), network=network)
    assert finding.message.endswith("pinned to eth1, but that address is on interface index 9")


@pytest.mark.parametrize(
    ("ifindex", "network"),
    [
        (2, make_network(TWO_LINKS, [make_address("192.0.2.5/24", 2)])),
        (2, make_network(TWO_LINKS, [make_address("192.0.2.5/24", 2), make_address("192.0.2.5/24", 3)])),
        (0, make_network(TWO_LINKS, [make_address("192.0.2.5/24", 2)])),
        (3, make_network(TWO_LINKS, [], [make_route("192.0.2.0/24", 2)])),  # AnyIP: no link has the address itself
    ],
)
def test_a_pin_that_fits_is_no_finding(ifindex, network):
    assert findings(make_listener(ifindex=ifindex), network=network) == []


def test_a_duplicate_on_another_link_is_not_this_listeners():
    addresses = [
        make_address("fe80::77/64", 2, flags=0x48, scope=253),
        make_address("fe80::77/64", 3, flags=0x40, scope=253),
    ]
    (finding,) = findings(
        make_listener("fe80::77", state="pending", ifindex=3), network=make_network(TWO_LINKS, addresses)
    )
    assert (finding.severity, finding.remedy, finding.evidence["dadfailed"]) == ("warning", "wait", False)


def test_link_down_concerns_a_wildcard_only_when_it_is_pinned():
    pinned, free = (
        make_listener("0.0.0.0", state="wildcard", ifindex=3),
        make_listener("0.0.0.0", 80, state="wildcard"),
    )
    assert [finding.listener for finding in findings(pinned, free)] == [pinned]


def test_one_cause_of_not_knowing_is_one_finding_per_rule():
    hidden = [make_listener(port=port, state="unknown", reason="no route table") for port in (1, 2, 3)]
    (finding,) = findings(*hidden)
    assert (finding.rule, finding.verdict, finding.listener) == ("stale-address", "unknown", None)
    assert finding.evidence == {"reason": "no route table", "listeners": 3}
    assert finding.remedy == "none"


def test_different_causes_of_not_knowing_are_kept_apart():
    found = findings(
        make_listener(port=1, state="unknown", reason="a"), make_listener(port=2, state="unknown", reason="b")
    )
    assert [finding.evidence["reason"] for finding in found] == ["a", "b"]
    assert all(finding.listener is not None for finding in found)


def test_a_backend_without_pins_flags_and_links_makes_three_unknowns():
    blind = SEES_ALL._replace(pins=False, address_flags=False, link_state=False)
    listener = make_listener("2001:db8::5", ifindex=None)
    assert {(finding.rule, finding.verdict) for finding in findings(listener, capabilities=blind)} == {
        ("stale-interface", "unknown"),
        ("pending-address", "unknown"),
        ("link-down", "unknown"),
    }


def test_findings_come_worst_first_and_in_a_fixed_order():
    network = make_network([make_link(3, "eth1", flags=0x1002, operstate="down")], [make_address("192.0.2.9/24", 3)])
    listeners = [
        make_listener("192.0.2.9", 1),
        make_listener(port=3, state="unknown"),
        make_listener(port=2, state="stale_address"),
        make_listener("192.0.2.4", 2, state="stale_address"),
    ]
    found = findings(*listeners, network=network)
    assert [finding.rule for finding in found] == ["stale-address", "stale-address", "link-down", "stale-address"]
    assert [finding.listener.socket.packed[-1] for finding in found] == [4, 5, 9, 5]
    assert found == findings(*reversed(listeners), network=network)


TEST_FAILING = [
    ("error", False, ["stale-address"]),
    ("warning", False, ["stale-address", "link-down"]),
    ("never", False, []),
    ("never", True, []),
    ("error", True, ["stale-address", "stale-address"]),
    ("info", True, ["stale-address", "link-down", "stale-address"]),
]


@pytest.mark.parametrize(("fail_on", "fail_on_unknown", "rules"), TEST_FAILING)
def test_what_makes_a_check_fail(fail_on, fail_on_unknown, rules):
    network = make_network([make_link(3, "eth1", flags=0x1002, operstate="down")], [make_address("192.0.2.9/24", 3)])
    found = findings(
        make_listener("192.0.2.9", 1),
        make_listener(port=2, state="stale_address"),
        make_listener(port=3, state="unknown"),
        network=network,
    )
    assert [finding.rule for finding in find_failing(found, fail_on, fail_on_unknown)] == rules


def test_only_the_named_rules_run():
    listeners = (make_listener(state="stale_address"), make_listener(port=2, state="stale_interface", ifindex=7))
    assert [finding.rule for finding in evaluate(view(*listeners), ["stale-interface"])] == ["stale-interface"]


TEST_HOLDERS = [
    (make_ownership("nginx.service"), "nginx.service"),
    (make_ownership(None, "nginx"), "nginx"),
    (
        make_ownership(None)._replace(service=Service("docker", "0123456789abcdef", "container")),
        "docker container 0123456789ab",
    ),
    (Ownership((), "kernel", None), "the kernel"),
    (UNKNOWN_OWNERSHIP, "a process that cannot be seen"),
    (Ownership((), "denied", None), "a process that cannot be seen"),
]


@pytest.mark.parametrize(("ownership", "text"), TEST_HOLDERS)
def test_a_holder_is_called_by_the_best_name_there_is(ownership, text):
    assert describe_holder(make_listener(ownership=ownership)) == text


TEST_ENDPOINTS = [
    (make_socket("192.0.2.5", 443), "192.0.2.5:443/tcp"),
    (make_socket("2001:db8::5", 53, protocol="udp"), "[2001:db8::5]:53/udp"),
    (make_socket("::ffff:192.0.2.5", 80), "[::ffff:192.0.2.5]:80/tcp"),
]


@pytest.mark.parametrize(("socket", "text"), TEST_ENDPOINTS)
def test_an_endpoint_reads_as_in_a_url(socket, text):
    assert format_endpoint(socket) == text


def test_rules_are_unique_and_each_says_in_one_sentence_what_it_is():
    assert len(set(SLUGS)) == len(SLUGS)
    assert tuple(SLUGS) == NAMES
    for rule in RULES:
        sentence = (rule.find.__doc__ or "").strip()
        assert sentence.endswith(".")
        assert "\n\n" not in sentence


def test_every_finding_uses_the_contracts_words():
    network = make_network(
        [make_link(2), make_link(3, "eth1", flags=0x1002, operstate="down")],
        [make_address("192.0.2.9/24", 3), make_address("2001:db8::5/64", flags=0x48)],
    )
    found = findings(
        make_listener(state="stale_address"),
        make_listener(state="stale_interface", ifindex=7),
        make_listener("2001:db8::5", state="pending"),
        make_listener("192.0.2.9"),
        make_listener(state="unknown"),
        network=network,
    )
    assert {finding.rule for finding in found} == {"stale-address", "stale-interface", "pending-address", "link-down"}
    assert all(finding.severity in SEVERITIES and finding.remedy in REMEDIES for finding in found)
