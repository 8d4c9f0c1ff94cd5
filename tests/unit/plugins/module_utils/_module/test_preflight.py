# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.gaps import Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._module import restarts
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import InvalidOption
from ansible_collections.infracheck.bindings.plugins.module_utils._module.preflight import (
    WISH_OPTIONS,
    complete_name,
    preflight,
)

TEST_NAMES = [
    ("nginx", "nginx.service"),
    ("nginx.service", "nginx.service"),
    ("ssh.socket", "ssh.socket"),
    ("my.app", "my.app.service"),
    ("my.app@1.2", "my.app@1.2.service"),
    (" user.slice ", "user.slice"),
]


@pytest.mark.parametrize(("given", "name"), TEST_NAMES)
def test_names_are_completed_as_systemctl_does(given, name):
    assert complete_name(given) == name


@pytest.mark.parametrize("given", ["", " ", "a/b", "ngin*", "a?"])
def test_one_unit_is_to_be_named(given):
    with pytest.raises(InvalidOption):
        complete_name(given)


def ask(**wish):
    defaults = {name: option.get("default") for name, option in WISH_OPTIONS.items()}
    wishes = [{**defaults, "address": "127.0.0.1", "port": 50000, **wish}]
    return preflight({"backend": "auto", "unit": None, "wishes": wishes})[0]["results"][0]


TEST_WRONG = [
    (
        {"address": "fe80::1%1"},
        "option wishes[0].address: 'fe80::1%1' is not allowed; it takes an address whose scope id",
    ),
    (
        {"address": "fe80::1%"},
        "option wishes[0].address: 'fe80::1%' is not allowed; it takes an address whose scope id",
    ),
    ({"address": "\u0661.2.3.4"}, "option wishes[0].address: "),
    ({"address": "::1\0"}, "option wishes[0].address: "),
    ({"interface": ""}, "option wishes[0].interface: '' is not allowed; it takes the name of an interface"),
    ({"user": "a\0b"}, "option wishes[0].user: 'a\\x00b' is not allowed; it takes the name or number of a user"),
    ({"user": "9" * 30}, "option wishes[0].user: "),
    ({"port": 65536}, "option wishes[0].port: 65536 is not allowed; it takes a port from 1 to 65535"),
]


@pytest.mark.parametrize(("wish", "message"), TEST_WRONG)
def test_a_wrong_wish_is_told(wish, message):
    with pytest.raises(InvalidOption) as told:
        ask(**wish)
    assert str(told.value).startswith(message)


def test_before_linux_6_8_a_wish_is_not_simply_ok(monkeypatch):
    unlisted = Gap("bound", "tcp sockets that are bound", "kernel 6.1 does not list them")
    monkeypatch.setattr(restarts, "read_occupants", lambda ports, **_options: ({name: [] for name in ports}, ()))
    assert ask()["verdict"] == "ok"
    monkeypatch.setattr(
        restarts, "read_occupants", lambda ports, **_options: ({name: [] for name in ports}, (unlisted,))
    )
    answer = ask()
    assert (answer["verdict"], answer["errno"]) == ("unknown", None)
    assert answer["reason"].endswith("may be bound there and not listen: kernel 6.1 does not list them")
    assert ask(protocol="udp")["verdict"] == "ok", "UDP sockets are listed by every kernel"
    assert ask(address="192.0.2.77")["verdict"] == "unavailable", "what is certain stays"
