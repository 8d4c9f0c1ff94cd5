# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel would answer to bind() and listen() on a port that others use: its own rules, written out.

TCP: inet_csk_get_port() and inet_csk_bind_conflict(), net/ipv4/inet_connection_sock.c. UDP: udp_lib_lport_inuse(),
net/ipv4/udp.c. Both compare addresses as inet_rcv_saddr_equal() does. Every occupant of the port is compared with the
claim in turn; what cannot be seen of it is tried both ways, and only where that changes the answer it is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Callable, NamedTuple, Optional

from .._model import addresses, bindings, connections, restarts

HIDDEN_FLAGS = "whether the sockets that these are left of had SO_REUSEADDR and SO_REUSEPORT cannot be seen"
UNREAD_FLAGS = "whether the sockets in the way have SO_REUSEADDR and SO_REUSEPORT could not be read (see the gaps)"
HIDDEN_CLAIM = "it is not known which options the program sets"
HIDDEN_ORDER = "the answer depends on the order in which the sockets on this port were bound, which cannot be seen"

_ANY4 = bytes(4)
_LOOPBACK4_IPV6 = b"\x7f\0\0\6"  # what the kernel keeps as the IPv4 address of an IPv6 socket that has none
_EITHER = (False, True)


class Flags(NamedTuple):
    reuseaddr: bool
    reuseport: bool
    v6only: bool


class Held(NamedTuple):
    """An occupant with every combination of flags that it may have."""

    occupant: connections.Occupant
    flags: tuple[Flags, ...]
    is_descendant: bool  # of a listener that is there: it did not bind by itself


Reading = tuple[Optional[bool], Optional[bool]]  # SO_REUSEADDR, SO_REUSEPORT of a live socket
_Test = Callable[[restarts.Claim, connections.Occupant, Flags], bool]


def infer_flags(occupants: Iterable[connections.Occupant], readings: Mapping[int, Reading]) -> list[Held]:
    """Each occupant with the flags that it may have; `readings` by inode.

    A connection has the flags of the listener that it came from, and what is left of it copies them (sk_clone,
    inet_twsk_alloc); a socket that was read has its own. Of everything else nothing is known.
    """
    occupants = list(occupants)
    listeners = [occupant for occupant in occupants if occupant.state == connections.LISTENING]
    known: dict[tuple[object, ...], tuple[tuple[Flags, ...], bool]] = {}
    held = []
    for occupant in occupants:
        is_own = (
            occupant.inode in readings
            or occupant.state in (connections.LISTENING, connections.BOUND)
            or occupant.protocol != bindings.TCP
        )
        own = occupant.inode if is_own else 0
        key = (occupant[:4], occupant.ifindex, occupant.v6only, addresses.is_link_local(occupant.peer_packed), own)
        answer = known.get(key)
        if answer is None:
            parents = [] if is_own else [listener for listener in listeners if _may_be_child(occupant, listener)]
            sources = parents or [occupant]
            flags = {flags for source in sources for flags in _possible_flags(source, readings.get(source.inode))}
            answer = known[key] = (tuple(sorted(flags)), bool(parents))
        held.append(Held(occupant, *answer))
    return held


def foresee(claim: restarts.Claim, held: Sequence[Held], closing: Collection[int] = ()) -> restarts.Outlook:
    """The kernel's answer, once the sockets with the inodes `closing` are closed and everything else stays as it is.

    Only the port is looked at: whether the address is there, and the right to use the port, are others' questions.
    Those in `held` must be in the claim's L3 domain (a VRF has ports of its own).
    """
    on_port = [row for row in held if row.occupant.port == claim.port and row.occupant.protocol == claim.protocol]
    # What nobody has accepted yet goes with its listener; and where the listener stays, that one is in the way itself.
    staying = [row for row in on_port if row.occupant.inode not in closing and not row.occupant.is_unaccepted]
    decide = _decide_tcp if claim.protocol == bindings.TCP else _decide_udp
    answers = [decide(variant, on_port, staying, closing) for variant in _expand(claim)]
    if all(answer.verdict == restarts.OK for answer in answers):
        return restarts.Outlook(restarts.OK, None, (), None, None)
    blockers = dict.fromkeys(row.occupant for answer in answers for row in answer.blockers)
    found = tuple(sorted(blockers, key=lambda occupant: occupant.sort_key))
    if all(answer.verdict == restarts.BLOCKED for answer in answers):
        return restarts.Outlook(restarts.BLOCKED, "EADDRINUSE", found, _clear_in(found), answers[0].reason)
    reason = next((answer.reason for answer in answers if answer.verdict == restarts.UNKNOWN), HIDDEN_CLAIM)
    return restarts.Outlook(restarts.UNKNOWN, None, found, _clear_in(found), reason)


