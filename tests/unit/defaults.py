# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What bind_check gets when a task gives it no options."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.infracheck.bindings.plugins.doc_fragments.listeners import ModuleDocFragment
from ansible_collections.infracheck.bindings.plugins.modules import bind_check


def read_defaults() -> dict[str, Any]:
    """By name, from the documentation of bind_check and the fragments that it extends."""
    texts = [bind_check.DOCUMENTATION]
    texts += [text for name, text in vars(ModuleDocFragment).items() if name.isupper()]
    options = {}
    for text in texts:
        options.update(yaml.safe_load(text).get("options", {}))
    return {name: option.get("default") for name, option in options.items()}
