# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that all modules of this collection share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and says the same there, as it never changes a host.
  diff_mode:
    support: N/A
    description: There is nothing that could differ, as it never changes a host.
  platform:
    support: full
    platforms: posix
    description: >-
      Linux needs Python 3.9 or newer and nothing else. Other systems are read through the Python library psutil,
      and each thing that it cannot tell is reported as a gap.
"""

    # For the two modules that return ansible_facts.
    FACTS = r"""
options: {}
attributes:
  facts:
    support: full
    description: Returns an C(ansible_facts) dictionary that will update existing host facts.
"""
