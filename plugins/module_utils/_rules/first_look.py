# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a bind address is local, and whether all is in order: what Linux itself asks, in the same order, and the
answers where they are plain.

That is what a check mostly meets. What is not plain is told by closer_look.py and by the rules, which need not be
loaded to find nothing: compiling them takes longer on the host than everything that they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from .._model import addresses, backends, bindings
from .._wire import spelling

if TYPE_CHECKING:  # loaded only where something is not plain, or a restart depends on what else is on the port
    from .._model import prefixes
    from .._model.restarts import Restarts
    from . import closer_look

WILDCARD = bindings.Binding(bindings.WILDCARD, True, True, "bound to every address")
# Delivery is decided by group memberships, not by routes: there is nothing local to lose.
GROUP = bindings.Binding(bindings.VALID, None, True, "a multicast group, which is never stale")
_FINE = (bindings.VALID, bindings.WILDCARD)


class Target(NamedTuple):
    """What a bind address is to the kernel: v4-mapped addresses follow the IPv4 rules."""

    packed: bytes
    ifindex: int  # the pin; 0 = none
    vrf: int  # ifindex of the VRF that the pin belongs to; 0 = the main L3 domain
    table: int  # the table that says what is local there


class Locality:
    """All questions about one Network. Build it once per look at a host; answers for equal bindings are kept."""

    def __init__(self, network: addresses.Network, intended: Sequence[prefixes.Prefix] = ()) -> None:
        self.network = network
        self.intended = tuple(intended)
        self.links: dict[int, addresses.Link] = {link.ifindex: link for link in network.links or ()}
        self._addresses: dict[bytes, list[addresses.Address]] = {}
        for address in network.addresses or ():
            self._addresses.setdefault(address.packed, []).append(address)
        self._own: dict[tuple[int, bytes], list[addresses.Route]] = {}
        for route in (*(network.routes_ipv4 or ()), *(network.routes_ipv6 or ())):
            if route.prefixlen == 8 * len(route.packed) and addresses.is_alive(route):
                self._own.setdefault((route.table, route.packed), []).append(route)
        self._plain: dict[tuple[bytes, Optional[int]], Optional[bindings.Binding]] = {}
        self._closer: Optional[closer_look.CloserLook] = None

    def target(self, bind_address: bytes, pin: Optional[int]) -> Target:
        packed = addresses.unmap(bind_address)
        ifindex = pin or 0
        vrf = self._vrf_of(ifindex)
        link = self.links.get(vrf)
        table = link.vrf_table if link is not None and link.vrf_table is not None else addresses.RT_TABLE_LOCAL
        return Target(packed, ifindex, vrf, table)

    @property
    def closer(self) -> closer_look.CloserLook:
        """What is asked where it is not plain; loaded only then."""
        if self._closer is None:
            from . import closer_look

            self._closer = closer_look.CloserLook(self)
        return self._closer

    def judge(self, socket: bindings.Socket) -> bindings.Binding:
        """Where this listener's bind address stands. Never raises; what was not read makes `unknown`."""
        plain = self.judge_plainly(socket)
        return self.closer.judge(socket) if plain is None else plain

    def judge_plainly(self, socket: bindings.Socket) -> Optional[bindings.Binding]:
        """The same, or None where that takes a closer look: not seen whether it is pinned, tentative, …"""
        key = (socket.packed, socket.ifindex)
        try:
            return self._plain[key]
        except KeyError:
            return self._plain.setdefault(key, self._judge_plainly(*key))

    def _judge_plainly(self, bind_address: bytes, pin: Optional[int]) -> Optional[bindings.Binding]:
        if pin is None or (pin and pin not in self.links):
            return None
        target = self.target(bind_address, pin)
        if not any(target.packed):
            return WILDCARD
        present = self.find_present(target)
        if addresses.is_multicast(target.packed):
            return None if pin and present else GROUP  # a link can have a group as an address
        if not (self._is_own(target) and any(map(addresses.is_usable, present))):
            return None
        if pin and all(address.ifindex != pin for address in present):
            return None
        where = self.describe_holders(target.packed, self.addresses_of(target.packed))
        return bindings.Binding(bindings.VALID, True, True, where) if where else None

    def _is_own(self, target: Target) -> bool:
        """The table says so of this very address, so that nothing in it is longer, and no policy rule comes before."""
        rows = self._own.get((target.table, target.packed), ())
        if is_scoped(target):
            rows = [route for route in rows if route.ifindex == target.ifindex]
        if not rows or not (self.network.local_first or target.vrf):
            return False
        # Stable: among equals the dump's order is the lookup's.
        return min(rows, key=lambda route: route.priority).type == addresses.RTN_LOCAL

    def addresses_of(self, packed: bytes) -> list[addresses.Address]:
        return self._addresses.get(addresses.unmap(packed), [])

    def find_present(self, target: Target) -> list[addresses.Address]:
        """The addresses that count for such a socket: equal to its own, in its L3 domain, and, where the link of a
        pinned socket decides, on that link.
        """
        return [address for address in self._addresses.get(target.packed, ()) if self._counts_for(address, target)]

    def describe_holders(self, packed: bytes, holders: Iterable[addresses.Address]) -> str:
        """On which links the address is; empty where none has it."""
        names = sorted({self.links[address.ifindex].name for address in holders if address.ifindex in self.links})
        return f"{spelling.format_address(packed)} is assigned to {', '.join(names)}" if names else ""

    # -- what the kernel asks

    def _counts_for(self, address: addresses.Address, target: Target) -> bool:
        """Whether ipv6_chk_addr() looks at this address for that socket."""
        if self._vrf_of(address.ifindex) != target.vrf:
            return False
        return address.ifindex == target.ifindex or not is_scoped(target)

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


