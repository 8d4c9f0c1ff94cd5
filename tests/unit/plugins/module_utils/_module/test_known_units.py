# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener, Service
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import Dependent
from ansible_collections.infracheck.bindings.plugins.module_utils._model.units import Unit, UnitListen
from ansible_collections.infracheck.bindings.plugins.module_utils._module import known_units
from ansible_collections.infracheck.bindings.plugins.module_utils._module.known_units import Known, find_own, read_known
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.units import Manager
from builders import make_ownership
from plans import listens, make_unit

SSH = Service("systemd", "ssh.service", "system")
SSH_SOCKET = SSH._replace(unit="ssh.socket")
LISTENS = (UnitListen("tcp", bytes((192, 0, 2, 20)), 22, None),)

UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        make_unit("ssh.service", triggered_by=("ssh.socket",)),
        make_unit("ssh.socket", triggers=("ssh.service",), listens=LISTENS),
        make_unit("echo.socket", triggers=("echo@.service",), listens=LISTENS, accept=True),
        make_unit("two.service", triggered_by=("one.socket", "other.socket")),
        make_unit("one.socket", triggers=("two.service",), listens=LISTENS),
        make_unit("other.socket", triggers=("two.service",), listens=LISTENS),
        make_unit("shared.socket", triggers=("here.service", "there.service"), listens=LISTENS),
        make_unit("here.service", triggered_by=("shared.socket",)),
        make_unit("there.service", triggered_by=("shared.socket",)),
        make_unit("dbus.service", triggered_by=("dbus.socket", "dbus.path")),
        make_unit("dbus.socket", triggers=("dbus.service",), unix_listens=1),
        make_unit("idle.service", triggered_by=("idle.socket",)),
        make_unit("idle.socket", triggers=("idle.service",), listens=LISTENS, active_state="inactive"),
        make_unit(
            "db.service", restarted_along=("app.service", "off.service", "part.target", "db.socket", "data.mount")
        ),
        make_unit("app.service", restarted_along=("app.service", "db.service")),
        make_unit("part.target", restarted_along=("far.service",)),
        make_unit("far.service"),
        make_unit("api.socket", triggers=("api.service",), listens=LISTENS),
        make_unit("api.service", triggered_by=("api.socket",), restarted_along=("far.service",)),
        make_unit("data.mount", refuse_manual_stop=True),  # it is not stopped by name
        make_unit("mixed.service", triggered_by=("mixed.socket", "local.socket", "away.socket", "mixed.path")),
        make_unit("mixed.socket", triggers=("mixed.service",), listens=LISTENS),
        make_unit("local.socket", triggers=("mixed.service",), unix_listens=1, restarted_along=("far.service",)),
        make_unit(
            "away.socket", triggers=("mixed.service",), active_state="inactive", restarted_along=("app.service",)
        ),
        make_unit("fixed.service", triggered_by=("fixed.socket",)),
        make_unit("fixed.socket", triggers=("fixed.service",), unix_listens=1, refuse_manual_stop=True),
        make_unit("lost.service", restarted_along=("unread.service",)),
        make_unit("login.service", restarted_along=("session-9.scope",)),
        make_unit("session-9.scope", can_start=False),
        make_unit("web.service", restarted_along=("job.service",)),
        make_unit("job.service", transient=True),
        make_unit("top.service", restarted_along=("manual.target",)),
        make_unit("manual.target", refuse_manual_start=True),
        make_unit("off.service", active_state="inactive"),
        make_unit("db.socket", triggers=("db.service",)),
    )
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []

    def read_units(_manager: Manager, names: Sequence[str]) -> dict[str, Union[Unit, str]]:
        calls.append(tuple(names))
        return {name: UNITS.get(name, "it is not there") for name in names}

    monkeypatch.setattr(known_units, "read_units", read_units)
    return calls


def know(unit: str, listeners: Sequence[Listener] = ()) -> Known:
    service = SSH._replace(unit=unit)
    return read_known([service], listeners)[service]


@pytest.mark.usefixtures("asked")
def test_a_socket_comes_with_its_service() -> None:
    known = know("ssh.socket")
    assert (known.service, known.unit, known.companion) == (SSH_SOCKET, UNITS["ssh.socket"], UNITS["ssh.service"])
    assert known.program == UNITS["ssh.service"]


@pytest.mark.usefixtures("asked")
def test_a_service_with_a_socket_is_that_sockets() -> None:
    assert know("ssh.service") == know("ssh.socket")


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("unit", ["dbus.service", "idle.service", "app.service"])
def test_other_services_are_their_own(unit: str) -> None:
    known = know(unit)
    assert (known.service.unit, known.unit, known.companion) == (unit, UNITS[unit], None)


