# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a bind address stands, judged by the list of addresses alone: no routes, no address flags, no pins, no options.

It says less than Locality and never something else. An address that is in the list is valid; whether the kernel
delivers to it and would accept it again stays open (`reachable` and `rebindable` are null): it may be tentative, and a
VRF or a route removed by hand are not seen either. What a *missing* address means depends on the platform, which
`capabilities` describe:

- Linux: a missing address can be meant (IP_FREEBIND, IP_TRANSPARENT, ip_nonlocal_bind, AnyIP routes), and none of that
  is seen: unknown. All of 127/8 is local through the one address of the loopback link.
- FreeBSD, OpenBSD, NetBSD: IP_BINDANY and SO_BINDANY (ip(4), getsockopt(2)). Root alone can set them, but a daemon does
  so before it gives up its privileges, so that today's owner proves nothing: unknown. Of 127/8 only what is listed.
- macOS: no such option; in_pcbbind() takes what ifa_ifwithaddr() finds and nothing else: stale. Of 127/8 only what is
  listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .._model import addresses, backends, bindings, prefixes
from .._wire import spelling

_LIMITED_BROADCAST = b"\xff" * 4
_MAY_BE_MEANT = (
    "it is not among the addresses of this host, but whether that is meant cannot be seen: the socket may have"
    " IP_FREEBIND, IP_TRANSPARENT or IP_BINDANY, or the host ip_nonlocal_bind or a local route"
)
_BROADCAST_DOWN = "it is the broadcast address of a link that is not up and running"
_PIN_UNSEEN = "a link-local address is valid on one interface only, and which one the socket is bound to cannot be seen"


class PortableLocality:
    """Judges by what psutil can see of a Network. Build it once per look at a host."""

    def __init__(
        self, network: addresses.Network, capabilities: backends.Capabilities, intended: Sequence[prefixes.Prefix] = ()
    ) -> None:
        self._links = {link.ifindex: link for link in network.links or ()}
        self._links_are_certain = network.links is not None and 0 not in self._links
        self._capabilities = capabilities
        self._intended = tuple(intended)
        self._addresses_are_read = network.addresses is not None
        self._addresses: dict[bytes, list[addresses.Address]] = {}
        self._broadcasts: dict[bytes, list[addresses.Address]] = {}
        for address in network.addresses or ():
            self._addresses.setdefault(address.packed, []).append(address)
            if address.broadcast is not None:
                self._broadcasts.setdefault(address.broadcast, []).append(address)

    def judge(self, socket: bindings.Socket) -> bindings.Binding:
        """Where this listener's bind address stands. Never raises; what was not read makes `unknown`."""
        packed = addresses.unmap(socket.packed)
        if socket.ifindex and self._links_are_certain and socket.ifindex not in self._links:
            reason = f"pinned to interface index {socket.ifindex}, which no longer exists"
            return bindings.Binding(bindings.STALE_INTERFACE, False, None, reason)
        if not any(packed):
            return bindings.Binding(bindings.WILDCARD, None, None, "bound to every address")
        if addresses.is_multicast(packed):
            return _valid("a multicast group, which is never stale")
        if packed == _LIMITED_BROADCAST:
            return _valid("the limited broadcast address, which is never stale")
        if not self._addresses_are_read:
            return _unknown("the addresses could not be read")
        present = self._addresses.get(packed, [])
        if addresses.is_link_local(packed):
            if present and not (socket.ifindex and self._links_are_certain):
                return _unknown(_PIN_UNSEEN)
            present = [address for address in present if address.ifindex == socket.ifindex]
        if present:
            return _valid(f"{spelling.format_address(packed)} is assigned to {self._name(present)}")
        return self._judge_block(packed) or self._judge_missing(packed)

    def _judge_block(self, packed: bytes) -> Optional[bindings.Binding]:
        """What is local by an address that is listed, without being listed itself; None where nothing is."""
        senders = self._broadcasts.get(packed, [])
        if senders:
            # Linux takes the broadcast routes away with the link (fib_disable_ip), and with ignore_routes_with_linkdown
            # passes over them without a carrier; others keep the address bindable.
            working = addresses.IFF_UP | addresses.IFF_RUNNING
            up = [address for address in senders if self._flags(address) & working == working]
            return _valid(f"broadcast address of {self._name(up)}") if up else _unknown(_BROADCAST_DOWN)
        if self._capabilities.whole_loopback and len(packed) == 4 and packed[0] == 127:
            for address in (address for listed in self._addresses.values() for address in listed):
                is_up = (
                    self._flags(address) & (addresses.IFF_UP | addresses.IFF_LOOPBACK)
                    == addresses.IFF_UP | addresses.IFF_LOOPBACK
                )
                if is_up and prefixes.Prefix(address.packed, address.prefixlen).covers(packed):
                    return _valid(
                        f"in {spelling.format_address(address.packed)}/{address.prefixlen} of {self._name([address])}"
                    )
        return None

    def _judge_missing(self, packed: bytes) -> bindings.Binding:
        local = None if self._capabilities.nonlocal_binds else False
        if any(prefix.covers(packed) for prefix in self._intended):
            reason = "is not among the addresses of this host, which is intended: listed in intended_addresses"
            return bindings.Binding(bindings.INTENDED, local, local, f"{spelling.format_address(packed)} {reason}")
        if self._capabilities.nonlocal_binds:
            return _unknown(_MAY_BE_MEANT)
        return bindings.Binding(
            bindings.STALE_ADDRESS,
            local,
            local,
            f"{spelling.format_address(packed)} is not among the addresses of this host",
        )

    def _flags(self, address: addresses.Address) -> int:
        link = self._links.get(address.ifindex)
        return link.flags or 0 if link is not None else 0

    def _name(self, holders: Sequence[addresses.Address]) -> str:
        names = {self._links[address.ifindex].name for address in holders if address.ifindex in self._links}
        return ", ".join(sorted(names)) or "this host"


def _valid(reason: str) -> bindings.Binding:
    return bindings.Binding(bindings.VALID, None, None, reason)


def _unknown(reason: str) -> bindings.Binding:
    return bindings.Binding(bindings.UNKNOWN, None, None, reason)
