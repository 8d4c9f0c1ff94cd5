# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which container a unit or a directory of the cgroup hierarchy is that of."""

from __future__ import annotations

import re
from typing import Optional

from .._model import bindings
from . import spelling

_ENGINES = {
    "docker": "docker",
    "libpod": "podman",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "crio",
}
# As text: re compiles a pattern when it is first used, and keeps it; a run meets few of these.
_ENGINE_SCOPE = rf"({'|'.join(_ENGINES)})-([0-9a-f]{{64}})\.scope\Z"
_CONTAINER_ID = r"[0-9a-f]{64}\Z"
_LXC = "lxc.payload."
_HEX = r"\\x([0-9a-f]{2})"


def parse_unit(unit: str, uid: Optional[int]) -> Optional[bindings.Service]:
    """The container of a unit, if it is one's: the scope that an engine asked a manager for (libpod-conmon-… and
    crio-conmon-… are the host's own processes, not these), or a machine. uid: of a user's manager, None for the
    system's.
    """
    match = re.match(_ENGINE_SCOPE, unit) if unit.endswith(".scope") else None
    if match:
        return bindings.Service(_ENGINES[match.group(1)], match.group(2), "container", uid)
    return _parse_machine(unit) if uid is None else None


def _parse_machine(unit: str) -> Optional[bindings.Service]:
    """systemd-nspawn@NAME.service, and the scope that systemd-machined keeps for NAME: an nspawn container, or one of
    libvirt's LXC.

    machine-qemu\\x2d… is a virtual machine: what listens there is a process of the host.
    """
    if unit.startswith("systemd-nspawn@") and unit.endswith(".service"):
        return bindings.Service("nspawn", _unescape_name(unit[len("systemd-nspawn@") : -len(".service")]), "container")
    if unit.startswith("machine-") and unit.endswith(".scope"):
        name = _unescape_name(unit[len("machine-") : -len(".scope")])
        if name.startswith("lxc-"):
            return bindings.Service("lxc", name[len("lxc-") :], "container")
        if name and not name.startswith("qemu-"):
            return bindings.Service("nspawn", name, "container")
    return None


def _unescape_name(text: str) -> str:
    return spelling.printable(re.sub(_HEX, lambda match: chr(int(match.group(1), 16)), text))


def parse_placed(names: list[str]) -> Optional[bindings.Service]:
    """Containers whose engine makes its directories below the root by itself, without systemd; only root can do that
    there.
    """
    first, rest = names[0], names[1:]
    if first.startswith(_LXC) and len(first) > len(_LXC):
        return bindings.Service("lxc", spelling.printable(first[len(_LXC) :]), "container")
    if not rest:
        return None
    if first == "lxc":
        return bindings.Service("lxc", spelling.printable(rest[0]), "container")
    if first == "docker" and re.match(_CONTAINER_ID, rest[0]):
        return bindings.Service("docker", rest[0], "container")
    if (
        first == "libpod_parent"
        and rest[0].startswith("libpod-")
        and re.match(_CONTAINER_ID, rest[0][len("libpod-") :])
    ):
        return bindings.Service("podman", rest[0][len("libpod-") :], "container")
    if first == "kubepods":
        for position, name in enumerate(rest[:2]):  # kubepods[/burstable|/besteffort]/podUID/ID
            if name.startswith("pod") and len(rest) > position + 1:
                return bindings.Service("kubernetes", spelling.printable(rest[position + 1]), "container")
    return None
