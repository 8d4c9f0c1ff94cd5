# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import select
import socket
import threading
import time
from typing import Any, Callable

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.endpoints import InetAddress
from ansible_collections.infracheck.bindings.plugins.module_utils._readers import names
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.names import (
    THREADS,
    Answer,
    Question,
    Resolver,
    read_host,
)

ONE, OTHER = InetAddress("ipv4", bytes([192, 0, 2, 1])), InetAddress("ipv6", bytes(15) + b"\1")


def fake_resolver(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]) -> None:
    monkeypatch.setattr(names.socket, "getaddrinfo", answer)  # type: ignore[attr-defined]


def row(family: int, *place: Any) -> tuple[Any, ...]:
    return (family, socket.SOCK_STREAM, 6, "", place)


# what getaddrinfo returns, addresses
TEST_ROWS = [
    ([row(socket.AF_INET, "192.0.2.1", 0)], (ONE,)),
    ([row(socket.AF_INET, "192.0.2.1", 0)] * 2, (ONE,)),
    ([row(socket.AF_INET6, "::1", 0, 0, 0), row(socket.AF_INET, "192.0.2.1", 0)], (OTHER, ONE)),
    ([row(socket.AF_INET6, "fe80::1%eth0", 0, 0, 3)], (InetAddress("ipv6", b"\xfe\x80" + bytes(13) + b"\1", "3"),)),
    ([row(16, "x"), row(socket.AF_INET, "192.0.2.1", 0)], (ONE,)),
]


@pytest.mark.parametrize(("rows", "addresses"), TEST_ROWS)
def test_every_address_once_in_the_order_of_the_resolver(
    monkeypatch: pytest.MonkeyPatch, rows: Any, addresses: Any
) -> None:
    fake_resolver(monkeypatch, lambda *arguments: rows)
    question = Question("a.example", None, 1)
    assert read_host(question) == Answer(question, addresses, None)


TEST_ERRORS = [
    (socket.gaierror(-2, "Name or service not known"), "the resolver says: Name or service not known"),
    (socket.gaierror(-2, "evil \x1b[2J"), "the resolver says: evil \\x1b[2J"),
    (OSError(24, "Too many open files"), "the resolver failed: [Errno 24] Too many open files"),
    (UnicodeError("label too long"), "the resolver failed: label too long"),
]


@pytest.mark.parametrize(("error", "reason"), TEST_ERRORS)
def test_errors_are_answers(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    fake_resolver(monkeypatch, fail)
    assert read_host(Question("a.example", None, 1))[1:] == ((), reason)


def test_no_address_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_resolver(monkeypatch, lambda *arguments: [])
    assert read_host(Question("a.example", None, 1)).error == "the resolver knows no address of it"


@pytest.mark.parametrize(("family", "number"), [(None, 0), ("ipv4", socket.AF_INET), ("ipv6", socket.AF_INET6)])
def test_family_is_asked_for(monkeypatch: pytest.MonkeyPatch, family: Any, number: int) -> None:
    asked: list[Any] = []
    fake_resolver(monkeypatch, lambda *arguments: asked.append(arguments) or [])  # type: ignore[func-returns-value]
    read_host(Question("a.example", family, 1))
    assert asked == [("a.example", None, number, socket.SOCK_STREAM)]


def test_few_threads_for_many_names_and_a_bell_for_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def answer(*arguments: Any) -> Any:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return [row(socket.AF_INET, "192.0.2.1", 0)]

    fake_resolver(monkeypatch, answer)
    resolver = Resolver()
    questions = {Question(f"name{number}", None, 1) for number in range(20)}
    for question in questions:
        resolver.ask(question)
    answers: list[Answer] = []
    while len(answers) < len(questions):
        assert select.select([resolver.wakeup], [], [], 5)[0], "no bell"
        answers += resolver.take()
    resolver.close()
    assert {found.question for found in answers} == questions
    assert most[0] == THREADS


def test_an_answer_after_the_end_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    fake_resolver(monkeypatch, lambda *arguments: go_on.wait(5) and [])
    resolver = Resolver()
    resolver.ask(Question("late", None, 1))
    (worker,) = resolver._threads
    resolver.close()
    go_on.set()
    worker.join(5)
    assert not worker.is_alive()
