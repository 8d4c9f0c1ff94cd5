# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole answer to a bind: the address, the right to use the port, and the port itself, in the kernel's order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Optional

from .._model.connections import BOUND, LISTENING
from .._model.listeners import IPV4, IPV6, STALE_INTERFACE, TCP, VALID, WILDCARD, Binding, Listener, Socket
from .._model.restarts import DENIED, OK, UNAVAILABLE, UNKNOWN, BindWish, Claim, Outlook, Rights
from .locality import V4_MAPPED, Locality
from .reuse import Held, foresee, may_conflict

_UNPINNED_NAME = (
    "what a restart pins to is the name that the program gave, and the interface that had it is gone; a name cannot be"
    " seen from outside"
)
_UNSEEN_PIN = "whether the socket is pinned to an interface, which may be gone, cannot be seen"
_UNREAD_DOMAINS = "whether VRFs keep TCP ports apart (net.ipv4.tcp_l3mdev_accept) could not be read, and that decides"
_STREAM_TO_MANY = "TCP cannot be bound to a multicast address"


class PortUse(NamedTuple):
    """Everything that holds the ports concerned. A protocol that could not be read is in `unread`, with the reason."""

    held: Mapping[tuple[str, int], Sequence[Held]]  # by protocol and port
    unread: Mapping[str, str]
    is_shared: Optional[bool]  # net.ipv4.tcp_l3mdev_accept: TCP ports are not kept apart by VRF; None = unknown
    unlisted: Optional[str] = None  # why TCP sockets that are merely bound are missing; None: they are not


def foresee_restart(listener: Listener, use: PortUse, locality: Locality) -> Outlook:
    """If this listener were closed now and bound and listened on again with the same options, everything else on the
    port staying as it is: what would the kernel answer?

    Connections are not compared where SO_REUSEADDR is set (TCP): those that were there before the listener had it as
    well, or it could not have been bound, and those of the listener inherit it. That does not hold for what listens or
    is merely bound, as each of these can change its options after the others were bound beside it; nor where one of
    them lacks the option (it shares by SO_REUSEPORT) or is in the way: there everything is compared.

    Before Linux 6.8 sockets that are merely bound are not listed, and the answer stands nevertheless: one that overlaps
    could be bound beside this listener only where both have SO_REUSEADDR (and this one did not listen yet), or both
    have SO_REUSEPORT and one user, and then it is not in the way of the same options either. Only one that has changed
    its options since is missed (docs/guides/reuse_settings.md).
    """
    socket, options = listener.socket, listener.options
    if not socket.inode:
        return _unknown("no process holds this socket that could restart")
    anywhere = may_be_anywhere(socket)
    obstacle = _judge_address(listener.binding, anywhere)
    if obstacle is not None:
        return obstacle
    if not needs_connections(listener) and stands_free(listener, use, locality):
        return Outlook(OK, None, (), None, None)
    claim = make_claim(listener)
    if claim is None:
        return _unknown("the source of this socket does not tell whether it is pinned and whether it is IPv6-only")
    return _foresee_port(claim, use, locality, {socket.inode}, options.reason)


def needs_connections(listener: Listener) -> bool:
    """Whether a restart depends on more of the port than what listens there or is merely bound."""
    return listener.socket.protocol != TCP or not listener.options.reuseaddr


def stands_free(listener: Listener, use: PortUse, locality: Locality) -> bool:
    """Whether nothing else that listens or is merely bound can be in the way of a restart, nor have connections that
    are: beside SO_REUSEPORT there may be listeners without SO_REUSEADDR."""
    socket, claim = listener.socket, make_claim(listener)
    if socket.protocol in use.unread:
        return False
    rows = [
        row
        for row in use.held.get((socket.protocol, socket.port), ())
        if row.occupant.state in (LISTENING, BOUND) and row.occupant.inode != socket.inode
    ]
    if not rows:
        return True
    if claim is None or not all(flags.reuseaddr for row in rows for flags in row.flags):
        return False
    return not may_conflict(claim, _keep_domain(claim, rows, use, locality))


def foresee_bind(
    wish: BindWish, rights: Rights, use: PortUse, locality: Locality, closing: Collection[int] = ()
) -> Outlook:
    """Would bind(), and for TCP listen(), succeed now, with the sockets `closing` closed? Errors as the kernel orders
    them."""
    ifindex = find_interface(wish, locality)
    if ifindex is None:
        return Outlook(UNAVAILABLE, "ENODEV", (), None, f"there is no interface {wish.interface}")
    misfit = _find_misfit(wish, ifindex)
    if misfit is not None:
        # __inet6_bind() asks for the right to use the port after the one and before the others.
        denied = None if misfit == _STREAM_TO_MANY else judge_rights(wish.port, rights)
        return denied or Outlook(UNAVAILABLE, "EINVAL", (), None, misfit)
    probe = Socket(
        wish.protocol, wish.family, wish.packed, wish.port, ifindex, None, None, None, None, 0, None,
        wish.freebind, False,
    )  # fmt: skip
    binding = locality.judge(probe)
    claim = Claim(
        wish.protocol, wish.family, wish.packed, wish.port, ifindex, wish.v6only, wish.reuseaddr, wish.reuseport,
        rights.uid,
    )  # fmt: skip
    return foresee_claim(claim, binding, wish.freebind, rights, use, locality, closing)


def doubt_unlisted(wish: BindWish, outlook: Outlook, use: PortUse) -> Outlook:
    """Of a bind that is to come beside what is there: `ok` only where a socket that is merely bound would be listed.

    Not for the binds of a listener that is there: see foresee_restart.
    """
    if use.unlisted is None or wish.protocol != TCP or outlook.verdict != OK:
        return outlook
    return _unknown(
        f"nothing that is listed is in the way, but a socket may be bound there and not listen: {use.unlisted}"
    )


