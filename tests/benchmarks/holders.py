# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that hold sockets and do nothing else: forked, on one leash, gone with their scene or with its maker."""

from __future__ import annotations

import gc
import os
import resource
import signal
import time
import traceback
from pathlib import Path
from typing import Callable, NoReturn, Optional

_REPORT = 4000  # bytes; a pipe takes that in one piece (PIPE_BUF)


class Holders:
    """Forks processes and ends them. Descriptors are limited per process, so much is held by many."""

    def __init__(self) -> None:
        self._leash, self._hand = os.pipe()
        self._reports, self._reporter = os.pipe()
        self._pids: list[int] = []
        self._unready = 0
        gc.freeze()  # children share the memory of their parent as long as nobody walks it

    def fork(self, name: str, work: Callable[[], object], cgroup: Optional[Path] = None) -> int:
        """The pid of a process called `name` that does `work`, keeps what it returns, and waits for its end."""
        pid = os.fork()
        if pid == 0:
            self._hold(name, work, cgroup)
        self._pids.append(pid)
        self._unready += 1
        return pid

    def wait_ready(self, seconds: float = 180) -> None:
        """Until every process has done its work. Raises RuntimeError with what went wrong in one of them."""
        os.set_blocking(self._reports, False)
        deadline = time.monotonic() + seconds
        while self._unready:
            try:
                report = os.read(self._reports, _REPORT)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self._unready} processes of the scene were not ready in time") from None
                time.sleep(0.01)
                continue
            if report.strip(b"."):
                raise RuntimeError(report.decode(errors="replace"))
            self._unready -= len(report)

    def end(self) -> None:
        """Every process is gone and reaped afterwards."""
        for descriptor in (self._hand, self._leash, self._reports, self._reporter):
            os.close(descriptor)
        for pid in self._pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for pid in self._pids:
            os.waitpid(pid, 0)
        self._pids.clear()

    def _hold(self, name: str, work: Callable[[], object], cgroup: Optional[Path]) -> NoReturn:
        try:
            os.close(self._hand)
            os.close(self._reports)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            Path("/proc/self/comm").write_text(name)
            if cgroup is not None:
                (cgroup / "cgroup.procs").write_text("0")
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            held = work()
            os.write(self._reporter, b".")
            os.read(self._leash, 1)  # ends when the one who holds the other side closes it or dies
            del held
        except BaseException:
            os.write(self._reporter, traceback.format_exc().encode()[-_REPORT:])
        finally:
            os._exit(0)
