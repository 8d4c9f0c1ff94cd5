# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our answers: the collection's own reading and judging, in this process and its namespace, as a module does it."""

from __future__ import annotations

import contextlib
from typing import Callable

from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import BackendUnavailable
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Binding, Socket
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import select_backend
from ansible_collections.infracheck.bindings.plugins.module_utils._module.collect import take_sample
from ansible_collections.infracheck.bindings.plugins.module_utils._module.selections import Selection

Answers = list[tuple[Socket, Binding]]
Judge = Callable[[], Answers]


def judge_by(backend_name: str) -> Judge:
    """Raises BackendUnavailable."""
    backend = select_backend(backend_name)
    everything = Selection(("tcp", "udp"), (), (), ())

    def judge() -> Answers:
        sample = take_sample(backend, everything, ())
        return list(zip(sample.sockets, sample.verdicts))

    return judge


def judges() -> dict[str, Judge]:
    """netlink, and psutil where it is installed."""
    found = {"netlink": judge_by("netlink")}
    with contextlib.suppress(BackendUnavailable):
        found["psutil"] = judge_by("psutil")
    return found
