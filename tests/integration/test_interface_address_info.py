# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""interface_address_info, held against `ip` on the same namespace."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from .stage import NOBODY, Stage
from .world import World

Json = dict[str, Any]

FAMILIES = {"inet": "ipv4", "inet6": "ipv6"}
FOR_EVER = 0xFFFFFFFF
FLAGS = ("secondary", "deprecated", "tentative", "optimistic", "dadfailed")


@pytest.fixture(scope="module")
def result(world: World, stage: Stage) -> Json:
    return stage.run(world.name, "interface_address_info", {}).result


@pytest.fixture(scope="module")
def shown(world: World) -> list[Json]:
    """What `ip` says of links and addresses."""
    found: list[Json] = json.loads(world.read("ip", "-json", "-details", "address", "show"))
    return found


def test_links_are_those_of_ip(result: Json, shown: list[Json]) -> None:
    ours = [{key: value for key, value in link.items() if key != "addresses"} for link in result["interfaces"]]
    assert ours == [
        {
            "name": link["ifname"],
            "ifindex": link["ifindex"],
            "kind": link.get("linkinfo", {}).get("info_kind"),
            "up": "UP" in link["flags"],
            "operstate": link["operstate"].lower(),
            "mtu": link["mtu"],
            "mac": link["address"],
            "master": link.get("master"),
            "vrf_table": None,
        }
        for link in sorted(shown, key=lambda link: int(link["ifindex"]))
    ]


def test_addresses_are_those_of_ip(result: Json, shown: list[Json]) -> None:
    theirs = [
        {
            "interface": link["ifname"],
            "family": FAMILIES[found["family"]],
            "address": found["local"],
            "peer": found.get("address"),
            "permanent": "dynamic" not in found,
            **{key: found.get(key) for key in ("prefixlen", "broadcast", "label", "scope")},
            **{flag: found.get(flag, False) for flag in FLAGS},
        }
        for link in shown
        for found in link["addr_info"]
    ]
    ours = [
        {"interface": link["name"], **{key: found[key] for key in theirs[0] if key != "interface"}}
        for link in result["interfaces"]
        for found in link["addresses"]
    ]
    assert sorted(ours, key=by_place) == sorted(theirs, key=by_place)


def by_place(address: Json) -> str:
    return f"{address['interface']} {address['address']}/{address['prefixlen']}"


def test_lifetimes_are_those_of_ip(result: Json, shown: list[Json]) -> None:
    theirs = {
        (link["ifname"], found["local"]): (found["preferred_life_time"], found["valid_life_time"])
        for link in shown
        for found in link["addr_info"]
    }
    for link in result["interfaces"]:
        for found in link["addresses"]:
            for ours, told in zip(
                (found["preferred_lifetime"], found["valid_lifetime"]), theirs[link["name"], found["address"]]
            ):
                assert is_about(ours, told), found
    assert any(found["valid_lifetime"] for link in result["interfaces"] for found in link["addresses"])


def is_about(ours: Optional[int], told: int) -> bool:
    """The two commands may run some seconds apart."""
    return told == FOR_EVER if ours is None else abs(ours - told) <= 10


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_local_routes_are_those_of_ip(world: World, result: Json, family: str) -> None:
    shown = json.loads(world.read("ip", f"-{family[-1]}", "-json", "route", "show", "table", "local"))
    full = 32 if family == "ipv4" else 128
    theirs = []
    for route in shown:
        address, _slash, length = route["dst"].partition("/")
        kind = route.get("type", "unicast")
        theirs.append((kind, address, int(length or full), route["dev"], route.get("metric", 0)))
    ours = [
        (route["type"], route["address"], route["prefixlen"], route["interface"], route["priority"])
        for route in result["local_routes"]
        if route["family"] == family
    ]
    assert sorted(ours) == sorted(theirs)
    assert {route["table"] for route in result["local_routes"]} == {255}


def test_the_world_has_every_flag(result: Json) -> None:
    """Or the tests above would prove little."""
    found = [address for link in result["interfaces"] for address in link["addresses"]]
    for key in ("secondary", "deprecated", "tentative", "dadfailed", "peer", "preferred_lifetime"):
        assert any(address[key] for address in found), key
    assert {route["type"] for route in result["local_routes"]} >= {"local", "broadcast", "multicast"}


@pytest.mark.parametrize(
    ("globs", "names"),
    [(["lan0"], ["lan0"]), (["gone*", "lo"], ["lo", "gone0", "gone1"]), (["eth9"], [])],
    ids=["name", "globs", "none"],
)
def test_only_the_interfaces_that_are_asked_for(world: World, stage: Stage, globs: list[str], names: list[str]) -> None:
    found = stage.run(world.name, "interface_address_info", {"interfaces": globs}).result
    assert sorted(link["name"] for link in found["interfaces"]) == sorted(names)
    assert {route["interface"] for route in found["local_routes"]} <= set(names)


def test_without_privileges_it_says_the_same(world: World, stage: Stage, result: Json) -> None:
    found = stage.run(world.name, "interface_address_info", {}, user=NOBODY).result
    assert less_lifetimes(found) == less_lifetimes(result)


def test_through_psutil_it_says_less_and_nothing_else(world: World, stage: Stage, result: Json) -> None:
    """Each value is the kernel's or null. An address is told apart by what psutil sees of it."""
    found = stage.run(world.name, "interface_address_info", {"backend": "psutil"}, psutil=True).result
    assert found["local_routes"] is None
    assert [link["name"] for link in found["interfaces"]] == [link["name"] for link in result["interfaces"]]
    for ours, full in zip(found["interfaces"], result["interfaces"]):
        assert find_contradictions({**ours, "addresses": None}, {**full, "addresses": None}) == []
        places = {(address["address"], address["prefixlen"]): address for address in full["addresses"]}
        assert {(address["address"], address["prefixlen"]) for address in ours["addresses"]} == set(places)
        for address in ours["addresses"]:
            assert find_contradictions(address, places[address["address"], address["prefixlen"]]) == []


def find_contradictions(ours: Json, full: Json) -> list[tuple[str, Any, Any]]:
    return [(key, value, full[key]) for key, value in ours.items() if value is not None and value != full[key]]


def less_lifetimes(result: Json) -> list[Any]:
    """Lifetimes count down between two runs."""
    links = [
        {**link, "addresses": [{k: v for k, v in a.items() if not k.endswith("_lifetime")} for a in link["addresses"]]}
        for link in result["interfaces"]
    ]
    return [links, result["local_routes"]]
