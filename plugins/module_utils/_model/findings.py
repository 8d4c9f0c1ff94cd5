# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rule says of a listener."""

from typing import Any, NamedTuple, Optional

from . import bindings

FAIL = "fail"
UNKNOWN = "unknown"

ERROR = "error"
WARNING = "warning"
INFO = "info"
SEVERITIES = (ERROR, WARNING, INFO)  # the worst first

RESTART = "restart"
RESTART_SOCKET = "restart_socket"
RECONFIGURE = "reconfigure"
WAIT = "wait"
MANUAL = "manual"
NONE = "none"
REMEDIES = (RESTART, RESTART_SOCKET, RECONFIGURE, WAIT, MANUAL, NONE)


class Finding(NamedTuple):
    rule: str  # slug
    verdict: str  # FAIL | UNKNOWN
    severity: str
    message: str  # one sentence for a person
    listener: Optional[bindings.Listener]  # None for an unknown that concerns many listeners at once
    remedy: str
    remedy_reason: str
    evidence: dict[str, Any]  # JSON values: what was read that leads to the verdict
