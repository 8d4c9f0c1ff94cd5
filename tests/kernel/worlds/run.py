# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many worlds at once: one worker process per CPU, each world bounded in time, whatever it does."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from typing import NamedTuple, Union

from .build import die_with_parent, enter_own_proc
from .check import SHRINK_TIME, Result, check_world
from .generate import draw_world
from .ours import Judge
from .world import Disagreement, World

WORLD_TIMEOUT = 60.0  # seconds; most worlds take a fifth of one

_SHRINKING = "shrinking"
_processes = multiprocessing.get_context("fork")


class _Worker(NamedTuple):
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    seed: int
    deadline: float


class Pool:
    """Plays the worlds of some seeds.

    A worker is a session of its own, so that ending it ends the `ip` that it may be waiting for.
    """

    def __init__(
        self,
        judges: Mapping[str, Judge],
        workers: int = 0,
        timeout: float = WORLD_TIMEOUT,
        draw: Callable[[int], World] = draw_world,
    ) -> None:
        self._judges = judges
        self._workers = workers or len(os.sched_getaffinity(0))
        self._timeout = timeout
        self._draw = draw

    def play(self, seeds: Iterable[int]) -> Iterator[Result]:
        """Results in the order in which they come."""
        todo = iter(seeds)
        busy: list[_Worker] = []
        try:
            for _worker, seed in zip(range(self._workers), todo):
                busy.append(self._start(seed))
            while busy:
                waited = min(worker.deadline for worker in busy) - time.monotonic()
                readable = wait([worker.pipe for worker in busy], max(0.0, waited))
                for worker in list(busy):
                    message = self._hear(worker, worker.pipe in readable)
                    if message == _SHRINKING:
                        busy[busy.index(worker)] = worker._replace(
                            deadline=time.monotonic() + SHRINK_TIME + self._timeout
                        )
                    elif isinstance(message, Result):
                        busy.remove(worker)
                        busy += self._go_on(worker, todo)
                        yield message
        finally:
            for worker in busy:
                _end(worker)

    def _hear(self, worker: _Worker, has_message: bool) -> Union[str, Result, None]:
        if has_message:
            try:
                message: Union[str, Result] = worker.pipe.recv()
                return message
            except (EOFError, OSError):
                _end(worker)
                return self._failed(worker, f"a worker that ended with {worker.process.exitcode}")
        if time.monotonic() < worker.deadline:
            return None
        _end(worker)
        return self._failed(worker, f"nothing for {self._timeout} s: it hangs")

    def _failed(self, worker: _Worker, ours: str) -> Result:
        wrong = Disagreement(None, "hang", ours, "that there is an answer")
        return Result(worker.seed, Counter(worlds=1), (wrong,), self._draw(worker.seed))

    def _start(self, seed: int) -> _Worker:
        ours, theirs = _processes.Pipe()
        process = _processes.Process(target=_work, args=(ours, theirs, self._judges, self._draw))
        process.start()
        theirs.close()
        ours.send(seed)
        return _Worker(process, ours, seed, time.monotonic() + self._timeout)

    def _go_on(self, worker: _Worker, todo: Iterator[int]) -> list[_Worker]:
        seed = next(todo, None)
        if seed is None:
            _end(worker)
            return []
        if worker.pipe.closed:
            return [self._start(seed)]
        worker.pipe.send(seed)
        return [worker._replace(seed=seed, deadline=time.monotonic() + self._timeout)]


def _end(worker: _Worker) -> None:
    worker.pipe.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.process.ident or 0, signal.SIGKILL)
    worker.process.kill()
    worker.process.join()


def _work(far_end: Connection, pipe: Connection, judges: Mapping[str, Judge], draw: Callable[[int], World]) -> None:
    os.setsid()
    far_end.close()
    die_with_parent()
    enter_own_proc()
    while True:
        try:
            world = draw(pipe.recv())
        except EOFError:
            return
        pipe.send(check_world(world, judges, lambda: pipe.send(_SHRINKING)))
