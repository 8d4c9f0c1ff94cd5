# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    FOUND,
    Options,
    Owner,
    Ownership,
    Service,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import Rights
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import bind_rights, commands
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.bind_rights import (
    UnknownUser,
    read_lowest_free_port,
    read_unit_rights,
    read_user_rights,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.commands import Done
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.socket_units import read_unit_options
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.sysctls import read_shared_domains
from builders import make_socket

UNREAD = Options(reason="no right")


def write(folder, name, text):
    path = folder / "sys/net/ipv4"
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(text)
    return str(folder)


def test_the_lowest_free_port(tmp_path):
    assert read_lowest_free_port(str(tmp_path)) is None, "hidden: every supported kernel has it"
    assert read_lowest_free_port(write(tmp_path, "ip_unprivileged_port_start", "80\n")) == 80
    assert read_lowest_free_port(write(tmp_path, "ip_unprivileged_port_start", "?")) is None


def test_shared_domains(tmp_path):
    assert read_shared_domains(str(tmp_path)) is None, "hidden: every kernel with VRFs has it"
    assert read_shared_domains(write(tmp_path, "tcp_l3mdev_accept", "1\n")) is True
    assert read_shared_domains(write(tmp_path, "tcp_l3mdev_accept", "0\n")) is False
    assert read_shared_domains(write(tmp_path, "tcp_l3mdev_accept", "")) is None


def test_rights_of_users():
    root, other = read_user_rights("root"), read_user_rights("4711")
    assert (root.uid, other.uid, other.may_bind) == (0, 4711, False)
    assert other.user == "user 4711"
    own = read_user_rights(None)
    assert own.uid == os.geteuid()
    if os.geteuid() != 0:
        assert own.may_bind is False
    assert read_user_rights("4294967294").uid == 4294967294


@pytest.mark.parametrize(
    "name", ["no-such-user", "", "a\0b", "\u0664\u0667", "\ud800", "4294967295", "9" * 30, "-1", "0x0"]
)
def test_unknown_users(name):
    with pytest.raises(UnknownUser):
        read_user_rights(name)


TEST_CAPABILITIES = [
    ("CapEff:\t0000000000000400\nCapBnd:\t0000000000000000\n", "CapEff", True),
    ("CapEff:\t0000000000000400\nCapBnd:\t0000000000000000\n", "CapBnd", False),
    ("CapEff:\t0000000000000400\n", "CapBnd", None),
    ("CapEff:\n", "CapEff", None),
    ("CapEff:\tno number\n", "CapEff", None),
]


@pytest.mark.parametrize(("status", "which", "has"), TEST_CAPABILITIES)
def test_capabilities(tmp_path, status, which, has):
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text(status)
    assert bind_rights._read_capability(which, str(tmp_path)) is has


def test_unreadable_capabilities_are_unknown(tmp_path):
    assert bind_rights._read_capability("CapEff", str(tmp_path)) is None
    assert bind_rights._reaches_network(str(tmp_path)) is None
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/net").write_text("no namespace, which does not know the question")
    assert bind_rights._reaches_network(str(tmp_path)) is None


# In the bounding set, the namespace reached, what root may.
TEST_ROOT = [
    (True, True, True),
    (False, True, False),
    (True, False, False),
    (False, None, False),
    (None, True, None),
    (True, None, None),
]


@pytest.mark.parametrize(("bounded", "reaches", "may_bind"), TEST_ROOT)
def test_rights_of_root(monkeypatch, bounded, reaches, may_bind):
    monkeypatch.setattr(bind_rights, "_read_capability", {"CapBnd": bounded, "CapEff": bounded}.__getitem__)
    monkeypatch.setattr(bind_rights, "_reaches_network", lambda: reaches)
    assert read_user_rights("root").may_bind is may_bind
    assert read_user_rights("0").may_bind is may_bind
    assert read_user_rights(None).may_bind is may_bind
    assert read_user_rights("4711").may_bind is False


ASK_AND_BIND = """
import json, socket, sys
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.bind_rights import read_user_rights
try:
    with socket.socket() as made:
        made.bind(("127.0.0.1", int(sys.argv[1])))
    said = True
except PermissionError:
    said = False
print(json.dumps([said, read_user_rights("root").may_bind, read_user_rights(None).may_bind]))
"""
TEST_PRISONS = [
    ((), True),
    (("setpriv", "--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"), False),
    (("unshare", "--user", "--map-root-user"), False),  # the network belongs to the user namespace outside
    (("unshare", "--user", "--map-root-user", "--net"), True),
]


@pytest.mark.skipif(os.geteuid() != 0, reason="leaving out capabilities needs root")
@pytest.mark.parametrize(("prison", "may_bind"), TEST_PRISONS)
def test_rights_are_what_the_kernel_says(prison, may_bind):
    """In a network of its own, so that nothing holds the port."""
    python = [sys.executable, "-c", ASK_AND_BIND, "80"]
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *prison]
    if prison[-1:] == ("--net",):
        command += ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([*command, *python], capture_output=True, text=True, env=environment, check=False)
    if "unshare" in prison and done.returncode != 0 and "unshare" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [may_bind] * 3


