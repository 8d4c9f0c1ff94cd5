# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rebind_plan as a managed host runs it: real sockets in cgroups that look like units', and a stand-in for systemctl.

What systemd really does with a plan is tested on real systemd hosts, by the scenarios below molecule/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest
from contracts import find_violations

from .conftest import Namespace, missing_for_namespaces
from .stage import NOBODY, Stage
from .test_targets import PYTHONS, TARGETS
from .world import HOLDER, HOSTILE_NAME, HOSTILE_SHOWN, Kind

PUBLISH = Path(__file__).with_name("publish_port.py")
HERE, GONE = "192.0.2.20", "192.0.2.10"
USER = NOBODY
# Containers are looked for in all namespaces: those of tests that run beside these are to have another address.
CONTAINER_ADDRESS = f"172.17.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 2}"
SHORTEST_ANSWER = "System has not been booted with systemd as init system (PID 1). Can't operate."

# `systemctl show … -- NAME…` from files beside it, as systemd would answer for units that it has.
SYSTEMCTL = """#!/bin/sh
folder=/usr/local/sbin
if [ -e "$folder/broken" ]; then
    cat "$folder/broken" >&2
    exit 1
fi
[ ! -e "$folder/hangs" ] || exec sleep 60
units=units
while [ "$1" != -- ]; do
    [ "$1" != --user ] || units=users
    shift
done
shift
for name; do
    cat -- "$folder/$units/$name" 2>/dev/null || printf 'Id=%s\\nLoadState=not-found\\n' "$name"
    echo
done
"""


