# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of each unit with a stale listener, before anything is decided."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener, Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import Case, Check
from ansible_collections.infracheck.bindings.plugins.module_utils._model.units import UnitListen
from ansible_collections.infracheck.bindings.plugins.module_utils._module.cases import collect_cases
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.carrier import Carrier
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.commands import Done
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality, View
from builders import SEES_ALL, make_backend, make_listener, make_ownership
from plan_world import GONE, HERE, NETWORK, PlanWorld
from plans import NGINX, make_unit, wish

SSH = make_ownership("ssh.service", "sshd")
NOBODYS = make_ownership(None)
IN_CONTAINER = NOBODYS._replace(service=Service("docker", "4c01" * 16, "container"))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> PlanWorld:
    return PlanWorld(monkeypatch)


def stale(port: int = 80, **fields: Any) -> Listener:
    return make_listener(GONE, port, "stale_address", **fields)


def collect(*listeners: Listener, **options: Any) -> tuple[list[Case], tuple[Gap, ...]]:
    view = View(tuple(listeners), SEES_ALL, Locality(NETWORK))
    lost = [listener for listener in listeners if listener.binding.state.startswith("stale")]
    return collect_cases(
        make_backend([((), NETWORK)]), view, lost, options.get("expected", {}), options.get("checks", {})
    )


