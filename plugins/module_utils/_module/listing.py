# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What listener_info returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._model import backends
from . import collect, listener_results, results


def list_listeners(params: dict[str, Any]) -> tuple[results.Json, Sequence[backends.Gap]]:
    """Every listener that was asked for. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    view, gaps, _undecided = collect.collect_asked(params)
    links = view.locality.links
    return {
        "listeners": [listener_results.render_listener(found, links) for found in view.listeners],
        "gaps": results.render_gaps(gaps),
    }, gaps
