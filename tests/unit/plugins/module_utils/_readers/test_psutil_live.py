# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One world, read through psutil, netlink and /proc/net: the same listeners and holders, and no contradiction."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import psutil_world
import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    IFF_LOOPBACK,
    IFF_RUNNING,
    IFF_UP,
)
from psutil_world import REUSED, SHARED, SOCKETS

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a network namespace needs root"),
    pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("ip")), reason="needs unshare and ip"),
]


@pytest.fixture(scope="module")
def report():
    pytest.importorskip("psutil")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = ["unshare", "--net", sys.executable, str(Path(psutil_world.__file__))]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return load_report(done.stdout)


def load_report(raw):
    """The script's own classes were those of its __main__."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            return getattr(psutil_world, name) if module == "__main__" else super().find_class(module, name)

    return Unpickler(io.BytesIO(raw)).load()


def endpoint(row):
    return (row.protocol, row.family, row.packed, row.port)


def by_port(sockets, values):
    return {row.port: value for row, value in zip(sockets, values)}


def test_the_same_listeners_are_found(report):
    endpoints = {endpoint(row) for row in report.netlink.sockets}
    assert {row.port for row in report.netlink.sockets} == {*SOCKETS, SHARED, REUSED}
    assert {endpoint(row) for row in report.psutil.sockets} == endpoints
    assert len(report.psutil.sockets) == len(endpoints)


def test_proc_net_shows_the_same_with_the_same_inodes(report):
    def key(row):
        return (*endpoint(row), row.inode, row.uid, row.queued)

    assert sorted(map(key, report.proc)) == sorted(map(key, report.netlink.sockets))


def test_the_same_processes_hold_them(report):
    netlink: dict[int, set[tuple[int, int]]] = {}
    for row, ownership in zip(report.netlink.sockets, report.netlink.owners):
        netlink.setdefault(row.port, set()).update((owner.pid, owner.fd) for owner in ownership.owners)
    psutil = {
        port: {(owner.pid, owner.fd) for owner in ownership.owners}
        for port, ownership in by_port(report.psutil.sockets, report.psutil.owners).items()
    }
    assert psutil == netlink
    parent, child = report.pids
    assert {pid for pid, _fd in psutil[SHARED]} == {parent, child}
    assert {pid for pid, _fd in psutil[REUSED]} == {parent, child}
    assert {pid for pid, _fd in psutil[1000]} == {parent}


def test_owners_are_described_in_the_same_words(report):
    def words(said):
        return {(owner.pid, owner.exe, owner.user) for ownership in said.owners for owner in ownership.owners}

    assert words(report.psutil) == words(report.netlink)


def test_one_holder_is_one_of_them(report):
    few = by_port(report.psutil.sockets, report.psutil_one_holder)
    every = by_port(report.psutil.sockets, report.psutil.owners)
    for port, ownership in few.items():
        assert ownership.owners
        assert set(ownership.owners) <= set(every[port].owners)
        assert not ownership.complete


def test_verdicts_never_contradict(report):
    netlink, psutil = (by_port(said.sockets, said.bindings) for said in (report.netlink, report.psutil))
    for port, whole in netlink.items():
        part = psutil[port]
        assert part.state in (whole.state, "unknown"), (port, whole, part)
        assert part.reachable in (whole.reachable, None), (port, whole, part)
        assert part.rebindable in (whole.rebindable, None), (port, whole, part)


TEST_STATES = [
    ("wildcard", "wildcard", (1000, 1001, 2000, 2001)),
    ("valid", "valid", (1002, 1003, 1004, 1005, 1006, 1007, 1012, 1015, 1017, 1018, 2002, 2003, 2004, 2007)),
    ("valid", "unknown", (1009, 1014, 2008)),  # AnyIP, link-local
    ("intended", "unknown", (1008, 1011, 2005)),
    ("stale_address", "unknown", (1010, 1013, 1016, 2006)),
]


@pytest.mark.parametrize(("whole", "part", "ports"), TEST_STATES)
def test_states(report, whole, part, ports):
    netlink, psutil = (by_port(said.sockets, said.bindings) for said in (report.netlink, report.psutil))
    assert {port: netlink[port].state for port in ports} == dict.fromkeys(ports, whole)
    assert {port: psutil[port].state for port in ports} == dict.fromkeys(ports, part)


def test_addresses_and_links_are_the_same_as_far_as_psutil_sees_them(report):
    def places(said):
        return {(row.family, row.packed, row.prefixlen, row.ifindex, row.label) for row in said.network.addresses}

    assert places(report.psutil) == places(report.netlink)
    seen = IFF_UP | IFF_RUNNING | IFF_LOOPBACK
    psutil_links = {link.ifindex: (link.name, link.mtu, link.mac, link.flags) for link in report.psutil.network.links}
    netlink_links = {
        link.ifindex: (link.name, link.mtu, link.mac, link.flags & seen) for link in report.netlink.network.links
    }
    assert psutil_links == netlink_links


def test_broadcast_addresses_are_real_ones(report):
    def broadcasts(said):
        return {row.broadcast for row in said.network.addresses if row.broadcast}

    assert broadcasts(report.psutil) == broadcasts(report.netlink)
