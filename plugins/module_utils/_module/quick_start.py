# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lowers what a run costs on the managed host before it has begun; every module imports this before all else of ours.

Compiling: a module arrives there as a zip file of sources, without bytecode, and compiling them is nearly all that
importing them costs. Python compiles each source in a zip file twice: when it looks for it, only to tell its file name,
and when it runs it (https://github.com/python/cpython/issues/141276). The finder below finds the same sources for the
same loader and does not ask for that name. Elsewhere than in a zip file it is not used.

Collecting garbage: what a run makes lives until its end, so that looking through it again and again finds nothing.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Optional
from zipimport import ZipImportError, zipimporter

_OURS = __name__.rpartition("._module.")[0] + "."
# Any: a loader in the sense of the types only from Python 3.10 on; the import system takes both.
_open_folder: Callable[[str], Any] = lru_cache(maxsize=None)(zipimporter)


class CompileOnce:
    """A finder for sys.meta_path, of the modules of this collection in the zip file that it runs from."""

    @staticmethod
    def find_spec(
        fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if not path or not fullname.startswith(_OURS):
            return None
        importer = _open_folder(path[0])
        try:
            is_package = importer.is_package(fullname)
        except ZipImportError:
            return None  # not there: the regular finders say so in their own words
        # importlib.util.spec_from_loader would ask the importer for the file name.
        spec = ModuleSpec(fullname, importer, is_package=is_package)
        if is_package:
            spec.submodule_search_locations = [f"{path[0]}/{fullname.rpartition('.')[2]}"]
        return spec


# New objects between two looks: some for the longest waits, whose batches of events do not live as long as the run.
NEW_OBJECTS = 100_000

if isinstance(globals().get("__loader__"), zipimporter):
    gc.set_threshold(NEW_OBJECTS)
    sys.meta_path.insert(0, CompileOnce)
