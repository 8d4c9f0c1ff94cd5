# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many connects at once from one thread, each outcome read once with getsockopt(SO_ERROR) from a socket of our own."""

from __future__ import annotations

import errno
import heapq
import selectors
import socket
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Callable, Optional

from .._model import backends
from .._model.endpoints import (
    AT_CONNECT,
    AT_DEADLINE,
    AT_ITSELF,
    AT_SO_ERROR,
    Connect,
    ConnectSettings,
    Endpoint,
    InetAddress,
    Trial,
)
from . import connect_socket, descriptors, names

Judge = Callable[[Endpoint, Trial], bool]

# What the resolver's threads, the selector and the rest of the program may open meanwhile.
_RESERVED_DESCRIPTORS = 32
_NONE_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_AMBIGUOUS = (errno.EADDRNOTAVAIL, errno.EINVAL)


def read_connects(
    endpoints: Sequence[Endpoint], settings: ConnectSettings, is_met: Judge
) -> tuple[list[Trial], tuple[backends.Gap, ...]]:
    """Tries every address of every endpoint; what `is_met` does not accept again, `settings.attempts` times in all.

    One Trial per endpoint, in the same order. A gap where this process's descriptors do not allow the concurrency
    asked for: then endpoints wait for their turn, and their time starts only with it.
    """
    engine = _Engine(endpoints, settings, is_met)
    try:
        return engine.run(), engine.gaps
    finally:
        engine.close()


class _Round:
    """One attempt of one endpoint: all of its addresses."""

    __slots__ = ("attempt", "budget", "connects", "endpoint", "index", "left", "started")

    def __init__(self, index: int, endpoint: Endpoint, attempt: int) -> None:
        self.index = index
        self.endpoint = endpoint
        self.attempt = attempt
        self.started = 0.0
        self.budget = 0.0  # seconds for each connect: the timeout, less what the resolver took
        self.connects: list[Optional[Connect]] = []
        self.left = 0


class _Try:
    """One connect under way."""

    __slots__ = ("address", "decided", "position", "round", "started")

    def __init__(self, round_: _Round, position: int, address: InetAddress) -> None:
        self.round = round_
        self.position = position
        self.address = address
        self.started = 0.0
        self.decided: Optional[float] = None


