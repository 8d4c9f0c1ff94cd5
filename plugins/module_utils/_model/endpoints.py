# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where to connect, how, and what came of it."""

from typing import NamedTuple, Optional

CONNECTED = "connected"
REFUSED = "refused"
TIMED_OUT = "timed_out"
UNREACHABLE = "unreachable"
NO_SOURCE = "no_source"
DENIED = "denied"
RESET = "reset"
LOCAL_LIMIT = "local_limit"
NAME_UNRESOLVED = "name_unresolved"
INVALID = "invalid"
CLASSES = (CONNECTED, REFUSED, TIMED_OUT, UNREACHABLE, NO_SOURCE, DENIED, RESET, LOCAL_LIMIT, NAME_UNRESOLVED, INVALID)

# The steps of a connect, in order: which of them an errno came from decides what it means.
AT_SOCKET = "socket"
AT_INTERFACE = "interface"  # SO_BINDTODEVICE, or the name of a scope
AT_SOURCE = "source"  # bind of the source address
AT_CONNECT = "connect"  # connect() itself
AT_SO_ERROR = "so_error"  # the one read of SO_ERROR, once connect() was decided or `settle` was over
AT_ITSELF = "itself"  # SO_ERROR was 0, and the other end of the connection is the very same socket
AT_DEADLINE = "deadline"  # nothing was decided in time, so nothing was read


class InetAddress(NamedTuple):
    """An address literal, or one answer of the resolver."""

    family: str  # ipv4 | ipv6
    packed: bytes  # 4 or 16 bytes, network order
    scope: Optional[str] = None  # IPv6: interface name, or ifindex in digits


class Endpoint(NamedTuple):
    """One wish of the caller."""

    host: str  # as given, with its scope id, without brackets
    port: int
    address: Optional[InetAddress]  # None: `host` is a name
    source: Optional[InetAddress]
    interface: Optional[str]
    expect: str  # one of CLASSES

    @property
    def text(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ConnectSettings(NamedTuple):
    timeout: float  # seconds for looking up the name and one connect together, without `settle`
    attempts: int
    delay: float  # seconds between attempts
    settle: float  # seconds between "connect was decided" and the read of SO_ERROR
    concurrency: int  # connects at the same time
    family: Optional[str]  # which addresses of a name are tried: ipv4, ipv6, None = all


class Connect(NamedTuple):
    """One address of an endpoint, tried once."""

    address: InetAddress
    stage: str  # AT_…
    error: Optional[int]  # errno of that step, 0 = connected; None where nothing was decided in time
    local: Optional[bytes]  # packed address that the kernel connected from
    seconds: float  # from connect() to its outcome, without `settle`
    route_error: Optional[int] = (
        None  # only after an ambiguous errno: what a connect() of a datagram socket from no source in particular says
    )


class Trial(NamedTuple):
    """An endpoint's last attempt."""

    attempts: int  # how many were made
    connects: tuple[Connect, ...]  # in the resolver's order; empty where the name was not resolved
    unresolved: Optional[str]  # why there is no address
    asked: bool = True  # False: the resolver never came to this name
