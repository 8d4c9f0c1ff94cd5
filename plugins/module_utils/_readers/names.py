# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host names to addresses, without waiting: a few threads ask the system's resolver, which can only block."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple, Optional

from .._model import endpoints
from .._wire import spelling

THREADS = 4
NOT_ASKED = f"its name was not looked up: {THREADS} names that the resolver does not answer were before it"
_FAMILIES = {None: socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


class Question(NamedTuple):
    host: str
    family: Optional[str]  # ipv4 | ipv6 | None = both
    attempt: int  # a later attempt asks again: names move when services do


class Answer(NamedTuple):
    question: Question
    addresses: tuple[endpoints.InetAddress, ...]
    error: Optional[str]


class Resolver:
    """`ask` never blocks; answers come through `take`, and a byte on `wakeup` says that there are some.

    The threads are daemons and never joined: a resolver that hangs in the C library must not hold up the end of a run.
    """

    def __init__(self) -> None:
        self.wakeup, self._bell = socket.socketpair()
        self.wakeup.setblocking(False)
        self._bell.setblocking(False)
        self._questions: SimpleQueue[Optional[Question]] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._asked = 0
        self._begun: set[Question] = set()
        self._threads: list[threading.Thread] = []

    def ask(self, question: Question) -> None:
        self._questions.put(question)
        self._asked += 1
        if len(self._threads) < min(THREADS, self._asked):
            self._threads.append(threading.Thread(target=self._work, daemon=True, name="resolver"))
            self._threads[-1].start()

    def has_begun(self, question: Question) -> bool:
        """Whether the system was asked, or the question still waits for a thread."""
        return question in self._begun

    def take(self) -> list[Answer]:
        with suppress(BlockingIOError):
            self.wakeup.recv(4096)
        answers = []
        while not self._answers.empty():
            answers.append(self._answers.get())
        return answers

    def close(self) -> None:
        for _thread in self._threads:
            self._questions.put(None)
        self.wakeup.close()
        self._bell.close()

    def _work(self) -> None:
        while True:
            question = self._questions.get()
            if question is None:
                return
            self._begun.add(question)
            self._answers.put(read_host(question))
            with suppress(OSError):  # a full pipe wakes just as well; a closed one means that nobody waits any more
                self._bell.send(b".")


def read_host(question: Question) -> Answer:
    """Asks the system's resolver (nsswitch.conf, hosts, DNS): every address once, in its order. Blocks."""
    try:
        rows = socket.getaddrinfo(question.host, None, _FAMILIES[question.family], socket.SOCK_STREAM)
    except socket.gaierror as error:
        return Answer(question, (), f"the resolver says: {spelling.printable(str(error.strerror))}")
    except (OSError, UnicodeError) as error:
        return Answer(question, (), f"the resolver failed: {spelling.printable(str(error))}")
    addresses: dict[endpoints.InetAddress, None] = {}
    for family, _type, _protocol, _name, place in rows:
        if family == socket.AF_INET:
            addresses[endpoints.InetAddress("ipv4", socket.inet_pton(family, str(place[0])))] = None
        elif family == socket.AF_INET6:
            scope = str(place[3]) if len(place) > 3 and place[3] else None
            addresses[
                endpoints.InetAddress("ipv6", socket.inet_pton(family, str(place[0]).partition("%")[0]), scope)
            ] = None
    return Answer(question, tuple(addresses), None if addresses else "the resolver knows no address of it")