class _Engine:
    def __init__(self, endpoints: Sequence[Endpoint], settings: ConnectSettings, is_met: Judge) -> None:
        self.gaps: tuple[backends.Gap, ...] = ()
        self._settings = settings
        self._is_met = is_met
        self._trials: list[Optional[Trial]] = [None] * len(endpoints)
        self._unfinished = len(endpoints)
        self._waiting = deque(_Round(index, endpoint, 1) for index, endpoint in enumerate(endpoints))
        self._ready: deque[_Try] = deque()
        self._open: set[socket.socket] = set()
        self._asking: dict[names.Question, list[_Round]] = {}
        self._answers: dict[names.Question, names.Answer] = {}
        self._slots_taken = 0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_count = 0
        self._selector = selectors.DefaultSelector()
        self._resolver: Optional[names.Resolver] = None
        self._limit = self._read_limit(min(settings.concurrency, len(endpoints)))

    def run(self) -> list[Trial]:
        while self._unfinished:
            self._fill_slots()
            for key, _events in self._selector.select(self._next_wait()):
                key.data()
            now = monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
        return [trial for trial in self._trials if trial is not None]

    def close(self) -> None:
        for channel in self._open:
            channel.close()
        self._selector.close()
        if self._resolver:
            self._resolver.close()

    def _read_limit(self, wanted: int) -> int:
        free = max(descriptors.read_free_descriptors(wanted + _RESERVED_DESCRIPTORS) - _RESERVED_DESCRIPTORS, 1)
        if free < wanted:
            self._tell_limit(free, wanted)
        return min(wanted, free)

    def _tell_limit(self, possible: int, wanted: int) -> None:
        reason = f"the limits on open files leave {possible} connects at the same time, not {wanted}"
        self.gaps = (backends.Gap("RLIMIT_NOFILE", "concurrency", f"{reason}: the others waited for their turn"),)

    def _next_wait(self) -> Optional[float]:
        if not self._unfinished or (self._slots_taken < self._limit and (self._ready or self._waiting)):
            return 0
        return max(self._timers[0][0] - monotonic(), 0) if self._timers else None

    def _after(self, when: float, action: Callable[[], None]) -> None:
        self._timer_count += 1  # keeps the heap from ever comparing two functions
        heapq.heappush(self._timers, (when, self._timer_count, action))

    # A slot is held by a name that is being looked up, or by an open socket.

    def _fill_slots(self) -> None:
        while self._slots_taken < self._limit:
            if self._ready:
                if not self._start_connect(self._ready.popleft()):
                    return
            elif self._waiting:
                self._start_round(self._waiting.popleft())
            else:
                return

    def _start_round(self, round_: _Round) -> None:
        round_.started = monotonic()
        endpoint = round_.endpoint
        if endpoint.address is not None:
            self._prepare(round_, (endpoint.address,))
            return
        family = endpoint.source.family if endpoint.source else self._settings.family
        question = names.Question(endpoint.host, family, round_.attempt)
        if question in self._answers:
            self._take_answer(round_, self._answers[question])
            return
        self._slots_taken += 1
        self._after(round_.started + self._settings.timeout, lambda: self._give_up_name(round_, question))
        self._asking.setdefault(question, []).append(round_)
        if len(self._asking[question]) == 1:
            self._ask(question)

    def _ask(self, question: names.Question) -> None:
        if self._resolver is None:
            self._resolver = names.Resolver()
            self._selector.register(self._resolver.wakeup, selectors.EVENT_READ, self._take_answers)
        self._resolver.ask(question)

    def _take_answers(self) -> None:
        for answer in self._resolver.take() if self._resolver else ():
            self._answers[answer.question] = answer
            for round_ in self._asking.pop(answer.question, ()):
                self._slots_taken -= 1
                self._take_answer(round_, answer)

    def _take_answer(self, round_: _Round, answer: names.Answer) -> None:
        if answer.addresses:
            self._prepare(round_, answer.addresses)
        else:
            self._conclude(round_, Trial(round_.attempt, (), answer.error))

    def _give_up_name(self, round_: _Round, question: names.Question) -> None:
        rounds = self._asking.get(question, [])
        if round_ in rounds:
            rounds.remove(round_)  # an empty list stays: the question is still with the resolver, and not asked twice
            self._slots_taken -= 1
            asked = self._resolver is not None and self._resolver.has_begun(question)
            reason = f"the resolver did not answer within {self._settings.timeout:g} s" if asked else names.NOT_ASKED
            self._conclude(round_, Trial(round_.attempt, (), reason, asked))

    def _prepare(self, round_: _Round, addresses: tuple[InetAddress, ...]) -> None:
        round_.budget = max(self._settings.timeout - (monotonic() - round_.started), 0.0)
        round_.connects = [None] * len(addresses)
        round_.left = len(addresses)
        self._ready.extend(_Try(round_, position, address) for position, address in enumerate(addresses))

    def _start_connect(self, try_: _Try) -> bool:
        """False: no descriptor is left, and the try has gone back to the head of the line until another one ends."""
        endpoint = try_.round.endpoint
        try_.started = monotonic()
        try:
            channel, code = connect_socket.open_connecting(try_.address, endpoint)
        except connect_socket.StepFailed as failure:
            if failure.errno in _NONE_LEFT and self._open:
                self._ready.appendleft(try_)
                self._limit = len(self._open)
                self._tell_limit(self._limit, self._settings.concurrency)
                return False
            self._slots_taken += 1
            self._finish(try_, failure.stage, failure.errno, None)
            return True
        self._slots_taken += 1
        self._open.add(channel)
        if code:
            self._close(channel)
            self._finish(try_, AT_CONNECT, code, None)
        else:
            self._selector.register(channel, selectors.EVENT_WRITE, lambda: self._decide(try_, channel))
            self._after(try_.started + try_.round.budget, lambda: self._give_up_connect(try_, channel))
        return True

    def _decide(self, try_: _Try, channel: socket.socket) -> None:
        try_.decided = monotonic()
        self._selector.unregister(channel)
        if self._settings.settle:
            self._after(try_.decided + self._settings.settle, lambda: self._read_outcome(try_, channel))
        else:
            self._read_outcome(try_, channel)

    def _read_outcome(self, try_: _Try, channel: socket.socket) -> None:
        local = connect_socket.read_local_address(channel)
        error = channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        stage = AT_ITSELF if error == 0 and connect_socket.is_own_peer(channel) else AT_SO_ERROR
        self._close(channel)
        self._finish(try_, stage, error, local)

    def _give_up_connect(self, try_: _Try, channel: socket.socket) -> None:
        if try_.decided is None:
            self._selector.unregister(channel)
            local = connect_socket.read_local_address(channel)
            self._close(channel)
            self._finish(try_, AT_DEADLINE, None, local)

    def _close(self, channel: socket.socket) -> None:
        channel.close()
        self._open.discard(channel)

    def _finish(self, try_: _Try, stage: str, error: Optional[int], local: Optional[bytes]) -> None:
        seconds = (try_.decided or monotonic()) - try_.started
        self._slots_taken -= 1
        ambiguous = stage == AT_CONNECT and error in _AMBIGUOUS
        route_error = (
            connect_socket.read_route_error(try_.address, try_.round.endpoint.interface) if ambiguous else None
        )
        round_ = try_.round
        round_.connects[try_.position] = Connect(try_.address, stage, error, local, seconds, route_error)
        round_.left -= 1
        if not round_.left:
            connects = tuple(connect for connect in round_.connects if connect is not None)
            self._conclude(round_, Trial(round_.attempt, connects, None))

    def _conclude(self, round_: _Round, trial: Trial) -> None:
        if round_.attempt < self._settings.attempts and not self._is_met(round_.endpoint, trial):
            again = _Round(round_.index, round_.endpoint, round_.attempt + 1)
            self._after(monotonic() + self._settings.delay, lambda: self._waiting.append(again))
            return
        self._trials[round_.index] = trial
        self._unfinished -= 1