def test_nothing_stale_nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even what this run came in by: most runs end here."""
    assert collect(make_listener()) == ([], ())


@pytest.mark.usefixtures("world")
def test_a_unit_has_one_case_with_all_that_it_holds() -> None:
    listeners = [stale(80), stale(443), make_listener(HERE, 8080), make_listener(HERE, 22, ownership=SSH)]
    ((case,), gaps) = collect(*listeners)
    assert (case.service, case.stale, case.healthy) == (NGINX, tuple(listeners[:2]), (listeners[2],))
    assert (case.unit, case.proof.method, case.check, gaps) == (make_unit(), "none", None, ())
    assert case.has_rights


TEST_HEALTHY = [
    ("valid", "tcp", 40000, True),
    ("wildcard", "tcp", 80, True),
    ("intended", "tcp", 80, True),
    ("unknown", "tcp", 80, True),
    ("pending", "tcp", 80, False),
    ("valid", "udp", 53, True),
    ("valid", "udp", 40000, False),  # the kernel chose that port: a question of a client
]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("state", "protocol", "port", "counts"), TEST_HEALTHY)
def test_what_counts_as_served(state: str, protocol: str, port: int, counts: bool) -> None:
    other = make_listener(HERE, port, state, protocol=protocol)
    ((case,), _gaps) = collect(stale(), other)
    assert case.healthy == ((other,) if counts else ())


@pytest.mark.usefixtures("world")
def test_listeners_of_nobody_are_a_case_each() -> None:
    cases, _gaps = collect(stale(80, ownership=NOBODYS), stale(81, ownership=NOBODYS), stale(82))
    assert [(case.service, len(case.stale)) for case in cases] == [(None, 1), (None, 1), (NGINX, 1)]
    assert [case.has_rights for case in cases] == [False, False, True]


def test_a_socket_and_its_service_are_one_case(world: PlanWorld) -> None:
    listen = (UnitListen("tcp", bytes((192, 0, 2, 20)), 22, None),)
    world.units = {
        "ssh.service": make_unit("ssh.service", triggered_by=("ssh.socket",)),
        "ssh.socket": make_unit("ssh.socket", triggers=("ssh.service",), listens=listen),
    }
    by_socket = make_ownership("ssh.socket", "systemd")
    listeners = [stale(22, ownership=SSH), stale(23, ownership=by_socket), make_listener(HERE, 24, ownership=SSH)]
    ((case,), _gaps) = collect(*listeners)
    assert (case.service and case.service.unit, len(case.stale), len(case.healthy)) == ("ssh.socket", 2, 1)
    assert (case.proof.method, case.proof.prospects[0].wish) == ("ListenStream", wish(f"{HERE}:22"))
    assert case.proof.prospects[0].outlook.verdict == "ok"


@pytest.mark.usefixtures("world")
def test_each_case_has_the_answers_to_its_own_binds() -> None:
    expected = {
        "nginx.service": (wish(f"{HERE}:80"), wish(f"{GONE}:81")),
        f"docker container {'4c01' * 16}": (wish(f"{HERE}:90"),),
    }
    cases, _gaps = collect(
        stale(70, ownership=NOBODYS), stale(80), stale(90, ownership=IN_CONTAINER), expected=expected
    )
    answers = [[(p.wish.port, p.outlook.verdict) for p in case.proof.prospects] for case in cases]
    assert answers == [[], [(80, "ok"), (81, "unavailable")], [(90, "ok")]]


def test_a_unit_that_cannot_be_read_is_a_gap_and_nothing_is_run_for_it(world: PlanWorld) -> None:
    world.units = {"nginx.service": "systemctl show: did not end within 10 seconds"}
    ((case,), gaps) = collect(
        stale(), checks={"nginx.service": "nginx -t"}, expected={"nginx.service": (wish("[::]:80"),)}
    )
    assert (case.unit, case.unreadable) == (None, "systemctl show: did not end within 10 seconds")
    assert [(gap.source, gap.subject) for gap in gaps] == [
        ("systemd", "what is to be known of nginx.service before a restart")
    ]
    assert (world.run, case.proof.prospects) == ([], ())


def test_a_check_is_run_as_the_user_of_the_unit(world: PlanWorld) -> None:
    world.units = {"nginx.service": make_unit(user="www")}
    world.commands = {"check it": Done(0, "fine", "", "")}
    ((case,), _gaps) = collect(stale(), checks={"nginx.service": "check it"})
    assert (case.check, world.run) == (Check(("check", "it"), 0, "fine"), [("check it", "www")])


def test_the_run_that_hangs_on_it(world: PlanWorld) -> None:
    world.carrier = world.carrier._replace(address=HERE, port=8080, cgroup="/system.slice/nginx.service/job")
    ((case,), _gaps) = collect(stale(), make_listener(HERE, 8080))
    assert case.carries_run == "this very run came in by one of its ports"
    assert case.kills_run


TEST_ALONG = [
    (Carrier((), HERE, 22, "/user.slice"), True),  # by a port of it
    (Carrier((), None, 0, "/system.slice/ssh.service/x"), True),  # as a process of it
    (Carrier((), HERE, 23, "/user.slice"), False),
]


@pytest.mark.parametrize(("carrier", "kills"), TEST_ALONG)
def test_the_run_that_hangs_on_what_would_be_stopped_along(world: PlanWorld, carrier: Carrier, kills: bool) -> None:
    world.carrier = carrier
    world.units = {
        "nginx.service": make_unit(restarted_along=("ssh.service",)),
        "ssh.service": make_unit("ssh.service", main_pid=60, kill_mode="mixed"),
    }
    ((case,), _gaps) = collect(stale(), make_listener(HERE, 22, ownership=SSH))
    assert [(dependent.unit, dependent.listeners) for dependent in case.dependents] == [("ssh.service", 1)]
    assert (case.kills_run, case.carries_run) == (kills, None)


TEST_RELOADS = [
    (("/usr/sbin/sshd", "-D"), True),
    (("/usr/sbin/apachectl", "start"), True),
    (("/usr/sbin/nginx",), False),
    (("/usr/bin/own",), False),
    ((), False),
]


@pytest.mark.parametrize(("words", "rebinds"), TEST_RELOADS)
def test_what_a_reload_of_it_is(world: PlanWorld, words: tuple[str, ...], rebinds: bool) -> None:
    world.units = {"nginx.service": make_unit(exec_start=words)}
    ((case,), _gaps) = collect(stale())
    assert case.rebinds_on_reload is rebinds


@pytest.mark.usefixtures("world")
def test_interfaces_have_their_names() -> None:
    ((case,), _gaps) = collect(stale())
    assert case.interfaces == {2: "eth0"}


def test_without_rights(world: PlanWorld) -> None:
    world.set_rights(False)
    ((case,), _gaps) = collect(stale())
    assert not case.has_rights
