# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the errno of a connect means, and whether an endpoint answered as expected."""

from __future__ import annotations

import errno
from typing import NamedTuple, Optional

from .._model import endpoints

# connect(2), tcp(7), ip(7). What routers and firewalls say by ICMP arrives as one of these too (icmp_err_convert,
# net/ipv4/icmp.c).
_MEANINGS = {
    errno.ECONNREFUSED: (endpoints.REFUSED, "nothing listens there, or a firewall says so"),
    errno.ETIMEDOUT: (endpoints.TIMED_OUT, "the kernel gave up sending"),
    errno.ENETUNREACH: (endpoints.UNREACHABLE, "no route leads there"),
    errno.EHOSTUNREACH: (
        endpoints.UNREACHABLE,
        "the host does not answer on its link, or a router or firewall says so",
    ),
    errno.ENETDOWN: (endpoints.UNREACHABLE, "the interface on the way is down"),
    errno.EHOSTDOWN: (endpoints.UNREACHABLE, "the host is down"),
    errno.ENOPROTOOPT: (endpoints.UNREACHABLE, "the host says that it has no TCP"),
    errno.EPROTO: (endpoints.UNREACHABLE, "a router or the host did not understand the packet"),
    errno.EACCES: (endpoints.DENIED, "a prohibit route, a firewall or a security module forbids it"),
    errno.EPERM: (endpoints.DENIED, "a firewall, a BPF program or a missing privilege forbids it"),
    errno.ECONNRESET: (endpoints.RESET, "accepted, and reset by the other side"),
    errno.EPIPE: (endpoints.RESET, "accepted, then closed and reset by the other side"),  # tcp_reset() in CLOSE_WAIT
    errno.ECONNABORTED: (endpoints.RESET, "accepted, and aborted"),
    errno.EMFILE: (endpoints.LOCAL_LIMIT, "this process has no file descriptor left"),
    errno.ENFILE: (endpoints.LOCAL_LIMIT, "this host has no file descriptor left"),
    errno.ENOBUFS: (endpoints.LOCAL_LIMIT, "this host has no buffer left"),
    errno.ENOMEM: (endpoints.LOCAL_LIMIT, "this host has no memory left"),
    errno.EADDRINUSE: (endpoints.LOCAL_LIMIT, "no local port is left"),
    errno.EAGAIN: (endpoints.LOCAL_LIMIT, "no local port is left"),
    errno.EADDRNOTAVAIL: (endpoints.NO_SOURCE, "this host has no address to connect from"),
    errno.EAFNOSUPPORT: (endpoints.INVALID, "this host does not have that address family"),
}


class Outcome(NamedTuple):
    """What is said of an endpoint: of the address that decides it, or of its name."""

    klass: str  # one of CLASSES
    reason: str
    met: bool
    connect: Optional[endpoints.Connect]  # None where the name was not resolved


def classify(connect: endpoints.Connect) -> tuple[str, str]:
    """(class, reason) of one address."""
    error = connect.error
    if connect.stage == endpoints.AT_ITSELF:
        return (
            endpoints.REFUSED,
            "nothing listens there: the connect met itself, as its own port was the one it asked for",
        )
    if error == 0:
        return endpoints.CONNECTED, "the handshake was completed"
    if connect.stage == endpoints.AT_DEADLINE or error is None:
        return _classify_silence(connect)
    if connect.stage == endpoints.AT_INTERFACE:
        if error == errno.ENODEV:
            return endpoints.NO_SOURCE, "this host has no such interface"
        if error not in (errno.EPERM, errno.EACCES):
            return endpoints.INVALID, "this host cannot pin a connect to an interface"
    if connect.stage == endpoints.AT_SOURCE and error == errno.EADDRNOTAVAIL:
        return endpoints.NO_SOURCE, "the source address is not one of this host, or cannot be used yet"
    if connect.stage == endpoints.AT_CONNECT and error in (errno.EADDRNOTAVAIL, errno.EINVAL):
        return _classify_by_route(connect, error)
    if error in _MEANINGS:
        return _MEANINGS[error]
    return endpoints.INVALID, f"the kernel does not take it (at step {connect.stage})"


def _classify_silence(connect: endpoints.Connect) -> tuple[str, str]:
    if connect.local is not None and not any(connect.local):
        # Without any address Linux sends IPv4 packets from 0.0.0.0, to which nobody can answer.
        return endpoints.NO_SOURCE, "this host has no address to connect from, so no answer can come"
    return endpoints.TIMED_OUT, "no answer in time: a silent host or firewall, or a server whose accept queue is full"


def _classify_by_route(connect: endpoints.Connect, error: int) -> tuple[str, str]:
    """EADDRNOTAVAIL and EINVAL of connect() have two causes each; the route alone, without ports, tells which."""
    if error == errno.EADDRNOTAVAIL:
        return (endpoints.LOCAL_LIMIT, "no local port is left") if connect.route_error == 0 else _MEANINGS[error]
    # fib_props[RTN_BLACKHOLE].error, net/ipv4/fib_semantics.c; ip6_rt_type_to_error(), net/ipv6/route.c
    if connect.route_error == errno.EINVAL:
        return endpoints.UNREACHABLE, "a blackhole route of this host swallows it"
    return endpoints.INVALID, "the source address or interface cannot be combined with this destination"


def judge(endpoint: endpoints.Endpoint, trial: endpoints.Trial) -> Outcome:
    """Connected is met by one address, as a client tries one after the other; any other class only by all of them.

    The address that decides is the first connected one, else the first that is not as expected, else the first.
    """
    if not trial.connects:
        reason = trial.unresolved or "the name has no address"
        name = endpoints.NAME_UNRESOLVED if trial.asked else endpoints.LOCAL_LIMIT
        return Outcome(name, reason, endpoint.expect == name, None)
    classes = [classify(connect) for connect in trial.connects]
    names = [name for name, _reason in classes]
    if endpoints.CONNECTED in names:
        index = names.index(endpoints.CONNECTED)
    else:
        index = next((number for number, name in enumerate(names) if name != endpoint.expect), 0)
    return Outcome(*classes[index], names[index] == endpoint.expect, trial.connects[index])


def is_met(endpoint: endpoints.Endpoint, trial: endpoints.Trial) -> bool:
    return judge(endpoint, trial).met


def compose_line(endpoint: endpoints.Endpoint, trial: endpoints.Trial, outcome: Outcome, tried: Optional[str]) -> str:
    """One line about an endpoint for a person; `tried`: the address that decides, where that is not the host itself."""
    where = f"{endpoint.text} ({tried})" if tried else endpoint.text
    number = errno.errorcode.get(outcome.connect.error or 0) if outcome.connect else None
    attempts = f", {trial.attempts} attempts" if trial.attempts > 1 else ""
    said = f"{outcome.klass} ({number}): {outcome.reason}" if number else f"{outcome.klass}: {outcome.reason}"
    return f"{where} {said}{attempts}" if outcome.met else f"{where} {said}{attempts}; expected {endpoint.expect}"
