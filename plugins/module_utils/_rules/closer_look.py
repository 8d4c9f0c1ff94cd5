# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bind addresses that are not plainly there: pending, intended, stale, unknown, or valid for one of the rarer reasons.

Two questions that must not be mixed up. *Reachable*: does a route lookup say "local". *Rebindable*: would bind()
accept the address now. IPv4 answers the second from table `local` (inet_addr_type_table, net/ipv4/fib_frontend.c),
IPv6 from the list of addresses (ipv6_chk_addr, net/ipv6/addrconf.c), so that an address inside an AnyIP route can be
one without the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from .._model import addresses, bindings
from .._wire import spelling
from . import first_look, route_table

_IPV4_BINDABLE = (addresses.RTN_LOCAL, addresses.RTN_BROADCAST, addresses.RTN_MULTICAST)
_LIMITED_BROADCAST = b"\xff" * 4


class CloserLook:
    """The questions that take more than the address itself; one for each Locality, whose `closer` it is."""

    def __init__(self, plain: first_look.Locality) -> None:
        self._locality = plain
        self._network, self._links = plain.network, plain.links
        self._tables: dict[tuple[int, int], route_table.TableIndex] = {}
        self._known: dict[tuple[object, ...], bindings.Binding] = {}

    def judge(self, socket: bindings.Socket) -> bindings.Binding:
        """Where that bind address stands. Never raises; what was not read makes `unknown`."""
        key = (socket.packed, socket.ifindex, socket.protocol, socket.freebind, socket.transparent)
        if key not in self._known:
            self._known[key] = self._judge_pin(socket)
        return self._known[key]

    def links_of(self, socket: bindings.Socket) -> list[addresses.Link]:
        """The links that carry the bind address (or the pin's own link); empty where nothing says."""
        if socket.ifindex:
            return [self._links[socket.ifindex]] if socket.ifindex in self._links else []
        target = self._locality.target(socket.packed, socket.ifindex)
        indexes = {address.ifindex for address in self._locality.find_present(target)}
        if not indexes and any(target.packed):
            route = self.find_route(target)
            indexes = {route.ifindex} if route is not None and route.ifindex else set()
        return [self._links[index] for index in sorted(indexes) if index in self._links]

    def down_links_of(self, socket: bindings.Socket) -> list[addresses.Link]:
        """The links that carry the bind address, if all of them are down; else empty."""
        links = self.links_of(socket)
        return links if all(map(addresses.is_down, links)) else []

    def addresses_for(self, socket: bindings.Socket) -> list[addresses.Address]:
        """The addresses that count for this socket."""
        return self._locality.find_present(self._locality.target(socket.packed, socket.ifindex))

    def find_open_lookups(self, sockets: Iterable[bindings.Socket]) -> set[tuple[int, bytes]]:
        """(VRF ifindex or 0, address) of every bind address for which the tables read do not already say that the
        kernel delivers to it.
        """
        wanted = set()
        for packed, ifindex in {(socket.packed, socket.ifindex) for socket in sockets if any(socket.packed)}:
            if ifindex and ifindex not in self._links:
                continue
            target = self._locality.target(packed, ifindex)
            if any(target.packed) and not (
                addresses.is_multicast(target.packed) or first_look.is_scoped(target) or self._is_plainly_local(target)
            ):
                wanted.add((target.vrf, target.packed))
        return wanted

    def needs_merged(self, sockets: Iterable[bindings.Socket]) -> bool:
        """Whether Network.ipv4_merged, which costs a reading of all routes, would decide something."""
        if self._network.ipv4_merged is not None or self._network.routes_ipv4 is None:
            return False
        targets = {
            self._locality.target(packed, pin)
            for packed, pin in {(socket.packed, socket.ifindex) for socket in sockets}
        }
        return any(
            len(target.packed) == 4 and any(target.packed) and self._ipv4_type(target) is None for target in targets
        )

    def find_route(self, target: first_look.Target) -> Optional[addresses.Route]:
        return self._table(target).find(target.packed, target.ifindex if first_look.is_scoped(target) else 0)

    def _judge_pin(self, socket: bindings.Socket) -> bindings.Binding:
        """What the pin, or not to see whether there is one, takes back of what the address promises."""
        binding = self._judge_address(socket)
        if binding.state == bindings.VALID and is_pinned_elsewhere(self._locality, socket):
            # What comes in by that link is delivered (the address is the host's); whether anything does, and what comes
            # in elsewhere, is not for this host to know.
            reason = f"{binding.reason}, but the socket is pinned to {self._links[socket.ifindex or 0].name}"
            binding = binding._replace(reachable=None, reason=reason)
        if socket.ifindex is None:  # it may be to a dead interface
            binding = binding._replace(reachable=binding.reachable and None, rebindable=binding.rebindable and None)
        return binding

    def _judge_address(self, socket: bindings.Socket) -> bindings.Binding:
        if socket.ifindex:
            if self._network.links is None:
                return bindings.Binding(
                    bindings.UNKNOWN,
                    None,
                    None,
                    f"pinned to interface index {socket.ifindex}, and the links could not be read",
                )
            if socket.ifindex not in self._links:
                return bindings.Binding(
                    bindings.STALE_INTERFACE,
                    False,
                    None,
                    f"pinned to interface index {socket.ifindex}, which no longer exists",
                )
        target = self._locality.target(socket.packed, socket.ifindex)
        if not any(target.packed):
            return first_look.WILDCARD
        if addresses.is_multicast(target.packed):
            return first_look.GROUP
        return self._judge_ipv4(socket, target) if len(target.packed) == 4 else self._judge_ipv6(socket, target)

    def _judge_ipv4(self, socket: bindings.Socket, target: first_look.Target) -> bindings.Binding:
        if self._network.routes_ipv4 is None:
            return bindings.Binding(bindings.UNKNOWN, None, None, "table local could not be read")
        kind = self._ipv4_type(target)
        plain = None if kind is None else kind in _IPV4_BINDABLE
        reachable = self._is_reachable(
            socket, target, socket.protocol == bindings.UDP and target.packed == _LIMITED_BROADCAST
        )
        if (
            reachable
            and socket.protocol == bindings.TCP
            and kind != addresses.RTN_LOCAL
            and not self._locality.addresses_of(target.packed)
        ):
            # A policy rule leads to it, but no SYN is answered from an address that table local does not know
            # (__ip_dev_find in ip_route_output_key_hash_rcu), unless the listener is transparent (FLOWI_FLAG_ANYSRC).
            reachable = socket.transparent if kind is not None else None
        return self._conclude(socket, target, plain, reachable, self._network.nonlocal_bind_ipv4)

    def _judge_ipv6(self, socket: bindings.Socket, target: first_look.Target) -> bindings.Binding:
        if self._network.addresses is None:
            return bindings.Binding(bindings.UNKNOWN, None, None, "the addresses could not be read")
        if self._network.links is None:
            return bindings.Binding(
                bindings.UNKNOWN, None, None, "the links could not be read, and an address counts in its VRF only"
            )
        if socket.ifindex is None and addresses.is_link_local(target.packed):
            return bindings.Binding(
                bindings.UNKNOWN, None, None, "it cannot be seen which interface a link-local address is bound on"
            )
        present = self.addresses_for(socket)
        plain = any(addresses.is_usable(address) for address in present)
        reachable = self._is_reachable(socket, target, False)
        if present and not plain:
            duplicate = any((address.flags or 0) & addresses.IFA_F_DADFAILED for address in present)
            reason = "duplicate address detection failed" if duplicate else "the address is tentative"
            return bindings.Binding(
                bindings.PENDING,
                reachable,
                self._network.nonlocal_bind_ipv6,
                f"{self._where(target, present)}, but {reason}",
            )
        return self._conclude(socket, target, plain, reachable, self._network.nonlocal_bind_ipv6)

    def _conclude(
        self,
        socket: bindings.Socket,
        target: first_look.Target,
        plain: Optional[bool],
        reachable: Optional[bool],
        nonlocal_bind: Optional[bool],
    ) -> bindings.Binding:
        rebindable = True if plain or nonlocal_bind else (None if None in (plain, nonlocal_bind) else False)
        if plain or reachable:
            return bindings.Binding(
                bindings.VALID, reachable, rebindable, self._where(target, self._locality.addresses_of(target.packed))
            )
        text = spelling.format_address(target.packed)
        meant = _says_intended(
            socket, nonlocal_bind, any(prefix.covers(target.packed) for prefix in self._locality.intended)
        )
        if meant is not None:
            return bindings.Binding(
                bindings.INTENDED, reachable, rebindable, f"no local route for {text}, which is intended: {meant}"
            )
        missing = _find_missing(socket, nonlocal_bind, reachable)
        if missing is not None:
            return bindings.Binding(bindings.UNKNOWN, reachable, rebindable, f"no local route was seen, but {missing}")
        return bindings.Binding(bindings.STALE_ADDRESS, reachable, rebindable, f"no local route for {text}")

    def _ipv4_type(self, target: first_look.Target) -> Optional[int]:
        """inet_addr_type_table(); None where it depends on whether tables local and main are one."""
        if target.packed == _LIMITED_BROADCAST:
            return addresses.RTN_BROADCAST
        if target.table in self._network.missing_tables_ipv4:
            # Before a namespace has its first address, the lookup has no table to fail in.
            return addresses.RTN_BROADCAST
        route = self._table(target).find(target.packed)
        own = addresses.RTN_UNICAST if route is None else route.type
        looked_up = self._network.lookups.get((target.vrf, target.packed))
        if target.vrf or self._network.ipv4_merged is False or looked_up is None:
            return own
        if route is not None and route.prefixlen == 32:
            return own  # nothing in main is longer, and a lookup refuses more (127.255.255.255 away from lo: EINVAL)
        # No rule stands before table local: what the kernel found is what the one trie holds, if it is one.
        if self._network.ipv4_merged or route is not None:
            return looked_up or addresses.RTN_UNICAST
        return None if looked_up in _IPV4_BINDABLE else addresses.RTN_UNICAST

    def _is_reachable(
        self, socket: bindings.Socket, target: first_look.Target, limited_broadcast: bool
    ) -> Optional[bool]:
        if limited_broadcast or self._is_plainly_local(target):
            return True
        kind: Optional[int]
        if first_look.is_scoped(target):
            if self._network.routes_ipv6 is None:
                return None
            route = self.find_route(target)  # a pinned socket's own link decides, and no rule can redirect that
            kind = 0 if route is None else route.type
        else:
            kind = self._network.lookups.get((target.vrf, target.packed))
        if kind is None:
            return None
        # A datagram is delivered to a broadcast or anycast address; the kernel itself refuses a TCP handshake to one.
        return kind == addresses.RTN_LOCAL or (
            kind in (addresses.RTN_BROADCAST, addresses.RTN_ANYCAST) and socket.protocol == bindings.UDP
        )

    def _where(self, target: first_look.Target, holders: Iterable[addresses.Address]) -> str:
        assigned = self._locality.describe_holders(target.packed, holders)
        if assigned:
            return assigned
        if target.table in self._network.missing_tables_ipv4:
            return "this namespace never had an IPv4 address, so that any can be bound"
        route = self.find_route(target)
        if route is None:
            return f"{spelling.format_address(target.packed)} is local by a policy rule"
        link = self._links.get(route.ifindex)
        kind = {
            addresses.RTN_LOCAL: "local",
            addresses.RTN_BROADCAST: "broadcast",
            addresses.RTN_ANYCAST: "anycast",
        }.get(route.type, "route")
        return f"{kind} {spelling.format_address(route.packed)}/{route.prefixlen}" + (
            f" dev {link.name}" if link is not None else ""
        )

    def _is_plainly_local(self, target: first_look.Target) -> bool:
        """Table `local` says so, and no policy rule is asked before it."""
        if not self._network.local_first and not target.vrf:
            return False
        route = self.find_route(target)
        if route is None or route.type != addresses.RTN_LOCAL:
            return False
        # A longer prefix in main wins where both are one trie, but nothing is longer than the address itself.
        return (
            len(target.packed) == 16 or route.prefixlen == 32 or self._network.ipv4_merged is False or target.vrf != 0
        )

    def _table(self, target: first_look.Target) -> route_table.TableIndex:
        key = (len(target.packed), target.table)
        table = self._tables.get(key)
        if table is None:
            routes = self._network.routes_ipv4 if len(target.packed) == 4 else self._network.routes_ipv6
            table = self._tables[key] = route_table.TableIndex(
                route for route in routes or () if route.table == target.table
            )
        return table


