# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocks of addresses."""

from typing import NamedTuple


class Prefix(NamedTuple):
    """A block of addresses that a caller named."""

    packed: bytes
    prefixlen: int

    def covers(self, packed: bytes) -> bool:
        if len(packed) != len(self.packed):
            return False
        shift = 8 * len(packed) - self.prefixlen
        return int.from_bytes(packed, "big") >> shift == int.from_bytes(self.packed, "big") >> shift
