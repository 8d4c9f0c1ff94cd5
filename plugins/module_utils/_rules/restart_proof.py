# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Will a restart help? Only if every bind of the unit will succeed, those that work now included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional

from .._model import bindings, plans, restarts
from .._wire import spelling

PROVEN = "proven"
# Without proof; a caller may restart all the same.
NO_PROOF = "no_proof"
UNCOVERED = "uncovered"
INTERFACE_UNKNOWN = "interface_unknown"
ADDRESS_MISSING = "address_missing"
OUTLOOK_UNKNOWN = "outlook_unknown"
# It is known that a restart would fail, and that no rescue could help.
PORT_TAKEN = "port_taken"
PORT_DENIED = "port_denied"
# It would fail now, and later succeed.
PORT_BUSY = "port_busy"

OVERRIDABLE = frozenset((NO_PROOF, UNCOVERED, INTERFACE_UNKNOWN, ADDRESS_MISSING, OUTLOOK_UNKNOWN))


class Judgement(NamedTuple):
    state: str  # one of the above
    reason: str
    advice: str  # empty when proven
    clear_in: Optional[int] = None  # PORT_BUSY: seconds; None = nobody can say


def judge_proof(case: plans.Case) -> Judgement:
    """The first of these that holds: a bind is known to fail, then what is not known, then proven."""
    proof = case.proof
    failing = _judge_prospects(proof.prospects)
    if failing is not None and failing.state in (PORT_TAKEN, PORT_DENIED):
        return failing
    if proof.method == plans.NGINX and proof.bound is False:
        return Judgement(
            ADDRESS_MISSING,
            "nginx -t tried to bind all that the configuration names, and an address is not there",
            "correct the `listen` that names it, or bring the address back",
        )
    if failing is not None and failing.state == ADDRESS_MISSING:
        return failing
    return _judge_knowledge(case) or _judge_survivors(case) or failing or _prove(case)


def _judge_knowledge(case: plans.Case) -> Optional[Judgement]:
    proof = case.proof
    declare = "declare all that it should listen on in rebind_expected"
    if proof.method == plans.NO_METHOD or proof.problem is not None:
        return Judgement(NO_PROOF, proof.problem or "nothing tells where it will listen after a restart", declare)
    wishes = [prospect.wish for prospect in proof.prospects]
    lost = [found for found in case.healthy if not any(covers(wish, found, case.interfaces) for wish in wishes)]
    if lost:
        named = ", ".join(_describe_pinned(listener, case.interfaces) for listener in lost)
        return Judgement(UNCOVERED, f"it serves {named} now, which {proof.method} does not name", declare)
    for listener in case.stale:
        if listener.binding.state == bindings.STALE_INTERFACE and not any(_pins(wish, listener) for wish in wishes):
            return Judgement(
                INTERFACE_UNKNOWN,
                f"{spelling.format_endpoint(listener.socket)} was pinned to an interface that is gone, and the name"
                f" that it will be pinned to is not known ({proof.method})",
                f"{declare}, this one with its interface",
            )
    return None


def _judge_survivors(case: plans.Case) -> Optional[Judgement]:
    """KillMode=process and none, systemd.kill(5): what a stop leaves alive goes on holding its sockets."""
    for unit in filter(None, (case.unit, case.companion)):
        if unit.kill_mode not in ("process", "none") or not unit.name.endswith(".service"):
            continue
        holders = {owner.pid: owner.name for found in (*case.stale, *case.healthy) for owner in found.ownership.owners}
        left = sorted(f"{name} (pid {pid})" for pid, name in holders.items() if pid not in (1, unit.main_pid))
        if left:
            return Judgement(
                OUTLOOK_UNKNOWN,
                f"{', '.join(left)} may outlive a stop (KillMode={unit.kill_mode}), and holds its listeners as well",
                "restart it by hand",
            )
    return None


def _prove(case: plans.Case) -> Judgement:
    wishes = ", ".join(describe_wish(prospect.wish) for prospect in case.proof.prospects)
    how = {plans.NGINX: "nginx -t bound all of it", plans.LISTEN_STREAM: "its own ListenStream="}.get(
        case.proof.method, case.proof.method
    )
    return Judgement(PROVEN, f"it will listen on {wishes} ({how}), and every bind will succeed", "")


