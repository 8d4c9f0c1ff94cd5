# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the draws of a world have put up so far.

Pools of addresses are small on purpose, so that things meet.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

IPV4_PREFIXES = ("192.0.2", "198.51.100", "203.0.113")
IPV6_PREFIXES = ("2001:db8:1::", "2001:db8:2::", "fd00:5::")


class Placed(NamedTuple):
    """An address as it was put on a link; `arguments` follow `ip addr add`."""

    link: str
    address: str
    prefixlen: int
    arguments: str

    @property
    def is_ipv4(self) -> bool:
        return ":" not in self.address

    def add(self, link: str = "") -> str:
        return f"ip addr add {self.arguments} dev {link or self.link}"

    def delete(self) -> str:
        # With a peer, the peer's text is part of what is deleted.
        words = self.arguments.split()
        what = " ".join(words[:3]) if words[1:2] == ["peer"] else words[0]
        return f"ip addr del {what} dev {self.link}"


class Scene:
    """What the draws so far have put up."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.steps: list[str] = []
        self.links: dict[str, list[str]] = {"lo": []}  # name → the steps that make it
        self.addresses: list[Placed] = []
        self.routes: list[str] = []  # what follows `ip route add`, in table local or any other
        self.prefixes: list[str] = []  # AnyIP prefixes
        self._macs = 0

    def chance(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def pick_link(self) -> str:
        return self.random.choice(list(self.links))

    def pick_made_link(self) -> str:
        return self.random.choice([link for link in self.links if link != "lo"] or ["v0a"])

    def mac(self) -> str:
        self._macs += 1
        return f"02:00:00:00:00:{self._macs:02x}"

    def ipv4(self) -> str:
        return f"{self.random.choice(IPV4_PREFIXES)}.{self.random.randint(1, 6)}"

    def ipv6(self) -> str:
        return f"{self.random.choice(IPV6_PREFIXES)}{self.random.randint(1, 5)}"