class Systemd:
    """A folder with a systemctl that knows some units."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("units", "users"):
            (folder / name).mkdir(parents=True)
        (folder / "systemctl").write_text(SYSTEMCTL)
        (folder / "systemctl").chmod(0o755)
        folder.chmod(0o755)

    def add(self, name: str, *, manager: str = "units", **properties: str) -> None:
        given = {
            "Id": name,
            "LoadState": "loaded",
            "ActiveState": "active",
            "SubState": "running",
            "CanStart": "yes",
            "CanStop": "yes",
            "KillMode": "control-group",
        }
        lines = [f"{key}={value}\n" for key, value in {**given, **properties}.items()]
        (self.folder / manager / name).write_text("".join(lines))


class Host:
    """A network namespace with services in it, each in a cgroup of its own, one of whose addresses is gone."""

    def __init__(self, cgroups: Path, folder: Path) -> None:
        self.slice = cgroups / f"infracheck{uuid.uuid4().hex[:8]}.slice"
        self.folder = folder
        self._groups: list[Path] = []
        self._processes: list[subprocess.Popen[str]] = []
        self.namespace = Namespace()
        self.inside = Namespace()  # of a container
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        for namespace, addresses in ((self.namespace, (HERE, GONE)), (self.inside, (CONTAINER_ADDRESS,))):
            namespace.ip("link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
            namespace.ip("link", "set", "lan0", "up")
            for address in addresses:
                namespace.ip("address", "add", f"{address}/32", "dev", "lan0")

    def add_group(self, path: str) -> str:
        """A shell command that moves into it."""
        for name in [
            self.slice,
            *(self.slice.joinpath(*path.split("/")[: count + 1]) for count in range(path.count("/") + 1)),
        ]:
            if not name.exists():
                name.mkdir()
                self._groups.append(name)
        return f'echo $$ >"{self.slice / path}/cgroup.procs"'.replace("\\", "\\\\")

    def hold(self, path: str, *places: str, name: Optional[str] = None) -> None:
        """A process in that cgroup that listens at each ADDRESS:PORT."""
        kinds = [
            Kind("", "tcp", address, int(port), "", None, None)._asdict()
            for address, _colon, port in (place.rpartition(":") for place in places)
        ]
        process = self.start(self.namespace, path, [sys.executable, str(HOLDER)])
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"sockets": kinds, "name": name, "fork": False}) + "\n")
        process.stdin.flush()
        assert "pids" in json.loads(process.stdout.readline())

    def contain(self, container: str) -> None:
        """A process of a container."""
        process = self.start(self.inside, f"docker-{container}.scope", ["sh", "-c", "echo inside && read -r _end"])
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"

    def publish(self, place: str, *, daemon: str = "dockerd", group: str = "docker.service") -> None:
        """A port for the container, held by docker-proxy."""
        address, _colon, port = place.rpartition(":")
        for name in (daemon, "docker-proxy"):
            shutil.copy(os.path.realpath(sys.executable), self.folder / name)
        shutil.copy(PUBLISH, self.folder / "p")
        words = [str(self.folder / daemon), "p", address, port, CONTAINER_ADDRESS]
        environment = [f"PYTHONHOME={sys.base_prefix}", f"LD_LIBRARY_PATH={sys.base_prefix}/lib"]
        process = self.start(self.namespace, group, ["env", "-C", str(self.folder), *environment, *words])
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"

    def start(self, namespace: Namespace, path: str, command: Sequence[str]) -> subprocess.Popen[str]:
        enter = [
            "nsenter",
            f"--net=/run/netns/{namespace.name}",
            "sh",
            "-c",
            f'{self.add_group(path)} && exec "$@"',
            "sh",
        ]
        process = subprocess.Popen(
            [*enter, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def lose_address(self) -> None:
        self.namespace.ip("address", "delete", f"{GONE}/32", "dev", "lan0")

    def close(self) -> None:
        for process in self._processes:
            process.communicate()  # closes its standard input, on which it ends
        for group in reversed(self._groups):
            group.rmdir()
        self.namespace.close()
        self.inside.close()


def make_host(cgroups: Path, folder: Path) -> Iterator[Host]:
    reason = missing_for_namespaces()
    if reason:
        pytest.skip(reason)
    host = Host(cgroups, folder)
    try:
        yield host
    finally:
        host.close()


WEB, SOCKET, HOSTILE = "web.service", "act.socket", "-H\\x2dx@1.service"
USERS = f"user.slice/user-{USER}.slice/user@{USER}.service/app.slice/web.service"
EXPECTED = {WEB: [f"{HERE}:2001", f"{HERE}:2002"]}


@pytest.fixture(scope="module")
def host(cgroups: Path, folder: Path) -> Iterator[Host]:
    """Four services and a process of none, each with a stale listener; the first has a healthy one besides."""
    for made in make_host(cgroups, folder):
        made.hold(WEB, f"{GONE}:2001", f"{HERE}:2002")
        made.hold(SOCKET, f"{GONE}:2003")
        made.hold(HOSTILE, f"{GONE}:2004", name=HOSTILE_NAME)
        made.hold("plain.slice", f"{GONE}:2005", name=HOSTILE_NAME)
        made.hold(USERS.replace("user.slice/", "", 1), f"{GONE}:2006")
        made.lose_address()
        yield made


@pytest.fixture(scope="module")
def systemd(folder: Path) -> Systemd:
    known = Systemd(folder / "systemd")
    for name in (WEB, HOSTILE):
        known.add(name)
    known.add("act.service", TriggeredBy=SOCKET)
    known.add(SOCKET, Triggers="act.service", Listen=f"{HERE}:2003 (Stream)")
    return known


def plan(stage: Stage, host: Host, systemd: Optional[Systemd], **more: Any) -> dict[str, Any]:
    """By label; `options` are those of the module, all else is about the run."""
    options = more.pop("options", {})
    programs = systemd.folder if systemd else None
    result = stage.run(host.namespace.name, "rebind_plan", options, programs=programs, **more).result
    assert "failed" not in result, result["msg"]
    assert find_violations("rebind_plan", result) == []
    assert not result["changed"]
    return result


def by_label(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["label"]: entry for entry in result["plan"]}


def less(result: dict[str, Any]) -> dict[str, Any]:
    """What two runs have to agree on: all but the count of the other processes of this machine."""
    gaps = [gap for gap in result["gaps"] if gap["source"] != "owners"]
    return {**{key: value for key, value in result.items() if key not in ("invocation", "warnings")}, "gaps": gaps}


@pytest.mark.parametrize("version", TARGETS)
def test_every_python_makes_the_same_plan(host: Host, stage: Stage, systemd: Systemd, version: str) -> None:
    options = {"expected": EXPECTED}
    here = plan(stage, host, systemd, options=options)
    assert here["acting"] == 2
    assert less(plan(stage, host, systemd, options=options, python=PYTHONS[version])) == less(here)


def test_check_mode_makes_the_same_plan(host: Host, stage: Stage, systemd: Systemd) -> None:
    options = {"expected": EXPECTED}
    checked = plan(stage, host, systemd, options={**options, "_ansible_check_mode": True})
    assert less(checked) == less(plan(stage, host, systemd, options=options))


def test_the_plan(host: Host, stage: Stage, systemd: Systemd) -> None:
    entries = by_label(plan(stage, host, systemd, options={"expected": EXPECTED}))
    assert {label: (entry["action"], entry["decision"]) for label, entry in entries.items()} == {
        WEB: ("restart", "proven"),
        SOCKET: ("restart_socket", "proven"),
        HOSTILE: ("none", "no_proof"),
        f"web.service of uid {USER}": ("none", "unit_unknown"),
        "": ("none", "no_unit"),
    }
    web = entries[WEB]
    assert [listener["port"] for listener in web["stale"] + web["healthy"]] == [2001, 2002]
    assert [bind["verdict"] for bind in web["proof"]["binds"]] == ["ok", "ok"]
    assert entries[SOCKET]["commands"]["restart"][0][-2:] == [SOCKET, "act.service"]
    assert HOSTILE_SHOWN in entries[""]["reason"]


@pytest.mark.parametrize(
    ("options", "action", "decision"),
    [
        ({}, "none", "no_proof"),
        ({"unproven": "restart"}, "restart", "forced"),
        ({"expected": {WEB: [f"{HERE}:2001"]}}, "none", "uncovered"),
        ({"expected": {WEB: [f"{GONE}:2001", f"{HERE}:2002"]}}, "none", "address_missing"),
        ({"expected": {WEB: [f"{HERE}:2003", f"{HERE}:2002"]}, "checks": {WEB: "false"}}, "none", "check_failed"),
        ({"expected": EXPECTED, "checks": {WEB: "true"}}, "restart", "proven"),
        ({"expected": EXPECTED, "never_restart": {"w*": "we said so"}}, "none", "never_restart"),
        ({"expected": EXPECTED, "actions": {WEB: "env true"}}, "custom", "proven"),
        ({"expected": EXPECTED, "actions": {WEB: "reload"}}, "none", "cannot_reload"),
        ({"expected": EXPECTED, "max_units": 0}, "none", "limit"),
    ],
)
def test_what_the_caller_allows(
    host: Host, stage: Stage, systemd: Systemd, options: dict[str, Any], action: str, decision: str
) -> None:
    entry = by_label(plan(stage, host, systemd, options={**options, "units": [WEB]}))[WEB]
    assert (entry["action"], entry["decision"]) == (action, decision)


@pytest.mark.parametrize(
    ("properties", "decision"),
    [
        ({"RefuseManualStart": "yes"}, "manual_refused"),
        ({"RefuseManualStop": "yes"}, "manual_refused"),
        ({"Transient": "yes"}, "transient"),
        ({"LoadState": "masked"}, "unit_unknown"),
        ({"MainPID": "many"}, "unit_unknown"),
        ({"TriggeredBy": "a.socket b.socket"}, "unit_unknown"),
    ],
)
def test_what_systemd_says_of_the_unit(
    host: Host, stage: Stage, folder: Path, properties: dict[str, str], decision: str
) -> None:
    systemd = Systemd(folder / uuid.uuid4().hex)
    systemd.add(WEB, **properties)
    for name in ("a.socket", "b.socket"):
        systemd.add(name, Triggers=WEB, Listen=f"{HERE}:2003 (Stream)")
    entry = by_label(plan(stage, host, systemd, options={"expected": EXPECTED, "unproven": "restart"}))[WEB]
    assert (entry["action"], entry["decision"]) == ("none", decision)
    assert entry["advice"]


@pytest.mark.parametrize("how", ["broken", "hangs", "as this machine is"])
def test_a_host_whose_systemd_does_not_answer_is_unknown_and_never_fine(
    host: Host, stage: Stage, folder: Path, how: str
) -> None:
    systemd = None
    if how != "as this machine is":
        systemd = Systemd(folder / uuid.uuid4().hex)
        (systemd.folder / how).write_text(SHORTEST_ANSWER)
    result = plan(stage, host, systemd, options={"expected": EXPECTED, "unproven": "restart"})
    assert result["acting"] == 0
    entry = by_label(result)[WEB]
    assert (entry["action"], entry["decision"]) == ("none", "unit_unknown")
    said = {"broken": SHORTEST_ANSWER, "hangs": "did not end within 10 seconds"}.get(how, "")
    assert said in entry["reason"]
    if systemd or not Path("/run/systemd/system").is_dir():
        assert f"what is to be known of {WEB} before a restart" in [gap["subject"] for gap in result["gaps"]]


def test_an_ordinary_user_sees_and_plans_nothing(host: Host, stage: Stage, systemd: Systemd) -> None:
    result = plan(stage, host, systemd, options={"expected": EXPECTED, "unproven": "restart"}, user=NOBODY)
    entries = by_label(result)
    assert result["acting"] == 0
    assert (entries[WEB]["decision"], entries[SOCKET]["decision"], entries[""]["decision"]) == (
        "no_rights",
        "no_rights",
        "no_owner",
    )
    assert "owners" in [gap["source"] for gap in result["gaps"]]


def test_nothing_of_another_users_unit_is_run_or_read(host: Host, stage: Stage, folder: Path) -> None:
    """It has the rights of root here: a program, a library and files that its user chose would have them, too."""
    evil = folder / uuid.uuid4().hex
    evil.mkdir()
    evil.chmod(0o777)
    for name in ("nginx", "check"):
        (evil / name).write_text(f"#!/bin/sh\nid -u >>{evil}/{name}-ran\n")
        (evil / name).chmod(0o755)
    os.mkfifo(evil / "environment")  # whoever opens it hangs
    systemd = Systemd(folder / uuid.uuid4().hex)
    exec_start = f"{{ path={evil}/nginx ; argv[]={evil}/nginx ; ignore_errors=no ; start_time=[n/a] }}"
    systemd.add(WEB)
    systemd.add(WEB, manager="users", ExecStart=exec_start, EnvironmentFiles=f"{evil}/environment (ignore_errors=no)")
    label = f"web.service of uid {USER}"
    entry = by_label(plan(stage, host, systemd, options={"units": [WEB]}))[label]
    # It has the name of the system's unit, and nothing that is said of that goes for it.
    assert (entry["action"], entry["decision"], entry["uid"]) == ("none", "no_proof", USER)
    assert "chosen by its user" in entry["reason"]
    options = {"expected": {label: [f"{HERE}:2006"]}, "checks": {label: f"{evil}/check"}}
    entry = by_label(plan(stage, host, systemd, options=options))[label]
    assert (entry["decision"], entry["check"]["status"]) == ("proven", 0)
    assert entry["commands"]["restart"][0][-5:] == ["systemctl", "--user", "restart", "--", WEB]
    # The check that we named, and as that user.
    assert [path.read_text() for path in evil.glob("*-ran")] == [f"{USER}\n"]


def test_what_a_check_prints_is_made_harmless(host: Host, stage: Stage, systemd: Systemd, folder: Path) -> None:
    check = folder / "prints"
    check.write_text("#!/bin/sh\nprintf '\\033[31m{{7*7}}\\n\\377' >&2\nexit 3\n")
    check.chmod(0o755)
    result = plan(stage, host, systemd, options={"checks": {WEB: str(check)}, "units": [WEB]})
    assert by_label(result)[WEB]["check"] == {"command": [str(check)], "status": 3, "output": "\\x1b[31m{{7*7}}\n\\xff"}
    assert "\x1b" not in str(result)


def test_names_are_escaped_in_the_message(host: Host, stage: Stage, systemd: Systemd) -> None:
    result = plan(stage, host, systemd)
    assert all(line.isprintable() for line in result["msg"].split("\n"))
    assert HOSTILE_SHOWN in result["msg"]


@pytest.mark.parametrize(
    ("option", "value", "named", "shown"),
    [
        ("expected", {WEB: ["here:80"]}, "expected[web.service]", "'here:80'"),
        ("actions", {WEB: "restart 'it"}, "actions[web.service]", '"restart \'it"'),
        ("max_wait", -1, "max_wait", "-1.0"),
        ("max_units", -1, "max_units", "-1"),
        ("confirm_after", "soon", "confirm_after", "'soon'"),
        ("intended_addresses", ["nowhere"], "intended_addresses", "'nowhere'"),
        ("units", [""], "units", "''"),
        ("since", [{"label": "x"}], "since", "{'label': 'x'}"),
        ("connects", [{"host": "x"}], "connects", "{'host': 'x'}"),
        ("left", [{"label": "x"}], "left", "{'label': 'x'}"),
    ],
)
def test_a_wrong_option_is_one_clear_error(
    host: Host, stage: Stage, option: str, value: object, named: str, shown: str
) -> None:
    message = stage.run(host.namespace.name, "rebind_plan", {option: value}).result["msg"]
    assert re.fullmatch(rf"option {re.escape(named)}[^:]*: {re.escape(shown)} is not allowed; it takes .+", message)


def test_a_choice_that_is_none_is_told_with_those_that_are(host: Host, stage: Stage) -> None:
    message = stage.run(host.namespace.name, "rebind_plan", {"unproven": "maybe"}).result["msg"]
    assert message == "value of unproven must be one of: refuse, restart, got: maybe"


def test_an_earlier_plan_is_judged(host: Host, stage: Stage, systemd: Systemd) -> None:
    entries = plan(stage, host, systemd, options={"expected": EXPECTED})["plan"]
    row = {"host": HERE, "port": 2002, "interface": None, "connected": False}
    options = {"since": [{**entry, "action": "none"} if entry["label"] != WEB else entry for entry in entries]}
    result = plan(stage, host, systemd, options={**options, "connects": [row], "left": [entries[1]]})
    outcomes = {found["label"]: found["outcome"] for found in result["outcomes"]}
    assert outcomes == {**dict.fromkeys(outcomes, "untouched"), WEB: "missing"}
    assert result["broken"] == 1


# -- containers


@pytest.fixture
def engine(cgroups: Path, folder: Path) -> Iterator[Host]:
    place = folder / uuid.uuid4().hex
    place.mkdir()
    yield from make_host(cgroups, place)


def test_a_port_that_docker_publishes_is_its_containers(engine: Host, stage: Stage, systemd: Systemd) -> None:
    container = uuid.uuid4().hex * 2
    engine.contain(container)
    engine.publish(f"{GONE}:2001")
    engine.lose_address()
    label = f"docker container {container}"
    found = stage.run(engine.namespace.name, "listener_info", {}).result["listeners"]
    assert [listener["service"] for listener in found] == [
        {"manager": "docker", "unit": container, "scope": "container", "uid": None}
    ]
    assert [owner["name"] for owner in found[0]["owners"]] == ["docker-proxy"]
    options = {"expected": {label: [f"{HERE}:2001"]}, "actions": {label: "restart"}}
    entry = by_label(plan(stage, engine, systemd, options=options))[label]
    assert (entry["manager"], entry["unit"], entry["decision"]) == ("docker", container, "container")
    entry = by_label(plan(stage, engine, systemd, options={**options, "containers": True}))[label]
    assert (entry["action"], entry["commands"]["restart"]) == ("custom", [["docker", "restart", container]])


def test_a_container_that_several_could_be_is_unknown(engine: Host, stage: Stage, systemd: Systemd) -> None:
    containers = sorted(uuid.uuid4().hex * 2 for _number in range(2))
    for container in containers:
        engine.contain(container)
    engine.publish(f"{GONE}:2001")
    engine.lose_address()
    result = plan(stage, engine, systemd, options={"containers": True, "unproven": "restart"})
    (entry,) = result["plan"]
    assert (entry["unit"], entry["action"], entry["decision"]) == (None, "none", "container")
    assert f"it may be {containers[0][:12]} or {containers[1][:12]}" in entry["reason"]
    assert "docker" in entry["reason"]
    assert f"the container of {GONE}:2001/tcp" in [gap["subject"] for gap in result["gaps"]]


def test_a_made_up_docker_proxy_names_no_container(engine: Host, stage: Stage, systemd: Systemd) -> None:
    """The right program with the right words, but started by something else: it stays what it is, and is left alone."""
    container = uuid.uuid4().hex * 2
    engine.contain(container)
    engine.publish(f"{GONE}:2001", daemon="impostor", group=WEB)
    engine.lose_address()
    options = {
        "containers": True,
        "unproven": "restart",
        "actions": {f"docker container {container}": "restart"},
    }
    (entry,) = plan(stage, engine, systemd, options=options)["plan"]
    assert (entry["label"], entry["action"], entry["decision"]) == (WEB, "none", "container")
