# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.units import EnvironmentFile, UnitListen
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.systemd_show import SystemdShowError
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.unit_show import PROPERTIES, parse_units
from hypothesis import given
from hypothesis import strategies as st

# systemd 252: `systemctl show --property=` PROPERTIES, of services that run, one that failed and one that is not there.
SHOWN = (Path(__file__).resolve().parents[3] / "fixtures" / "systemctl" / "show_252.txt").read_text()
ASKED_SINCE = {"RequisiteOf", "PropagatesStopTo"}  # when that was recorded they were not asked for
UNITS = {unit.name: unit for unit in parse_units(SHOWN)}


def test_every_unit_is_there_in_its_order() -> None:
    assert list(UNITS) == [
        "nginx.service",
        "ssh.service",
        "ssh.socket",
        "haproxy.service",
        "redis-server.service",
        "nonexist.service",
    ]


def test_the_recording_has_what_is_asked_for() -> None:
    keys = {line.partition("=")[0] for line in SHOWN.splitlines() if line}
    assert set(PROPERTIES) == keys | ASKED_SINCE


def test_a_service() -> None:
    unit = UNITS["ssh.service"]
    assert (unit.load_state, unit.active_state, unit.is_active) == ("loaded", "active", True)
    assert (unit.exec_path, unit.exec_start) == ("/usr/sbin/sshd", ("/usr/sbin/sshd", "-D", "$SSHD_OPTS"))
    assert unit.environment_files == (EnvironmentFile("/etc/default/ssh", True),)
    assert (unit.kill_mode, unit.main_pid, unit.control_group) == ("process", 60, "/system.slice/ssh.service")
    assert (unit.can_start, unit.can_stop, unit.can_reload) == (True, True, True)
    assert not unit.refuse_manual_stop
    assert "network.target" in unit.after


def test_a_command_with_marks_of_the_format_in_it() -> None:
    assert UNITS["nginx.service"].exec_start[:3] == ("/usr/sbin/nginx", "-g", "daemon")


def test_an_environment_with_quotes_and_several_files() -> None:
    unit = UNITS["haproxy.service"]
    assert unit.environment == (
        "CONFIG=/etc/haproxy/haproxy.cfg",
        "PIDFILE=/run/haproxy.pid",
        "EXTRAOPTS=-S /run/haproxy-master.sock",
    )
    assert [file.path for file in unit.environment_files] == ["/etc/default/haproxy", "/etc/sysconfig/haproxy"]
    assert not unit.is_active


def test_a_socket() -> None:
    unit = UNITS["ssh.socket"]
    assert unit.listens == (UnitListen("tcp", bytes(16), 22, None),)
    assert (unit.triggers, unit.accept, unit.free_bind, unit.unix_listens) == (("ssh.service",), False, False, 0)


def test_a_unit_that_does_not_exist() -> None:
    unit = UNITS["nonexist.service"]
    assert (unit.load_state, unit.is_active, unit.exec_start, unit.main_pid) == ("not-found", False, (), 0)


def test_what_is_restarted_along_is_named_once() -> None:
    text = "Id=db.service\nRequiredBy=app.service\nBoundBy=app.service other.service\nConsistsOf=part.service\n"
    text += "RequisiteOf=needs.service\nPropagatesStopTo=stops.service app.service\n"
    assert parse_units(text)[0].restarted_along == (
        "app.service",
        "other.service",
        "part.service",
        "needs.service",
        "stops.service",
    )


@pytest.mark.parametrize(
    "text",
    [
        "Id=x.service\nMainPID=abc\n",
        "Id=x.service\nMainPID=12345678901\n",
        "Id=x.service\nExecStart=/usr/bin/x\n",
        "Id=x.service\nEnvironmentFiles=/etc/x\n",
        "Id=x.service\nExecStart={ path=/bin/sh ; argv[]=/bin/sh -c a\nsecond line ; ignore_errors=no ; pid=1 }\n",
        "ActiveState=active\n",
    ],
)
def test_what_systemctl_does_not_write_is_an_error(text: str) -> None:
    with pytest.raises(SystemdShowError):
        parse_units(text)


LINES = st.sampled_from(
    ["Id=x.socket", "Listen=1.2.3.4:5 (Stream)", "MainPID=", "ExecStart={", "", 'Environment="a', "User"]
)


@given(st.one_of(st.text(), st.lists(LINES).map("\n".join)))
def test_any_text_gives_units_or_the_error(text: str) -> None:
    with contextlib.suppress(SystemdShowError):
        assert all(unit.name for unit in parse_units(text))
