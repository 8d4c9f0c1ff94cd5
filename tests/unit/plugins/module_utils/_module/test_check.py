# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run over a made-up host: in which order it is read, what a second look takes back, and what is returned."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    UNKNOWN_OWNERSHIP,
    Options,
    Owner,
    Ownership,
    Service,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.prefixes import Prefix
from ansible_collections.infracheck.bindings.plugins.module_utils._module import arguments, judgement
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.check import check_bindings
from ansible_collections.infracheck.bindings.plugins.module_utils._module.collect import collect
from ansible_collections.infracheck.bindings.plugins.module_utils._module.listener_results import render_listener
from ansible_collections.infracheck.bindings.plugins.module_utils._module.selections import Selection
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.wording import describe_holder
from builders import make_address, make_backend, make_link, make_network, make_ownership, make_socket
from defaults import read_defaults

PRESENT = make_network([make_link()], [make_address("192.0.2.5/24")])
GONE = make_network([make_link()])
NGINX = Selection(("tcp", "udp"), (), (), ("nginx*",))
PARAMS = {
    "fail_on": "error",
    "fail_on_unknown": False,
    "rules": [],
    "skip_rules": [],
    "include_listeners": False,
    "confirm_after": 0,
}


def run(*samples, params=(), **options):
    backend = make_backend(samples, **options)
    return check_bindings({**PARAMS, **dict(params)}, lambda _params: collect(backend))


@pytest.fixture
def sleeps(monkeypatch):
    seconds: list[float] = []
    monkeypatch.setattr(f"{judgement.__name__}.time.sleep", seconds.append)
    return seconds


def test_sockets_are_read_before_the_network_and_owners_last():
    asked: list[tuple[Any, ...]] = []
    collect(make_backend([([make_socket()], PRESENT)], asked=asked))
    assert [call[0] for call in asked] == ["sockets", "network", "owners"]


def test_a_doubtful_listener_is_looked_at_again_and_all_its_holders_are_looked_for():
    asked: list[tuple[Any, ...]] = []
    sockets = [make_socket("0.0.0.0", 22), make_socket()]
    collect(make_backend([(sockets, GONE)], asked=asked))
    assert [call[0] for call in asked] == ["sockets", "network", "lookups", "sockets", "owners"]
    assert asked[-1] == ("owners", [1])


def test_all_owners_looks_for_every_holder_of_every_listener():
    asked: list[tuple[Any, ...]] = []
    collect(make_backend([([make_socket(port=1), make_socket(port=2)], PRESENT)], asked=asked), all_owners=True)
    assert asked[-1] == ("owners", [0, 1])


def test_a_socket_that_closed_before_the_addresses_were_read_is_not_stale():
    collected = collect(make_backend([([make_socket()], GONE), ([], GONE)]))
    assert collected.view.listeners == ()


def test_a_socket_that_was_replaced_meanwhile_is_not_the_one_that_was_seen():
    collected = collect(make_backend([([make_socket(inode=1)], GONE), ([make_socket(inode=2)], GONE)]))
    assert collected.view.listeners == ()


@pytest.mark.parametrize(("rows", "ports"), [([make_socket(port=1)], [1]), ([], [])])
def test_a_socket_that_closed_while_its_holder_was_looked_for_is_not_called_the_kernels(rows, ports):
    kernel = {1: Ownership((), "kernel", None)}
    collected = collect(make_backend([([make_socket(port=1)], PRESENT), (rows, PRESENT)], kernel))
    assert [listener.socket.port for listener in collected.view.listeners] == ports


def test_a_stale_listener_fails_the_check_and_reads_well():
    result, gaps = run(([make_socket()], GONE))
    assert result["failed"]
    assert result["failing"] == 1
    assert gaps == ()
    assert result["msg"].splitlines() == [
        "1 looked at: 0 valid, 0 intended, 0 unknown",
        "192.0.2.5:443/tcp  nginx.service  stale-address: nginx.service listens on 192.0.2.5:443/tcp, but 192.0.2.5 is"
        " no longer an address of this host  → reconfigure",
    ]
    assert "listeners" not in result


def test_a_healthy_host_passes_in_one_line():
    result, _gaps = run(([make_socket(), make_socket("0.0.0.0", 22)], PRESENT), params={"include_listeners": True})
    assert (result["failed"], result["failing"], result["findings"]) == (False, 0, [])
    assert result["msg"] == "All 2 bindings are valid"
    assert [listener["address"] for listener in result["listeners"]] == ["0.0.0.0", "192.0.2.5"]


