# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether all is well, asked once for all rules: where it is, none of them need be loaded to find nothing.

That is what a check mostly meets, and compiling the rules takes longer there than everything that they do.
"""

from __future__ import annotations

from .._model import addresses, bindings, owners
from . import views

_FINE = (bindings.VALID, bindings.WILDCARD)


def is_in_order(view: views.View) -> bool:
    """No rule has anything to say, not even of something unknown. False also where that is not plain to see."""
    links = view.locality.links.values()
    if not (view.capabilities.address_flags and view.capabilities.link_state and links):
        return False
    if view.restarts is not None or any(map(addresses.is_down, links)):
        return False
    identities = {listener.socket.identity for listener in view.listeners}
    return len(identities) == len(view.listeners) and all(map(_is_fine, view.listeners))


def _is_fine(listener: bindings.Listener) -> bool:
    socket, binding = listener.socket, listener.binding
    # A pin that cannot be seen takes back that it is reachable, and so does one to a link that lacks the address.
    if binding.state not in _FINE or not binding.reachable:
        return False
    if socket.protocol != bindings.TCP or listener.options.reuseaddr:
        return True
    return listener.ownership.status == owners.KERNEL
