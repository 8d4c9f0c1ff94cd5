# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network namespace with one socket of every kind, whose addresses and links have then changed below them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .conftest import Namespace

HOLDER = Path(__file__).with_name("hold_sockets.py")

# A terminal's escape sequence, a template, a line break, and a byte that is no UTF-8: 15 bytes is all that fits.
HOSTILE_NAME = "\x1b[31m{{7*7}}\n\udcff"
HOSTILE_SHOWN = "\\x1b[31m{{7*7}}\\n\\xff"


class Kind(NamedTuple):
    """A socket to open, and what is to be said of it after the world has changed."""

    kind: str
    protocol: str
    address: str
    port: int
    state: str
    reachable: Optional[bool]
    rebindable: Optional[bool]
    options: tuple[str, ...] = ()
    device: str = ""  # SO_BINDTODEVICE
    scope: str = ""  # interface of a link-local or multicast IPv6 address

    @property
    def interface(self) -> Optional[str]:
        """The interface that it is pinned to and that still exists."""
        return None if self.state == "stale_interface" else self.device or self.scope or None


KINDS = (
    Kind("wildcard", "tcp", "0.0.0.0", 1001, "wildcard", True, True, ("no reuseaddr",)),
    Kind("wildcard, dual", "tcp", "::", 1002, "wildcard", True, True),
    Kind("wildcard, IPv6 alone", "tcp", "::", 1003, "wildcard", True, True, ("v6only",)),
    Kind("wildcard, pinned", "tcp", "0.0.0.0", 1004, "wildcard", True, True, device="lan0"),
    Kind("loopback", "tcp", "127.0.0.1", 1005, "valid", True, True),
    Kind("loopback block", "tcp", "127.9.9.9", 1006, "valid", True, True),
    Kind("loopback, IPv6", "tcp", "::1", 1007, "valid", True, True),
    Kind("address", "tcp", "192.0.2.5", 1008, "valid", True, True),
    Kind("address, IPv6", "tcp", "2001:db8::5", 1009, "valid", True, True),
    Kind("address, mapped", "tcp", "::ffff:192.0.2.5", 1010, "valid", True, True),
    Kind("address, pinned", "tcp", "192.0.2.5", 1011, "valid", True, True, device="lan0"),
    Kind("address, shared port", "tcp", "192.0.2.5", 1012, "valid", True, True, ("reuseport",)),
    Kind("address, shared port", "tcp", "192.0.2.5", 1012, "valid", True, True, ("reuseport",)),
    Kind("link-local", "tcp", "fe80::5", 1013, "valid", True, True, scope="lan0"),
    Kind("AnyIP", "tcp", "203.0.113.9", 1014, "valid", True, True),
    Kind("AnyIP, IPv6", "tcp", "2001:db8:a::9", 1015, "valid", True, False, ("freebind",)),
    Kind("link down", "tcp", "198.18.0.1", 1016, "valid", True, True),
    Kind("no carrier", "tcp", "198.18.1.1", 1017, "valid", True, True),
    Kind("stale", "tcp", "192.0.2.6", 1018, "stale_address", False, False),
    Kind("stale, IPv6", "tcp", "2001:db8::6", 1019, "stale_address", False, False),
    Kind("stale, mapped", "tcp", "::ffff:192.0.2.6", 1020, "stale_address", False, False),
    Kind("freebind", "tcp", "198.51.100.7", 1021, "intended", False, False, ("freebind",)),
    Kind("freebind, IPv6", "tcp", "2001:db8:b::7", 1022, "intended", False, False, ("freebind",)),
    Kind("transparent", "tcp", "198.51.100.8", 1023, "intended", False, False, ("transparent",)),
    Kind("transparent, IPv6", "tcp", "2001:db8:b::8", 1024, "intended", False, False, ("transparent",)),
    Kind("tentative", "tcp", "2001:db8::7", 1025, "pending", False, False, ("freebind",)),
    Kind("duplicate", "tcp", "2001:db8::8", 1026, "pending", False, False, ("freebind",)),
    Kind("pinned to what is gone", "tcp", "0.0.0.0", 1027, "stale_interface", False, None, device="gone0"),
    Kind("link-local on what is gone", "tcp", "fe80::9", 1028, "stale_interface", False, None, scope="gone0"),
    Kind("address of another link", "tcp", "192.0.2.5", 1029, "valid", None, True, device="lo"),
    Kind("UDP wildcard", "udp", "0.0.0.0", 1101, "wildcard", True, True),
    Kind("UDP wildcard, IPv6", "udp", "::", 1102, "wildcard", True, True, ("v6only",)),
    Kind("UDP address", "udp", "192.0.2.5", 1103, "valid", True, True),
    Kind("UDP broadcast", "udp", "192.0.2.255", 1104, "valid", True, True),
    Kind("UDP limited broadcast", "udp", "255.255.255.255", 1105, "valid", True, True),
    Kind("UDP multicast", "udp", "224.0.0.251", 1106, "valid", None, True),
    Kind("UDP multicast, IPv6", "udp", "ff02::fb", 1107, "valid", None, True, scope="lan0"),
    Kind("UDP stale", "udp", "192.0.2.6", 1108, "stale_address", False, False),
    Kind("UDP link-local", "udp", "fe80::5", 1109, "valid", True, True, scope="lan0"),
    Kind("UDP pinned to what is gone", "udp", "0.0.0.0", 1110, "stale_interface", False, None, device="gone0"),
)

