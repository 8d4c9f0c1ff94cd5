# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds our answers against what was opened and against the kernel's answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    INTENDED,
    PENDING,
    STALE_ADDRESS,
    STALE_INTERFACE,
    UNKNOWN,
    VALID,
    WILDCARD,
    Binding,
    Socket,
)

from .kernel_answers import Answer
from .ours import Answers
from .sockets import Opened
from .world import Disagreement

VXLAN_PORT = 4789  # the one socket that worlds have and the kernel opened

Key = tuple[str, bytes, int]


def compare_netlink(
    opened: list[Opened], answers: dict[int, Answer], queues: dict[int, tuple[int, int]], ours: Answers
) -> Iterator[Disagreement]:
    yield from _compare_listing(opened, ours)
    by_inode = {socket.inode: (socket, binding) for socket, binding in ours}
    for listener in opened:
        if listener.inode in by_inode:
            socket, binding = by_inode[listener.inode]
            yield from _compare_record(listener, queues.get(listener.spec.port), socket)
            yield from _compare_binding(listener, answers[listener.spec.port], binding)


def expected_state(listener: Opened, answer: Answer, reachable: Optional[bool]) -> str:
    """By the contract, first match wins. `reachable`: the kernel's word, or where it was not asked, what is claimed."""
    if answer.rebindable is None:
        return STALE_INTERFACE
    if listener.is_wildcard:
        return WILDCARD
    if answer.address_flags and not answer.plainly_rebindable:
        return PENDING
    if reachable or answer.plainly_rebindable:
        return VALID
    if listener.freebind or listener.transparent or answer.nonlocal_bind:
        return INTENDED
    return STALE_ADDRESS


def _compare_listing(opened: list[Opened], ours: Answers) -> Iterator[Disagreement]:
    there = {listener.inode: listener for listener in opened}
    listed = {socket.inode for socket, _binding in ours}
    for inode in there.keys() - listed:
        yield Disagreement(str(there[inode].spec), "listing", "nothing", "it is there")
    for socket, _binding in ours:
        if socket.inode not in there and socket.port != VXLAN_PORT:
            yield Disagreement(None, "listing", repr(socket), "nothing")


def _compare_record(listener: Opened, queue: Optional[tuple[int, int]], socket: Socket) -> Iterator[Disagreement]:
    is_ipv4 = len(listener.packed) == 4
    wanted = socket._replace(
        protocol=listener.spec.protocol,
        family="ipv4" if is_ipv4 else "ipv6",
        packed=listener.packed,
        port=listener.spec.port,
        ifindex=listener.pin,
        v6only=listener.v6only,
        backlog=queue[1] if queue else None,
        queued=queue[0] if queue else None,
        uid=listener.uid,
        freebind=listener.freebind,
        transparent=listener.transparent,
    )
    for name in Socket._fields:
        if getattr(socket, name) != getattr(wanted, name):
            yield Disagreement(str(listener.spec), name, repr(getattr(socket, name)), repr(getattr(wanted, name)))


def _compare_binding(listener: Opened, answer: Answer, binding: Binding) -> Iterator[Disagreement]:
    name, said = str(listener.spec), f" ({binding.reason})"
    if binding.rebindable != answer.rebindable:
        yield Disagreement(name, "rebindable", f"{binding.rebindable}{said}", str(answer.rebindable))
    asked = answer.reachable is not None
    if asked and binding.reachable != answer.reachable:
        yield Disagreement(name, "reachable", f"{binding.reachable}{said}", str(answer.reachable))
    if listener.is_multicast and binding.reachable is not None and answer.rebindable is not None:
        yield Disagreement(
            name, "reachable", f"{binding.reachable}{said}", "group memberships decide, not routes: null"
        )
    state = expected_state(listener, answer, answer.reachable if asked else binding.reachable)
    if binding.state != state:
        yield Disagreement(name, "state", f"{binding.state}{said}", state)


def compare_psutil(
    opened: list[Opened], answers: dict[int, Answer], ours: Answers, routes_deleted: bool
) -> Iterator[Disagreement]:
    """It may know less and must say nothing else. Its gaps say that it sees no pins, address flags and routes: what
    turns on those alone is passed over.
    """
    there: dict[Key, Opened] = {_key(listener): listener for listener in opened}
    for socket, binding in ours:
        listener = there.pop((socket.protocol, socket.packed, socket.port), None)
        if listener is None:
            if socket.port != VXLAN_PORT:
                yield Disagreement(None, "psutil listing", repr(socket), "nothing")
            continue
        answer = answers[socket.port]
        state = expected_state(listener, answer, answer.reachable)
        if state in (STALE_INTERFACE, PENDING) or (listener.pin and listener.is_bound_to_its_link):
            continue
        if routes_deleted and not answer.plainly_rebindable:
            continue
        name = str(listener.spec)
        for subject, value, truth in (
            ("reachable", binding.reachable, answer.reachable),
            ("rebindable", binding.rebindable, answer.rebindable),
        ):
            if value is not None and truth is not None and value != truth:
                yield Disagreement(name, f"psutil {subject}", f"{value} ({binding.reason})", str(truth))
        if binding.state not in (state, UNKNOWN):
            yield Disagreement(name, "psutil state", f"{binding.state} ({binding.reason})", state)
    for listener in there.values():
        yield Disagreement(str(listener.spec), "psutil listing", "nothing", "it is there")


def _key(listener: Opened) -> Key:
    return listener.spec.protocol, listener.packed, listener.spec.port
