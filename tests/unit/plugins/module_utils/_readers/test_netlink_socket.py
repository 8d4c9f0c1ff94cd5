# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kernel that interrupts, cuts off, lies and is silent: every answer is complete, or a typed error."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.netlink_socket import (
    NETLINK_ROUTE,
    NetlinkError,
    NetlinkSocket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.route_lookups import ask
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.netlink import MalformedMessage
from fake_kernel import (
    DONE,
    DUMP_INTR,
    ERROR,
    HEADER,
    MULTI,
    OVERRUN,
    Datagram,
    FakeKernel,
    Message,
    done,
    dump,
    error,
)
from hypothesis import given
from hypothesis import strategies as st

INTERRUPTED = MULTI | DUMP_INTR


def ask_for_dump(kernel):
    with NetlinkSocket(NETLINK_ROUTE, kernel) as channel:
        return channel.dump(18, b"request")


def test_dump_returns_the_payloads_of_all_datagrams_in_order():
    kernel = FakeKernel(dump(b"aaaa", b"bbbbb", b""))
    assert ask_for_dump(kernel) == [b"aaaa", b"bbbbb", b""]
    assert kernel.closed
    size, kind, flags, seq, _port = HEADER.unpack_from(kernel.requests[0])
    assert (size, kind, flags, seq, kernel.requests[0][16:]) == (23, 18, 0x301, 1, b"request")


def test_dump_takes_several_messages_in_one_datagram():
    assert ask_for_dump(FakeKernel([Datagram([Message(20, b"a"), Message(20, b"bb"), done()])])) == [b"a", b"bb"]


def test_dump_without_rows_is_an_empty_list():
    assert ask_for_dump(FakeKernel([Datagram([done()])])) == []


def test_dump_accepts_an_end_without_error_number_as_old_kernels_send_it():
    assert ask_for_dump(FakeKernel([Datagram([Message(20, b"a"), Message(DONE)])])) == [b"a"]


TEST_INTERRUPTED = [
    ("on a row", [Datagram([Message(20, b"old", INTERRUPTED)]), Datagram([done()])]),
    ("on the end", [Datagram([Message(20, b"old")]), Datagram([done(flags=INTERRUPTED)])]),
    ("on one row of two", [Datagram([Message(20, b"old", INTERRUPTED), Message(20, b"x"), done()])]),
]


@pytest.mark.parametrize(("_where", "broken"), TEST_INTERRUPTED)
def test_interrupted_dump_is_asked_for_again_and_its_rows_are_forgotten(_where, broken):
    kernel = FakeKernel(broken, broken, dump(b"new"))
    assert ask_for_dump(kernel) == [b"new"]
    assert [HEADER.unpack_from(request)[3] for request in kernel.requests] == [1, 2, 3]


def test_dump_that_is_always_interrupted_is_an_error_and_not_a_list():
    kernel = FakeKernel(*[dump(b"row", flags=INTERRUPTED)] * 50)
    with pytest.raises(NetlinkError, match=r"changed during each of \d+ readings") as caught:
        ask_for_dump(kernel)
    assert caught.value.errno == errno.EINTR
    assert len(kernel.requests) < 50


TEST_REFUSED = [
    ("NLMSG_ERROR at once", [Datagram([error(errno.EPERM)])], errno.EPERM),
    ("NLMSG_ERROR after rows", [Datagram([Message(20, b"a")]), Datagram([error(errno.ENOMEM)])], errno.ENOMEM),
    ("an error inside NLMSG_DONE", [Datagram([Message(20, b"a"), done(errno.EOPNOTSUPP)])], errno.EOPNOTSUPP),
    ("NLMSG_OVERRUN", [Datagram([Message(20, b"a"), Message(OVERRUN)])], errno.ENOBUFS),
    ("an acknowledgement", [Datagram([Message(ERROR, struct.pack("=i", 0))])], None),
    ("MSG_TRUNC", [Datagram([Message(20, b"a")], flags=socket.MSG_TRUNC)], errno.EMSGSIZE),
    ("a lost datagram", [Datagram([Message(20, b"a")]), Datagram(error=errno.ENOBUFS)], errno.ENOBUFS),
    ("an end of file", [Datagram([Message(20, b"a")]), Datagram()], None),
    ("silence at once", [], errno.ETIMEDOUT),
    ("silence in the middle", [Datagram([Message(20, b"a")])], errno.ETIMEDOUT),
    ("another request's answer", [Datagram([done()._replace(seq_offset=5)])], errno.ETIMEDOUT),
]  # fmt: skip


@pytest.mark.parametrize(("_what", "datagrams", "code"), TEST_REFUSED)
def test_dump_that_ends_otherwise_is_an_error(_what, datagrams, code):
    kernel = FakeKernel(datagrams)
    with pytest.raises(NetlinkError) as caught:
        ask_for_dump(kernel)
    assert caught.value.errno == code
    assert str(caught.value)
    assert kernel.closed


