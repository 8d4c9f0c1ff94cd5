# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides from readings and changes, in the order in which they came, whether a wish is fulfilled, and since when.

Knows no clock and no kernel: every call brings its time, in seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Optional, Union

from .._model import addresses, changes

KEPT_EVENTS = 1000

Key = tuple[int, bytes, int, Optional[bytes]]

_FLAG_NAMES = (
    (addresses.IFA_F_TENTATIVE, "tentative"),
    (addresses.IFA_F_OPTIMISTIC, "optimistic"),
    (addresses.IFA_F_DADFAILED, "dadfailed"),
    (addresses.IFA_F_DEPRECATED, "deprecated"),
)


def is_bindable(address: addresses.Address) -> bool:
    """Would a plain bind of an address that is on an interface succeed: IPv4 always, IPv6 once DAD has accepted it.

    ipv6_chk_addr(), net/ipv6/addrconf.c: tentative addresses do not count unless they are optimistic (RFC 4429). The
    flag tentative stays on an address that failed. None for flags that were not read: unknown is no yes.
    """
    if address.family == "ipv4":
        return True
    if address.flags is None or address.flags & addresses.IFA_F_DADFAILED:
        return False
    return not address.flags & addresses.IFA_F_TENTATIVE or bool(address.flags & addresses.IFA_F_OPTIMISTIC)


def name_flags(subject: Union[addresses.Address, addresses.Link]) -> tuple[str, ...]:
    if isinstance(subject, addresses.Link):
        return () if subject.flags is None else ("up" if subject.flags & addresses.IFF_UP else "down",)
    return tuple(name for flag, name in _FLAG_NAMES if (subject.flags or 0) & flag)


