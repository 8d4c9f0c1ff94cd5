# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the errno of a connect means, and whether an endpoint answered as expected."""

from __future__ import annotations

import errno
from typing import NamedTuple, Optional

from .._model.endpoints import (
    AT_CONNECT,
    AT_DEADLINE,
    AT_INTERFACE,
    AT_ITSELF,
    AT_SOURCE,
    CONNECTED,
    DENIED,
    INVALID,
    LOCAL_LIMIT,
    NAME_UNRESOLVED,
    NO_SOURCE,
    REFUSED,
    RESET,
    TIMED_OUT,
    UNREACHABLE,
    Connect,
    Endpoint,
    Trial,
)

# connect(2), tcp(7), ip(7). What routers and firewalls say by ICMP arrives as one of these too (icmp_err_convert,
# net/ipv4/icmp.c).
_MEANINGS = {
    errno.ECONNREFUSED: (REFUSED, "nothing listens there, or a firewall says so"),
    errno.ETIMEDOUT: (TIMED_OUT, "the kernel gave up sending"),
    errno.ENETUNREACH: (UNREACHABLE, "no route leads there"),
    errno.EHOSTUNREACH: (UNREACHABLE, "the host does not answer on its link, or a router or firewall says so"),
    errno.ENETDOWN: (UNREACHABLE, "the interface on the way is down"),
    errno.EHOSTDOWN: (UNREACHABLE, "the host is down"),
    errno.ENOPROTOOPT: (UNREACHABLE, "the host says that it has no TCP"),
    errno.EPROTO: (UNREACHABLE, "a router or the host did not understand the packet"),
    errno.EACCES: (DENIED, "a prohibit route, a firewall or a security module forbids it"),
    errno.EPERM: (DENIED, "a firewall, a BPF program or a missing privilege forbids it"),
    errno.ECONNRESET: (RESET, "accepted, and reset by the other side"),
    errno.EPIPE: (RESET, "accepted, then closed and reset by the other side"),  # tcp_reset() in CLOSE_WAIT
    errno.ECONNABORTED: (RESET, "accepted, and aborted"),
    errno.EMFILE: (LOCAL_LIMIT, "this process has no file descriptor left"),
    errno.ENFILE: (LOCAL_LIMIT, "this host has no file descriptor left"),
    errno.ENOBUFS: (LOCAL_LIMIT, "this host has no buffer left"),
    errno.ENOMEM: (LOCAL_LIMIT, "this host has no memory left"),
    errno.EADDRINUSE: (LOCAL_LIMIT, "no local port is left"),
    errno.EAGAIN: (LOCAL_LIMIT, "no local port is left"),
    errno.EADDRNOTAVAIL: (NO_SOURCE, "this host has no address to connect from"),
    errno.EAFNOSUPPORT: (INVALID, "this host does not have that address family"),
}


class Outcome(NamedTuple):
    """What is said of an endpoint: of the address that decides it, or of its name."""

    klass: str  # one of CLASSES
    reason: str
    met: bool
    connect: Optional[Connect]  # None where the name was not resolved


def classify(connect: Connect) -> tuple[str, str]:
    """(class, reason) of one address."""
    error = connect.error
    if connect.stage == AT_ITSELF:
        return REFUSED, "nothing listens there: the connect met itself, as its own port was the one it asked for"
    if error == 0:
        return CONNECTED, "the handshake was completed"
    if connect.stage == AT_DEADLINE or error is None:
        return _classify_silence(connect)
    if connect.stage == AT_INTERFACE:
        if error == errno.ENODEV:
            return NO_SOURCE, "this host has no such interface"
        if error not in (errno.EPERM, errno.EACCES):
            return INVALID, "this host cannot pin a connect to an interface"
    if connect.stage == AT_SOURCE and error == errno.EADDRNOTAVAIL:
        return NO_SOURCE, "the source address is not one of this host, or cannot be used yet"
    if connect.stage == AT_CONNECT and error in (errno.EADDRNOTAVAIL, errno.EINVAL):
        return _classify_by_route(connect, error)
    if error in _MEANINGS:
        return _MEANINGS[error]
    return INVALID, f"the kernel does not take it (at step {connect.stage})"


def _classify_silence(connect: Connect) -> tuple[str, str]:
    if connect.local is not None and not any(connect.local):
        # Without any address Linux sends IPv4 packets from 0.0.0.0, to which nobody can answer.
        return NO_SOURCE, "this host has no address to connect from, so no answer can come"
    return TIMED_OUT, "no answer in time: a silent host or firewall, or a server whose accept queue is full"


def _classify_by_route(connect: Connect, error: int) -> tuple[str, str]:
    """EADDRNOTAVAIL and EINVAL of connect() have two causes each; the route alone, without ports, tells which."""
    if error == errno.EADDRNOTAVAIL:
        return (LOCAL_LIMIT, "no local port is left") if connect.route_error == 0 else _MEANINGS[error]
    # fib_props[RTN_BLACKHOLE].error, net/ipv4/fib_semantics.c; ip6_rt_type_to_error(), net/ipv6/route.c
    if connect.route_error == errno.EINVAL:
        return UNREACHABLE, "a blackhole route of this host swallows it"
    return INVALID, "the source address or interface cannot be combined with this destination"


def judge(endpoint: Endpoint, trial: Trial) -> Outcome:
    """Connected is met by one address, as a client tries one after the other; any other class only by all of them.

    The address that decides is the first connected one, else the first that is not as expected, else the first.
    """
    if not trial.connects:
        reason = trial.unresolved or "the name has no address"
        name = NAME_UNRESOLVED if trial.asked else LOCAL_LIMIT
        return Outcome(name, reason, endpoint.expect == name, None)
    classes = [classify(connect) for connect in trial.connects]
    names = [name for name, _reason in classes]
    if CONNECTED in names:
        index = names.index(CONNECTED)
    else:
        index = next((number for number, name in enumerate(names) if name != endpoint.expect), 0)
    return Outcome(*classes[index], names[index] == endpoint.expect, trial.connects[index])


def is_met(endpoint: Endpoint, trial: Trial) -> bool:
    return judge(endpoint, trial).met


def compose_line(endpoint: Endpoint, trial: Trial, outcome: Outcome, tried: Optional[str]) -> str:
    """One line about an endpoint for a person; `tried`: the address that decides, where that is not the host itself."""
    where = f"{endpoint.text} ({tried})" if tried else endpoint.text
    number = errno.errorcode.get(outcome.connect.error or 0) if outcome.connect else None
    attempts = f", {trial.attempts} attempts" if trial.attempts > 1 else ""
    said = f"{outcome.klass} ({number}): {outcome.reason}" if number else f"{outcome.klass}: {outcome.reason}"
    return f"{where} {said}{attempts}" if outcome.met else f"{where} {said}{attempts}; expected {endpoint.expect}"