def may_conflict(claim: restarts.Claim, held: Sequence[Held]) -> bool:
    """Whether any of these TCP sockets may be in the way when each is compared, whatever the kernel remembers."""
    return any(_sort_out(variant, held, _is_tcp_conflict)[1] for variant in _expand(claim))


class _Answer(NamedTuple):
    verdict: str
    blockers: tuple[Held, ...] = ()
    reason: Optional[str] = None


def _decide_tcp(
    claim: restarts.Claim, on_port: Sequence[Held], staying: Sequence[Held], closing: Collection[int]
) -> _Answer:
    certain, possible = _sort_out(claim, staying, _is_tcp_conflict)
    if not possible:
        return _Answer(restarts.OK)
    shortcut = _takes_shortcut(claim, on_port, closing)
    if shortcut:
        return _Answer(restarts.OK)
    if shortcut is None:
        return _Answer(restarts.UNKNOWN, possible, HIDDEN_ORDER)
    return (
        _Answer(restarts.BLOCKED, certain) if certain else _Answer(restarts.UNKNOWN, possible, _explain_flags(possible))
    )


def _decide_udp(
    claim: restarts.Claim, _on_port: Sequence[Held], staying: Sequence[Held], closing: Collection[int]
) -> _Answer:
    certain, possible = _sort_out(claim, staying, _is_udp_conflict)
    if not possible:
        return _Answer(restarts.OK)
    # The first socket of the chain that shares by SO_REUSEPORT ends the search with success, whatever follows it.
    if _sort_out(claim, staying, _is_udp_shared)[1]:
        return _Answer(restarts.UNKNOWN, possible, HIDDEN_ORDER)
    return (
        _Answer(restarts.BLOCKED, certain) if certain else _Answer(restarts.UNKNOWN, possible, _explain_flags(possible))
    )


def _explain_flags(possible: Sequence[Held]) -> str:
    """A socket that a process holds, and that was bound by itself, has options that can be read."""
    unread = any(row.occupant.inode and not row.is_descendant and len(row.flags) > 1 for row in possible)
    return UNREAD_FLAGS if unread else HIDDEN_FLAGS


def _sort_out(claim: restarts.Claim, rows: Sequence[Held], test: _Test) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
    """The rows that meet the test whatever their flags are, and those that may (the former included)."""
    known: dict[tuple[object, ...], list[bool]] = {}
    certain, possible = [], []
    for row in rows:
        occupant = row.occupant
        key = (occupant.family, occupant.packed, occupant.ifindex, occupant.state, occupant.uid, row.flags)
        results = known.get(key)
        if results is None:
            results = known[key] = [test(claim, occupant, flags) for flags in row.flags]
        if any(results):
            possible.append(row)
            if all(results):
                certain.append(row)
    return tuple(certain), tuple(possible)


# -- one occupant against the claim


def _is_tcp_conflict(claim: restarts.Claim, occupant: connections.Occupant, flags: Flags) -> bool:
    """inet_bind_conflict(), as inet_csk_get_port() calls it for a given port, at bind() and again at listen()."""
    if not _is_same_device(claim, occupant):
        return False
    if claim.reuseaddr and flags.reuseaddr and occupant.state != connections.LISTENING:
        return False
    if claim.reuseport and flags.reuseport and (occupant.is_timed or claim.uid == occupant.uid):
        return False
    return overlaps(claim, occupant, flags.v6only)


