# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program of a unit says of its own configuration: does it pass, and where will it listen."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Optional

from .._model import plans, units
from .._readers import commands
from .._readers.units import read_environment
from .._rules import restart_actions, servers
from .._wire import server_config
from . import known_units

_CHECK_TIMEOUT = 30  # seconds
_USERS_CHOICE = "what its program is was chosen by its user, so it is not asked"
NOTHING = plans.Proof(plans.NO_METHOD, (), None)


def ask_program(
    known: known_units.Known, expected: Mapping[str, tuple[plans.Wish, ...]], checks: Mapping[str, str]
) -> tuple[Optional[plans.Check], plans.Proof, tuple[plans.Wish, ...]]:
    """The configuration check, and where the unit will listen (still without what the kernel says to that).

    Whatever is run is run as the user of the unit: the unit says which program that is, and with which environment. Of
    the unit of another user nothing of that is taken, nor are the files read that it names.
    """
    unit = known.program
    server, words, environment = None, [], {}
    if unit is not None and known.manager.has_rights and not known.manager.is_foreign:
        environment = read_environment(unit)
        words = servers.expand_words(unit.exec_start, environment)
        server = servers.find_server(words)
    user = str(known.manager.uid) if known.manager.is_foreign else unit.user if unit is not None else ""
    check = _check(known, server, words, environment, checks, user)
    declared = restart_actions.find_wanted(expected, known.service, known.companion)
    if declared is not None:
        return check, plans.Proof(plans.DECLARED, (), None, bound=None), declared
    if known.unit is not None and known.unit.name.endswith(".socket"):
        return check, *_read_socket_listens(known.unit)
    if server is None or server.dump is None or server.method is None:
        return check, NOTHING._replace(problem=_USERS_CHOICE if known.manager.is_foreign else None), ()
    return check, *_read_dump(server.method, server.dump(words), environment, user, check)


def rebinds_on_reload(known: known_units.Known) -> bool:
    """Whether a reload of its program is as good as a restart. Nothing is run or read for that."""
    server = servers.find_server(known.program.exec_start) if known.program is not None else None
    return server is not None and server.rebinds_on_reload


def _check(
    known: known_units.Known,
    server: Optional[servers.Server],
    words: Sequence[str],
    environment: Mapping[str, str],
    checks: Mapping[str, str],
    user: str,
) -> Optional[plans.Check]:
    given = restart_actions.find_wanted(checks, known.service, known.companion)
    command = shlex.split(given) if given is not None else server.check(words) if server else []
    if not command:
        return None
    done = commands.run_command(command, timeout=_CHECK_TIMEOUT, environment=environment, user=user or None)
    missing = server is not None and server.method == plans.NGINX and given is None and done.status not in (0, None)
    return plans.Check(tuple(command), done.status, done.output, missing and servers.says_address_missing(done.errors))


def _read_socket_listens(unit: units.Unit) -> tuple[plans.Proof, tuple[plans.Wish, ...]]:
    wishes = tuple(
        plans.Wish(
            listen.protocol, "ipv4" if len(listen.packed) == 4 else "ipv6", listen.packed, listen.port, listen.device
        )
        for listen in unit.listens
    )
    problem = "one of its ports is chosen anew at each start" if any(not wish.port for wish in wishes) else None
    return plans.Proof(plans.LISTEN_STREAM, (), problem), wishes


def _read_dump(
    method: str, command: Sequence[str], environment: Mapping[str, str], user: str, check: Optional[plans.Check]
) -> tuple[plans.Proof, tuple[plans.Wish, ...]]:
    done = commands.run_command(command, timeout=_CHECK_TIMEOUT, environment=environment, user=user or None)
    if method == plans.NGINX and check is not None and check.address_missing:
        return plans.Proof(method, (), None, bound=False), ()
    if done.status != 0:
        return plans.Proof(method, (), f"`{' '.join(command)}` says nothing: {done.output}"), ()
    parse = server_config.parse_sshd_listens if method == plans.SSHD else server_config.parse_nginx_listens
    try:
        return plans.Proof(method, (), None, bound=True if method == plans.NGINX else None), tuple(
            parse(done.full_output)
        )
    except server_config.ServerConfigError as error:
        return plans.Proof(method, (), str(error)), ()