class AddressWatch:
    """`reread` first, then `apply` and `reread` as they come; `find_wait` says how it stands."""

    def __init__(self, wish: changes.Wish) -> None:
        self.wish = wish
        self.events: deque[changes.Event] = deque(maxlen=KEPT_EVENTS)
        self.event_count = 0
        self.held_since: Optional[float] = None  # None: it is not so
        self._begun = False
        self._links: dict[int, addresses.Link] = {}
        self._addresses: dict[Key, addresses.Address] = {}  # those that the prefix covers, on any link
        self._matching: set[Key] = set()  # those on the right link, too
        self._usable: set[Key] = set()  # those that can be bound, too

    def reread(
        self, links: Iterable[addresses.Link], listed: Iterable[addresses.Address], now: float, continuous: bool
    ) -> None:
        """Takes over a whole reading. Not `continuous`: something was missed, so what is so counts from now on only."""
        if not continuous:
            self.held_since = None
            if self._begun:
                self._note(now, changes.REREAD, None, None)
        present_links = {link.ifindex: link for link in links}
        present = {_make_key(address): address for address in listed if self._covers(address)}
        if self._begun:
            self._apply_differences(present_links, present, now)
        else:  # the first reading is where the story starts, and no event
            self._begun = True
            self._links = present_links
            for address in present.values():
                self._store(address)
        self._judge(now)

    def apply(self, change: changes.Change, now: float) -> None:
        subject = change.subject
        if isinstance(subject, addresses.Link):
            self._apply_link(subject, change.gone, now)
        elif self._covers(subject):
            self._apply_address(subject, change.gone, now)
        self._judge(now)

    def find_wait(self, now: float) -> Optional[float]:
        """Seconds until it has held long enough, if nothing changes; 0 = now. None: it is not so."""
        if self.held_since is None:
            return None
        return max(self.held_since + self.wish.settle - now, 0.0)

    def list_matching(self) -> list[tuple[addresses.Address, Optional[str]]]:
        """The addresses that the wish is about, as they are now, with the names of their links; sorted."""
        found = [self._addresses[key] for key in self._matching]
        found.sort(key=lambda address: (address.family, address.packed, address.ifindex, address.prefixlen))
        return [(address, self._name(address.ifindex)) for address in found]

    def has_interface(self) -> bool:
        return any(link.name == self.wish.interface for link in self._links.values())

    def _judge(self, now: float) -> None:
        if self.wish.state == changes.ABSENT:
            holds = not self._matching
        else:
            holds = bool(self._usable if self.wish.state == changes.BINDABLE else self._matching)
        if not holds:
            self.held_since = None
        elif self.held_since is None:
            self.held_since = now

    def _covers(self, address: addresses.Address) -> bool:
        return self.wish.prefix is None or self.wish.prefix.covers(address.packed)

    def _name(self, ifindex: int) -> Optional[str]:
        link = self._links.get(ifindex)
        return link.name if link is not None else None

    def _is_on_right_link(self, ifindex: int) -> bool:
        return self.wish.interface is None or self._name(ifindex) == self.wish.interface

    def _apply_differences(
        self, links: dict[int, addresses.Link], present: dict[Key, addresses.Address], now: float
    ) -> None:
        for key in [key for key in self._addresses if key not in present]:
            self._apply_address(self._addresses[key], True, now)
        for ifindex in [ifindex for ifindex in self._links if ifindex not in links]:
            self._apply_link(self._links[ifindex], True, now)
        for link in links.values():
            self._apply_link(link, False, now)
        for key, address in present.items():
            if self._addresses.get(key) != address:
                self._apply_address(address, False, now)

    def _apply_address(self, address: addresses.Address, gone: bool, now: float) -> None:
        key = _make_key(address)
        known = key in self._addresses
        if gone:
            event = changes.REMOVED
            self._forget(key)
        else:
            event = changes.CHANGED if known else changes.ADDED
            self._store(address)
        if (known or not gone) and self._is_on_right_link(address.ifindex):
            self._note(now, event, address, self._links.get(address.ifindex))

    def _apply_link(self, link: addresses.Link, gone: bool, now: float) -> None:
        before = self._links.get(link.ifindex)
        if gone:
            self._remove_link(link, now)
            return
        self._links[link.ifindex] = link
        if before is None or before.name != link.name:
            # A name that comes late, or a renamed link, makes addresses match, or match no more.
            for address in [address for address in self._addresses.values() if address.ifindex == link.ifindex]:
                self._store(address)
        concerns = self.wish.interface in (link.name, before.name if before else link.name)
        if concerns and (before is None or (before.name, before.flags) != (link.name, link.flags)):
            self._note(now, changes.LINK_ADDED if before is None else changes.LINK_CHANGED, None, link)

    def _remove_link(self, link: addresses.Link, now: float) -> None:
        gone = [(key, address) for key, address in self._addresses.items() if address.ifindex == link.ifindex]
        concerns = self._is_on_right_link(link.ifindex) and (self.wish.interface is not None or bool(gone))
        for _key, address in gone:  # the kernel tells of them first; this is for what it did not tell
            self._apply_address(address, True, now)
        if self._links.pop(link.ifindex, None) is not None and concerns:
            self._note(now, changes.LINK_REMOVED, None, link)

    def _store(self, address: addresses.Address) -> None:
        key = _make_key(address)
        self._forget(key)
        self._addresses[key] = address
        if self._is_on_right_link(address.ifindex):
            self._matching.add(key)
            if is_bindable(address):
                self._usable.add(key)

    def _forget(self, key: Key) -> None:
        self._addresses.pop(key, None)
        self._matching.discard(key)
        self._usable.discard(key)

    def _note(
        self, now: float, event: str, address: Optional[addresses.Address], link: Optional[addresses.Link]
    ) -> None:
        self.event_count += 1
        subject = address if address is not None else link
        ifindex = address.ifindex if address is not None else link.ifindex if link is not None else None
        flags = name_flags(subject) if subject is not None else ()
        self.events.append(changes.Event(now, event, link.name if link is not None else None, ifindex, address, flags))


def _make_key(address: addresses.Address) -> Key:
    # What the kernel takes for one address: __inet_insert_ifa(), net/ipv4/devinet.c; ipv6_add_addr(),
    # net/ipv6/addrconf.c
    return (address.ifindex, address.packed, address.prefixlen, address.peer)
