# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is a bind address local, would the kernel deliver to it, could it be bound again: what Linux itself asks, in the
same order.

Two questions that must not be mixed up. *Reachable*: does a route lookup say "local". *Rebindable*: would bind()
accept the address now. IPv4 answers the second from table `local` (inet_addr_type_table, net/ipv4/fib_frontend.c),
IPv6 from the list of addresses (ipv6_chk_addr, net/ipv6/addrconf.c), so that an address inside an AnyIP route can be
one without the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from .._model import addresses, bindings
from .._wire import spelling
from . import route_table

_IPV4_BINDABLE = (addresses.RTN_LOCAL, addresses.RTN_BROADCAST, addresses.RTN_MULTICAST)
_LIMITED_BROADCAST = b"\xff" * 4


class Target(NamedTuple):
    """What a bind address is to the kernel: v4-mapped addresses follow the IPv4 rules."""

    packed: bytes
    ifindex: int  # the pin; 0 = none
    vrf: int  # ifindex of the VRF that the pin belongs to; 0 = the main L3 domain
    table: int  # the table that says what is local there


class Locality:
    """All questions about one Network. Build it once per look at a host; answers for equal bindings are kept."""

    def __init__(self, network: addresses.Network, intended: Sequence[addresses.Prefix] = ()) -> None:
        self._network = network
        self._intended = tuple(intended)
        self.links: dict[int, addresses.Link] = {link.ifindex: link for link in network.links or ()}
        self._addresses: dict[bytes, list[addresses.Address]] = {}
        for address in network.addresses or ():
            self._addresses.setdefault(address.packed, []).append(address)
        self._tables: dict[tuple[int, int], route_table.TableIndex] = {}
        self._known: dict[tuple[object, ...], bindings.Binding] = {}

    def target(self, bind_address: bytes, pin: Optional[int]) -> Target:
        packed = addresses.unmap(bind_address)
        ifindex = pin or 0
        vrf = self._vrf_of(ifindex)
        link = self.links.get(vrf)
        table = link.vrf_table if link is not None and link.vrf_table is not None else addresses.RT_TABLE_LOCAL
        return Target(packed, ifindex, vrf, table)

    def judge(self, socket: bindings.Socket) -> bindings.Binding:
        """Where this listener's bind address stands. Never raises; what was not read makes `unknown`."""
        key = (socket.packed, socket.ifindex, socket.protocol, socket.freebind, socket.transparent)
        binding = self._known.get(key)
        if binding is None:
            binding = self._judge(socket)
            if binding.state == bindings.VALID and self.is_pinned_elsewhere(socket):
                # What comes in by that link is delivered (the address is the host's); whether anything does, and what
                # comes in elsewhere, is not for this host to know.
                reason = f"{binding.reason}, but the socket is pinned to {self.links[socket.ifindex or 0].name}"
                binding = binding._replace(reachable=None, reason=reason)
            if socket.ifindex is None:  # an unseen pin to a dead interface would take back what the address promises
                binding = binding._replace(reachable=binding.reachable and None, rebindable=binding.rebindable and None)
            self._known[key] = binding
        return binding

    def find_open_lookups(self, sockets: Iterable[bindings.Socket]) -> set[tuple[int, bytes]]:
        """(VRF ifindex or 0, address) of every bind address for which the tables read do not already say that the
        kernel delivers to it.
        """
        wanted = set()
        for packed, ifindex in {(socket.packed, socket.ifindex) for socket in sockets if any(socket.packed)}:
            if ifindex and ifindex not in self.links:
                continue
            target = self.target(packed, ifindex)
            if any(target.packed) and not (
                addresses.is_multicast(target.packed) or _is_scoped(target) or self._is_plainly_local(target)
            ):
                wanted.add((target.vrf, target.packed))
        return wanted

    def needs_merged(self, sockets: Iterable[bindings.Socket]) -> bool:
        """Whether Network.ipv4_merged, which costs a reading of all routes, would decide something."""
        if self._network.ipv4_merged is not None or self._network.routes_ipv4 is None:
            return False
        targets = {self.target(packed, pin) for packed, pin in {(socket.packed, socket.ifindex) for socket in sockets}}
        return any(
            len(target.packed) == 4 and any(target.packed) and self._ipv4_type(target) is None for target in targets
        )

    def links_of(self, socket: bindings.Socket) -> list[addresses.Link]:
        """The links that carry the bind address (or the pin's own link); empty where nothing says."""
        if socket.ifindex:
            return [self.links[socket.ifindex]] if socket.ifindex in self.links else []
        indexes = {address.ifindex for address in self.addresses_for(socket)}
        if not indexes:
            route = self._find_route(self.target(socket.packed, socket.ifindex))
            indexes = {route.ifindex} if route is not None and route.ifindex else set()
        return [self.links[index] for index in sorted(indexes) if index in self.links]

    def down_links_of(self, socket: bindings.Socket) -> list[addresses.Link]:
        """The links that carry the bind address, if all of them are down; else empty."""
        links = self.links_of(socket)
        return links if all(map(addresses.is_down, links)) else []

    def addresses_of(self, packed: bytes) -> list[addresses.Address]:
        return self._addresses.get(addresses.unmap(packed), [])

    def addresses_for(self, socket: bindings.Socket) -> list[addresses.Address]:
        """The addresses that count for this socket: equal to its own, in its L3 domain, and on its link where a pinned
        socket's link decides.
        """
        target = self.target(socket.packed, socket.ifindex)
        return [address for address in self._addresses.get(target.packed, ()) if self._counts_for(address, target)]

    def is_pinned_elsewhere(self, socket: bindings.Socket) -> bool:
        """Pinned to a link that lacks the address, which others have. A VRF is no link in this sense."""
        if not socket.ifindex or socket.ifindex not in self.links or self.links[socket.ifindex].kind == "vrf":
            return False
        holders = {address.ifindex for address in self.addresses_for(socket)}
        return bool(holders) and socket.ifindex not in holders

    def addresses_on(self, name: str) -> list[addresses.Address]:
        """The addresses of the link with that name."""
        indexes = {link.ifindex for link in self.links.values() if link.name == name}
        return [address for address in self._network.addresses or () if address.ifindex in indexes]

    # -- the verdict

    def _judge(self, socket: bindings.Socket) -> bindings.Binding:
        if socket.ifindex:
            if self._network.links is None:
                return bindings.Binding(
                    bindings.UNKNOWN,
                    None,
                    None,
                    f"pinned to interface index {socket.ifindex}, and the links could not be read",
                )
            if socket.ifindex not in self.links:
                return bindings.Binding(
                    bindings.STALE_INTERFACE,
                    False,
                    None,
                    f"pinned to interface index {socket.ifindex}, which no longer exists",
                )
        target = self.target(socket.packed, socket.ifindex)
        if not any(target.packed):
            return bindings.Binding(bindings.WILDCARD, True, True, "bound to every address")
        if addresses.is_multicast(target.packed):
            # Delivery is decided by group memberships, not by routes: there is nothing local to lose.
            return bindings.Binding(bindings.VALID, None, True, "a multicast group, which is never stale")
        return self._judge_ipv4(socket, target) if len(target.packed) == 4 else self._judge_ipv6(socket, target)

    def _judge_ipv4(self, socket: bindings.Socket, target: Target) -> bindings.Binding:
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
            and target.packed not in self._addresses
        ):
            # A policy rule leads to it, but no SYN is answered from an address that table local does not know
            # (__ip_dev_find in ip_route_output_key_hash_rcu), unless the listener is transparent (FLOWI_FLAG_ANYSRC).
            reachable = socket.transparent if kind is not None else None
        return self._conclude(socket, target, plain, reachable, self._network.nonlocal_bind_ipv4)

    def _judge_ipv6(self, socket: bindings.Socket, target: Target) -> bindings.Binding:
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
        plain = any(_is_usable(address) for address in present)
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
        target: Target,
        plain: Optional[bool],
        reachable: Optional[bool],
        nonlocal_bind: Optional[bool],
    ) -> bindings.Binding:
        rebindable = True if plain or nonlocal_bind else (None if None in (plain, nonlocal_bind) else False)
        if plain or reachable:
            return bindings.Binding(
                bindings.VALID, reachable, rebindable, self._where(target, self._addresses.get(target.packed, ()))
            )
        text = spelling.format_address(target.packed)
        meant = _says_intended(socket, nonlocal_bind, any(prefix.covers(target.packed) for prefix in self._intended))
        if meant is not None:
            return bindings.Binding(
                bindings.INTENDED, reachable, rebindable, f"no local route for {text}, which is intended: {meant}"
            )
        missing = _find_missing(socket, nonlocal_bind, reachable)
        if missing is not None:
            return bindings.Binding(bindings.UNKNOWN, reachable, rebindable, f"no local route was seen, but {missing}")
        return bindings.Binding(bindings.STALE_ADDRESS, reachable, rebindable, f"no local route for {text}")

    # -- what the kernel asks

    def _ipv4_type(self, target: Target) -> Optional[int]:
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

    def _counts_for(self, address: addresses.Address, target: Target) -> bool:
        """Whether ipv6_chk_addr() looks at this address for that socket."""
        if self._vrf_of(address.ifindex) != target.vrf:
            return False
        return address.ifindex == target.ifindex or not _is_scoped(target)

    def _is_reachable(self, socket: bindings.Socket, target: Target, limited_broadcast: bool) -> Optional[bool]:
        if limited_broadcast or self._is_plainly_local(target):
            return True
        kind: Optional[int]
        if _is_scoped(target):
            if self._network.routes_ipv6 is None:
                return None
            route = self._find_route(target)  # a pinned socket's own link decides, and no rule can redirect that
            kind = 0 if route is None else route.type
        else:
            kind = self._network.lookups.get((target.vrf, target.packed))
        if kind is None:
            return None
        # A datagram is delivered to a broadcast or anycast address; a TCP handshake to one is refused by the kernel
        # itself.
        return kind == addresses.RTN_LOCAL or (
            kind in (addresses.RTN_BROADCAST, addresses.RTN_ANYCAST) and socket.protocol == bindings.UDP
        )

    def _is_plainly_local(self, target: Target) -> bool:
        """Table `local` says so, and no policy rule is asked before it."""
        if not self._network.local_first and not target.vrf:
            return False
        route = self._find_route(target)
        if route is None or route.type != addresses.RTN_LOCAL:
            return False
        # A longer prefix in main wins where both are one trie, but nothing is longer than the address itself.
        return (
            len(target.packed) == 16 or route.prefixlen == 32 or self._network.ipv4_merged is False or target.vrf != 0
        )

    def _find_route(self, target: Target) -> Optional[addresses.Route]:
        return self._table(target).find(target.packed, target.ifindex if _is_scoped(target) else 0)

    def _table(self, target: Target) -> route_table.TableIndex:
        key = (len(target.packed), target.table)
        table = self._tables.get(key)
        if table is None:
            routes = self._network.routes_ipv4 if len(target.packed) == 4 else self._network.routes_ipv6
            table = self._tables[key] = route_table.TableIndex(
                route for route in routes or () if route.table == target.table
            )
        return table

    def _vrf_of(self, ifindex: int) -> int:
        """The L3 master of a link: itself if it is a VRF, the VRF above it, or 0 (l3mdev_master_ifindex)."""
        link = self.links.get(ifindex)
        for _level in range(2):
            if link is None:
                return 0
            if link.kind == "vrf":
                return link.ifindex
            link = self.links.get(link.master)
        return 0

    def _where(self, target: Target, holders: Iterable[addresses.Address]) -> str:
        names = sorted({self.links[address.ifindex].name for address in holders if address.ifindex in self.links})
        if names:
            return f"{spelling.format_address(target.packed)} is assigned to {', '.join(names)}"
        if target.table in self._network.missing_tables_ipv4:
            return "this namespace never had an IPv4 address, so that any can be bound"
        route = self._find_route(target)
        if route is None:
            return f"{spelling.format_address(target.packed)} is local by a policy rule"
        link = self.links.get(route.ifindex)
        kind = {
            addresses.RTN_LOCAL: "local",
            addresses.RTN_BROADCAST: "broadcast",
            addresses.RTN_ANYCAST: "anycast",
        }.get(route.type, "route")
        return f"{kind} {spelling.format_address(route.packed)}/{route.prefixlen}" + (
            f" dev {link.name}" if link is not None else ""
        )


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


def _is_usable(address: addresses.Address) -> bool:
    """Not tentative; an optimistic address counts although it still is (RFC 4429)."""
    flags = address.flags or 0
    return bool(flags & addresses.IFA_F_OPTIMISTIC) or not flags & addresses.IFA_F_TENTATIVE


def _is_scoped(target: Target) -> bool:
    """A pinned IPv6 link-local or loopback address: it must be on that very link."""
    return target.ifindex != 0 and (addresses.is_link_local(target.packed) or target.packed == bytes(15) + b"\1")
