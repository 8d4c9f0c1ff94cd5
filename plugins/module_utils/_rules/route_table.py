# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which row of one routing table decides for an address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from .._model import addresses


class TableIndex:
    """Longest-prefix match over one table's rows, as fib_table_lookup does it."""

    def __init__(self, routes: Iterable[addresses.Route]) -> None:
        self._by_length: dict[int, dict[int, list[addresses.Route]]] = {}
        for route in routes:
            if addresses.is_alive(route):
                shift = 8 * len(route.packed) - route.prefixlen
                rows = self._by_length.setdefault(route.prefixlen, {})
                rows.setdefault(int.from_bytes(route.packed, "big") >> shift, []).append(route)
        for rows in self._by_length.values():
            for routes_of_prefix in rows.values():
                # Stable: among equals the dump's order is the lookup's.
                routes_of_prefix.sort(key=lambda route: route.priority)
        self._lengths = sorted(self._by_length, reverse=True)

    def find(self, packed: bytes, ifindex: int = 0) -> Optional[addresses.Route]:
        """The row that decides, or None; with `ifindex` only rows of that link count."""
        value, bits = int.from_bytes(packed, "big"), 8 * len(packed)
        for length in self._lengths:
            for route in self._by_length[length].get(value >> (bits - length), ()):
                if not ifindex or route.ifindex == ifindex:
                    return route
        return None
