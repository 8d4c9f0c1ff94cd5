# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until an address is there, usable or gone, and tells what happened (docs/schemas/wait_for_address.json)."""

from __future__ import annotations

import errno
import re
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Any, Callable, NamedTuple, Optional, Protocol

from .._model import addresses, backends, changes, prefixes
from .._readers import netlink_socket
from .._rules import address_watch
from .._wire import netlink, spelling
from . import arguments, interfaces, results, selections

_LONGEST = 1e6  # seconds
_GRACE = 1.0  # seconds beyond the timeout to catch up with what the kernel has told already


class Source(Protocol):
    """_readers.address_events.AddressEvents, or address_polls.AddressPolls."""

    @property
    def name(self) -> str: ...
    def read_present(self) -> tuple[tuple[addresses.Link, ...], tuple[addresses.Address, ...]]: ...
    def wait(self, seconds: float) -> changes.Batch: ...


class Ending(NamedTuple):
    met: bool
    started: float
    ended: float


def wait_for_address(params: dict[str, Any]) -> tuple[results.Json, Sequence[backends.Gap]]:
    """What the module returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    wish = parse_wish(params)
    with ExitStack() as stack:
        source, gaps = _open_source(params, wish, stack)
        watch = address_watch.AddressWatch(wish)
        try:
            ending = watch_until(watch, source, params["timeout"])
        except (netlink_socket.NetlinkError, netlink.MalformedMessage) as error:
            raise backends.UnreadableTable(f"the addresses of this host could not be read: {error}") from error
    return render_wait(watch, ending, source.name, gaps), gaps


def parse_wish(params: dict[str, Any]) -> changes.Wish:
    """Raises InvalidOption."""
    for option, least in (("timeout", 0), ("settle", 0), ("poll_interval", 0.01)):
        if not least <= params[option] <= _LONGEST:  # refuses nan as well
            raise arguments.InvalidOption(option, params[option], f"seconds from {least:g} on")
    if params["settle"] > params["timeout"]:
        raise arguments.InvalidOption(
            "settle", params["settle"], f"at most the seconds of timeout ({params['timeout']:g})"
        )
    interface = params["interface"]
    if interface is not None:
        interface = interface.strip()
        # dev_valid_name(), net/core/dev.c, for names and for alternative names (ALTIFNAMSIZ)
        if (
            not 0 < len(interface.encode(errors="replace")) < 128
            or interface in (".", "..")
            or re.search(r"[/:\s\0]", interface)
        ):
            raise arguments.InvalidOption("interface", params["interface"], "the name of a network interface")
    prefix = _parse_address(params["address"]) if params["address"] is not None else None
    return changes.Wish(prefix, _find_name(interface) if interface else None, params["state"], params["settle"])


def _find_name(interface: str) -> str:
    """The name that messages carry, for an interface that was given by an alternative one (`ip link property`)."""
    try:
        return socket.if_indextoname(socket.if_nametoindex(interface))
    except (OSError, ValueError):
        return interface  # not there now


def _parse_address(text: str) -> prefixes.Prefix:
    if "%" in text:
        raise arguments.InvalidOption(
            "address", text, "an address without scope id; name the interface in option interface"
        )
    (prefix,) = selections.parse_prefixes("address", [text])
    number = ip_address(prefix.packed)
    if prefix.prefixlen == number.max_prefixlen and (number.is_unspecified or number.is_multicast):
        raise arguments.InvalidOption(
            "address", text, "an address that an interface can have, not a wildcard or a multicast group"
        )
    return prefix


def _open_source(
    params: dict[str, Any], wish: changes.Wish, stack: ExitStack
) -> tuple[Source, tuple[backends.Gap, ...]]:
    name = params["backend"]
    refused = None
    if name == "netlink" or (name == "auto" and sys.platform.startswith("linux")):
        arguments.select_backend("netlink")  # says why where it cannot be
        from .._readers import address_events

        try:
            return stack.enter_context(address_events.AddressEvents()), ()
        except netlink_socket.NetlinkError as error:
            if name == "netlink":
                raise backends.UnreadableTable(str(error)) from error
            refused = str(error)
    return _open_polls(params, wish, refused)


def _open_polls(
    params: dict[str, Any], wish: changes.Wish, refused: Optional[str]
) -> tuple[Source, tuple[backends.Gap, ...]]:
    from .._readers import address_polls

    try:
        backend = arguments.select_backend("psutil")
    except backends.BackendUnavailable as error:
        raise backends.BackendUnavailable(f"{refused}; {error}" if refused else str(error)) from error
    may_be_ipv6 = wish.prefix is None or len(wish.prefix.packed) == 16
    if wish.state == changes.BINDABLE and may_be_ipv6 and not backend.capabilities.address_flags:
        allowed = "present or absent with psutil, which does not see whether an IPv6 address is still tentative"
        raise arguments.InvalidOption("state", wish.state, allowed)
    interval = params["poll_interval"]
    reason = f"read every {interval:g} s through psutil: what came and went in between was not seen, nor when it did"
    gap = backends.Gap("rtnetlink", "changes as they happen", f"{refused}; {reason}" if refused else reason)
    return address_polls.AddressPolls(backend.read_network, interval), (gap,)


def watch_until(
    watch: address_watch.AddressWatch, source: Source, timeout: float, clock: Callable[[], float] = time.monotonic
) -> Ending:
    """Feeds the watch from the source until it is so, or until `timeout` seconds are over."""
    started = clock()
    deadline = started + timeout
    present = _read_quietly(source, deadline, clock)
    watch.reread(*present, clock(), continuous=False)
    more = True  # what came while that was read is waiting, and older than it
    while True:
        now = clock()
        left = None if more else watch.find_wait(now)
        if left == 0 or now >= (deadline + _GRACE if more else deadline):
            return Ending(left == 0, started, now)
        until = deadline if left is None else min(now + left, deadline)
        batch = source.wait(0 if more else until - now)
        for change in batch.changes:
            watch.apply(change, clock())
        if batch.lost or batch.polled:
            watch.reread(*_read_quietly(source, deadline, clock), clock(), continuous=not batch.lost)
        more = batch.more or batch.lost


def _read_quietly(
    source: Source, deadline: float, clock: Callable[[], float]
) -> tuple[tuple[addresses.Link, ...], tuple[addresses.Address, ...]]:
    """In a storm of changes no reading is of one piece (NLM_F_DUMP_INTR): again, for as long as there is time."""
    while True:
        try:
            return source.read_present()
        except netlink_socket.NetlinkError as error:
            if error.errno != errno.EINTR or clock() > deadline:
                raise


def render_wait(
    watch: address_watch.AddressWatch, ending: Ending, source: str, gaps: Sequence[backends.Gap]
) -> results.Json:
    matching = watch.list_matching()
    since = watch.held_since
    return {
        "failed": not ending.met,
        "met": ending.met,
        "state": watch.wish.state,
        "elapsed": round(ending.ended - ending.started, 6),
        "held": round(ending.ended - since, 6) if since is not None else None,
        "source": source,
        "addresses": [
            {"interface": name, "ifindex": address.ifindex, **interfaces.render_address(address)}
            for address, name in matching
        ],
        "events": [_render_event(event, ending.started) for event in watch.events],
        "events_dropped": watch.event_count - len(watch.events),
        "gaps": results.render_gaps(gaps),
        "msg": compose_message(watch, ending),
    }


def _render_event(event: changes.Event, started: float) -> results.Json:
    return {
        "at": round(event.at - started, 6),
        "event": event.event,
        "interface": event.interface,
        "ifindex": event.ifindex,
        "address": spelling.format_address(event.address.packed) if event.address else None,
        "prefixlen": event.address.prefixlen if event.address else None,
        "flags": list(event.flags),
    }


def compose_message(watch: address_watch.AddressWatch, ending: Ending) -> str:
    wish, what = watch.wish, _describe_wish(watch.wish)
    seconds = ending.ended - ending.started
    if ending.met:
        settled = f", for {wish.settle:g} s without a break" if wish.settle else ""
        return f"{what} is {wish.state}{settled} (waited {seconds:.3f} s)"
    present = _describe_present(watch)
    if watch.held_since is not None:
        present += f", for {ending.ended - watch.held_since:.3f} of {wish.settle:g} s"
    last = _describe_last(watch, ending)
    return f"{what} was not {wish.state} within {seconds:.3f} s. Seen last: {present}; {last}"


def _describe_wish(wish: changes.Wish) -> str:
    where = f" on {wish.interface}" if wish.interface else ""
    several = "Every address" if wish.state == changes.ABSENT else "An address"
    if wish.prefix is None:
        return f"{several}{where}"
    text = spelling.format_address(wish.prefix.packed)
    exact = wish.prefix.prefixlen == 8 * len(wish.prefix.packed)
    return f"{text}{where}" if exact else f"{several} of {text}/{wish.prefix.prefixlen}{where}"


def _describe_present(watch: address_watch.AddressWatch) -> str:
    matching = watch.list_matching()
    if not matching:
        if watch.wish.interface is None:
            return "on no interface"
        return "not there" if watch.has_interface() else f"no interface {watch.wish.interface}"
    shown = [_describe_address(address, name) for address, name in matching[:3]]
    return ", ".join(shown) + (f" and {len(matching) - 3} more" if len(matching) > 3 else "")


def _describe_address(address: addresses.Address, name: Optional[str]) -> str:
    flags = address_watch.name_flags(address)
    marks = f" ({', '.join(flags)})" if flags else ""
    return f"{spelling.format_address(address.packed)}/{address.prefixlen} on {name or address.ifindex}{marks}"


def _describe_last(watch: address_watch.AddressWatch, ending: Ending) -> str:
    if not watch.events:
        return "nothing changed meanwhile"
    event = watch.events[-1]
    flags = f" ({', '.join(event.flags)})" if event.flags else ""
    subject = f" {spelling.format_address(event.address.packed)}" if event.address else ""
    where = f" on {event.interface}" if event.address and event.interface else f" {event.interface or ''}".rstrip()
    ago = ending.ended - event.at
    count = f"{watch.event_count} events, the last one" if watch.event_count > 1 else "one event,"
    return f"{count} {ago:.3f} s before: {event.event}{subject}{where}{flags}"
