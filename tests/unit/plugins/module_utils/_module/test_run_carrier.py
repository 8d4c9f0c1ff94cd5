# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a run hangs on a unit."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Optional

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Listener
from ansible_collections.infracheck.bindings.plugins.module_utils._module import run_carrier
from ansible_collections.infracheck.bindings.plugins.module_utils._module.run_carrier import find_carrier, kills_run
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.carrier import Carrier
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.first_look import Locality, View
from builders import SEES_ALL, make_address, make_link, make_network
from plans import listens, make_unit

NETWORK = make_network(
    [make_link(2, "eth0"), make_link(3, "tun0")],
    [make_address("192.0.2.5/24"), make_address("2001:db8::5/64"), make_address("10.8.0.1/24", 3)],
)
VIEW = View((), SEES_ALL, Locality(NETWORK))
SSHD = make_unit("ssh.service", main_pid=100)
BY_PORT = "this very run came in by one of its ports"
CHILD = "this very run is one of its processes' children"
TUNNEL = "this very run came in through its tunnel"


def carried(
    address: Optional[str] = None, port: int = 22, ancestors: tuple[int, ...] = (), cgroup: str = "/x"
) -> Carrier:
    return Carrier(ancestors, address, port, cgroup)


@pytest.fixture(autouse=True)
def tunnels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process 900 holds tun0."""

    def read_tunnels(pids: Collection[int]) -> set[str]:
        return {"tun0"} if 900 in pids else set()

    monkeypatch.setattr(run_carrier, "read_tunnels", read_tunnels)


TEST_CARRIERS: list[tuple[Any, list[Listener], Carrier, Optional[str]]] = [
    (SSHD, [listens("192.0.2.5:22")], carried(), None),
    (SSHD, [listens("192.0.2.5:22")], carried("192.0.2.5"), BY_PORT),
    (SSHD, [listens("0.0.0.0:22")], carried("192.0.2.5"), BY_PORT),
    (SSHD, [listens("[::]:22")], carried("192.0.2.5"), BY_PORT),
    (SSHD, [listens("[::]:22")], carried("2001:db8::5"), BY_PORT),
    (SSHD, [listens("[2001:db8::5]:22")], carried("2001:DB8:0::5"), BY_PORT),
    # sshd tells the scope of a link-local address, and a listener on it has none in its address.
    (SSHD, [listens("[fe80::5]:22")], carried("fe80::5%eth0"), BY_PORT),
    (SSHD, [listens("192.0.2.5:2222")], carried("192.0.2.5"), None),
    (SSHD, [listens("192.0.2.6:22")], carried("192.0.2.5"), None),
    # The pid of the listener's owner (812 in builders), of the unit, and PID 1, which is above everything.
    (make_unit(main_pid=0), [listens("192.0.2.6:80")], carried(ancestors=(50, 812)), CHILD),
    (SSHD, [], carried(ancestors=(100,)), CHILD),
    (make_unit(main_pid=0), [], carried(ancestors=(50,)), None),
    (make_unit("vpn.service", main_pid=900), [listens("192.0.2.5:1194/udp")], carried("10.8.0.1"), TUNNEL),
    (make_unit("vpn.service", main_pid=900), [listens("192.0.2.5:1194/udp")], carried("192.0.2.5"), None),
    (make_unit("vpn.service", main_pid=901), [listens("192.0.2.5:1194/udp")], carried("10.8.0.1"), None),
]


@pytest.mark.parametrize(("unit", "listeners", "carrier", "why"), TEST_CARRIERS)
def test_carrier(unit: Any, listeners: list[Listener], carrier: Carrier, why: Optional[str]) -> None:
    assert find_carrier([unit], listeners, carrier, VIEW) == why


TEST_KILLS = [
    ("control-group", "/system.slice/app.service", "/system.slice/app.service", True),
    ("mixed", "/system.slice/app.service", "/system.slice/app.service/job", True),
    ("process", "/system.slice/app.service", "/system.slice/app.service", False),
    ("control-group", "/system.slice/app.service", "/system.slice/app.service2", False),
    ("control-group", "", "/system.slice/app.service", False),
]


@pytest.mark.parametrize(("mode", "group", "own", "kills"), TEST_KILLS)
def test_a_stop_that_would_end_this_run(mode: str, group: str, own: str, kills: bool) -> None:
    unit = make_unit("app.service", kill_mode=mode, control_group=group)
    assert kills_run([make_unit("other.service"), unit], carried(cgroup=own)) is kills
