# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts about listeners."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .._model.gaps import Gap
from .._model.listeners import STALE_ADDRESS, STALE_INTERFACE, UNKNOWN, Listener
from .arguments import parse_confirm_after
from .collect import Collected, collect_asked
from .results import Json, render_gaps, render_listener

_NOT_FINE = (STALE_ADDRESS, STALE_INTERFACE, UNKNOWN)


def gather_stale_bindings(params: dict[str, Any]) -> tuple[Json, Sequence[Gap]]:
    """What stale_binding_facts returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    confirm_after = parse_confirm_after(params["confirm_after"])
    collected = collect_asked(params)
    stale = _find_stale(collected)
    if confirm_after and stale:
        before = {(listener.socket.identity, listener.binding.state) for listener in stale}
        time.sleep(confirm_after)
        collected = collect_asked(params)
        stale = [item for item in _find_stale(collected) if (item.socket.identity, item.binding.state) in before]
    links = collected.view.locality.links
    return {
        "ansible_facts": {
            "stale_bindings": [render_listener(listener, links) for listener in stale],
            "binding_gaps": render_gaps(collected.gaps),
        }
    }, collected.gaps


def gather_reuse_settings(params: dict[str, Any]) -> tuple[Json, Sequence[Gap]]:
    """What reuseaddr_facts returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    from .._readers.backends import select_backend
    from .restart_results import render_outlook
    from .restarts import add_restarts

    collected = add_restarts(select_backend(params["backend"]), collect_asked(params))
    view, restarts = collected.view, collected.view.restarts
    if restarts is None:
        raise AssertionError("add_restarts leaves no view without them")
    return {
        "ansible_facts": {
            "reuseaddr": [
                dict(
                    render_listener(listener, view.locality.links),
                    restart=render_outlook(restarts.outlooks[listener.socket], restarts.holders, view.locality.links),
                )
                for listener in view.listeners
            ],
            "binding_gaps": render_gaps(collected.gaps),
        }
    }, collected.gaps


def _find_stale(collected: Collected) -> list[Listener]:
    return [listener for listener in collected.view.listeners if listener.binding.state in _NOT_FINE]