def _judge_prospects(prospects: Iterable[plans.Prospect]) -> Optional[Judgement]:
    """The worst of what the kernel would say to one of them."""
    found: dict[str, Judgement] = {}
    waits: list[Optional[int]] = []
    for prospect in prospects:
        judgement = _judge_prospect(prospect)
        if judgement is not None:
            found.setdefault(judgement.state, judgement)
            if judgement.state == PORT_BUSY:
                waits.append(judgement.clear_in)
    for state in (PORT_TAKEN, PORT_DENIED, ADDRESS_MISSING, OUTLOOK_UNKNOWN):
        if state in found:
            return found[state]
    if waits:
        known = [seconds for seconds in waits if seconds is not None]
        return found[PORT_BUSY]._replace(clear_in=max(known) if len(known) == len(waits) else None)
    return None


def _judge_prospect(prospect: plans.Prospect) -> Optional[Judgement]:
    outlook = prospect.outlook
    where = describe_wish(prospect.wish)
    why = outlook.reason or outlook.errno or outlook.verdict
    if outlook.verdict == restarts.OK:
        return None
    if outlook.verdict == restarts.UNAVAILABLE:
        return Judgement(
            ADDRESS_MISSING,
            f"{where} cannot be bound now: {why}",
            "bring the address or interface back (rebind_wait_for_address waits for it), or configure another",
        )
    if outlook.verdict == restarts.DENIED:
        return Judgement(PORT_DENIED, f"{where} may not be bound: {why}", "give the unit the right to use that port")
    if outlook.verdict != restarts.BLOCKED and outlook.clear_in_seconds is None:
        return Judgement(
            OUTLOOK_UNKNOWN, f"whether {where} can be bound is not known: {why}", "look at what holds the port"
        )
    if outlook.clear_in_seconds is None and not prospect.by_own_connections:
        who = ", ".join(prospect.held_by) or "something that cannot be seen"
        return Judgement(PORT_TAKEN, f"{where} is in use by {who}", "stop that, or configure another port")
    when = "its connections are open" if outlook.clear_in_seconds is None else f"clear in {outlook.clear_in_seconds} s"
    return Judgement(
        PORT_BUSY,
        f"{where} is held by what is left of earlier connections, as the service does not set SO_REUSEADDR ({when})",
        "wait (rebind_max_wait), or let the program set SO_REUSEADDR before it binds",
        outlook.clear_in_seconds,
    )


def covers(wish: plans.Wish, listener: bindings.Listener, interfaces: Mapping[int, str]) -> bool:
    """Whether what arrives at the listener will arrive at the wish as well. interfaces: index → name."""
    socket = listener.socket
    if (wish.protocol, wish.port) != (socket.protocol, socket.port):
        return False
    # Also of a link-local address: its scope pins it.
    if wish.interface and interfaces.get(socket.ifindex or 0) != wish.interface:
        return False
    if wish.packed == socket.packed:
        return True
    # :: serves IPv4 as well only where IPV6_V6ONLY is off, which the wish does not say.
    return not any(wish.packed) and wish.family == socket.family


def _describe_pinned(listener: bindings.Listener, interfaces: Mapping[int, str]) -> str:
    name = interfaces.get(listener.socket.ifindex or 0)
    return f"{spelling.format_endpoint(listener.socket)}{f' on {name}' if name else ''}"


def _pins(wish: plans.Wish, listener: bindings.Listener) -> bool:
    socket = listener.socket
    return (wish.protocol, wish.port) == (socket.protocol, socket.port) and wish.interface is not None


def describe_wish(wish: plans.Wish) -> str:
    text = spelling.format_address(wish.packed)
    host = text if wish.family == "ipv4" else f"[{text}]"
    pin = f" on {wish.interface}" if wish.interface else ""
    return f"{host}:{wish.port}{'/udp' if wish.protocol == bindings.UDP else ''}{pin}"
