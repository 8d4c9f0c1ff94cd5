# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of addresses where nobody tells of them: the list is read again and again."""

from __future__ import annotations

import time
from typing import Callable

from .._model import addresses, backends, changes


class AddressPolls:
    """The same as AddressEvents, through a backend's read_network."""

    name = "psutil"

    def __init__(
        self,
        read_network: Callable[[], backends.Networks],
        interval: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._read_network = read_network
        self._interval = interval
        self._sleep = sleep

    def read_present(self) -> tuple[tuple[addresses.Link, ...], tuple[addresses.Address, ...]]:
        """Raises UnreadableTable."""
        network, gaps = self._read_network()
        if network.links is None or network.addresses is None:
            raise backends.UnreadableTable("; ".join(f"{gap.subject} could not be read: {gap.reason}" for gap in gaps))
        return network.links, network.addresses

    def wait(self, seconds: float) -> changes.Batch:
        self._sleep(max(min(seconds, self._interval), 0))
        return changes.Batch([], polled=True)
