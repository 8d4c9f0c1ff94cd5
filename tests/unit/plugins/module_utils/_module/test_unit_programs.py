# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.plans import Proof
from ansible_collections.infracheck.bindings.plugins.module_utils._model.units import EnvironmentFile, Unit, UnitListen
from ansible_collections.infracheck.bindings.plugins.module_utils._module import unit_programs
from ansible_collections.infracheck.bindings.plugins.module_utils._module.known_units import Known
from ansible_collections.infracheck.bindings.plugins.module_utils._module.unit_programs import ask_program
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import commands
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.commands import Done
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.units import Manager
from plans import NGINX, make_unit, wish

GONE = "nginx: [emerg] bind() to 192.0.2.10:80 failed (99: Cannot assign requested address)\n"
NGINX_UNIT = make_unit(exec_start=("/usr/sbin/nginx", "-g", "daemon", "on;"))
SSHD_UNIT = make_unit("ssh.service", exec_start=("/usr/sbin/sshd", "-D", "$OPTS"), environment=("OPTS=-p 2222",))
SOCKET_UNIT = make_unit("ssh.socket", listens=(UnitListen("tcp", bytes((192, 0, 2, 20)), 22, "eth1"),))
REDIS_UNIT = make_unit("redis.service", exec_start=("/usr/bin/redis-server",), user="redis")


class Programs:
    """Exit status, standard output and standard error of each command, by its text."""

    def __init__(self, answers: dict[str, tuple[int, str, str]]) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.users: list[Optional[str]] = []
        self.environments: list[Mapping[str, str]] = []

    def __call__(
        self, command: Sequence[str], *, environment: Mapping[str, str], user: Optional[str] = None, **_options: Any
    ) -> Done:
        text = " ".join(command)
        self.calls.append(text)
        self.users.append(user)
        self.environments.append(environment)
        status, output, errors = self.answers[text]
        return Done(status, errors + output, output, errors)


def ask(
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, tuple[int, str, str]],
    unit: Unit = NGINX_UNIT,
    companion: Optional[Unit] = None,
    expected: Optional[dict[str, Any]] = None,
    checks: Optional[dict[str, str]] = None,
) -> tuple[Any, Proof, Any, Programs]:
    programs = Programs(answers)
    monkeypatch.setattr(commands, "run_command", programs)
    known = Known(NGINX._replace(unit=unit.name), unit, companion, None, (), Manager(None))
    check, proof, wishes = ask_program(known, expected or {}, checks or {})
    return check, proof, wishes, programs


FINE = {
    "/usr/sbin/nginx -t": (0, "", "test is successful"),
    "/usr/sbin/nginx -T": (0, "http { server { listen 192.0.2.20:80; } }", ""),
}


def test_nginx_that_passes_is_proof_of_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    check, proof, wishes, _programs = ask(monkeypatch, FINE)
    assert (check.status, proof.method, proof.bound, proof.problem) == (0, "nginx -t", True, None)
    assert wishes == (wish("192.0.2.20:80"),)


def test_nginx_without_an_address_is_no_mistake_in_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"/usr/sbin/nginx -t": (1, "", GONE), "/usr/sbin/nginx -T": (1, "", GONE)}
    check, proof, wishes, _programs = ask(monkeypatch, answers)
    assert (check.status, check.address_missing) == (1, True)
    assert (proof.bound, wishes) == (False, ())


def test_nginx_with_a_mistake_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mistake = (1, "", "nginx: [emerg] unknown directive\n")
    check, proof, wishes, _programs = ask(monkeypatch, {"/usr/sbin/nginx -t": mistake, "/usr/sbin/nginx -T": mistake})
    assert (check.status, check.address_missing) == (1, False)
    assert proof.problem is not None
    assert "unknown directive" in proof.problem
    assert wishes == ()


def test_a_name_in_its_configuration_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {**FINE, "/usr/sbin/nginx -T": (0, "http { server { listen web.example:80; } }", "")}
    _check, proof, wishes, _programs = ask(monkeypatch, answers)
    assert proof.problem is not None
    assert "web.example" in proof.problem
    assert wishes == ()


def test_sshd_is_asked_with_the_options_that_it_is_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "/usr/sbin/sshd -t -p 2222": (0, "", ""),
        "/usr/sbin/sshd -T -p 2222": (0, "listenaddress 192.0.2.20:2222\n", ""),
    }
    check, proof, wishes, _programs = ask(monkeypatch, answers, SSHD_UNIT)
    assert (check.status, proof.method, proof.bound) == (0, "sshd -T", None)
    assert wishes == (wish("192.0.2.20:2222"),)


