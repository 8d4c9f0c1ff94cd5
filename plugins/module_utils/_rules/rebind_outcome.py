# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a plan: the listeners that a unit had and was to have, held against a fresh look at the host."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Optional

from .._model import bindings, plans
from . import restart_actions

FIXED = "fixed"
STILL_STALE = "still_stale"
MISSING = "missing"
RESCUED = "rescued"
FAILED = "failed"
UNTOUCHED = "untouched"
NOT_CLEAR = "not_clear"
HEALED = "healed"
OUTCOMES = (FAILED, RESCUED, MISSING, STILL_STALE, FIXED, HEALED, NOT_CLEAR, UNTOUCHED)  # the worst first
GOOD = frozenset((FIXED, HEALED, NOT_CLEAR, UNTOUCHED))
_WAIT_LONGER = "wait longer (rebind_max_wait), or let it be stopped meanwhile (rebind_allow_downtime)"


class Place(NamedTuple):
    """Where something listens, as text: what is the same in two runs and in what a caller hands back."""

    protocol: str
    address: str
    port: int
    interface: Optional[str]


class Refused(NamedTuple):
    """A connect that did not succeed: where, and through which interface."""

    host: str
    port: int
    interface: Optional[str]


class Before(NamedTuple):
    """One unit of an earlier plan."""

    label: str
    action: str
    stale: tuple[Place, ...]
    healthy: tuple[Place, ...]
    wished: tuple[Place, ...]
    failed: Optional[str]  # why it did not come back
    rescued: bool
    left: str = ""  # why nothing was done, and how to go on; empty where nothing was planned in the first place
    waited: bool = False  # nothing was done because its port did not become clear
    companion: str = ""  # label of the service that the socket starts
    engine: str = ""  # of a container
    tried: frozenset[Refused] = frozenset()  # where a connect was to be made


class Outcome(NamedTuple):
    label: str
    outcome: str
    reason: str
    missing: tuple[Place, ...]


def rank(outcome: Outcome) -> tuple[int, str]:
    return OUTCOMES.index(outcome.outcome), outcome.label


def is_of(before: Before, service: Optional[bindings.Service]) -> bool:
    """Whether what that service holds counts: another one that listens in the same place does not serve for this one.
    A container that was made anew is another one with the same engine, and which one may not be known.
    """
    if before.engine:
        return service is None or (service.scope, service.manager) == ("container", before.engine)
    label = restart_actions.label_service(service)
    return label == before.label or (bool(label) and label == before.companion)


def judge_outcome(before: Before, states: Mapping[Place, str], refused: Collection[Refused]) -> Outcome:
    """states: binding state of each listener that the unit has now. refused: TCP connects that did not succeed."""
    stale = [place for place in before.stale if states.get(place) in (bindings.STALE_ADDRESS, bindings.STALE_INTERFACE)]
    if before.action == "none":
        if stale and before.waited:
            why = f"nothing was done, as its port was not clear in time: {before.left}; {_WAIT_LONGER}"
            return Outcome(before.label, NOT_CLEAR, why, ())
        if stale:
            why = f"nothing was done: {before.left}" if before.left else "nothing was done"
            return Outcome(before.label, UNTOUCHED, why, ())
        return Outcome(before.label, HEALED, "no longer stale, and nothing was done", ())
    wanted = dict.fromkeys(before.healthy + before.wished)
    missing = tuple(
        place
        for place in wanted
        if not _is_served(place, states)
        or (place.protocol == bindings.TCP and _is_refused(place, refused, before.tried))
        or states.get(place) in (bindings.STALE_ADDRESS, bindings.STALE_INTERFACE)
    )
    named = ", ".join(map(describe_place, missing))
    if before.failed is not None:
        return Outcome(before.label, FAILED, before.failed, missing)
    if before.rescued:
        # Of what it has bound again that is known. Else it wants some address that is not there; its log may name it.
        again = ", ".join(map(describe_place, stale))
        why = f"its configuration still names {again}" if again else "an address that it is to listen on is not there"
        return Outcome(before.label, RESCUED, f"it serves again, but only with ip_nonlocal_bind: {why}", missing)
    lost = [place for place in missing if place in before.healthy]
    if lost:
        return Outcome(before.label, MISSING, f"it served these before and does not now: {named}", missing)
    if stale:
        gone = ", ".join(map(describe_place, stale))
        how = "it took {} again" if before.action in (plans.RESTART, plans.RESTART_SOCKET) else "it still holds {}"
        return Outcome(before.label, STILL_STALE, how.format(gone), missing)
    if missing:
        return Outcome(before.label, MISSING, f"it does not listen where it should: {named}", missing)
    return Outcome(before.label, FIXED, f"it listens on {_describe_all(before, states)}", ())


def _is_served(place: Place, states: Mapping[Place, str]) -> bool:
    """By a listener there, or by the wildcard of its family."""
    any_address = "::" if ":" in place.address else "0.0.0.0"
    return place in states or place._replace(address=any_address, interface=None) in states


def _is_refused(place: Place, refused: Collection[Refused], tried: Collection[Refused]) -> bool:
    """A wildcard is tried at loopback (:: at the IPv4 one where there is no ::1); one that is pinned at some address of
    its interface.
    """
    if place.interface is not None and place.address in ("0.0.0.0", "::"):
        return any(
            (row.port, row.interface, ":" in row.host) == (place.port, place.interface, ":" in place.address)
            for row in refused
        )
    host = place.address
    if place.interface is None:
        loopback6 = Refused("::1", place.port, None)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1" if loopback6 in tried else "127.0.0.1"}.get(host, host)
    return Refused(host, place.port, place.interface) in refused


def _describe_all(before: Before, states: Mapping[Place, str]) -> str:
    places: Sequence[Place] = before.wished or before.healthy
    return ", ".join(map(describe_place, places)) or "nothing that is stale"


def describe_place(place: Place) -> str:
    host = f"[{place.address}]" if ":" in place.address else place.address
    return f"{host}:{place.port}/{place.protocol}" + (f" on {place.interface}" if place.interface else "")
