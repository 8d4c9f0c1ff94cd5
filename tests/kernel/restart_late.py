# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets SO_REUSEADDR at different times, and prints what a reading shows and what the kernel says, as JSON."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import IPV4
from ansible_collections.infracheck.bindings.tests.kernel.restart_namespaces import Namespaces
from ansible_collections.infracheck.bindings.tests.kernel.restart_single import (
    close_first,
    foresee,
    listen,
    try_to_listen,
)

MOMENTS = ("before bind", "between listen and the first connection", "after the first connection")


def play(moment: str) -> dict[str, Any]:
    listener = listen(IPV4, reuseaddr=moment == MOMENTS[0])
    if moment == MOMENTS[1]:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    close_first(listener)
    if moment == MOMENTS[2]:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found, outlook = foresee(listener)
    port = listener.getsockname()[1]
    listener.close()
    said = try_to_listen(IPV4, port, reuseaddr=True)
    return {"reads": found.options.reuseaddr, "foretold": outlook.verdict, "kernel": said or "ok"}


if __name__ == "__main__":
    Namespaces()
    json.dump({moment: play(moment) for moment in MOMENTS}, sys.stdout)
