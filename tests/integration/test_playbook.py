# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks: what check_bindings shows, and what the exit status says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from .conftest import CHECKOUT, Namespace

PLAYBOOK = "infracheck.bindings.check_bindings"
NOBODY = "No host to check"
LOCAL = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"


@pytest.fixture
def stale(namespace: Namespace) -> Namespace:
    """One valid listener, and one whose address went away below it."""
    namespace.ip("link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    for link in ("lan0", "lan1"):
        namespace.ip("link", "set", link, "up")
    namespace.ip("address", "add", "192.0.2.5/24", "dev", "lan0")
    namespace.listen("192.0.2.5", 8443)
    namespace.listen("127.0.0.1", 8080)
    namespace.ip("address", "delete", "192.0.2.5/24", "dev", "lan0")
    return namespace


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder without any configuration, from which the collection is found and no inventory is."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def check(
    namespace: Namespace, *arguments: str, cwd: Path = CHECKOUT, **variables: str
) -> subprocess.CompletedProcess[str]:
    if cwd != CHECKOUT:
        variables.setdefault("ANSIBLE_COLLECTIONS_PATH", str(CHECKOUT / "collections"))
    return namespace.run("ansible-playbook", PLAYBOOK, *arguments, cwd=cwd, **variables)


@pytest.mark.parametrize("mode", [[], ["--check"]], ids=["run", "check mode"])
def test_finding_is_shown_and_fails_the_run(stale: Namespace, mode: list[str]) -> None:
    done = check(stale, *mode)
    assert done.returncode == 2, done.stdout
    assert re.search(r"192\.0\.2\.5:8443/tcp .*stale-address.*reconfigure", done.stdout), done.stdout
    assert "changed=0" in done.stdout
    assert "failed=1" in done.stdout


def test_finding_below_fail_on_is_shown_only(stale: Namespace) -> None:
    done = check(stale, "-e", "bind_check_fail_on=never")
    assert done.returncode == 0, done.stdout
    assert re.search(r"192\.0\.2\.5:8443/tcp .*stale-address.*reconfigure", done.stdout), done.stdout


def test_without_findings_it_succeeds(stale: Namespace) -> None:
    done = check(stale, "-e", "bind_check_ports=8080")
    assert done.returncode == 0, done.stdout
    assert "stale-address" not in done.stdout


def test_wrong_option_fails_and_says_which(stale: Namespace) -> None:
    done = check(stale, "-e", "bind_check_backend=crystal_ball", "-e", "bind_check_fail_on=never")
    assert done.returncode == 2, done.stdout
    assert "backend" in done.stdout
    assert "crystal_ball" in done.stdout