def is_scoped(target: Target) -> bool:
    """A pinned IPv6 link-local or loopback address: it must be on that very link."""
    return target.ifindex != 0 and (addresses.is_link_local(target.packed) or target.packed == bytes(15) + b"\1")


class View(NamedTuple):
    """One look at a host, judged: what a rule gets to see."""

    listeners: tuple[bindings.Listener, ...]
    capabilities: backends.Capabilities
    locality: Locality  # links and addresses to ask about; empty where they could not be read
    restarts: Optional[Restarts] = None  # None: no listener needed a closer look


def is_in_order(view: View) -> bool:
    """No rule has anything to say, not even of something unknown. False also where that is not plain to see."""
    links = view.locality.links.values()
    if not (view.capabilities.address_flags and view.capabilities.link_state and links) or view.restarts is not None:
        return False
    identities = {listener.socket.identity for listener in view.listeners}
    if len(identities) < len(view.listeners) or not all(map(_is_fine, view.listeners)):
        return False
    # Links that nobody needs are down on many a host: docker0 without containers, a second port without a cable.
    if not any(map(addresses.is_down, links)):
        return True
    places = {(listener.socket.packed, listener.socket.ifindex): listener.socket for listener in view.listeners}
    return not any(_is_down(view.locality, socket) for socket in places.values())


def _is_down(known: Locality, socket: bindings.Socket) -> bool:
    """Every link that carries the address is down."""
    target = known.target(socket.packed, socket.ifindex)
    carriers = {target.ifindex} if target.ifindex else {address.ifindex for address in known.find_present(target)}
    if carriers and known.links.keys() >= carriers:
        return all(addresses.is_down(known.links[index]) for index in carriers)
    # Only a route tells which they are, or they came and went during the look.
    return any(target.packed) and bool(known.closer.down_links_of(socket))


def _is_fine(listener: bindings.Listener) -> bool:
    socket, binding, options = listener.socket, listener.binding, listener.options
    # A pin that cannot be seen takes back that it is reachable, and so does one to a link that lacks the address.
    if binding.state not in _FINE or not binding.reachable:
        return False
    if socket.protocol != bindings.TCP or options.reuseaddr:
        return True
    return listener.ownership.status == bindings.KERNEL and options.reuseaddr is None