ALL = "CapabilityBoundingSet=cap_chown cap_net_bind_service"
TEST_UNITS = [
    (["User=", ALL, "LoadState=loaded"], True, "a.service"),
    (["User=root", "CapabilityBoundingSet=cap_chown", "LoadState=loaded"], False, "a.service"),
    (
        ["User=www", ALL, "AmbientCapabilities=", "LoadState=loaded"],
        False,
        "a.service, as user www and by its AmbientCapabilities,",
    ),
    (
        ["User=www", ALL, "AmbientCapabilities=cap_net_bind_service", "LoadState=loaded"],
        True,
        "a.service, as user www and by its AmbientCapabilities,",
    ),
    (
        ["User=", "DynamicUser=yes", ALL, "AmbientCapabilities=", "LoadState=loaded"],
        False,
        "a.service, as user of its own and by its AmbientCapabilities,",
    ),
    (["LoadState=not-found"], None, "a.service"),
    (["no properties"], None, "a.service"),
]


@pytest.mark.parametrize(("lines", "may_bind", "who"), TEST_UNITS)
def test_rights_of_units(monkeypatch, lines, may_bind, who):
    monkeypatch.setattr(commands, "run_command", lambda *_args, **_kw: Done(0, "", "\n".join(lines), ""))
    monkeypatch.setattr(bind_rights, "read_lowest_free_port", lambda: 1024)
    monkeypatch.setattr(bind_rights, "_reaches_network", lambda: True)
    assert read_unit_rights("a.service") == Rights(who, None, may_bind, 1024)


def test_without_systemd_the_rights_of_a_unit_are_unknown(monkeypatch):
    monkeypatch.setattr(commands, "run_command", lambda *_args, **_kw: Done(None, "could not be run", "", ""))
    monkeypatch.setattr(bind_rights, "_reaches_network", lambda: True)
    assert read_unit_rights("a.service").may_bind is None
    assert read_unit_rights("a.socket").may_bind is True, "PID 1 binds it"


# -- options of .socket units


def socket_of(unit, scope="system"):
    return Ownership((Owner(1, "systemd", None, None, 5),), FOUND, Service("systemd", unit, scope))


def answer(monkeypatch, *lines, status=0):
    asked = []

    def run(command, **_options):
        asked.append(command)
        return Done(status, "refused", "\n".join(lines), "")

    monkeypatch.setattr(commands, "run_command", run)
    return asked


def test_systemd_is_asked_once_for_what_cannot_be_read(monkeypatch):
    asked = answer(
        monkeypatch,
        *("Id=a.socket", "ReusePort=yes", "KeepAlive=no", "DeferAcceptUSec=0", ""),
        *("Id=b.socket", "ReusePort=no", "KeepAlive=yes", "DeferAcceptUSec=5s"),
    )
    read = Options(False, False, False, 0)
    sockets = [make_socket(port=port) for port in (1, 2, 3, 4)] + [make_socket(port=5, protocol="udp")]
    owners = [
        socket_of("a.socket"),
        socket_of("b.socket"),
        socket_of("c.service"),
        socket_of("a.socket"),
        socket_of("a.socket"),
    ]
    options, gaps = read_unit_options(sockets, owners, [UNREAD, UNREAD, UNREAD, read, UNREAD], ())
    assert options == [Options(True, True, False, 0), Options(True, False, True, 5), UNREAD, read, UNREAD]
    assert gaps == ()
    assert [command[-2:] for command in asked] == [("a.socket", "b.socket")]


def test_the_units_of_users_are_not_asked_for(monkeypatch):
    asked = answer(monkeypatch)
    options, _gaps = read_unit_options([make_socket()], [socket_of("a.socket", "user")], [UNREAD], ())
    assert (options, asked) == ([UNREAD], [])


def test_a_refusal_is_a_gap(monkeypatch):
    answer(monkeypatch, status=1)
    options, gaps = read_unit_options([make_socket()], [socket_of("a.socket")], [UNREAD], ())
    assert options == [UNREAD]
    assert gaps == (Gap("systemd", "the options of .socket units", "refused"),)
