# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole answer to a bind that is wished for: interface, address, the right to use the port, and the port itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Optional

from .._model import addresses, bindings, restarts
from . import first_look, restart_outlook

_STREAM_TO_MANY = "TCP cannot be bound to a multicast address"
_LOST_PORT = "whether a socket whose connection has ended still holds its port cannot be seen before Linux 6.8"


def foresee_bind(
    wish: restarts.BindWish,
    rights: restarts.Rights,
    use: restart_outlook.PortUse,
    locality: first_look.Locality,
    closing: Collection[int] = (),
) -> restarts.Outlook:
    """Would bind(), and for TCP listen(), succeed now, with the sockets `closing` closed? Errors as the kernel orders
    them."""
    ifindex = find_interface(wish, locality)
    if ifindex is None:
        return restarts.Outlook(restarts.UNAVAILABLE, "ENODEV", (), None, f"there is no interface {wish.interface}")
    misfit = _find_misfit(wish, ifindex)
    if misfit is not None:
        # __inet6_bind() asks for the right to use the port after the one and before the others.
        denied = None if misfit == _STREAM_TO_MANY else judge_rights(wish.port, rights)
        return denied or restarts.Outlook(restarts.UNAVAILABLE, "EINVAL", (), None, misfit)
    probe = bindings.Socket(
        wish.protocol, wish.family, wish.packed, wish.port, ifindex, None, None, None, None, 0, None,
        wish.freebind, False,
    )  # fmt: skip
    binding = locality.judge(probe)
    claim = restarts.Claim(
        wish.protocol, wish.family, wish.packed, wish.port, ifindex, wish.v6only, wish.reuseaddr, wish.reuseport,
        rights.uid,
    )  # fmt: skip
    return foresee_claim(claim, binding, wish.freebind, rights, use, locality, closing)


def doubt_unlisted(
    wish: restarts.BindWish, outlook: restarts.Outlook, use: restart_outlook.PortUse
) -> restarts.Outlook:
    """Of a bind that is to come beside what is there: `ok` only where a socket that is merely bound would be listed.

    Not for the binds of a listener that is there: see foresee_restart.
    """
    if use.unlisted is None or wish.protocol != bindings.TCP or outlook.verdict != restarts.OK:
        return outlook
    return restart_outlook.make_unknown(
        f"nothing that is listed is in the way, but a socket may be bound there and not listen: {use.unlisted}"
    )


def foresee_claim(
    claim: restarts.Claim,
    binding: bindings.Binding,
    anywhere: Optional[bool],
    rights: restarts.Rights,
    use: restart_outlook.PortUse,
    locality: first_look.Locality,
    closing: Collection[int] = (),
) -> restarts.Outlook:
    """The address, the right and the port. `anywhere`: the socket has IP_FREEBIND or IP_TRANSPARENT."""
    obstacles = [restart_outlook.judge_address(binding, anywhere), judge_rights(claim.port, rights)]
    # __inet_bind() asks for the address first, __inet6_bind() for the right.
    obstacle = next(
        (found for found in (obstacles if claim.family == bindings.IPV4 else reversed(obstacles)) if found), None
    )
    return obstacle or _foresee_both_ways(claim, use, locality, closing)


def _foresee_both_ways(
    claim: restarts.Claim, use: restart_outlook.PortUse, locality: first_look.Locality, closing: Collection[int]
) -> restarts.Outlook:
    """With the sockets that may have lost their port, and without them."""
    outlook = restart_outlook.foresee_port(claim, use, locality, closing, None)
    place = (claim.protocol, claim.port)
    rows = use.held.get(place, ())
    certain = [row for row in rows if row.occupant.inode not in use.doubtful]
    if len(certain) == len(rows):
        return outlook
    without = restart_outlook.foresee_port(
        claim, use._replace(held={**use.held, place: certain}), locality, closing, None
    )
    if without.verdict == outlook.verdict:
        return outlook
    return outlook._replace(verdict=restarts.UNKNOWN, errno=None, reason=_LOST_PORT)


def judge_rights(port: int, rights: restarts.Rights) -> Optional[restarts.Outlook]:
    """Whether a privileged port is in the way (inet_port_requires_bind_service)."""
    if rights.may_bind:
        return None
    lowest = rights.lowest_free_port
    if lowest is None:
        return restart_outlook.make_unknown("net.ipv4.ip_unprivileged_port_start could not be read")
    if port >= lowest:
        return None
    limit = f"ports below {lowest} are privileged (net.ipv4.ip_unprivileged_port_start)"
    if rights.may_bind is None:
        return restart_outlook.make_unknown(
            f"{limit}, and whether {rights.user} has CAP_NET_BIND_SERVICE could not be read"
        )
    return restarts.Outlook(
        restarts.DENIED, "EACCES", (), None, f"{limit}, and {rights.user} lacks CAP_NET_BIND_SERVICE"
    )


def find_interface(wish: restarts.BindWish, locality: first_look.Locality) -> Optional[int]:
    """The index of the interface that is named; 0 for none, None where it does not exist."""
    if wish.interface is None:
        return 0
    return next((link.ifindex for link in locality.links.values() if link.name == wish.interface), None)


def _find_misfit(wish: restarts.BindWish, ifindex: int) -> Optional[str]:
    """What __inet6_bind() answers with EINVAL."""
    packed = wish.packed
    if wish.family == bindings.IPV4:
        return None
    if packed[:12] == addresses.V4_MAPPED:
        return "an IPv6-only socket cannot be bound to a v4-mapped address" if wish.v6only else None
    if addresses.is_multicast(packed) and wish.protocol == bindings.TCP:
        return _STREAM_TO_MANY
    if addresses.needs_scope(packed) and not ifindex:
        return "a link-local address needs an interface"
    return None
