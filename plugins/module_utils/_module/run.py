# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where a module's answer, its warnings and its errors become what Ansible prints."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .._model import backends
from .._model.backends import Gap
from . import arguments, results


class Module(Protocol):
    """The part of AnsibleModule that is used here."""

    params: dict[str, Any]

    def warn(self, warning: str) -> None: ...
    def exit_json(self, **kwargs: Any) -> None: ...
    def fail_json(self, msg: str, **kwargs: Any) -> None: ...


def run_module(module: Module, answer: Callable[[dict[str, Any]], tuple[results.Json, Sequence[Gap]]]) -> None:
    """Exit with what `answer` makes of the parameters, after a warning for each gap.

    `failed` in the answer fails the task; all the rest is still returned.
    """
    try:
        result, gaps = answer(module.params)
    except (arguments.InvalidOption, backends.BackendUnavailable, backends.UnreadableTable) as error:
        module.fail_json(msg=str(error))
        return
    gc.freeze()  # on its way out Python looks through all objects for cycles, which takes longer than most readings
    for gap in gaps:  # whoever reads only the screen is told as well that not everything was seen
        module.warn(f"not everything could be read: {gap.subject} ({gap.source}): {gap.reason}")
    if result.pop("failed", False):
        module.fail_json(**result)
    else:
        module.exit_json(changed=False, **result)