TEST_MALFORMED = [
    ("three bytes", b"\x01\x02\x03"),
    ("a length below the header's", HEADER.pack(15, 20, 2, 1, 0)),
    ("a length beyond the datagram", HEADER.pack(40, 20, 2, 1, 0) + bytes(8)),
    ("a rest after the last message", HEADER.pack(16, DONE, 2, 9, 0) + b"rest"),
    ("an error report of two bytes", HEADER.pack(18, ERROR, 0, 1, 0) + b"\xff\xff"),
    ("an errno that none is", HEADER.pack(20, ERROR, 0, 1, 0) + struct.pack("=i", -(1 << 31))),
]


@pytest.mark.parametrize(("_what", "raw"), TEST_MALFORMED)
def test_dump_that_is_not_netlink_is_an_error(_what, raw):
    with pytest.raises(MalformedMessage):
        ask_for_dump(FakeKernel([Datagram(raw=raw)]))


def test_answers_to_an_earlier_request_are_passed_over():
    late = Datagram([Message(20, b"late", seq_offset=-1), done()._replace(seq_offset=-1)])
    kernel = FakeKernel([Datagram([error(errno.EBUSY)])], [late, *dump(b"mine")])
    with NetlinkSocket(NETLINK_ROUTE, kernel) as channel:
        with pytest.raises(NetlinkError):
            channel.dump(18, b"")
        assert channel.dump(18, b"") == [b"mine"]


def test_request_that_cannot_be_sent():
    with pytest.raises(NetlinkError, match="could not be sent") as caught:
        ask_for_dump(FakeKernel(send_error=errno.ECONNREFUSED))
    assert caught.value.errno == errno.ECONNREFUSED


def ask_once(*datagrams):
    with NetlinkSocket(NETLINK_ROUTE, FakeKernel(datagrams)) as channel:
        return ask(channel, 26, b"request")


def test_ask_returns_the_one_answer():
    assert ask_once(Datagram([Message(24, b"route", 0)])) == b"route"


def test_ask_passes_over_what_answers_another_request():
    assert ask_once(Datagram([Message(24, b"old", 0, -1)]), Datagram([Message(24, b"new", 0)])) == b"new"


TEST_ASK_REFUSED = [
    ("an error", [Datagram([error(errno.ENETUNREACH)])], errno.ENETUNREACH),
    ("silence", [], errno.ETIMEDOUT),
    ("a cut datagram", [Datagram([Message(24, b"a")], flags=socket.MSG_TRUNC)], errno.EMSGSIZE),
]


@pytest.mark.parametrize(("_what", "datagrams", "code"), TEST_ASK_REFUSED)
def test_ask_that_is_refused(_what, datagrams, code):
    with pytest.raises(NetlinkError) as caught:
        ask_once(*datagrams)
    assert caught.value.errno == code


def test_socket_that_cannot_be_opened(monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(NetlinkError, match="cannot be opened") as caught:
        NetlinkSocket(NETLINK_ROUTE)
    assert caught.value.errno == errno.EAFNOSUPPORT


MESSAGES = st.builds(
    Message,
    type=st.sampled_from([1, ERROR, DONE, OVERRUN, 20]),
    payload=st.one_of(st.binary(max_size=24), st.integers(-5000, 5000).map(lambda code: struct.pack("=i", code))),
    flags=st.sampled_from([0, MULTI, INTERRUPTED]),
    seq_offset=st.sampled_from([0, 0, 0, 1]),
)
DATAGRAMS = st.one_of(
    st.tuples(st.lists(MESSAGES, max_size=4), st.sampled_from([0, 0, 0, socket.MSG_TRUNC])).map(
        lambda parts: Datagram(parts[0], flags=parts[1])
    ),
    st.binary(max_size=64).map(lambda raw: Datagram(raw=raw)),
    st.sampled_from([errno.ENOBUFS, errno.ECONNRESET]).map(lambda code: Datagram(error=code)),
)


@given(st.lists(st.lists(DATAGRAMS, max_size=4), max_size=10))
def test_whatever_comes_is_a_whole_answer_or_a_typed_error(answers):
    kernel = FakeKernel(*answers)
    try:
        payloads = ask_for_dump(kernel)
    except (NetlinkError, MalformedMessage):
        return
    # What is returned are the rows of one answer, the last that was asked for, which has an end and no interruption.
    datagrams = answers[len(kernel.requests) - 1]
    if not any(datagram.raw for datagram in datagrams):
        own = [message for datagram in datagrams for message in datagram.messages if not message.seq_offset]
        end = [message.type for message in own].index(DONE)
        assert payloads == [message.payload for message in own[:end]]
        assert not any(message.flags & DUMP_INTR for message in own[: end + 1])
