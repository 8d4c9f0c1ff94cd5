# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""listener_info on live sockets: held against what opened them, and against `ss`."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pytest

from .stage import NOBODY, Stage
from .world import KINDS, Kind, World

Listener = dict[str, Any]


class Row(NamedTuple):
    """One line of `ss -H -ltnupe`."""

    protocol: str
    address: str
    device: Optional[str]
    port: int
    queued: int
    backlog: int
    uid: int
    inode: int
    v6only: Optional[bool]
    holders: tuple[tuple[int, int], ...]


def parse_ss(line: str) -> Row:
    protocol, _state, queued, backlog, local = line.split()[:5]
    place, _colon, port = local.rpartition(":")
    address, _percent, device = place.partition("%")
    uid = re.search(r" uid:(\d+)", line)
    inode = re.search(r" ino:(\d+)", line)
    v6only = re.search(r" v6only:([01])", line)
    holders = sorted((int(pid), int(fd)) for pid, fd in re.findall(r"pid=(\d+),fd=(\d+)", line))
    return Row(
        protocol=protocol,
        address="::" if address == "*" else address.strip("[]"),  # dual stack
        device=device or None,
        port=int(port),
        queued=int(queued),
        backlog=int(backlog),
        uid=int(uid.group(1)) if uid else 0,
        inode=int(inode.group(1)) if inode else 0,
        v6only=v6only.group(1) == "1" if v6only else None,
        holders=tuple(holders),
    )


def as_row(listener: Listener) -> Row:
    device = listener["interface"] or (f"if{listener['ifindex']}" if listener["ifindex"] else None)
    return Row(
        protocol=listener["protocol"],
        address=listener["address"],
        device=device,
        port=listener["port"],
        queued=listener["queued"] or 0,
        backlog=listener["backlog"] or 0,
        uid=listener["uid"],
        inode=listener["inode"],
        v6only=listener["v6only"],
        holders=tuple((owner["pid"], owner["fd"]) for owner in listener["owners"]),
    )


@pytest.fixture(scope="module")
def listeners(world: World, stage: Stage) -> list[Listener]:
    found: list[Listener] = stage.run(world.name, "listener_info", {"all_owners": True}).result["listeners"]
    return found


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[f"{kind.protocol} {kind.kind}" for kind in KINDS])
def test_each_kind_of_listener(world: World, listeners: list[Listener], number: int) -> None:
    kind, truth = KINDS[number], world.truth[number]
    assert truth["kind"] == kind.kind
    (found,) = [item for item in listeners if find_fd(item, world.pids[0]) == truth["fd"]]
    binding = found["binding"]
    assert (found["protocol"], found["address"], found["port"]) == (kind.protocol, kind.address, kind.port)
    assert found["family"] == ("ipv6" if ":" in kind.address else "ipv4")
    assert found["interface"] == kind.interface
    assert bool(found["ifindex"]) == bool(kind.device or kind.scope)
    assert (binding["state"], binding["reachable"], binding["rebindable"]) == kind[4:7]
    assert found["options"]["freebind"] is ("freebind" in kind.options)
    assert found["options"]["transparent"] is ("transparent" in kind.options)
    assert found["v6only"] == serves_ipv6_alone(kind)
    assert found["backlog"] == (kind.port % 100 + 1 if kind.protocol == "tcp" else None)


def serves_ipv6_alone(kind: Kind) -> Optional[bool]:
    """A bind to anything but the wildcard or a mapped address sets it (__inet6_bind, net/ipv6/af_inet6.c)."""
    if ":" not in kind.address:
        return None
    return "v6only" in kind.options or not (kind.address == "::" or kind.address.startswith("::ffff:"))


def test_nothing_else_is_listed(listeners: list[Listener]) -> None:
    """No connected socket, and none that is merely bound."""
    assert len(listeners) == len(KINDS)


def test_every_holder_is_named(world: World, listeners: list[Listener]) -> None:
    for found in listeners:
        fd = find_fd(found, world.pids[0])
        assert [(owner["pid"], owner["fd"]) for owner in found["owners"]] == [(pid, fd) for pid in sorted(world.pids)]
        for owner in found["owners"]:
            assert owner["name"] == "holder"
            assert owner["exe"] == str(Path(f"/proc/{owner['pid']}/exe").readlink())
            assert owner["user"] == "root"


def test_all_that_ss_says(world: World, listeners: list[Listener]) -> None:
    rows = sorted(map(parse_ss, world.read("ss", "-H", "-ltnupe").splitlines()), key=str)
    assert sorted(map(as_row, listeners), key=str) == rows


