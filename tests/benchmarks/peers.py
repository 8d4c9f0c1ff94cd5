# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is compared: our modules, other Ansible modules, programs; and what each finds of what was planted."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from . import scene
from .stopwatch import Failed, run_command

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / "build" / "bench"
BIN = Path(sys.executable).parent
NEXT_BIN = CHECKOUT / ".venv-next" / "bin"  # the newer ansible-core, where there is a Python for it

CHECK = "infracheck.bindings.bind_check"
LIST = "infracheck.bindings.listener_info"
PING = "ansible.builtin.ping"
NOTHING = "bench_nothing"
SETUP = "ansible.builtin.setup"
PORTS_FACTS = "community.general.listen_ports_facts"

SS = ("ss", "-H", "-lntup")
LSOF = ("lsof", "-nP", "-iTCP", "-sTCP:LISTEN", "-iUDP")
_PSUTIL = (
    "import psutil\n"
    "for row in psutil.net_connections('inet'):\n"
    "    if row.status in ('LISTEN', 'NONE'): print(row.laddr, psutil.Process(row.pid).name() if row.pid else None)"
)
PSUTIL = (sys.executable, "-c", _PSUTIL)
OSQUERY = ("osqueryi", "--json", "select * from listening_ports left join processes using (pid)")


class Question(NamedTuple):
    """Something that there is to find out in a planted scene, and how an answer to it looks, whoever gives it."""

    title: str
    forms: tuple[str, ...]  # regular expressions that must all be found


_PLANTED = (
    scene.PLANTED_STALE,
    scene.PLANTED_DEAD_PIN,
    scene.PLANTED_PIN,
    scene.PLANTED_NO_REUSE,
    scene.PLANTED_SHARED,
)
QUESTIONS = (
    Question("every listener", tuple(rf"\b{port}\b" for port in _PLANTED)),
    Question("a holder by name", ("bench-stale",)),
    Question("every holder of a shared socket", ("bench-first", "bench-second")),
    Question("the systemd unit", (r"bench-003\.service",)),
    Question("the interface that a socket is pinned to", ("uplink",)),
    Question("that its interface is gone", (r"no longer exists|stale.interface",)),
    Question("that its address is gone", (r"no longer an address|stale.address",)),
    Question("live SO_REUSEADDR", (r"\"reuseaddr\": (true|false)",)),
)


def make_environment() -> dict[str, str]:
    """Of every command: the checkout's ansible.cfg, the tools of this virtual environment, nothing of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    return {
        **kept,
        "PATH": f"{BIN}:{kept.get('PATH', '')}:/usr/sbin:/sbin",
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_HOME": str(BUILD / "ansible"),
        "ANSIBLE_LIBRARY": f"{CHECKOUT / 'plugins' / 'modules'}:{Path(__file__).parent / 'modules'}",
        "PYTHONPATH": str(CHECKOUT / "collections"),
    }


def ad_hoc(module: str, arguments: str = "", programs: Path = BIN) -> tuple[str, ...]:
    command = (str(programs / "ansible"), "localhost", "-m", module)
    return (*command, "-a", arguments) if arguments else command


def name_core(programs: Path, environment: Mapping[str, str]) -> str:
    """ansible-core 2.19.3, Python 3.11.7."""
    ask = "import platform; from ansible.release import __version__ as core; print(core, platform.python_version())"
    answer = run_command((str(programs / "python"), "-c", ask), CHECKOUT, environment).output.decode()
    return "ansible-core {}, Python {}".format(*answer.split())


def make_payload(module: str, environment: Mapping[str, str], arguments: str = "") -> Path:
    """The file that Ansible sends to a host for that module, to be started directly."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        keep = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "0", "ANSIBLE_REMOTE_TMP": folder}
        ended = run_command(ad_hoc(module, arguments), CHECKOUT, {**environment, **keep}, accept=2)
        found = list(Path(folder).glob("*/AnsiballZ_*.py"))
        if len(found) != 1:
            raise Failed(f"{module} left {len(found)} payloads: {ended.output.decode(errors='replace')[-2000:]}")
        kept = BUILD / "payloads" / f"{module}.py"
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(found[0].read_bytes())
    return kept


def ask_everybody(environment: Mapping[str, str]) -> tuple[dict[str, list[bool]], list[str]]:
    """For each peer, in the order of QUESTIONS, whether it says so; and who was left out, and why."""
    commands: dict[str, tuple[str, ...]] = {
        "bind_check, listeners included": ad_hoc(CHECK, "include_listeners=true fail_on=never"),
        "ss -lntup": SS,
        "lsof": LSOF,
        "psutil": PSUTIL,
        "listen_ports_facts": ad_hoc(PORTS_FACTS),
        "setup": ad_hoc(SETUP),
    }
    left_out = []
    if shutil.which(OSQUERY[0]):
        commands["osquery"] = OSQUERY
    else:
        left_out.append("osquery is not compared: it is not installed, and Debian has no package of it")
    answers = {}
    for name, command in commands.items():
        # lsof exits with 1 where one of the things asked for does not exist.
        output = run_command(command, CHECKOUT, environment, accept=1).output.decode(errors="replace")
        answers[name] = [all(re.search(form, output) for form in question.forms) for question in QUESTIONS]
    return answers, left_out