@pytest.mark.usefixtures("asked")
def test_a_socket_with_an_instance_for_each_connection_has_no_service_to_stop() -> None:
    assert know("echo.socket").companion is None


@pytest.mark.usefixtures("asked")
def test_a_service_with_several_sockets_is_left_to_people() -> None:
    known = know("two.service")
    assert known.unit is None
    assert known.unreadable == "it gets its listeners from several units: one.socket, other.socket"


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("unit", ["shared.socket", "here.service"])
def test_a_socket_that_several_services_have_is_left_to_people(unit: str) -> None:
    """Sockets= of systemd.service(5): to stop one of them would not close it."""
    known = know(unit)
    assert known.unit is None
    assert known.unreadable == "shared.socket gives its listeners to several units: here.service, there.service"
    assert known.gap is None


@pytest.mark.usefixtures("asked")
def test_a_unit_that_cannot_be_read_says_why_and_is_a_gap() -> None:
    known = know("gone.service")
    assert known.unreadable == "it is not there"
    assert known.gap == Gap("systemd", "what is to be known of gone.service before a restart", "it is not there")
    assert know("app.service").gap is None


def test_the_unit_of_an_unknown_user_is_not_the_systems_of_that_name(asked: list[tuple[str, ...]]) -> None:
    service = Service("systemd", "app.service", "user", None)
    known = read_known([service], [])[service]
    assert (known.unit, known.unreadable) == (None, "whose service manager runs it is not known")
    assert asked == []


@pytest.mark.usefixtures("asked")
def test_only_active_dependents_count_with_what_they_hold() -> None:
    listeners = [listens("127.0.0.1:9000", ownership=make_ownership("app.service"))] * 2
    assert know("db.service", listeners).dependents == (
        Dependent("app.service", 2),
        Dependent("part.target", 0),
        Dependent("db.socket", 0),
        Dependent("data.mount", 0),
        Dependent("far.service", 0),  # by way of the target
    )


@pytest.mark.usefixtures("asked")
def test_what_is_stopped_with_the_service_of_a_socket_counts_as_well() -> None:
    known = know("api.socket")
    assert known.companion == UNITS["api.service"]
    assert known.dependents == (Dependent("far.service", 0),)


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("unit", ["mixed.service", "mixed.socket"])
def test_what_hangs_on_the_other_sockets_of_a_service_counts_as_well(unit: str) -> None:
    known = know(unit)
    assert (known.service.unit, known.dependents) == ("mixed.socket", (Dependent("far.service", 0),))


@pytest.mark.usefixtures("asked")
def test_a_dependent_that_cannot_be_read_is_no_reason_to_go_on() -> None:
    known = know("lost.service")
    assert (known.unit, known.unreadable) == (None, "unread.service would be restarted along, and it is not there")
    assert known.gap is not None
    assert known.gap.subject == "what is to be known of unread.service before a restart of lost.service"


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("unit", "along"),
    [
        ("fixed.service", "fixed.socket"),
        ("login.service", "session-9.scope"),
        ("web.service", "job.service"),
        ("top.service", "manual.target"),
    ],
)
def test_a_dependent_that_could_not_be_started_again_is_no_reason_to_go_on(unit: str, along: str) -> None:
    known = know(unit)
    assert known.unit is None
    assert known.unreadable == f"{along} would be stopped along, and could not be stopped and started again by hand"
    assert known.gap is None


def test_nothing_is_asked_for_twice(asked: list[tuple[str, ...]]) -> None:
    read_known([SSH, SSH_SOCKET], [])
    assert asked == [("ssh.service", "ssh.socket")]


def test_each_manager_is_asked_for_its_own(asked: list[tuple[str, ...]]) -> None:
    user = Service("systemd", "ssh.service", "user", 1000)
    known = read_known([SSH._replace(unit="app.service"), user, Service("docker", "web", "container")], [])
    assert known[user].manager == Manager(1000)
    assert known[Service("docker", "web", "container")].unit is None
    assert all("web" not in names for names in asked)


@pytest.mark.usefixtures("asked")
def test_what_is_stopped_along_is_ones_own() -> None:
    mine = [listens("127.0.0.1:1", ownership=make_ownership(unit)) for unit in ("ssh.socket", "ssh.service")]
    other = listens("127.0.0.1:2", ownership=make_ownership("app.service"))
    assert find_own(know("ssh.socket"), [*mine, other]) == mine
    assert find_own(None, mine) == []
