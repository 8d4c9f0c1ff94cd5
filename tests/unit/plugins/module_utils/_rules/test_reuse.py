# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules case by case. That they are the kernel's, tests/kernel/test_restarts.py shows."""

from __future__ import annotations

import time
from ipaddress import ip_address

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.connections import (
    BOUND,
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LISTENING,
    TIME_WAIT,
    Occupant,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.restarts import BLOCKED, OK, UNKNOWN, Claim
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.reuse import (
    HIDDEN_CLAIM,
    HIDDEN_FLAGS,
    HIDDEN_ORDER,
    Flags,
    foresee,
    infer_flags,
    overlaps,
)

PLAIN, REUSE, PORT, BOTH = (False, False), (True, False), (False, True), (True, True)
OWN = 1000  # inode of the listener that closes


def occupant(state=LISTENING, address="192.0.2.5", inode=OWN, **fields):
    packed = ip_address(address).packed
    timed = fields.get("clears_in") is not None
    given = {
        "protocol": "tcp",
        "family": "ipv4" if len(packed) == 4 else "ipv6",
        "packed": packed,
        "port": 80,
        "peer_packed": bytes(len(packed)),
        "peer_port": 0 if state in (LISTENING, BOUND) else 50312,
        "state": state,
        "ifindex": 0,
        "uid": None if timed else 0,
        "inode": 0 if timed else inode,
        "clears_in": None,
        "v6only": None,
    }
    return Occupant(**{**given, **fields})


def claim(address="192.0.2.5", flags=PLAIN, **fields):
    packed = ip_address(address).packed
    family = "ipv4" if len(packed) == 4 else "ipv6"
    given = Claim("tcp", family, packed, 80, 0, False, flags[0], flags[1], 0)
    return given._replace(**fields)


def ask(wish, *rows, flags=PLAIN, readings=None, closing=(OWN,)):
    """The outlook where the closing listener, the first row, has those flags."""
    return foresee(wish, infer_flags(rows, {OWN: flags, **(readings or {})}), closing)


TIMED = occupant(TIME_WAIT, clears_in=42_001)
OPEN = occupant(ESTABLISHED, inode=7)
ORPHAN = occupant(FIN_WAIT_1, inode=0)

# KERNEL: with one of these left: the flags of the old listener, of the new one, where it binds, what the kernel says.
TEST_SMALL_TABLE = [
    (left, old, new, address, OK if (old[0] and new[0]) or address == "192.0.2.9" else BLOCKED)
    for left in (TIMED, OPEN, ORPHAN)
    for old in (PLAIN, REUSE)
    for new in (PLAIN, REUSE)
    for address in ("192.0.2.5", "0.0.0.0", "192.0.2.9")
]


@pytest.mark.parametrize(("left", "old", "new", "address", "verdict"), TEST_SMALL_TABLE)
def test_small_table(left, old, new, address, verdict):
    assert ask(claim(address, new), occupant(), left, flags=old).verdict == verdict


TEST_RESTARTS = [
    # Nobody accepted it: it goes with its listener.
    (PLAIN, [occupant(ESTABLISHED, inode=0)], OK),
    (PLAIN, [occupant(CLOSE_WAIT, inode=0)], OK),
    (PLAIN, [occupant(FIN_WAIT_2, clears_in=5)], BLOCKED),
    (PORT, [TIMED, OPEN, ORPHAN], OK),
    # Accepted by a process of another user: the port remembers the listener, and nothing is compared.
    (PORT, [occupant(ESTABLISHED, inode=7, uid=33)], OK),
    (PLAIN, [], OK),
]


@pytest.mark.parametrize(("flags", "rows", "verdict"), TEST_RESTARTS)
def test_restarts(flags, rows, verdict):
    assert ask(claim(flags=flags), occupant(), *rows, flags=flags).verdict == verdict


def test_blockers_and_the_time_until_they_are_gone():
    later = TIMED._replace(peer_port=50313, clears_in=59_000)
    outlook = ask(claim(), occupant(), TIMED, later)
    assert (outlook.errno, outlook.blockers, outlook.clear_in_seconds) == ("EADDRINUSE", (TIMED, later), 59)
    assert ask(claim(), occupant(), TIMED).clear_in_seconds == 43, "rounded up"
    assert ask(claim(), occupant(), TIMED, OPEN).clear_in_seconds is None


TEST_NEIGHBOURS = [
    # Another listener stays in the way whatever SO_REUSEADDR says; SO_REUSEPORT of the same user shares.
    (claim(flags=REUSE), occupant(inode=2), REUSE, BLOCKED),
    (claim(flags=PORT), occupant(inode=2), PORT, OK),
    (claim(flags=PORT, uid=7), occupant(inode=2), PORT, BLOCKED),
    (claim(flags=PORT), occupant(inode=2), PLAIN, BLOCKED),
    (claim(flags=REUSE), occupant(BOUND, inode=2), REUSE, OK),
    (claim(flags=REUSE), occupant(BOUND, inode=2), PLAIN, BLOCKED),
    (claim(ifindex=2), occupant(inode=2, ifindex=3), PLAIN, OK),
    (claim(ifindex=2), occupant(inode=2, ifindex=2), PLAIN, BLOCKED),
    (claim(ifindex=2), occupant(inode=2), PLAIN, BLOCKED),
    (claim(port=81), occupant(inode=2), PLAIN, OK),
    (claim(protocol="udp"), occupant(inode=2), PLAIN, OK),
]


@pytest.mark.parametrize(("wish", "other", "flags", "verdict"), TEST_NEIGHBOURS)
def test_neighbours(wish, other, flags, verdict):
    assert foresee(wish, infer_flags([other], {2: flags})).verdict == verdict


DUAL, SIX = {"v6only": False}, {"v6only": True}
TEST_OVERLAPS = [
    # claim, occupant, overlap
    (("0.0.0.0", {}), ("192.0.2.5", {}), True),
    (("192.0.2.5", {}), ("0.0.0.0", {}), True),
    (("192.0.2.5", {}), ("192.0.2.6", {}), False),
    (("192.0.2.5", {}), ("::", DUAL), True),
    (("192.0.2.5", {}), ("::", SIX), False),
    (("::", DUAL), ("192.0.2.5", {}), True),
    (("::", SIX), ("192.0.2.5", {}), False),
    (("::", SIX), ("::", DUAL), True),
    (("::1", SIX), ("::", SIX), True),
    (("::1", SIX), ("192.0.2.5", {}), False),
    (("::ffff:192.0.2.5", DUAL), ("192.0.2.5", {}), True),
    (("192.0.2.5", {}), ("::ffff:192.0.2.5", DUAL), True),
    (("::ffff:192.0.2.5", DUAL), ("::", SIX), False),
    (("::ffff:0.0.0.0", DUAL), ("192.0.2.5", {}), True),
    (("::ffff:0.0.0.0", DUAL), ("::1", SIX), False),
    # An IPv6 connection of a dual-stack listener is in the way of 0.0.0.0, one of an IPv6-only listener is not.
    (("0.0.0.0", {}), ("2001:db8::5", DUAL), True),
    (("0.0.0.0", {}), ("2001:db8::5", SIX), False),
]


@pytest.mark.parametrize(("ours", "theirs", "expected"), TEST_OVERLAPS)
def test_overlaps(ours, theirs, expected):
    wish = claim(ours[0], **ours[1])
    assert overlaps(wish, occupant(address=theirs[0], **theirs[1]), bool(theirs[1].get("v6only"))) is expected


TEST_UNKNOWN = [
    # What is left of a program that is gone.
    (claim(flags=REUSE), [TIMED], {}, UNKNOWN, HIDDEN_FLAGS),
    (claim(), [TIMED], {}, BLOCKED, None),
    # A caller who does not say.
    (claim(flags=(None, False)), [occupant(), TIMED], {OWN: REUSE}, UNKNOWN, HIDDEN_CLAIM),
    (claim(flags=(None, False)), [occupant(), TIMED], {OWN: PLAIN}, BLOCKED, None),
    (claim(flags=(None, None)), [occupant()], {OWN: PLAIN}, OK, None),
    # Which of the two was bound last decides whether the kernel compares at all.
    (
        claim(flags=PORT),
        [occupant(), occupant(ESTABLISHED, inode=7, uid=33), occupant(inode=2, address="192.0.2.9")],
        {OWN: PORT, 2: PLAIN},
        UNKNOWN,
        HIDDEN_ORDER,
    ),
]


@pytest.mark.parametrize(("wish", "rows", "readings", "verdict", "reason"), TEST_UNKNOWN)
def test_only_what_decides_makes_unknown(wish, rows, readings, verdict, reason):
    outlook = foresee(wish, infer_flags(rows, readings), (OWN,))
    assert (outlook.verdict, outlook.reason) == (verdict, reason)
    assert outlook.errno == ("EADDRINUSE" if verdict == BLOCKED else None)


def test_what_may_be_in_the_way_is_named_with_its_time():
    outlook = foresee(claim(flags=REUSE), infer_flags([TIMED], {}))
    assert (outlook.blockers, outlook.clear_in_seconds) == ((TIMED,), 43)


def datagram(state=BOUND, inode=2, **fields):
    return occupant(state, inode=inode, protocol="udp", **fields)


TEST_UDP = [
    (REUSE, [(datagram(), REUSE)], OK),
    (PLAIN, [(datagram(), REUSE)], BLOCKED),
    (PORT, [(datagram(), PORT)], OK),
    (PORT, [(datagram(uid=7), PORT)], BLOCKED),
    (PLAIN, [(datagram(ESTABLISHED), PLAIN)], BLOCKED),
    (PLAIN, [(datagram(address="192.0.2.9"), PLAIN)], OK),
    # The first that shares ends the kernel's search, wherever the other one is.
    (PORT, [(datagram(), PORT), (datagram(inode=3), PLAIN)], UNKNOWN),
]


@pytest.mark.parametrize(("flags", "rows", "verdict"), TEST_UDP)
def test_udp(flags, rows, verdict):
    readings = {row.inode: reading for row, reading in rows}
    outlook = foresee(claim(flags=flags, protocol="udp"), infer_flags([row for row, _reading in rows], readings))
    assert outlook.verdict == verdict


def flags_of(row, *listeners, **readings):
    (held, *_rest) = infer_flags([row, *listeners], {int(name[1:]): value for name, value in readings.items()})
    return set(held.flags)


def test_a_connection_has_the_flags_of_its_listener():
    listener = occupant(address="0.0.0.0", inode=1)
    assert flags_of(TIMED, listener, i1=REUSE) == {Flags(True, False, False)}
    # One that cannot be its parent says nothing: another family, another pin.
    for other in (occupant(address="::", inode=1, v6only=False), occupant(address="0.0.0.0", inode=1, ifindex=3)):
        assert len(flags_of(TIMED, other, i1=REUSE)) == 4


def test_a_mapped_connection_comes_from_a_dual_stack_listener():
    mapped = occupant(ESTABLISHED, "::ffff:192.0.2.5", inode=0)._replace(state=FIN_WAIT_1)
    assert flags_of(mapped, occupant(address="::", inode=1, v6only=False), i1=BOTH) == {Flags(True, True, False)}
    assert len(flags_of(mapped, occupant(address="::", inode=1, v6only=True), i1=BOTH)) == 4


def test_a_link_local_peer_pins_the_connection_to_its_link():
    row = occupant(TIME_WAIT, "fe80::1", clears_in=1, ifindex=3)
    row = row._replace(peer_packed=ip_address("fe80::2").packed)
    assert flags_of(row, occupant(address="::", inode=1, v6only=True), i1=REUSE) == {Flags(True, False, True)}


def test_a_socket_that_was_read_needs_no_inference():
    bound = occupant(BOUND, inode=9)
    assert flags_of(bound, occupant(inode=1), i1=REUSE, i9=PORT) == {Flags(False, True, False)}


def test_thousands_of_connections_are_judged_once():
    rows = [TIMED._replace(peer_port=number) for number in range(20_000)]
    start = time.perf_counter()
    assert len(ask(claim(), occupant(), *rows).blockers) == 20_000
    assert time.perf_counter() - start < 3