def _is_udp_candidate(claim: restarts.Claim, occupant: connections.Occupant, flags: Flags) -> bool:
    return (
        not (claim.reuseaddr and flags.reuseaddr)
        and _is_same_device(claim, occupant)
        and overlaps(claim, occupant, flags.v6only)
    )


def _is_udp_conflict(claim: restarts.Claim, occupant: connections.Occupant, flags: Flags) -> bool:
    return _is_udp_candidate(claim, occupant, flags) and not _shares_port(claim, occupant, flags)


def _is_udp_shared(claim: restarts.Claim, occupant: connections.Occupant, flags: Flags) -> bool:
    return _is_udp_candidate(claim, occupant, flags) and _shares_port(claim, occupant, flags)


def _shares_port(claim: restarts.Claim, occupant: connections.Occupant, flags: Flags) -> bool:
    return bool(claim.reuseport and flags.reuseport and claim.uid == occupant.uid)


def _is_same_device(claim: restarts.Claim, occupant: connections.Occupant) -> bool:
    return not claim.ifindex or not occupant.ifindex or claim.ifindex == occupant.ifindex


def overlaps(claim: restarts.Claim, occupant: connections.Occupant, occupant_v6only: bool) -> bool:
    """inet_rcv_saddr_equal(claim, occupant, match_wildcard = true)."""
    ours, theirs = claim.packed, occupant.packed
    if claim.family == bindings.IPV4:
        if occupant_v6only:
            return False
        other = _ipv4_of(theirs)
        # An IPv6 connection of a dual-stack listener is no IPv6-only socket, and so meets 0.0.0.0.
        return _ANY4 in (ours, other) or ours == other
    ours_mapped, theirs_mapped = (
        ours[:12] == addresses.V4_MAPPED,
        len(theirs) == 4 or theirs[:12] == addresses.V4_MAPPED,
    )
    if ours_mapped and theirs_mapped:
        return ours[12:] == theirs[-4:] or ours[12:] == _ANY4 or theirs[-4:] == _ANY4
    if not theirs_mapped and not any(theirs):
        return not (occupant_v6only and ours_mapped)
    if not any(ours):
        return not (claim.v6only and theirs_mapped)
    return ours == theirs


# -- the shortcut of SO_REUSEPORT


def _takes_shortcut(claim: restarts.Claim, on_port: Sequence[Held], closing: Collection[int]) -> Optional[bool]:
    """Whether the kernel remembers a socket like the claim and does not compare at all; None = it cannot be seen.

    The port's entry keeps owner and address of the last SO_REUSEPORT socket that was bound, and drops them when one
    without it is bound (sk_reuseport_match, inet_csk_update_fastreuse). It outlives that socket while anything is left
    on the port. Connections of a listener do not change it.
    """
    if not claim.reuseport:
        return False
    binders = [row for row in on_port if not row.is_descendant and not row.occupant.is_timed]
    if not binders:
        return None if any(flags.reuseport for row in on_port for flags in row.flags) else False
    if _has_changed(binders):
        return None if any(row.occupant.uid == claim.uid for row in binders) else False
    matching = [_is_remembered(claim, row) for row in binders]
    if all(matching):
        return True
    return None if any(_may_be_remembered(claim, row) for row in binders) else False


def _has_changed(binders: Sequence[Held]) -> bool:
    """Whether two of them could not have been bound with the options that they have now, so that one has changed since;
    what the kernel remembers is of the time of the bind."""
    certain = [row for row in binders if len(row.flags) == 1]
    return any(
        first is not second
        and connections.LISTENING in (first.occupant.state, second.occupant.state)
        and _is_tcp_conflict(_claim_as(first), second.occupant, second.flags[0])
        and _is_tcp_conflict(_claim_as(second), first.occupant, first.flags[0])
        for position, first in enumerate(certain)
        for second in certain[position + 1 :]
    )


def _claim_as(row: Held) -> restarts.Claim:
    occupant, flags = row.occupant, row.flags[0]
    return restarts.Claim(
        occupant.protocol, occupant.family, occupant.packed, occupant.port, occupant.ifindex, flags.v6only,
        flags.reuseaddr, flags.reuseport, occupant.uid,
    )  # fmt: skip


