# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A world: a network namespace written down as text, so that a seed or a JSON file can bring it back.

Steps are command lines, to be read by a person and run one after the other:

    ip …                  a line for `ip -batch`, after `ip -6` one for `ip -6 -batch`
    other ip …            the same in the world's second namespace
    sysctl PATH=VALUE     PATH below /proc/sys, with slashes
    wait LINK ADDRESS dadfailed      until duplicate address detection said so, for a moment at most

A step that fails is passed over: what counts is what the kernel says of the result.
"""

from __future__ import annotations

import json
from typing import NamedTuple, Optional, Union


class Listener(NamedTuple):
    """One socket to open before the world changes."""

    protocol: str  # tcp | udp
    family: int  # 4 | 6
    address: str  # text, without scope
    port: int
    pin: Union[str, int, None] = None  # link name, or an index
    pin_by: str = "device"  # device (SO_BINDTODEVICE) | ifindex (SO_BINDTOIFINDEX) | scope (sin6_scope_id)
    v6only: bool = False
    freebind: bool = False
    transparent: bool = False
    backlog: int = 5
    uid: int = 0
    queued: int = 0  # connections to leave in the accept queue

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.family == 6 else self.address
        words = [f"{self.protocol} {host}:{self.port}"]
        if self.pin is not None:
            words.append(f"pinned to {self.pin} by {self.pin_by}")
        words += [word for word in ("v6only", "freebind", "transparent") if getattr(self, word)]
        return ", ".join(words)


class World(NamedTuple):
    seed: int
    build: tuple[str, ...]
    listeners: tuple[Listener, ...]
    mutations: tuple[str, ...]

    def to_json(self) -> str:
        defaults = Listener._field_defaults
        listeners = [
            {
                name: value
                for name, value in listener._asdict().items()
                if name not in defaults or value != defaults[name]
            }
            for listener in self.listeners
        ]
        return json.dumps(
            {"seed": self.seed, "build": self.build, "listeners": listeners, "mutations": self.mutations}, indent=1
        )

    def __str__(self) -> str:
        lines = ["build:", *(f"  {step}" for step in self.build)]
        lines += ["listeners:", *(f"  {listener}" for listener in self.listeners)]
        lines += ["then:", *(f"  {step}" for step in self.mutations)]
        return "\n".join(lines)


def world_from_json(text: str) -> World:
    data = json.loads(text)
    return World(
        seed=data.get("seed", 0),
        build=tuple(data["build"]),
        listeners=tuple(Listener(**listener) for listener in data["listeners"]),
        mutations=tuple(data["mutations"]),
    )


class Disagreement(NamedTuple):
    """One thing in which our answer and the kernel's differ."""

    listener: Optional[str]
    subject: str  # state | reachable | rebindable | record | listing | psutil …
    ours: str
    kernel: str

    def __str__(self) -> str:
        return f"{self.listener or 'world'}: {self.subject}: we say {self.ours}, the kernel says {self.kernel}"
