# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.server_config import (
    ServerConfigError,
    parse_endpoint,
    parse_nginx_listens,
    parse_sshd_listens,
)
from hypothesis import given
from hypothesis import strategies as st
from plans import wish

# OpenSSH 9.2, shortened
SSHD = """\
port 22
addressfamily any
listenaddress [::]:22
listenaddress 192.0.2.10:2222
permitlisten any
"""

# nginx 1.22, shortened; comments with quotes and braces are as they are found in the wild
NGINX = """\
# configuration file /etc/nginx/nginx.conf:
user www-data;
events { worker_connections 768; }
http {
    # don't { be surprised
    log_format x '"$request" {$status}';
    map $http_upgrade $connection { default upgrade; '' close; }
    server {
        listen 80 default_server;
        listen [::]:80 default_server ipv6only=on;
        listen 127.0.0.1:8080; listen unix:/run/n.sock;
        listen 443 quic reuseport; listen 192.0.2.10;
        location ~ \\.php$ { if ($x = "}") { return 403; } }
    }
    server { server_name a.example; }
}
stream {
    server { listen [fe80::1%eth1]:53 udp; proxy_pass 192.0.2.1:53; }
    server { listen 8080; return listen; }
}
"""


def test_sshd() -> None:
    assert parse_sshd_listens(SSHD) == [wish("[::]:22"), wish("192.0.2.10:2222")]


def test_nginx() -> None:
    assert parse_nginx_listens(NGINX) == [
        wish("0.0.0.0:80"),
        wish("[::]:80"),
        wish("127.0.0.1:8080"),
        wish("0.0.0.0:443/udp"),
        wish("192.0.2.10:80"),
        wish("[fe80::1]:53/udp", "eth1"),
        wish("0.0.0.0:8080"),
    ]


def test_a_web_server_without_a_listen_has_its_default() -> None:
    assert parse_nginx_listens("http { server { } }") == [wish("0.0.0.0:80")]


TEST_NO_NGINX = [
    "",
    "http { }",
    "http { server { listen",
    "http { server { listen 80; }",
    "http { server { listen 80; } } }",
    "http { server { listen; } }",
    "http { server { listen localhost:80; } }",
    "http { server { listen 192.0.2.10:http; } }",
    "http { server { listen 70000; } }",
    "http { server { listen 80; server_name 'a; } }",
    "listen 80;",
]


@pytest.mark.parametrize("text", TEST_NO_NGINX)
def test_what_does_not_say_it_is_an_error(text: str) -> None:
    with pytest.raises(ServerConfigError):
        parse_nginx_listens(text)


@pytest.mark.parametrize("text", ["", "port 22\n", "listenaddress localhost:22\n", "listenaddress 192.0.2.10\n"])
def test_sshd_that_does_not_say_it_is_an_error(text: str) -> None:
    with pytest.raises(ServerConfigError):
        parse_sshd_listens(text)


@pytest.mark.parametrize(
    "text", ["192.0.2.5", "192.0.2.5:0", "192.0.2.5:65536", "2001:db8::5:80", "[192.0.2.5:80", "x:1"]
)
def test_what_is_no_endpoint_is_an_error(text: str) -> None:
    with pytest.raises(ServerConfigError):
        parse_endpoint(text)


TOKENS = st.sampled_from(
    [
        "http",
        "server",
        "listen",
        "stream",
        "{",
        "}",
        ";",
        "80",
        "[::]:80",
        "'",
        '"',
        "#",
        "\n",
        "\\",
        " ",
        "unix:/x",
        "udp",
    ]
)


@given(st.one_of(st.text(), st.lists(TOKENS).map(" ".join)))
def test_any_text_gives_listens_or_the_error(text: str) -> None:
    for parse in (parse_nginx_listens, parse_sshd_listens):
        with contextlib.suppress(ServerConfigError):
            assert parse(text)
