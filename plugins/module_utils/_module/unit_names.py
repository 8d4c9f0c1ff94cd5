# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user calls a unit, and its whole name."""

from __future__ import annotations

from . import arguments

# systemd.unit(5). Whatever does not end in one of these is the name of a service, as for systemctl.
_UNIT_TYPES = (
    ".service", ".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path", ".timer", ".slice", ".scope",
)  # fmt: skip


def complete_name(unit: str) -> str:
    """As systemctl spells it. Raises InvalidOption."""
    name = unit.strip()
    if not name or "/" in name or "*" in name or "?" in name:
        raise arguments.InvalidOption("unit", unit, "the name of one unit, such as nginx.service or ssh.socket")
    return complete_unit(name)


def complete_unit(name: str) -> str:
    """nginx is nginx.service; what says its type stays as it is."""
    return name if name.endswith(_UNIT_TYPES) else f"{name}.service"