# These hold a port and do not listen.
NO_LISTENERS = (
    Kind("bound", "tcp", "192.0.2.5", 1201, "", None, None, ("bound",)),
    Kind("connected", "udp", "127.0.0.1", 1202, "", None, None, ("connected",)),
)


class World:
    """`truth`: one record for each of KINDS, in its order: fd and pids of its holders besides what was asked for."""

    def __init__(self) -> None:
        self._holders: list[subprocess.Popen[str]] = []
        self.namespace = Namespace()
        self.neighbour = Namespace()  # the other end of lan0's wire
        try:
            self._build()
            self.pids, self.truth = self.hold(KINDS + NO_LISTENERS, name="holder", fork=True)
            self._change()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return self.namespace.name

    def ip(self, command: str) -> None:
        self.namespace.ip(*command.split())

    def read(self, *command: str) -> str:
        """Output of a command in this namespace, with this machine's own mounts and processes."""
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.name}", *command], stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def set(self, setting: str, value: str) -> None:
        self.read("sh", "-c", f"echo {value} >/proc/sys/net/{setting}")

    def hold(
        self,
        kinds: Sequence[Kind],
        name: Optional[str] = None,
        fork: bool = False,
        command: Sequence[str] = (sys.executable, str(HOLDER)),
        prepare: str = ":",
    ) -> tuple[list[int], list[dict[str, Any]]]:
        """Starts a process that opens these sockets: its pid (and its child's), and what getsockname(2) says.

        `prepare`: a shell command that the process runs before, to move into a cgroup for example.
        """
        holder = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.name}", "sh", "-c", f'{prepare} && exec "$@"', "holder", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._holders.append(holder)
        assert holder.stdin is not None
        assert holder.stdout is not None
        json.dump({"sockets": [kind._asdict() for kind in kinds], "name": name, "fork": fork}, holder.stdin)
        holder.stdin.write("\n")
        holder.stdin.flush()
        told = json.loads(holder.stdout.readline())
        return told["pids"], told["sockets"]

    def _build(self) -> None:
        for link, peer in (("lan0", "lan1"), ("off0", "off1"), ("gone0", "gone1")):
            self.ip(f"link add {link} type veth peer name {peer}")
            for end in (link, peer):
                self.set(f"ipv6/conf/{end}/addr_gen_mode", "1")  # no link-local addresses but those below
                self.ip(f"link set {end} up")
        self.ip(f"link set lan1 netns {self.neighbour.name}")
        self.neighbour.ip("link", "set", "lan1", "up")
        self.ip("link add br0 type bridge")
        self.set("ipv6/conf/br0/addr_gen_mode", "1")
        self.ip("link set br0 up")
        self.ip("link add port0 master br0 type veth peer name port1")  # a port that is down: no carrier
        for address in ("192.0.2.5/24 broadcast + label lan0:web", "192.0.2.6/24", "192.0.2.7/24 preferred_lft 0"):
            self.ip(f"address add {address} dev lan0")
        self.ip("address add 198.18.2.1 peer 198.18.2.9/32 dev lan0")
        for address in ("2001:db8::5/64", "2001:db8::6/64", "fe80::5/64"):
            self.ip(f"address add {address} dev lan0 nodad")
        self.ip("address add 2001:db8::15/64 dev lan0 nodad valid_lft 5000 preferred_lft 4000")
        self.ip("address add fe80::9/64 dev gone0 nodad")
        self.ip("address add 198.18.0.1/24 dev off0")
        self.ip("address add 198.18.1.1/24 dev br0")
        self.ip("route add local 203.0.113.0/24 dev lo")
        self.ip("-6 route add local 2001:db8:a::/64 dev lo")
        # Two ends of one wire with the same address: the second to come is a duplicate. One more stays tentative, as
        # its link asks for hours.
        self.neighbour.ip("address", "add", "2001:db8::8/64", "dev", "lan1", "nodad")
        self.ip("address add 2001:db8::8/64 dev lan0")
        self.set("ipv6/conf/lan0/dad_transmits", "255")  # all that fits (struct inet6_ifaddr, dad_probes)
        self.set("ipv6/neigh/lan0/retrans_time_ms", "60000")  # between two of them

    def _change(self) -> None:
        self.ip("address delete 192.0.2.6/24 dev lan0")
        self.ip("address delete 2001:db8::6/64 dev lan0")
        self.ip("link set off0 down")
        self.ip("link delete gone0")
        self.ip("link add gone0 type veth peer name gone1")  # the same name, and another index
        self.ip("link set gone0 up")
        deadline = time.monotonic() + 10
        while "dadfailed" not in self.read("ip", "address", "show", "dev", "lan0"):
            assert time.monotonic() < deadline, "no duplicate was detected"
            time.sleep(0.05)
        self.ip("address add 2001:db8::7/64 dev lan0")

    def close(self) -> None:
        for holder in self._holders:
            holder.communicate()  # closes its standard input, on which it ends
        self.namespace.close()
        self.neighbour.close()
