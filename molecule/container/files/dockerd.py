# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of dockerd that publishes a port: starts the real docker-proxy for it, with these arguments, and waits."""

from __future__ import annotations

import os
import sys

_REPORT = 3  # the descriptor on which docker-proxy says that it listens


def main() -> None:
    if not os.fork():
        os.dup2(os.open("/dev/null", os.O_WRONLY), _REPORT)
        os.set_inheritable(_REPORT, True)
        os.execv("/usr/sbin/docker-proxy", ["/usr/sbin/docker-proxy", *sys.argv[1:]])
    os.wait()


if __name__ == "__main__":
    main()