def test_order_is_protocol_address_port_interface(listeners: list[Listener]) -> None:
    from ipaddress import ip_address

    keys = [
        (item["protocol"], ip_address(item["address"]).packed, item["port"], item["ifindex"] or 0, item["inode"])
        for item in listeners
    ]
    assert keys == sorted(keys)


# What is asked for besides, and the ports that are then listed.
TEST_SELECTIONS = [
    ({"protocols": ["udp"]}, [kind.port for kind in KINDS if kind.protocol == "udp"]),
    ({"ports": ["1001", "1003-1005"]}, [1001, 1003, 1004, 1005]),
    ({"addresses": ["192.0.2.6"]}, [1018, 1020, 1108]),  # a mapped address counts as what it maps
    ({"addresses": ["127.0.0.0/8", "::1"]}, [1005, 1006, 1007]),
    ({"addresses": ["0.0.0.0", "::"], "protocols": ["tcp"], "ports": ["1002-1004"]}, [1002, 1003, 1004]),
    ({"addresses": ["203.0.113.1"]}, []),
    ({"units": ["*"]}, []),  # none of them belongs to a unit
]


@pytest.mark.parametrize(("options", "ports"), TEST_SELECTIONS, ids=[str(case[0]) for case in TEST_SELECTIONS])
def test_only_what_is_asked_for(world: World, stage: Stage, options: dict[str, Any], ports: list[int]) -> None:
    found = stage.run(world.name, "listener_info", options).result["listeners"]
    assert sorted(listener["port"] for listener in found) == ports


def test_units_that_cannot_be_seen_are_a_gap(world: World, stage: Stage) -> None:
    blind = stage.run(world.name, "listener_info", {"units": ["*"], "backend": "psutil"}, psutil=True).result
    denied = stage.run(world.name, "listener_info", {"units": ["*"]}, user=NOBODY).result
    # psutil shows the two sockets on one port as one.
    for result, number in ((blind, len(KINDS) - 1), (denied, len(KINDS))):
        assert result["listeners"] == []
        assert f"whether {number} listeners match `units`" in [gap["subject"] for gap in result["gaps"]]


@pytest.fixture
def unit() -> Iterator[Path]:
    """A cgroup that looks to everybody as the one of a service of systemd does."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    places = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    if not places:
        pytest.skip("no cgroup2 hierarchy is mounted on this machine")
    name = f"infracheck{uuid.uuid4().hex[:8]}"
    folder = places[0] / f"{name}.slice" / f"{name}.service"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        folder.rmdir()
        folder.parent.rmdir()


@pytest.mark.parametrize("user", [0, NOBODY], ids=["root", "nobody"])
def test_unit_is_named_and_can_be_asked_for(stage: Stage, unit: Path, user: int) -> None:
    world = World()
    try:
        wish = Kind("unit", "tcp", "127.0.0.1", 2001, "valid", True, True)
        world.hold([wish], prepare=f"echo $$ >{unit}/cgroup.procs")
        result = stage.run(world.name, "listener_info", {"units": [f"{unit.stem}*", "other"]}, user=user).result
    finally:
        world.close()
    (found,) = result["listeners"]
    assert found["port"] == 2001
    assert found["service"] == {"manager": "systemd", "unit": unit.name, "scope": "system", "uid": None}
    assert found["owner_status"] == ("denied" if user else "found")


@pytest.mark.parametrize("options", [{"_ansible_check_mode": True}, {}], ids=["check mode", "again"])
def test_second_run_gives_the_same_bytes(world: World, stage: Stage, options: dict[str, Any]) -> None:
    first = stage.run(world.name, "listener_info", {"all_owners": True}).raw
    second = stage.run(world.name, "listener_info", {"all_owners": True, **options}).raw
    assert cut_listeners(second) == cut_listeners(first)


def test_it_works_where_nothing_can_be_written_or_changed(world: World, stage: Stage) -> None:
    """All mounts read-only, and no capability but those for looking at processes."""
    free = stage.run(world.name, "listener_info", {"all_owners": True})
    bound = stage.run(world.name, "listener_info", {"all_owners": True}, readonly=True)
    assert bound.result["listeners"] == free.result["listeners"]


def cut_listeners(raw: bytes) -> bytes:
    """The bytes of `listeners`. What follows tells of other processes of this machine, which come and go."""
    _before, key, after = raw.partition(b'"listeners": [')
    listeners, end, _rest = after.partition(b'], "gaps": ')
    assert key
    assert end
    return listeners


def find_fd(listener: Listener, pid: int) -> Optional[int]:
    fds = [owner["fd"] for owner in listener["owners"] if owner["pid"] == pid]
    return fds[0] if fds else None
