# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a world real: fresh anonymous network namespaces, configured by `ip` and /proc/sys, not by the code under test.

Runs in a worker process of its own, as it changes the namespace of the process that it runs in. Nothing is left
behind: a namespace goes with its last socket and process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Union

CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
_MS_REC_PRIVATE = 0x44000
_PR_SET_PDEATHSIG = 1

WAIT = 0.3  # seconds; duplicate address detection between two ends of a veth pair takes two milliseconds
_libc = ctypes.CDLL(None, use_errno=True)

# The same on every host: IPv4 settings of a new namespace come from the host's own
# (net.core.devconf_inherit_init_net), and router solicitations would only make noise.
PRELUDE = (
    "sysctl net/ipv4/ip_local_port_range=40000 60999",
    "sysctl net/ipv4/ip_forward=0",
    "sysctl net/ipv4/conf/all/rp_filter=0",
    "sysctl net/ipv4/conf/default/rp_filter=0",
    "sysctl net/ipv4/conf/all/promote_secondaries=0",
    "sysctl net/ipv4/conf/default/promote_secondaries=0",
    "sysctl net/ipv6/bindv6only=0",
    "sysctl net/ipv6/conf/default/accept_dad=0",
    "sysctl net/ipv6/conf/default/addr_gen_mode=1",
    "sysctl net/ipv6/conf/default/router_solicitations=0",
    "sysctl net/ipv6/conf/default/router_solicitation_delay=0",
)


def die_with_parent() -> None:
    """A worker whose parent was killed leaves nothing behind either."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def enter_own_proc() -> None:
    """Goes on in a child that sees no process but its own, so that what walks /proc does not walk the whole host."""
    call("unshare", CLONE_NEWNS | CLONE_NEWPID)
    pid = os.fork()
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os._exit(status if status >= 0 else 128 - status)
    die_with_parent()
    call("mount", b"none", b"/", None, _MS_REC_PRIVATE, None)
    call("mount", b"proc", b"/proc", b"proc", 0, None)


def call(name: str, *arguments: Union[int, bytes, None]) -> None:
    if getattr(_libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


class Namespaces:
    """The world's namespace, which the process is in, and a second one for what is moved away; empty both."""

    def __init__(self) -> None:
        call("unshare", CLONE_NEWNET)
        self.other = os.open("/proc/self/ns/net", os.O_RDONLY)
        call("unshare", CLONE_NEWNET)
        self.own = os.open("/proc/self/ns/net", os.O_RDONLY)

    def close(self) -> None:
        """Leaves the world, so that the kernel can take it down."""
        call("unshare", CLONE_NEWNET)
        os.close(self.own)
        os.close(self.other)

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[None]:
        """In the second namespace; sockets stay in the one that they were opened in."""
        call("setns", self.other, CLONE_NEWNET)
        try:
            yield
        finally:
            call("setns", self.own, CLONE_NEWNET)

    def run(self, steps: Iterable[str]) -> list[str]:
        """Runs them in order; returns what `ip` and /proc/sys complained of."""
        complaints: list[str] = []
        for verb, group in groupby(steps, key=_verb):
            rest = [step[len(verb) :].strip() for step in group]
            if verb in ("ip", "ip -6"):
                complaints += self._ip(rest, verb.split()[1:])
            elif verb == "other":
                with self.elsewhere():
                    complaints += self._ip([line.partition(" ")[2] for line in rest], [])
            elif verb == "sysctl":
                complaints += [complaint for line in rest for complaint in write_sysctl(*line.split("=", 1))]
            elif verb == "wait":
                complaints += [complaint for line in rest for complaint in _wait(*line.split())]
            else:
                raise ValueError(f"no such step: {verb}")
        return complaints

    def _ip(self, lines: list[str], options: list[str]) -> list[str]:
        # A name with a slash is taken as the path of a namespace: so `netns OTHER` needs no name below /run/netns.
        paths = {"OTHER": f"/proc/{os.getpid()}/fd/{self.other}", "OWN": f"/proc/{os.getpid()}/fd/{self.own}"}
        text = "".join(" ".join(paths.get(word, word) for word in line.split()) + "\n" for line in lines)
        done = subprocess.run(
            ["ip", *options, "-force", "-batch", "-"], input=text, capture_output=True, text=True, check=False
        )
        return done.stderr.splitlines()


def _verb(step: str) -> str:
    verb = step.partition(" ")[0]
    return "ip -6" if step.startswith("ip -6 ") else verb


def write_sysctl(path: str, value: str) -> list[str]:
    try:
        with open(f"/proc/sys/{path}", "w", encoding="ascii") as file:
            file.write(value)
    except OSError as error:
        return [f"{path}: {error}"]
    return []


def _wait(link: str, address: str, flag: str) -> list[str]:
    from .view import IFA_F_DADFAILED, read_ipv6_addresses

    wanted = {"dadfailed": IFA_F_DADFAILED}[flag]
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if any(row.address == address and row.link == link and row.flags & wanted for row in read_ipv6_addresses()):
            return []
        time.sleep(0.002)
    return [f"{address} on {link} did not become {flag}"]
