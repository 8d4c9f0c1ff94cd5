# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's list of what is never restarted, as its globs match the units of distributions."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from ansible_collections.infracheck.bindings.plugins.module_utils._module.plan_options import complete_glob

LIST = yaml.safe_load((Path(__file__).resolve().parents[2] / "roles" / "rebind" / "vars" / "main.yml").read_text())[
    "rebind_builtin_never_restart"
]

TEST_NEVER = [
    ("dbus-broker.service", True),
    ("systemd-networkd.socket", True),
    ("wg-quick@wg0.service", True),
    ("strongswan-starter.service", True),
    ("ipsec.service", True),
    ("frr.service", True),
    ("bird.service", True),
    ("snap.docker.dockerd.service", True),
    ("rke2-server.service", True),
    ("k0scontroller.service", True),
    ("nomad.service", True),
    ("nginx.service", False),
    ("birdnet.service", False),
    ("ssh.service", False),
    ("openvpn-server@x.service", False),
]


@pytest.mark.parametrize(("unit", "never"), TEST_NEVER)
def test_what_is_never_restarted(unit: str, never: bool) -> None:
    globs = [glob for key in LIST for glob in complete_glob(key)]
    assert any(fnmatchcase(unit, glob) for glob in globs) is never


def test_each_has_its_reason_and_its_kind() -> None:
    assert all(isinstance(reason, str) and reason for reason in LIST.values())
    assert [key for key in LIST if "." not in key and not key.endswith("*")] == []