def _is_remembered(claim: restarts.Claim, row: Held) -> bool:
    return row.occupant.uid == claim.uid and all(
        flags.reuseport and _covers(row.occupant, flags.v6only, claim) for flags in row.flags
    )


def _may_be_remembered(claim: restarts.Claim, row: Held) -> bool:
    # The address is not even looked at where the port had been unused before (FASTREUSEPORT_ANY).
    return row.occupant.uid == claim.uid and any(flags.reuseport for flags in row.flags)


def _covers(occupant: connections.Occupant, occupant_v6only: bool, claim: restarts.Claim) -> bool:
    """The comparison at the end of sk_reuseport_match(): only the remembered address may be a wildcard."""
    theirs, ours = occupant.packed, claim.packed
    if occupant.family == bindings.IPV4:
        return not _claims_v6only(claim) and (theirs == _ipv4_of(ours) or theirs == _ANY4)
    theirs_mapped, ours_mapped = theirs[:12] == addresses.V4_MAPPED, len(ours) == 4 or ours[:12] == addresses.V4_MAPPED
    if theirs_mapped and ours_mapped:
        return theirs[12:] == ours[-4:] or theirs[12:] == _ANY4
    if not any(theirs):
        return not (occupant_v6only and ours_mapped)
    return theirs == ours


def _claims_v6only(claim: restarts.Claim) -> bool:
    """bind() of a specific IPv6 address makes the socket IPv6-only (__inet6_bind)."""
    return claim.v6only or (len(claim.packed) == 16 and any(claim.packed) and claim.packed[:12] != addresses.V4_MAPPED)


# -- what may be


def _possible_flags(occupant: connections.Occupant, reading: Optional[Reading]) -> Iterable[Flags]:
    reuseaddr, reuseport = reading or (None, None)
    v6only = occupant.v6only
    if occupant.family == bindings.IPV4 or occupant.packed[:12] == addresses.V4_MAPPED:
        v6only = False
    return [Flags(*flags) for flags in _product(reuseaddr, reuseport, v6only)]


def _product(*values: Optional[bool]) -> list[tuple[bool, ...]]:
    combinations: list[tuple[bool, ...]] = [()]
    for value in values:
        choices = _EITHER if value is None else (value,)
        combinations = [(*combination, choice) for combination in combinations for choice in choices]
    return combinations


def _expand(claim: restarts.Claim) -> list[restarts.Claim]:
    return [
        claim._replace(reuseaddr=reuseaddr, reuseport=reuseport)
        for reuseaddr, reuseport in _product(claim.reuseaddr, claim.reuseport)
    ]


def _may_be_child(occupant: connections.Occupant, listener: connections.Occupant) -> bool:
    """Whether the listener may have accepted this connection. A child has its listener's family and pin; over IPv6, one
    with a link-local peer is pinned to the link that it came in by (tcp_v6_init_req)."""
    if (listener.protocol, listener.family, listener.port) != (occupant.protocol, occupant.family, occupant.port):
        return False
    if listener.ifindex != occupant.ifindex and (listener.ifindex or not addresses.is_link_local(occupant.peer_packed)):
        return False
    if listener.packed == occupant.packed:
        return True
    mapped = occupant.packed[:12] == addresses.V4_MAPPED
    if any(listener.packed):
        return mapped and listener.packed == addresses.V4_MAPPED + _ANY4
    return not (mapped and listener.v6only)


def _ipv4_of(packed: bytes) -> bytes:
    """What the kernel keeps as the IPv4 address of a socket (sk_rcv_saddr)."""
    if len(packed) == 4:
        return packed
    if packed[:12] == addresses.V4_MAPPED:
        return packed[12:]
    return _LOOPBACK4_IPV6 if any(packed) else _ANY4


def _clear_in(blockers: Sequence[connections.Occupant]) -> Optional[int]:
    waits = [blocker.clears_in for blocker in blockers if blocker.clears_in is not None]
    return -(-max(waits) // 1000) if blockers and len(waits) == len(blockers) else None