def is_pinned_elsewhere(known: first_look.Locality, socket: bindings.Socket) -> bool:
    """Pinned to a link that lacks the address, which others have. A VRF is no link in this sense."""
    if not socket.ifindex or socket.ifindex not in known.links or known.links[socket.ifindex].kind == "vrf":
        return False
    holders = {address.ifindex for address in known.closer.addresses_for(socket)}
    return bool(holders) and socket.ifindex not in holders


def _says_intended(socket: bindings.Socket, nonlocal_bind: Optional[bool], listed: bool) -> Optional[str]:
    if socket.freebind:
        return "the socket has IP_FREEBIND"
    if socket.transparent:
        return "the socket has IP_TRANSPARENT"
    if nonlocal_bind:
        return "ip_nonlocal_bind is on"
    return "listed in intended_addresses" if listed else None


def _find_missing(socket: bindings.Socket, nonlocal_bind: Optional[bool], reachable: Optional[bool]) -> Optional[str]:
    """Why "stale" cannot be said, although nothing seen speaks against it."""
    if socket.ifindex is None:
        return "it cannot be seen whether the socket is pinned to an interface"
    if socket.freebind is None or socket.transparent is None:
        return "it cannot be seen whether the socket has IP_FREEBIND or IP_TRANSPARENT"
    if nonlocal_bind is None:
        return "ip_nonlocal_bind could not be read"
    return "the kernel's route lookup could not be asked" if reachable is None else None