def test_an_empty_host_does_not_claim_that_all_is_valid():
    assert run(([], PRESENT))[0]["msg"] == "No listener was found to look at"


def test_intended_listeners_are_counted_and_not_flagged():
    backend = make_backend([([make_socket()], GONE)])
    intended = (Prefix(b"\xc0\x00\x02\x00", 24),)
    result, _gaps = check_bindings(PARAMS, lambda _params: collect(backend, intended=intended))
    assert result["summary"]["intended"] == 1
    assert result["msg"] == "1 looked at: 0 valid, 1 intended, 0 unknown"
    assert not result["failed"]


def test_unknown_does_not_fail_unless_asked_to():
    hidden = ([make_socket()], make_network([make_link()], routes_ipv4=None))
    assert not run(hidden)[0]["failed"]
    assert run(hidden, params={"fail_on_unknown": True})[0]["failed"]
    assert run(hidden)[0]["summary"]["unknown"] == 1
    assert run(hidden)[0]["summary"]["errors"] == 0


def test_gaps_are_returned_and_handed_on_for_warnings():
    gap = Gap("rtnetlink", "links", "no")
    result, gaps = run(([make_socket()], PRESENT), gaps=[gap])
    assert gaps == (gap,)
    assert result["gaps"] == [{"source": "rtnetlink", "subject": "links", "reason": "no"}]


def test_a_flap_is_no_finding_when_confirmed(sleeps):
    stale = ([make_socket()], GONE)
    # The first look reads the sockets twice (a doubtful one is read again), the network once.
    result, _gaps = run(stale, ([make_socket()], PRESENT), params={"confirm_after": 5})
    assert sleeps == [5]
    assert not result["findings"]
    assert result["msg"].splitlines()[-1] == "1 more showed in only one of the two samples and were left out"


def test_what_both_samples_show_is_reported_once_and_by_the_second(sleeps):
    result, _gaps = run(
        ([make_socket(inode=1)], GONE),
        ([make_socket(inode=1)], GONE),
        ([make_socket(inode=2)], GONE),
        params={"confirm_after": 5},
    )
    assert [finding["listener"]["inode"] for finding in result["findings"]] == [2]
    assert len(result["msg"].splitlines()) == 2


def test_nothing_is_waited_for_when_nothing_is_wrong(sleeps):
    run(([make_socket()], PRESENT), params={"confirm_after": 5})
    assert sleeps == []


def test_nothing_is_waited_for_when_what_is_wrong_stays_so(sleeps):
    lacking = make_backend([([make_socket()], PRESENT)])._replace(
        read_options=lambda sockets, _ownerships: ([Options(reuseaddr=False)] * len(sockets), ())
    )
    params = {**PARAMS, "confirm_after": 5, "skip_rules": ["restart-blocked"]}
    result, _gaps = check_bindings(params, lambda _params: collect(lacking))
    assert [finding["rule"] for finding in result["findings"]] == ["no-reuseaddr"]
    assert sleeps == []


@pytest.mark.parametrize("seconds", ["soon", True, None, -1, float("nan"), float("inf"), 1e9])
def test_a_wrong_wait_is_refused_before_anything_is_read(seconds):
    asked: list[tuple[Any, ...]] = []
    backend = make_backend([([], PRESENT)], asked=asked)
    with pytest.raises(InvalidOption, match="option confirm_after"):
        check_bindings({**PARAMS, "confirm_after": seconds}, lambda _params: collect(backend))
    assert asked == []


def test_rules_can_be_chosen_and_left_out():
    stale = ([make_socket()], GONE)
    assert not run(stale, params={"rules": ["link-down"]})[0]["findings"]
    assert not run(stale, params={"skip_rules": ["stale-address"]})[0]["findings"]
    assert run(stale, params={"rules": ["stale-address"]})[0]["findings"]


def test_listeners_of_unseen_units_are_named_in_a_gap_when_units_are_asked_for():
    ownerships = {
        1: make_ownership("nginx.service"),
        2: UNKNOWN_OWNERSHIP,
        3: Ownership((), "denied", None),
        4: make_ownership(None),
        5: make_ownership("redis.service"),
    }
    sockets = [make_socket(port=port) for port in ownerships]
    collected = collect(make_backend([(sockets, PRESENT)], ownerships), NGINX)
    assert [listener.socket.port for listener in collected.view.listeners] == [1]
    assert [gap.subject for gap in collected.gaps] == ["whether 2 listeners match `units`"]