def test_a_socket_listens_itself_and_its_service_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"/usr/sbin/sshd -t -p 2222": (0, "", "")}
    check, proof, wishes, _programs = ask(monkeypatch, answers, SOCKET_UNIT, SSHD_UNIT)
    assert (check.status, proof.method, proof.problem) == (0, "ListenStream", None)
    assert wishes == (wish("192.0.2.20:22", "eth1"),)


def test_a_port_that_is_chosen_at_each_start_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = make_unit("any.socket", listens=(UnitListen("tcp", bytes(4), 0, None),))
    assert ask(monkeypatch, {}, unit)[1].problem == "one of its ports is chosen anew at each start"


def test_other_programs_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    check, proof, wishes, programs = ask(monkeypatch, {}, REDIS_UNIT)
    assert (check, proof.method, wishes, programs.calls) == (None, "none", (), [])


def test_a_declaration_comes_before_what_the_program_says(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = (wish("192.0.2.30:80"),)
    _check, proof, wishes, programs = ask(monkeypatch, FINE, expected={"nginx.service": declared})
    assert (proof.method, wishes, programs.calls) == ("declared", declared, ["/usr/sbin/nginx -t"])


@pytest.mark.parametrize("name", ["ssh.socket", "ssh.service"])
def test_a_socket_and_its_service_are_declared_and_checked_by_either_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    declared = (wish("192.0.2.30:22"),)
    check, proof, wishes, _programs = ask(
        monkeypatch, {"look": (0, "", "")}, SOCKET_UNIT, SSHD_UNIT, {name: declared}, {name: "look"}
    )
    assert (check.command, proof.method, wishes) == (("look",), "declared", declared)


def test_a_check_of_the_callers_own_runs_as_the_units_user(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"redis-check --conf /etc/a b": (1, "", "bad")}
    check, _proof, _wishes, programs = ask(
        monkeypatch, answers, REDIS_UNIT, checks={"redis.service": "redis-check --conf '/etc/a b'"}
    )
    assert check.command == ("redis-check", "--conf", "/etc/a b")
    assert (check.status, check.address_missing, programs.users) == (1, False, ["redis"])


def test_a_check_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    check, _proof, _wishes, programs = ask(
        monkeypatch, FINE, checks={"nginx.service": ""}, expected={"nginx.service": (wish("192.0.2.30:80"),)}
    )
    assert (check, programs.calls) == (None, [])


USERS_NGINX = make_unit(
    exec_start=("/home/eve/nginx",),
    environment=("LD_PRELOAD=/home/eve/lib.so",),
    environment_files=(EnvironmentFile("/etc/shadow", False),),
)


def test_the_program_of_another_users_unit_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be run with our rights, and what it is was chosen by that user; so are the files that it names."""
    programs = Programs({})
    monkeypatch.setattr(commands, "run_command", programs)
    monkeypatch.setattr(unit_programs, "read_environment", lambda unit: pytest.fail(f"read the files of {unit.name}"))
    manager = Manager(os.geteuid() + 1000)
    monkeypatch.setattr(Manager, "has_rights", True)
    known = Known(NGINX._replace(scope="user", uid=manager.uid), USERS_NGINX, None, None, (), manager)
    check, proof, wishes = ask_program(known, {}, {"nginx.service": "not for this one"})
    assert (check, proof.method, wishes, programs.calls) == (None, "none", (), [])
    assert proof.problem == "what its program is was chosen by its user, so it is not asked"


def test_the_check_that_a_caller_gives_for_it_is_run_as_that_user(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs({"nginx -t": (0, "", "")})
    monkeypatch.setattr(commands, "run_command", programs)
    manager = Manager(os.geteuid() + 1000)
    known = Known(NGINX._replace(scope="user", uid=manager.uid), USERS_NGINX, None, None, (), manager)
    check, _proof, _wishes = ask_program(known, {}, {f"nginx.service of uid {manager.uid}": "nginx -t"})
    assert check is not None
    assert (check.status, programs.users, programs.environments) == (0, [str(manager.uid)], [{}])


def test_a_program_says_where_it_will_listen_as_its_own_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """User= may own the executable, or have chosen what it loads."""
    _check, _proof, _wishes, programs = ask(monkeypatch, FINE, NGINX_UNIT._replace(user="www"))
    assert (programs.calls, programs.users) == (["/usr/sbin/nginx -t", "/usr/sbin/nginx -T"], ["www", "www"])
