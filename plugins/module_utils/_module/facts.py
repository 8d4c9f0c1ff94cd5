# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts about listeners."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .._model import backends, bindings
from . import arguments, collect, listener_results, results

_NOT_FINE = (bindings.STALE_ADDRESS, bindings.STALE_INTERFACE, bindings.UNKNOWN)


def gather_stale_bindings(params: dict[str, Any]) -> tuple[results.Json, Sequence[backends.Gap]]:
    """What stale_binding_facts returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    confirm_after = arguments.parse_confirm_after(params["confirm_after"])
    collected = collect.collect_asked(params)
    stale = _find_stale(collected)
    if confirm_after and stale:
        before = {(listener.socket.identity, listener.binding.state) for listener in stale}
        time.sleep(confirm_after)
        collected = collect.collect_asked(params)
        stale = [item for item in _find_stale(collected) if (item.socket.identity, item.binding.state) in before]
    links = collected.view.locality.links
    return {
        "ansible_facts": {
            "stale_bindings": [listener_results.render_listener(listener, links) for listener in stale],
            "binding_gaps": results.render_gaps(collected.gaps),
        }
    }, collected.gaps


def gather_reuse_settings(params: dict[str, Any]) -> tuple[results.Json, Sequence[backends.Gap]]:
    """What reuseaddr_facts returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    from . import restart_results
    from .restarts import add_restarts

    collected = add_restarts(arguments.select_backend(params["backend"]), collect.collect_asked(params))
    view, restarts = collected.view, collected.view.restarts
    if restarts is None:
        raise AssertionError("add_restarts leaves no view without them")
    return {
        "ansible_facts": {
            "reuseaddr": [
                dict(
                    listener_results.render_listener(listener, view.locality.links),
                    restart=restart_results.render_outlook(
                        restarts.outlooks[listener.socket], restarts.holders, view.locality.links
                    ),
                )
                for listener in view.listeners
            ],
            "binding_gaps": results.render_gaps(collected.gaps),
        }
    }, collected.gaps


def _find_stale(collected: collect.Collected) -> list[bindings.Listener]:
    return [listener for listener in collected.view.listeners if listener.binding.state in _NOT_FINE]
