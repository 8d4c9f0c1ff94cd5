# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""link-down: a listener whose address is there, on a link that is not up."""

from __future__ import annotations

from collections.abc import Iterator

from .._model.addresses import IFF_LOOPBACK, IFF_UP, Link
from .._model.findings import FAIL, INFO, MANUAL, WARNING, Finding
from .._model.listeners import INTENDED, VALID, WILDCARD, Listener
from .view import View, describe_endpoint, describe_holder, find_unknown

SLUG = "link-down"

_DOWN_STATES = ("down", "lowerlayerdown", "notpresent")


def find_links_down(view: View) -> Iterator[Finding]:
    """The bind address is local, but the only link that has it is down."""
    concerned = [listener for listener in view.listeners if _has_links(listener)]
    if not view.capabilities.link_state or not view.locality.links:
        yield from find_unknown(SLUG, WARNING, concerned, "it cannot be seen whether the link of the address is up")
        return
    for listener in concerned:
        socket = listener.socket
        links = view.locality.links_of(socket)
        if not links or not all(map(_is_down, links)):
            continue
        names = ", ".join(link.name for link in links)
        # docker0 and its like have no carrier until the first container runs: nothing is wrong with them.
        idle_bridge = all(link.kind == "bridge" and (link.flags or 0) & IFF_UP for link in links)
        yield Finding(
            rule=SLUG,
            verdict=FAIL,
            severity=INFO if idle_bridge else WARNING,
            message=f"{describe_holder(listener)} listens on {describe_endpoint(socket)}, but {names} is down",
            listener=listener,
            remedy=MANUAL,
            remedy_reason=f"bring {names} up; the listener then serves without a restart",
            evidence={"links": [_describe(link) for link in links]},
        )


def _has_links(listener: Listener) -> bool:
    state = listener.binding.state
    return state in (VALID, INTENDED) or (state == WILDCARD and bool(listener.socket.ifindex))


def _describe(link: Link) -> dict[str, object]:
    return {"name": link.name, "ifindex": link.ifindex, "operstate": link.operstate, "up": _is_up(link)}


def _is_up(link: Link) -> bool:
    return bool((link.flags or 0) & IFF_UP)


def _is_down(link: Link) -> bool:
    """Switched off, or up without a carrier. Loopback and many virtual links have no operational state: not down."""
    if link.flags is None:
        return False
    return not _is_up(link) or (link.operstate in _DOWN_STATES and not link.flags & IFF_LOOPBACK)