def test_a_run_that_could_see_no_unit_does_not_read_as_a_success():
    backend = make_backend([([make_socket()], PRESENT)], {443: Ownership((), "denied", None)})
    result, _gaps = check_bindings(PARAMS, lambda _params: collect(backend, NGINX))
    assert result["msg"].splitlines() == [
        "No listener was found to look at",
        "1 more were left out: it cannot be seen whether they match `units`",
    ]
    assert not result["failed"]
    strict = {**PARAMS, "fail_on_unknown": True}
    result, _gaps = check_bindings(strict, lambda _params: collect(backend, NGINX))
    assert (result["failed"], result["failing"]) == (True, 1)


def test_all_is_not_called_valid_while_a_pin_cannot_be_seen():
    unseen = ([make_socket(ifindex=None)], PRESENT)
    result, _gaps = run(unseen, params={"rules": ["stale-address"]})
    assert result["findings"] == []
    assert result["msg"] == "1 looked at: 1 valid, 0 intended, 0 unknown"


def test_what_two_sockets_of_one_binding_hide_is_still_counted(sleeps):
    pair = [make_socket(inode=1), make_socket(inode=2)]
    both, other = [*pair, make_socket("192.0.2.9", inode=3)], make_socket("192.0.2.8", inode=4)
    result, _gaps = run((both, GONE), (both, GONE), ([*pair, other], GONE), params={"confirm_after": 5})
    assert len(result["findings"]) == 2
    assert result["msg"].splitlines()[-1] == "2 more showed in only one of the two samples and were left out"


def test_two_runs_say_the_same():
    sockets = [make_socket(port=port) for port in (3, 1, 2)]
    assert run((sockets, GONE)) == run((list(reversed(sockets)), GONE))


UNNAMED = {
    443: Ownership((Owner(50, "python3", None, "root", 6),), "found", None, cgroup=b"0::/system.slice/nginx.service\n")
}


@pytest.fixture
def asking(monkeypatch):
    """What bind_check says with these options of a host with one listener, whose holder was plain to see."""

    def ask(network, **params):
        backend = make_backend([([make_socket()], network)], UNNAMED)
        monkeypatch.setattr(arguments, "select_backend", lambda _name: backend)
        return check_bindings({**read_defaults(), **params})[0]

    return ask


def test_a_finding_names_the_unit_that_was_not_asked_for_before(asking):
    (finding,) = asking(GONE)["findings"]
    assert finding["listener"]["service"]["unit"] == "nginx.service"
    assert finding["message"].startswith("nginx.service listens")


def test_listeners_that_are_included_have_their_units(asking):
    (listener,) = asking(PRESENT, include_listeners=True)["listeners"]
    assert listener["service"]["unit"] == "nginx.service"


@pytest.mark.parametrize(("pattern", "count"), [("nginx*", 1), ("apache*", 0)])
def test_units_are_named_before_they_are_selected(asking, pattern, count):
    assert asking(PRESENT, units=[pattern])["summary"]["listeners"] == count


def test_whoever_does_not_say_otherwise_gets_named_services():
    (listener,) = collect(make_backend([([make_socket()], PRESENT)], UNNAMED)).view.listeners
    assert listener.ownership.service == Service("systemd", "nginx.service", "system")
    assert listener.ownership.cgroup is None


def test_a_service_that_was_not_named_is_told_to_nobody():
    (listener,) = collect(make_backend([([make_socket()], PRESENT)], UNNAMED), named=False).view.listeners
    for tell in (describe_holder, lambda unnamed: render_listener(unnamed, {})):
        with pytest.raises(AssertionError, match="named before"):
            tell(listener)


def test_each_option_that_narrows_down_does(asking):
    assert asking(GONE, intended_addresses=["192.0.2.0/24"])["summary"]["intended"] == 1
    assert asking(PRESENT, protocols=["udp"])["summary"]["listeners"] == 0
    assert asking(PRESENT, ports=["80"])["summary"]["listeners"] == 0
    assert asking(PRESENT, addresses=["198.51.100.0/24"])["summary"]["listeners"] == 0
    assert asking(PRESENT)["summary"]["listeners"] == 1


def test_what_closed_meanwhile_is_not_looked_for():
    asked: list[tuple[Any, ...]] = []
    kept, fine = make_socket(port=2), make_socket("0.0.0.0", 1)
    collect(make_backend([([make_socket(port=1), kept, fine], GONE), ([kept, fine], GONE)], asked=asked))
    assert asked[-1] == ("owners", [1])
