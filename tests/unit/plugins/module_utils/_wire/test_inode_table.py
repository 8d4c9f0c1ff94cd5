# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.inode_table import (
    may_hold_tcp_port,
    parse_inodes,
    parse_socket_link,
)
from hypothesis import given
from hypothesis import strategies as st

TABLE = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0277 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17345 1 0000000000000000
   1: 0100007F:8AE6 0100007F:0277 06 00000000:00000000 03:00001730 00000000     0        0 0 3 0000000000000000
  12: 0100007F:0278 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4294967295 1 000000000000000
"""


def test_the_inodes_of_a_table():
    assert parse_inodes(TABLE) == {17345, 0, 4294967295}
    assert parse_inodes(b"") == set()


@given(st.binary() | st.lists(st.binary(max_size=20), max_size=30).map(b" ".join).map(lambda line: b"head\n" + line))
def test_any_table_gives_numbers(raw):
    assert all(isinstance(inode, int) and inode >= 0 for inode in parse_inodes(raw))


TEST_LINKS = [
    ("socket:[1234]", 1234),
    ("socket:[]", None),
    ("socket:[1234] (deleted)", None),
    ("/tmp/socket:[1234]", None),
    ("socket:[\u0661]", None),
    ("anon_inode:[eventpoll]", None),
    ("pipe:[1234]", None),
]


@pytest.mark.parametrize(("link", "inode"), TEST_LINKS)
def test_only_the_link_of_a_socket_has_an_inode(link, inode):
    assert parse_socket_link(link) == inode


TEST_NAMES = [
    (b"TCP\0", True),
    (b"TCPv6\0", True),
    (b"MPTCP\0", True),
    (b"MPTCPv6", True),
    (b"\0", True),
    (b"", True),
    (b"UDP\0", False),
    (b"UNIX-STREAM\0", False),
    (b"NETLINK\0", False),
    (b"SCTP\0", False),
]


@pytest.mark.parametrize(("name", "may"), TEST_NAMES)
def test_what_may_hold_a_tcp_port(name, may):
    assert may_hold_tcp_port(name) is may
