# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rule gets to see; and whether all is plainly in order there, asked once for all rules.

That is what a check mostly meets. No rule need be loaded then to find nothing: compiling the rules takes longer on the
host than everything that they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from .._model import addresses, backends, bindings
from .locality import Locality

if TYPE_CHECKING:  # loaded only where a restart depends on what else is on the port
    from .._model.restarts import Restarts

_FINE = (bindings.VALID, bindings.WILDCARD)


class View(NamedTuple):
    """One look at a host, judged."""

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
    return not any(map(view.locality.down_links_of, places.values()))


def _is_fine(listener: bindings.Listener) -> bool:
    socket, binding, options = listener.socket, listener.binding, listener.options
    # A pin that cannot be seen takes back that it is reachable, and so does one to a link that lacks the address.
    if binding.state not in _FINE or not binding.reachable:
        return False
    if socket.protocol != bindings.TCP or options.reuseaddr:
        return True
    return listener.ownership.status == bindings.KERNEL and options.reuseaddr is None
