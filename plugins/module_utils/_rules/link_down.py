# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""link-down: a listener whose address is there, on a link that is not up."""

from __future__ import annotations

from collections.abc import Iterator

from .._model import addresses, bindings, findings
from .._wire import spelling
from . import first_look, wording

SLUG = "link-down"


def find_links_down(view: first_look.View) -> Iterator[findings.Finding]:
    """The bind address is local, but the only link that has it is down."""
    concerned = [listener for listener in view.listeners if _has_links(listener)]
    if not view.capabilities.link_state or not view.locality.links:
        yield from wording.find_unknown(
            SLUG, findings.WARNING, concerned, "it cannot be seen whether the link of the address is up"
        )
        return
    if not any(map(addresses.is_down, view.locality.links.values())):
        return
    for listener in concerned:
        socket = listener.socket
        links = view.locality.closer.down_links_of(socket)
        if not links:
            continue
        names = ", ".join(link.name for link in links)
        # docker0 and its like have no carrier until the first container runs: nothing is wrong with them.
        idle_bridge = all(link.kind == "bridge" and addresses.is_up(link) for link in links)
        yield findings.Finding(
            rule=SLUG,
            verdict=findings.FAIL,
            severity=findings.INFO if idle_bridge else findings.WARNING,
            message=f"{wording.describe_holder(listener)} listens on {spelling.format_endpoint(socket)},"
            f" but {names} is down",
            listener=listener,
            remedy=findings.MANUAL,
            remedy_reason=f"bring {names} up; the listener then serves without a restart",
            evidence={"links": [_describe(link) for link in links]},
        )


def _has_links(listener: bindings.Listener) -> bool:
    state = listener.binding.state
    return state in (bindings.VALID, bindings.INTENDED) or (
        state == bindings.WILDCARD and bool(listener.socket.ifindex)
    )


def _describe(link: addresses.Link) -> dict[str, object]:
    return {"name": link.name, "ifindex": link.ifindex, "operstate": link.operstate, "up": addresses.is_up(link)}
