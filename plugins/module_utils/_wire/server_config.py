# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where servers will listen, from what they print of their own configuration: `sshd -T` and `nginx -T`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Optional

from .._model import bindings, plans

_ENDPOINT = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+)):([0-9]{1,5})")
_PORT = re.compile(r"[0-9]{1,5}")
_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | (?P<mark>[;{}]) | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
    | (?P<bare>(?:[^\s;{}"'\\#]|\\.|\$\{[^}]*\})(?:[^\s;{}\\]|\\.)*)""",
    re.VERBOSE | re.DOTALL,
)
_UNSPECIFIED = {"*": "0.0.0.0"}


class ServerConfigError(Exception):
    """The text does not say where the server will listen."""


def parse_endpoint(text: str, protocol: str = bindings.TCP, interface: Optional[str] = None) -> plans.Wish:
    """ADDRESS:PORT, [ADDRESS]:PORT, with %SCOPE after the address; * is 0.0.0.0. Raises ServerConfigError."""
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise ServerConfigError(f"{text} is not ADDRESS:PORT")
    host, _separator, scope = (match.group(1) or match.group(2)).partition("%")
    try:
        packed = ip_address(_UNSPECIFIED.get(host, host)).packed
    except ValueError:
        raise ServerConfigError(f"{host} is not an address (names are resolved anew at each start)") from None
    port = int(match.group(3))
    if not 1 <= port <= 65535:
        raise ServerConfigError(f"{port} is not a port")
    return plans.Wish(
        protocol, bindings.IPV4 if len(packed) == 4 else bindings.IPV6, packed, port, interface or scope or None
    )


def parse_sshd_listens(text: str) -> list[plans.Wish]:
    """Output of `sshd -T`: one line `listenaddress ADDRESS:PORT` for each. Raises ServerConfigError."""
    wishes = [
        parse_endpoint(value.strip())
        for key, _separator, value in (line.partition(" ") for line in text.splitlines())
        if key == "listenaddress"
    ]
    if not wishes:
        raise ServerConfigError("sshd -T names no listenaddress")
    return wishes


def parse_nginx_listens(text: str) -> list[plans.Wish]:
    """Output of `nginx -T`: every `listen` of every server, without repetitions. Raises ServerConfigError.

    https://nginx.org/en/docs/http/ngx_http_core_module.html#listen
    """
    wishes: dict[plans.Wish, None] = {}
    stack: list[tuple[str, bool]] = []  # (block, whether it has a listen)
    for words, mark in _read_statements(text):
        if mark == "{":
            stack.append((words[0] if words else "", False))
        elif mark == "}":
            if words or not stack:
                raise ServerConfigError("nginx -T: the braces do not match")
            name, listens = stack.pop()
            if name == "server" and not listens and [block for block, _listens in stack] == ["http"]:
                wishes[parse_endpoint("*:80")] = None  # the default of a server without a listen
        elif words and words[0] == "listen" and stack and stack[-1][0] == "server":
            stack[-1] = ("server", True)
            wish = _parse_nginx_listen(words[1:])
            if wish is not None:
                wishes[wish] = None
    if stack:
        raise ServerConfigError("nginx -T: the braces do not match")
    if not wishes:
        raise ServerConfigError("nginx -T names no listen")
    return list(wishes)


def _parse_nginx_listen(words: list[str]) -> Optional[plans.Wish]:
    if not words:
        raise ServerConfigError("nginx -T: a listen without an address")
    where = words[0]
    if where.startswith("unix:"):
        return None
    if _PORT.fullmatch(where):
        where = f"*:{where}"
    elif where.endswith("]") or ":" not in where:
        where += ":80"
    protocol = bindings.UDP if "udp" in words[1:] or "quic" in words[1:] else bindings.TCP
    return parse_endpoint(where, protocol)


def _read_statements(text: str) -> Iterator[tuple[list[str], str]]:
    """The words before each `;`, `{` and `}`, with that mark."""
    words: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ServerConfigError("nginx -T: a quotation mark or backslash without its end")
        position = match.end()
        if match["mark"]:
            yield words, match["mark"]
            words = []
        else:
            words.extend(word for word in match.group("double", "single", "bare") if word is not None)
    if words:
        raise ServerConfigError("nginx -T: ends within a statement")
