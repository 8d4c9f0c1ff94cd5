# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._rules.servers import (
    expand_words,
    find_server,
    says_address_missing,
)

TEST_CHECKS = [
    ("/usr/sbin/sshd -D", "/usr/sbin/sshd -t", "/usr/sbin/sshd -T"),
    (
        "/usr/sbin/sshd -D -f /etc/other -oPort=22 -p 2222 -4",
        "sshd -t -f /etc/other -oPort=22 -p 2222 -4",
        "sshd -T -f /etc/other -oPort=22 -p 2222 -4",
    ),
    ("/usr/sbin/nginx -g daemon on; master_process on;", "/usr/sbin/nginx -t", "/usr/sbin/nginx -T"),
    (
        "/usr/sbin/nginx -c /a/n.conf -p /a -e stderr",
        "nginx -t -c /a/n.conf -p /a -e stderr",
        "nginx -T -c /a/n.conf -p /a -e stderr",
    ),
    (
        "/usr/sbin/haproxy -Ws -f /etc/haproxy.cfg -p /run/h.pid -S /run/s",
        "/usr/sbin/haproxy -c -f /etc/haproxy.cfg",
        None,
    ),
    ("/usr/sbin/apachectl start", "/usr/sbin/apachectl configtest", None),
    ("/usr/sbin/httpd -DFOREGROUND", "/usr/sbin/httpd -t -DFOREGROUND", None),
    ("/usr/sbin/unbound -d -p", "unbound-checkconf", None),
    ("/usr/sbin/unbound -d -p -c /etc/u.conf", "unbound-checkconf /etc/u.conf", None),
    ("/usr/sbin/named -f -u bind -c/etc/n.conf", "named-checkconf /etc/n.conf", None),
]


def complete(command: str, program: str) -> list[str]:
    words = command.split()
    return words if words[0].startswith("/") or "check" in words[0] else [program, *words[1:]]


@pytest.mark.parametrize(("started", "check", "dump"), TEST_CHECKS)
def test_commands(started: str, check: str, dump: str) -> None:
    words = started.split()
    server = find_server(words)
    assert server is not None
    assert server.check(words) == complete(check, words[0])
    assert (server.dump is None) == (dump is None)
    if server.dump is not None:
        assert server.dump(words) == complete(dump, words[0])


@pytest.mark.parametrize("started", ["", "/usr/bin/redis-server /etc/redis.conf", "/usr/bin/nginx-debug", "nginxx"])
def test_no_other_program_is_taken_for_one_of_them(started: str) -> None:
    assert find_server(started.split()) is None


TEST_WORDS = [
    ("sshd -D $SSHD_OPTS", {"SSHD_OPTS": "-p 22 -4"}, ["sshd", "-D", "-p", "22", "-4"]),
    ("sshd -D $SSHD_OPTS", {}, ["sshd", "-D"]),
    ("x ${A}", {"A": "b c"}, ["x", "b c"]),
    ("x --a=$A/${B}", {"A": "b", "B": "c"}, ["x", "--a=b/c"]),
    ("x ${A}", {}, ["x", ""]),
]


@pytest.mark.parametrize(("words", "environment", "expected"), TEST_WORDS)
def test_variables_are_replaced_as_systemd_does(words: str, environment: dict[str, str], expected: list[str]) -> None:
    assert expand_words(words.split(), environment) == expected


GONE = "nginx: [emerg] bind() to 192.0.2.10:80 failed (99: Cannot assign requested address)\n"
TEST_NGINX = [
    (GONE + "nginx: configuration file /etc/nginx/nginx.conf test failed\n", True),
    ("nginx: [warn] something else\n" + GONE, True),
    ("nginx: [emerg] unexpected end of file in /etc/nginx/nginx.conf:9\n", False),
    (GONE + "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)\n", False),
    ("", False),
]


@pytest.mark.parametrize(("output", "expected"), TEST_NGINX)
def test_nginx_without_an_address_is_told_from_nginx_with_a_mistake(output: str, expected: bool) -> None:
    assert says_address_missing(output) is expected
