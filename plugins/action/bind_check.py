# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On the controller: packs, sends and runs bind_check as Ansible does any module, but collects no garbage meanwhile.

To pack a module, ansible-core parses each source that goes along, once in a play. Up to 2.20 it ties the tree of each
into a cycle (ModuleDepFinder in ansible/executor/module_common.py), so that the garbage collector, called again and
again by so many new objects, walks through everything that the controller has loaded, and takes nearly as long as the
parsing. From 2.21 on there are no cycles, and little is gained: when that is the oldest supported, this file can go.
"""

from __future__ import annotations

import gc
from typing import Any, Optional

from ansible.plugins.action.normal import ActionModule as AnyModule


class ActionModule(AnyModule):  # type: ignore[misc]
    """What it returns is what the module returned."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        # A worker process was forked for this one task and host, and ends with it: what is garbage until then, some ten
        # megabytes, is not worth being found.
        collects = gc.isenabled()
        gc.disable()
        try:
            result: dict[str, Any] = super().run(tmp, task_vars)
            return result
        finally:
            if collects:
                gc.freeze()  # or the first look would go through all that was made meanwhile
                gc.enable()
