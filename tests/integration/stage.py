# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module as a process of its own, the way a managed host does: any Python, any user, and nothing on its path
but what Ansible sends.

A run takes a quarter of a second, a third of what `ansible` takes; so the many cases go this way, and a few go through
`ansible` as well.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .conftest import CHECKOUT

NOBODY = 65534

# In a mount namespace of its own everything gets a place that every user can reach: a checkout or an interpreter below
# /root cannot be reached by others. Standard input goes through to the module.
_SCRIPT = """
set -eu
stage=$1 prefix=$2 site=$3 checkout=$4 user=$5 access=$6 programs=$7
shift 7
mount --bind "$prefix" "$stage/python"
[ "$programs" = - ] || mount --bind "$programs" /usr/local/sbin
mount --bind "$site" "$stage/site"
mount --bind "$checkout" "$stage/checkout"
if [ "$access" = readonly ]; then
    cut -d ' ' -f 2 /proc/self/mounts | while read -r place; do
        mount -o remount,bind,ro "$(printf '%b' "$place")" 2>/dev/null || true  # one that others took away meanwhile
    done
    for place in "$stage" "$stage/checkout" /tmp /var /run /proc/sys/net/ipv4; do
        if [ "$(findmnt -n -o OPTIONS --target "$place" | cut -c 1-2)" != ro ]; then
            echo "$place can still be written to" >&2
            exit 1
        fi
    done
fi
case $user:$access in
    0:readonly) exec setpriv --bounding-set=-all,+sys_ptrace,+dac_read_search --inh-caps=-all "$@" ;;
    0:*) exec "$@" ;;
    *) exec setpriv "--reuid=$user" "--regid=$user" --clear-groups --inh-caps=-all "$@" ;;
esac
"""


class Printed(NamedTuple):
    """What a module process printed."""

    raw: bytes
    result: dict[str, Any]


class Stage:
    """A folder that looks like a managed host's view of one run: `lib` on the module's path and nothing else.

    Tests have Ansible's part from the virtual environment under test, so that each ansible-core line is tested.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="infracheck-stage-"))
        self.folder.chmod(0o755)
        for name in (
            "python",
            "site",
            "checkout",
            "lib/ansible",
            "lib/ansible_collections/infracheck/bindings",
            "more",
        ):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "lib/ansible/__init__.py").write_text("")
        (self.folder / "lib/ansible/module_utils").symlink_to("../../site/ansible/module_utils")
        (self.folder / "lib/ansible_collections/infracheck/bindings/plugins").symlink_to("../../../../checkout/plugins")
        (self.folder / "more/psutil").symlink_to("../site/psutil")  # a library that the host may have

    def run(
        self,
        netns: str,
        module: str,
        options: dict[str, Any],
        *,
        python: str = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}",
        user: int = 0,
        readonly: bool = False,
        psutil: bool = False,
        programs: Optional[Path] = None,
    ) -> Printed:
        """`options` may hold Ansible's own too (_ansible_check_mode). The run may fail; what it prints must be JSON.

        programs: a folder of programs that are found before those of the machine.
        """
        folder = self.folder
        executable = Path(python)
        command = ["nsenter", f"--net=/run/netns/{netns}", "unshare", "--mount", "--propagation", "private"]
        command += [
            "sh",
            "-c",
            _SCRIPT,
            "stage",
            str(folder),
            str(executable.parents[1]),
            sysconfig.get_path("platlib"),
        ]
        command += [str(CHECKOUT), str(user), "readonly" if readonly else "any", str(programs or "-")]
        command += [str(folder / "python/bin" / executable.name), "-B", "-m"]
        command += [f"ansible_collections.infracheck.bindings.plugins.modules.{module}"]
        path = f"{folder / 'lib'}:{folder / 'more'}" if psutil else str(folder / "lib")
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "LC_ALL": "C.UTF-8"}
        environment["LD_LIBRARY_PATH"] = str(folder / "python/lib")  # of an interpreter that is a shared library
        done = subprocess.run(
            command,
            cwd="/",
            env=environment,
            input=json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert not done.stderr, done.stderr.decode()
        return Printed(done.stdout, json.loads(done.stdout))

    def close(self) -> None:
        shutil.rmtree(self.folder)
