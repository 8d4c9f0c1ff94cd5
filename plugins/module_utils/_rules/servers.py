# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers whose configuration can be checked before a restart, and two that tell where they will listen.

A check is a gate: it must pass, and proves nothing. `sshd -t` and `haproxy -c` both pass with an address that is gone.
`nginx -t` really binds everything (ngx_open_listening_sockets), but takes a port in use for fine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Optional

from .._model import plans

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")
_NGINX_ADDRESS = re.compile(r"bind\(\) to \S+ failed \(99: ")


class Server(NamedTuple):
    """How to ask one kind of server. Commands are made from the words of its ExecStart=."""

    programs: tuple[str, ...]  # last part of the path
    check: Callable[[Sequence[str]], list[str]]
    method: Optional[str] = None  # of the Proof, where it tells where it will listen
    dump: Optional[Callable[[Sequence[str]], list[str]]] = None
    rebinds_on_reload: bool = False  # and ends where that fails, while nginx, haproxy and named go on as they were


def find_server(words: Sequence[str]) -> Optional[Server]:
    """The server that an ExecStart= starts."""
    program = words[0].rsplit("/", 1)[-1] if words else ""
    return next((server for server in SERVERS if program in server.programs), None)


def expand_words(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """systemd.service(5), "Command lines": $NAME alone is split into words, ${NAME} stays one; unset is empty."""
    expanded: list[str] = []
    for word in words:
        whole = _VARIABLE.fullmatch(word)
        if whole and whole[2]:
            expanded.extend(environment.get(whole[2], "").split())
        else:
            expanded.append(_VARIABLE.sub(lambda match: environment.get(match[1] or match[2], ""), word))
    return expanded


def says_address_missing(output: str) -> bool:
    """Whether `nginx -t` failed for no other reason than an address that is gone."""
    errors = [line for line in output.splitlines() if "[emerg]" in line]
    return bool(errors) and all(_NGINX_ADDRESS.search(line) for line in errors)


def _keep(words: Sequence[str], with_value: str, without_value: str = "") -> list[str]:
    """The single-letter options named, with their values, out of a command's words."""
    kept: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        letter = word[1:2] if word.startswith("-") else ""
        if letter and letter in with_value:
            kept.append(word)
            if len(word) == 2:
                kept.extend([value for value in [next(rest, None)] if value is not None])
        elif letter and len(word) == 2 and letter in without_value:
            kept.append(word)
    return kept


def _sshd(mode: str) -> Callable[[Sequence[str]], list[str]]:
    return lambda words: [words[0], mode, *_keep(words, "fop", "46")]


def _nginx(mode: str) -> Callable[[Sequence[str]], list[str]]:
    return lambda words: [words[0], mode, *_keep(words, "cpe")]


def _file_of(command: str) -> Callable[[Sequence[str]], list[str]]:
    return lambda words: [command, *[word for word in (kept.removeprefix("-c") for kept in _keep(words, "c")) if word]]


SERVERS = (
    # sshd.c, sighup_restart(): it closes its sockets and executes itself; "Cannot bind any address." is fatal.
    Server(("sshd",), _sshd("-t"), plans.SSHD, _sshd("-T"), rebinds_on_reload=True),
    Server(("nginx",), _nginx("-t"), plans.NGINX, _nginx("-T")),
    Server(("haproxy",), lambda words: [words[0], "-c", *_keep(words, "fC")]),
    # https://httpd.apache.org/docs/2.4/stopping.html: the parent exits where it cannot bind.
    Server(("apache2", "httpd"), lambda words: [words[0], "-t", *_keep(words, "fdD")], rebinds_on_reload=True),
    Server(("apachectl", "apache2ctl"), lambda words: [words[0], "configtest"], rebinds_on_reload=True),
    # daemon.c, daemon_open_shared_ports(): on another port it binds anew, and "could not open ports" is fatal.
    Server(("unbound",), _file_of("unbound-checkconf"), rebinds_on_reload=True),
    Server(("named",), _file_of("named-checkconf")),
)
