# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options: what is accepted, and that every refusal names the option, the value and what is allowed."""

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._module.arguments import (
    InvalidOption,
    parse_confirm_after,
    parse_globs,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._module.selections import (
    make_socket_filter,
    parse_prefixes,
    parse_selection,
)
from builders import make_socket


def selection(**params):
    return parse_selection({"protocols": ["tcp", "udp"], "ports": [], "addresses": [], "units": [], **params})


TEST_SELECTED = [
    ({}, "192.0.2.5", 443, True),
    ({"ports": ["443"]}, "192.0.2.5", 443, True),
    ({"ports": ["80", "440-450"]}, "192.0.2.5", 443, True),
    ({"ports": ["80", "444-450"]}, "192.0.2.5", 443, False),
    ({"addresses": ["192.0.2.0/24"]}, "192.0.2.5", 443, True),
    ({"addresses": ["192.0.2.5"]}, "192.0.2.6", 443, False),
    ({"addresses": ["192.0.2.0/24"]}, "::ffff:192.0.2.5", 443, True),
    ({"addresses": ["::ffff:192.0.2.5"]}, "::ffff:192.0.2.5", 443, True),
    ({"addresses": ["::ffff:192.0.2.0/120"]}, "192.0.2.5", 443, True),
    ({"addresses": ["::ffff:192.0.2.0/120"]}, "192.0.3.5", 443, False),
    ({"addresses": ["2001:db8::/32"]}, "2001:db8:1::5", 443, True),
    ({"addresses": ["0.0.0.0"]}, "0.0.0.0", 443, True),
    ({"addresses": ["0.0.0.0"]}, "::", 443, False),
    ({"addresses": ["0.0.0.0/0"]}, "2001:db8::5", 443, False),
    ({"ports": ["443"], "addresses": ["198.51.100.0/24"]}, "192.0.2.5", 443, False),
]


@pytest.mark.parametrize(("params", "address", "port", "wanted"), TEST_SELECTED)
def test_options_narrow_down_together(params, address, port, wanted):
    assert make_socket_filter(selection(**params))(make_socket(address, port)) is wanted


TEST_REFUSED = [
    ("ports", "0"),
    ("ports", "65536"),
    ("ports", "443-80"),
    ("ports", "http"),
    ("ports", "-80"),
    ("ports", "80-"),
    ("ports", ""),
    ("ports", "٤٤٣"),
    ("ports", "443\n444"),
    ("addresses", "192.0.2.5/24"),
    ("addresses", "192.0.2"),
    ("addresses", "localhost"),
    ("addresses", "fe80::1%eth0/64"),
    ("addresses", "fe80::1%eth0"),
    ("addresses", ""),
    ("units", " "),
]


@pytest.mark.parametrize(("option", "value"), TEST_REFUSED)
def test_a_wrong_value_is_refused_by_name(option, value):
    with pytest.raises(InvalidOption) as refused:
        selection(**{option: [value]})
    text = str(refused.value)
    assert text.startswith(f"option {option}: {value!r} is not allowed; it takes ")


def test_intended_addresses_are_named_by_their_own_option():
    with pytest.raises(InvalidOption, match="option intended_addresses: 'x'"):
        parse_prefixes("intended_addresses", ["x"])


def test_globs_lose_only_the_space_around_them():
    assert parse_globs("units", [" nginx* ", "a b"]) == ("nginx*", "a b")


@pytest.mark.parametrize("seconds", [0, 0.5, 3600])
def test_a_wait_within_an_hour_is_accepted(seconds):
    assert parse_confirm_after(seconds) == seconds


def test_protocols_are_asked_for_once():
    assert selection(protocols=["udp", "tcp", "udp"]).protocols == ("udp", "tcp")