def foresee_claim(
    claim: Claim,
    binding: Binding,
    anywhere: Optional[bool],
    rights: Rights,
    use: PortUse,
    locality: Locality,
    closing: Collection[int] = (),
) -> Outlook:
    """The address, the right and the port. `anywhere`: the socket has IP_FREEBIND or IP_TRANSPARENT."""
    obstacles = [_judge_address(binding, anywhere), judge_rights(claim.port, rights)]
    # __inet_bind() asks for the address first, __inet6_bind() for the right.
    obstacle = next((found for found in (obstacles if claim.family == IPV4 else reversed(obstacles)) if found), None)
    return obstacle or _foresee_port(claim, use, locality, closing, None)


def make_claim(listener: Listener) -> Optional[Claim]:
    """What the same program would ask for; None where the source of the socket does not tell enough."""
    socket, options = listener.socket, listener.options
    if socket.ifindex is None or (socket.family == IPV6 and socket.v6only is None):
        return None
    return Claim(
        socket.protocol, socket.family, socket.packed, socket.port, socket.ifindex, bool(socket.v6only),
        options.reuseaddr, options.reuseport, socket.uid,
    )  # fmt: skip


def judge_rights(port: int, rights: Rights) -> Optional[Outlook]:
    """Whether a privileged port is in the way (inet_port_requires_bind_service)."""
    if rights.may_bind:
        return None
    lowest = rights.lowest_free_port
    if lowest is None:
        return _unknown("net.ipv4.ip_unprivileged_port_start could not be read")
    if port >= lowest:
        return None
    limit = f"ports below {lowest} are privileged (net.ipv4.ip_unprivileged_port_start)"
    if rights.may_bind is None:
        return _unknown(f"{limit}, and whether {rights.user} has CAP_NET_BIND_SERVICE could not be read")
    return Outlook(DENIED, "EACCES", (), None, f"{limit}, and {rights.user} lacks CAP_NET_BIND_SERVICE")


def find_interface(wish: BindWish, locality: Locality) -> Optional[int]:
    """The index of the interface that is named; 0 for none, None where it does not exist."""
    if wish.interface is None:
        return 0
    return next((link.ifindex for link in locality.links.values() if link.name == wish.interface), None)


def _find_misfit(wish: BindWish, ifindex: int) -> Optional[str]:
    """What __inet6_bind() answers with EINVAL."""
    packed = wish.packed
    if wish.family == IPV4:
        return None
    if packed[:12] == V4_MAPPED:
        return "an IPv6-only socket cannot be bound to a v4-mapped address" if wish.v6only else None
    if packed[0] == 0xFF and wish.protocol == TCP:
        return _STREAM_TO_MANY
    scoped = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
    # Multicast needs a scope as well where it is limited to the interface or the link (__ipv6_addr_needs_scope_id).
    if (scoped or (packed[0] == 0xFF and packed[1] & 0x0F in (1, 2))) and not ifindex:
        return "a link-local address needs an interface"
    return None


def _judge_address(binding: Binding, anywhere: Optional[bool]) -> Optional[Outlook]:
    if binding.state == STALE_INTERFACE:
        return _unknown(_UNPINNED_NAME)
    if binding.rebindable or anywhere:
        return None
    if binding.rebindable is None:
        # Of an address that is in order, only the pin can leave it open; the reason speaks of the address then.
        return _unknown(_UNSEEN_PIN if binding.state in (VALID, WILDCARD) else binding.reason)
    if anywhere is None:
        return _unknown(f"{binding.reason}, but it cannot be seen whether the socket has IP_FREEBIND")
    return Outlook(UNAVAILABLE, "EADDRNOTAVAIL", (), None, binding.reason)


def may_be_anywhere(socket: Socket) -> Optional[bool]:
    """IP_FREEBIND or IP_TRANSPARENT: the address need not be there. None = it cannot be seen."""
    if socket.freebind or socket.transparent:
        return True
    return None if socket.freebind is None or socket.transparent is None else False


def _foresee_port(
    claim: Claim, use: PortUse, locality: Locality, closing: Collection[int], unread_options: Optional[str]
) -> Outlook:
    if claim.protocol in use.unread:
        return _unknown(use.unread[claim.protocol])
    if use.is_shared is None and claim.protocol == TCP:
        answers = [
            _foresee_port(claim, use._replace(is_shared=guess), locality, closing, unread_options)
            for guess in (False, True)
        ]
        return answers[0] if answers[0].verdict == answers[1].verdict else _unknown(_UNREAD_DOMAINS)
    rows = use.held.get((claim.protocol, claim.port), ())
    outlook = foresee(claim, _keep_domain(claim, rows, use, locality), closing)
    if outlook.verdict == UNKNOWN and unread_options:
        return outlook._replace(reason=unread_options)
    return outlook


def _keep_domain(claim: Claim, rows: Sequence[Held], use: PortUse, locality: Locality) -> Sequence[Held]:
    """Those in the claim's L3 domain; all where it is not known whether domains are kept apart."""
    if claim.protocol != TCP or use.is_shared is not False:
        return rows
    domain = _find_domain(claim.ifindex, locality)
    return [row for row in rows if _find_domain(row.occupant.ifindex, locality) == domain]


def _find_domain(ifindex: int, locality: Locality) -> int:
    return locality.target(bytes(4), ifindex).vrf if ifindex else 0


def _unknown(reason: str) -> Outlook:
    return Outlook(UNKNOWN, None, (), None, reason)
