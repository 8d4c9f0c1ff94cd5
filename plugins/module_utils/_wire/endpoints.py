# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Endpoints as people write them: host:port, [address]:port, scope ids, or a dictionary."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any, NoReturn, Optional

from .._model import addresses, endpoints

_FIELDS = ("host", "port", "source", "interface", "expect")
_FORMS = "host:port, [IPv6 address]:port, or a dictionary with host and port"
# RFC 1123, and the underscore that many private names have.
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PORT = re.compile(r"\s*[0-9]{1,5}\s*")
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class InvalidEndpoint(ValueError):
    """A value that cannot be an endpoint: which part of the option, what it said, and what it takes."""

    def __init__(self, option: str, value: Any, allowed: str) -> None:
        super().__init__(f"{option}: {value!r}; it takes {allowed}")
        self.option = option
        self.value = value
        self.allowed = allowed


def parse_endpoint(value: Any, option: str, family: Optional[str] = None) -> endpoints.Endpoint:
    """One entry of `endpoints`; `option` is what the message calls it, for example endpoints[3].

    family: the caller's restriction to ipv4 or ipv6, which an address must not contradict. Raises InvalidEndpoint.
    """
    fields = _parse_fields(value, option)
    host = _parse_text(fields, "host", option)
    if host is None:
        _refuse(option, value, _FORMS)
    host = _without_brackets(host)
    interface = _parse_text(fields, "interface", option)
    if interface is not None:
        _check_interface(interface, f"{option}.interface")
    address = _parse_host(host, f"{option}.host", interface)
    source = _parse_source(fields, option, interface)
    wanted = [known for known in (address and address.family, source and source.family, family) if known]
    if len(set(wanted)) > 1:
        _refuse(option, value, "a host and a source of one address family, and of the one that the option family names")
    expect = _parse_text(fields, "expect", option) or endpoints.CONNECTED
    if expect not in endpoints.CLASSES:
        _refuse(f"{option}.expect", expect, ", ".join(endpoints.CLASSES))
    port = _parse_port(fields.get("port"), f"{option}.port")
    return endpoints.Endpoint(host, port, address, source, interface, expect)


def parse_inet_address(text: str) -> Optional[endpoints.InetAddress]:
    """An IPv4 or IPv6 literal, the latter with or without %scope; None for any other text."""
    try:
        if ":" not in text:
            return endpoints.InetAddress("ipv4", IPv4Address(text).packed)
        plain, percent, scope = text.partition("%")
        if percent and not scope:
            return None
        return endpoints.InetAddress("ipv6", IPv6Address(plain).packed, scope or None)
    except AddressValueError:
        return None


def _parse_fields(value: Any, option: str) -> dict[str, Any]:
    if isinstance(value, str):
        host, port = _split_host_port(value, option)
        return {"host": host, "port": port}
    if not isinstance(value, dict):
        _refuse(option, value, _FORMS)
    for key in value:
        if key not in _FIELDS:
            _refuse(f"{option}.{key}", value[key], f"no such key, only {', '.join(_FIELDS)}")
    if value.get("port") is not None or not isinstance(value.get("host"), str):
        return value
    host, port = _split_host_port(value["host"], f"{option}.host")
    return {**value, "host": host, "port": port}


def _split_host_port(text: str, option: str) -> tuple[str, str]:
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host:
        _refuse(option, text, _FORMS)
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        _refuse(option, text, "brackets round an IPv6 address that has a port, as in [2001:db8::1]:443")
    return host, port


def _without_brackets(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") and ":" in host else host


def _parse_text(fields: dict[str, Any], key: str, option: str) -> Optional[str]:
    value = fields.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        _refuse(f"{option}.{key}", value, "text")
    return value.strip()


def _parse_port(value: Any, option: str) -> int:
    port = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if isinstance(value, str) and _PORT.fullmatch(value):
        port = int(value)
    if not 1 <= port <= 65535:
        _refuse(option, value, "a port from 1 to 65535")
    return port


def _parse_host(host: str, option: str, interface: Optional[str]) -> Optional[endpoints.InetAddress]:
    address = parse_inet_address(host)
    if address is None:
        _check_name(host, option)
        return None
    return _with_scope(address, host, option, interface)


def _parse_source(fields: dict[str, Any], option: str, interface: Optional[str]) -> Optional[endpoints.InetAddress]:
    text = _parse_text(fields, "source", option)
    if text is None:
        return None
    address = parse_inet_address(_without_brackets(text))
    if address is None:
        _refuse(f"{option}.source", text, "an IPv4 or IPv6 address of the host that connects")
    return _with_scope(address, text, f"{option}.source", interface)


def _with_scope(
    address: endpoints.InetAddress, text: str, option: str, interface: Optional[str]
) -> endpoints.InetAddress:
    """A link-local address means nothing without an interface: connect() says EINVAL (ip(7), RFC 4007)."""
    if address.family == "ipv4" or not addresses.is_link_local(address.packed):
        if address.scope is not None:
            _refuse(option, text, "a scope id only with a link-local IPv6 address (fe80::/10)")
        return address
    if address.scope is not None:
        _check_interface(address.scope, option)
        return address
    if interface is None:
        _refuse(option, text, "a link-local address only with a scope id (fe80::1%eth0) or an interface")
    return address._replace(scope=interface)


def _check_interface(name: str, option: str) -> None:
    # dev_valid_name(), net/core/dev.c: at most 15 bytes (IFNAMSIZ), no slash, colon or white space, neither . nor ..
    try:
        length = len(name.encode("utf-8", "surrogateescape"))
    except UnicodeError:
        length = 0
    if not 1 <= length <= 15 or name in (".", "..") or re.search(r"[\s/:\0]", name):
        _refuse(option, name, "the name of a network interface")


def _check_name(host: str, option: str) -> None:
    allowed = "a host name, an IPv4 address or an IPv6 address"
    try:
        ascii_host = host if host.isascii() or len(host) > 253 else host.encode("idna").decode("ascii")
    except UnicodeError:
        _refuse(option, host, allowed)
    labels = (ascii_host[:-1] if ascii_host.endswith(".") else ascii_host).split(".")
    # getaddrinfo() takes 1, 127.1, 0x7f.1 and 010.0.0.1 for IPv4 addresses, each in its own way: nobody means that.
    if len(ascii_host) > 253 or _NUMERIC.fullmatch(labels[-1]) or not all(map(_LABEL.fullmatch, labels)):
        _refuse(option, host, allowed)


def _refuse(option: str, value: Any, allowed: str) -> NoReturn:
    raise InvalidEndpoint(option, value, allowed)
