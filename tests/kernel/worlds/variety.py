# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What occurred in a world, so that a generator that forgets something is found out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from . import view
from .compare import expected_state
from .kernel_answers import Answer
from .sockets import Opened
from .world import World

STEPS = {
    "veth pair": r"type veth",
    "bridge": r"type bridge",
    "macvlan": r"type macvlan",
    "kernel's own socket": r"type vxlan",
    "peer address": r"addr add .* peer ",
    "deprecated address": r"preferred_lft 0",
    "AnyIP route, IPv4": r"route add local [\d.]+/\d+ dev \S+ table local",
    "AnyIP route, IPv6": r"route add local \S+:\S+ dev \S+ table local",
    "local route in another table": r"route add local .* table (main|100)",
    "blackhole or unreachable in table local": r"route add (blackhole|unreachable) .* table local",
    "policy rule": r"rule add",
    "ip_nonlocal_bind, IPv4": r"ipv4/ip_nonlocal_bind=1",
    "ip_nonlocal_bind, IPv6": r"ipv6/ip_nonlocal_bind=1",
    "promote_secondaries": r"promote_secondaries=1",
    "keep_addr_on_down": r"keep_addr_on_down=1",
}
MUTATIONS = {
    "address removed": r"addr del",
    "address added": r"addr add",
    "link down": r"link set \S+ down",
    "link up": r"link set \S+ up",
    "link deleted": r"link del",
    "link recreated": r"link add",
    "link renamed": r"name renamed0",
    "link moved to another namespace": r"netns OTHER",
    "route deleted": r"route del",
    "setting flipped": r"sysctl ",
}
STATES = ("stale_interface", "wildcard", "pending", "valid", "intended", "stale_address")
FLAGS = {
    "tentative": view.IFA_F_TENTATIVE,
    "optimistic": view.IFA_F_OPTIMISTIC,
    "dadfailed": view.IFA_F_DADFAILED,
    "deprecated": view.IFA_F_DEPRECATED,
}
LISTENERS = (
    "tcp",
    "udp",
    "ipv4",
    "ipv6",
    "v4-mapped",
    "v6only",
    "dual stack",
    "wildcard",
    "loopback 127/8",
    "loopback ::1",
    "link-local",
    "multicast, IPv4",
    "multicast, IPv6",
    "broadcast",
    "limited broadcast",
    "pinned",
    "pinned to what never was",
    "freebind",
    "transparent",
    "of another user",
)
REQUIRED = (
    *STEPS,
    *(f"then: {name}" for name in MUTATIONS),
    *(f"state {name}" for name in STATES),
    *(f"listener on a {name} address" for name in FLAGS),
    *(f"listener: {name}" for name in LISTENERS),
    *(f"{question} {answer}" for question in ("reachable", "rebindable") for answer in (True, False)),
    "no IPv4 table local",
)


def count_features(world: World, opened: list[Opened], answers: dict[int, Answer]) -> Counter[str]:
    counts = Counter(worlds=1, listeners=len(opened))
    build, then = "\n".join(world.build), "\n".join(world.mutations)
    counts.update(name for name, pattern in STEPS.items() if re.search(pattern, f"{build}\n{then}"))
    counts.update(f"then: {name}" for name, pattern in MUTATIONS.items() if re.search(pattern, then))
    counts["no IPv4 table local"] += not world.build
    for listener in opened:
        answer = answers[listener.spec.port]
        counts[f"state {expected_state(listener, answer, answer.reachable)}"] += 1
        counts[f"reachable {answer.reachable}"] += 1
        counts[f"rebindable {answer.rebindable}"] += 1
        flags = {name for name, bit in FLAGS.items() for found in answer.address_flags if found & bit}
        counts.update(f"listener on a {name} address" for name in flags)
        counts.update(f"listener: {name}" for name in _kinds(listener))
    return counts


def _kinds(listener: Opened) -> Iterator[str]:
    spec = listener.spec
    yield spec.protocol
    yield f"ipv{spec.family}"
    if spec.family == 6:
        yield "v4-mapped" if listener.ipv4 is not None else "v6only" if listener.v6only else "dual stack"
    family = "IPv6" if listener.ipv4 is None else "IPv4"
    found = {
        "wildcard": listener.is_wildcard,
        "loopback 127/8": (listener.ipv4 or b"\0")[0] == 127,
        "loopback ::1": listener.packed == bytes(15) + b"\1",
        "link-local": spec.address.startswith("fe80"),
        f"multicast, {family}": listener.is_multicast,
        "broadcast": spec.address.endswith((".255", ".7", ".77")),
        "limited broadcast": spec.address.endswith("255.255.255.255"),
        "pinned": listener.pin != 0,
        "pinned to what never was": isinstance(spec.pin, int),
        "freebind": listener.freebind,
        "transparent": listener.transparent,
        "of another user": listener.uid != 0,
    }
    yield from (name for name, holds in found.items() if holds)