def test_each_host_of_an_inventory_is_judged(stale: Namespace, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text(f"fine {LOCAL} bind_check_ports=8080\nbroken {LOCAL} bind_check_ports=8443\n")
    done = check(stale, "-i", str(inventory))
    assert done.returncode == 2, done.stdout
    assert re.search(r"^fine .*failed=0", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^broken .*failed=1", done.stdout, re.MULTILINE), done.stdout

    done = check(stale, "-i", str(inventory), "--limit", "fine")
    assert done.returncode == 0, done.stdout
    assert "broken" not in done.stdout


def test_unreachable_host_is_no_success(namespace: Namespace, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("gone ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=9\n")
    done = check(namespace, "-i", str(inventory), "-e", "bind_check_fail_on=never")
    assert done.returncode != 0, done.stdout


def test_without_an_inventory_it_checks_localhost(stale: Namespace, elsewhere: Path) -> None:
    # The default inventory exists on some machines; here it is the setting's default that counts, so it must be empty.
    if Path("/etc/ansible/hosts").exists():
        pytest.skip("this machine has an inventory of its own in the default place")
    for limit in ([], ["--limit", "localhost"]):
        done = check(stale, *limit, cwd=elsewhere)
        assert done.returncode == 2, done.stdout
        assert re.search(r"^localhost .*failed=1", done.stdout, re.MULTILINE), done.stdout

    done = check(stale, "--limit", "web", cwd=elsewhere)
    assert done.returncode != 0, done.stdout
    assert NOBODY in done.stdout


@pytest.mark.parametrize("limit", [[], ["--limit", "localhost"], ["--limit", "web"]])
@pytest.mark.parametrize("given", ["option", "environment"])
def test_inventory_without_hosts_is_no_success(
    namespace: Namespace, elsewhere: Path, given: str, limit: list[str]
) -> None:
    inventory = elsewhere / "hosts.ini"
    inventory.write_text("[web]\n")
    if given == "option":
        done = check(namespace, "-i", str(inventory), *limit)
    else:
        done = check(namespace, *limit, cwd=elsewhere, ANSIBLE_INVENTORY=str(inventory))
    assert done.returncode != 0, done.stdout
    assert NOBODY in done.stdout
    assert "TASK" not in done.stdout  # in particular, localhost was not checked in its place


def test_inventory_that_does_not_exist_is_no_success(namespace: Namespace) -> None:
    done = check(namespace, "-i", "/nonexistent/hosts.ini")
    assert done.returncode != 0, done.stdout
    assert NOBODY in done.stdout


@pytest.mark.parametrize("limit", ["nobody", "localhost", "web:!web"])
def test_limit_that_leaves_nobody_is_no_success(namespace: Namespace, tmp_path: Path, limit: str) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text(f"[web]\nweb1 {LOCAL}\n")
    done = check(namespace, "-i", str(inventory), "--limit", limit)
    assert done.returncode != 0, done.stdout
    assert "no hosts to target" in done.stdout
    assert "TASK" not in done.stdout


def test_every_option_of_the_module_is_a_variable(namespace: Namespace) -> None:
    (play,) = yaml.safe_load((CHECKOUT / "playbooks/check_bindings.yml").read_text())
    passed = play["tasks"][0]["infracheck.bindings.bind_check"]
    done = namespace.run("ansible-doc", "--json", "infracheck.bindings.bind_check")
    options = json.loads(done.stdout)["infracheck.bindings.bind_check"]["doc"]["options"]
    assert set(passed) == set(options)
    assert all(value == f"{{{{ bind_check_{name} | default(omit) }}}}" for name, value in passed.items())


@pytest.mark.parametrize("variables", [{}, {"rebind_hosts": "nosuch"}], ids=["no inventory", "no such host"])
def test_rebind_that_would_act_on_nobody_is_no_success(
    namespace: Namespace, elsewhere: Path, variables: dict[str, str]
) -> None:
    """And never takes the control node for a host to act on."""
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections")}
    command = ["ansible-playbook", "infracheck.bindings.rebind", "-e", json.dumps(variables)]
    done = namespace.run(*command, cwd=elsewhere, **environment)
    assert done.returncode == 4, done.stdout
    assert "No host to bind again" in done.stdout


REBIND_MISTAKES = [
    ({"rebind_settle": -1}, "rebind_settle is -1, and can be a number from 0 to 3600"),
    ({"rebind_rescue_seconds": 0}, "rebind_rescue_seconds is 0, and can be a number from 1 to 300"),
    ({"rebind_wait_for_address": "nan"}, "rebind_wait_for_address is nan, and can be a number from 0 to 86400"),
    ({"rebind_exepcted": {}}, "there is no variable rebind_exepcted, see"),
    ({"rebind_expected": {"x": "y"}}, "option expected[x]: 'y' is not allowed"),
]


def test_rebind_tells_what_is_wrong_before_anything_else_and_has_a_result(namespace: Namespace, tmp_path: Path) -> None:
    hosts = {f"host{number}": mistake for number, (mistake, _told) in enumerate(REBIND_MISTAKES)}
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": local}}))
    kept = "rebind_result.broken is none and rebind_result.errors | length == 1 and rebind_result.restarted == []"
    tell = f"{{{{ inventory_hostname }}}} kept={{{{ {kept} }}}} {{{{ rebind_result.msg }}}}"
    tasks = [
        {
            "block": [{"ansible.builtin.include_role": {"name": "infracheck.bindings.rebind"}}],
            "rescue": [{"ansible.builtin.debug": {"msg": tell}}],
        }
    ]
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    done = namespace.run("ansible-playbook", "-i", str(tmp_path / "hosts.yml"), str(play), ANSIBLE_FORKS="2")
    assert done.returncode == 0, done.stdout
    for number, (_mistake, message) in enumerate(REBIND_MISTAKES):
        assert f"host{number} kept=True {message}" in done.stdout, done.stdout


def test_a_batch_that_is_none_is_named(namespace: Namespace) -> None:
    done = namespace.run("ansible-playbook", "infracheck.bindings.rebind", "-i", "h,", "-e", "rebind_serial=some")
    assert done.returncode != 0
    assert "rebind_serial is some, and can be a number of hosts" in done.stdout
    assert "Unexpected" not in done.stdout
