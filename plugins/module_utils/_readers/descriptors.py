# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many file descriptors this process may still open."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

_UNLISTED = 64  # assumed open where /proc/self/fd cannot be listed


def read_free_descriptors(wanted: int) -> int:
    """Descriptors that can be opened now; where `wanted` needs it, this process raises its own soft limit first.

    The soft limit is often 1,024 for the sake of select(), which is not used here (getrlimit(2), RLIMIT_NOFILE).
    """
    try:
        used = len(os.listdir("/proc/self/fd"))
    except OSError:
        used = _UNLISTED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < used + wanted and soft != hard:
        raised = used + wanted if hard == resource.RLIM_INFINITY else min(used + wanted, hard)
        with suppress(OSError, ValueError):  # macOS has a lower limit besides (OPEN_MAX); what is there must do then
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    return max(soft - used, 0)
