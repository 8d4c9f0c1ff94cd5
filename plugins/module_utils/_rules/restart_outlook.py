# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a restart of a listener that is there would come to: the address, and the port, in the kernel's order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Optional

from .._model import bindings, connections, restarts
from . import first_look, reuse

_UNPINNED_NAME = (
    "what a restart pins to is the name that the program gave, and the interface that had it is gone; a name cannot be"
    " seen from outside"
)
_UNSEEN_PIN = "whether the socket is pinned to an interface, which may be gone, cannot be seen"
_UNREAD_DOMAINS = "whether VRFs keep TCP ports apart (net.ipv4.tcp_l3mdev_accept) could not be read, and that decides"


class PortUse(NamedTuple):
    """Everything that holds the ports concerned. A protocol that could not be read is in `unread`, with the reason."""

    held: Mapping[tuple[str, int], Sequence[reuse.Held]]  # by protocol and port
    unread: Mapping[str, str]
    is_shared: Optional[bool]  # net.ipv4.tcp_l3mdev_accept: TCP ports are not kept apart by VRF; None = unknown
    unlisted: Optional[str] = None  # why TCP sockets that are merely bound are missing; None: they are not
    doubtful: Collection[int] = ()  # inodes of sockets that may have lost their port with their connection


def foresee_restart(listener: bindings.Listener, use: PortUse, locality: first_look.Locality) -> restarts.Outlook:
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
        return make_unknown("no process holds this socket that could restart")
    anywhere = may_be_anywhere(socket)
    obstacle = judge_address(listener.binding, anywhere)
    if obstacle is not None:
        return obstacle
    if not needs_connections(listener) and stands_free(listener, use, locality):
        return restarts.Outlook(restarts.OK, None, (), None, None)
    claim = make_claim(listener)
    if claim is None:
        return make_unknown("the source of this socket does not tell whether it is pinned and whether it is IPv6-only")
    return foresee_port(claim, use, locality, {socket.inode}, options.reason)


def needs_connections(listener: bindings.Listener) -> bool:
    """Whether a restart depends on more of the port than what listens there or is merely bound."""
    return listener.socket.protocol != bindings.TCP or not listener.options.reuseaddr


def stands_free(listener: bindings.Listener, use: PortUse, locality: first_look.Locality) -> bool:
    """Whether nothing else that listens or is merely bound can be in the way of a restart, nor have connections that
    are: beside SO_REUSEPORT there may be listeners without SO_REUSEADDR."""
    socket, claim = listener.socket, make_claim(listener)
    if socket.protocol in use.unread:
        return False
    rows = [
        row
        for row in use.held.get((socket.protocol, socket.port), ())
        if row.occupant.state in (connections.LISTENING, connections.BOUND) and row.occupant.inode != socket.inode
    ]
    if not rows:
        return True
    if claim is None or not all(flags.reuseaddr for row in rows for flags in row.flags):
        return False
    return not reuse.may_conflict(claim, _keep_domain(claim, rows, use, locality))


def make_claim(listener: bindings.Listener) -> Optional[restarts.Claim]:
    """What the same program would ask for; None where the source of the socket does not tell enough."""
    socket, options = listener.socket, listener.options
    if socket.ifindex is None or (socket.family == bindings.IPV6 and socket.v6only is None):
        return None
    return restarts.Claim(
        socket.protocol, socket.family, socket.packed, socket.port, socket.ifindex, bool(socket.v6only),
        options.reuseaddr, options.reuseport, socket.uid,
    )  # fmt: skip


def judge_address(binding: bindings.Binding, anywhere: Optional[bool]) -> Optional[restarts.Outlook]:
    if binding.state == bindings.STALE_INTERFACE:
        return make_unknown(_UNPINNED_NAME)
    if binding.rebindable or anywhere:
        return None
    if binding.rebindable is None:
        # Of an address that is in order, only the pin can leave it open; the reason speaks of the address then.
        return make_unknown(_UNSEEN_PIN if binding.state in (bindings.VALID, bindings.WILDCARD) else binding.reason)
    if anywhere is None:
        return make_unknown(f"{binding.reason}, but it cannot be seen whether the socket has IP_FREEBIND")
    return restarts.Outlook(restarts.UNAVAILABLE, "EADDRNOTAVAIL", (), None, binding.reason)


def may_be_anywhere(socket: bindings.Socket) -> Optional[bool]:
    """IP_FREEBIND or IP_TRANSPARENT: the address need not be there. None = it cannot be seen."""
    if socket.freebind or socket.transparent:
        return True
    return None if socket.freebind is None or socket.transparent is None else False


def foresee_port(
    claim: restarts.Claim,
    use: PortUse,
    locality: first_look.Locality,
    closing: Collection[int],
    unread_options: Optional[str],
) -> restarts.Outlook:
    if claim.protocol in use.unread:
        return make_unknown(use.unread[claim.protocol])
    if use.is_shared is None and claim.protocol == bindings.TCP:
        answers = [
            foresee_port(claim, use._replace(is_shared=guess), locality, closing, unread_options)
            for guess in (False, True)
        ]
        return answers[0] if answers[0].verdict == answers[1].verdict else make_unknown(_UNREAD_DOMAINS)
    rows = use.held.get((claim.protocol, claim.port), ())
    outlook = reuse.foresee(claim, _keep_domain(claim, rows, use, locality), closing)
    if outlook.verdict == restarts.UNKNOWN and unread_options:
        return outlook._replace(reason=unread_options)
    return outlook


def _keep_domain(
    claim: restarts.Claim, rows: Sequence[reuse.Held], use: PortUse, locality: first_look.Locality
) -> Sequence[reuse.Held]:
    """Those in the claim's L3 domain; all where it is not known whether domains are kept apart."""
    if claim.protocol != bindings.TCP or use.is_shared is not False:
        return rows
    domain = _find_domain(claim.ifindex, locality)
    return [row for row in rows if _find_domain(row.occupant.ifindex, locality) == domain]


def _find_domain(ifindex: int, locality: first_look.Locality) -> int:
    return locality.target(bytes(4), ifindex).vrf if ifindex else 0


def make_unknown(reason: str) -> restarts.Outlook:
    return restarts.Outlook(restarts.UNKNOWN, None, (), None, reason)
