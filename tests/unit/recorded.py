# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps of a real kernel, as tests/tools/record_dumps.py wrote them down."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures/netlink"


def read_dump(name: str) -> list[bytes]:
    """The payloads of one dump, in the kernel's order; in the byte order of the machine, as netlink has it."""
    text = (FIXTURES / f"{name}.hex").read_text(encoding="utf-8")
    if f"({sys.byteorder}-endian)" not in text:
        pytest.skip(f"{name}.hex was not recorded on a {sys.byteorder}-endian machine")
    hexadecimal = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [bytes.fromhex(message) for message in hexadecimal.split("\n\n") if message.strip()]
