# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records for tests: everything has a plain default, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, Optional

from ansible_collections.infracheck.bindings.plugins.module_utils._model.addresses import (
    IFF_RUNNING,
    IFF_UP,
    NO_NETWORK,
    RT_TABLE_LOCAL,
    RTN_LOCAL,
    Address,
    Link,
    Network,
    Route,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._model.backends import Backend, Capabilities, Gap
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import (
    FOUND,
    Binding,
    Listener,
    Options,
    Owner,
    Ownership,
    Service,
    Socket,
)
from ansible_collections.infracheck.bindings.plugins.module_utils._readers.services import name_plain

UP = IFF_UP | IFF_RUNNING | 0x10000  # and IFF_LOWER_UP, as the kernel says of a link with a carrier
REUSES = Options(reuseaddr=True, reuseport=False, keepalive=False, defer_accept=0)
SEES_ALL = Capabilities(pins=True, address_flags=True, link_state=True, routes=True, nonlocal_binds=False)


def make_socket(address: str = "192.0.2.5", port: int = 443, **fields: Any) -> Socket:
    packed = ip_address(address).packed
    given: dict[str, Any] = {
        "protocol": "tcp",
        "family": "ipv4" if len(packed) == 4 else "ipv6",
        "packed": packed,
        "port": port,
        "ifindex": 0,
        "v6only": None if len(packed) == 4 else False,
        "backlog": 128,
        "queued": 0,
        "uid": 0,
        "inode": 1000 + port,
        "cgroup_id": None,
        "freebind": False,
        "transparent": False,
    }
    return Socket(**{**given, **fields})


def make_link(ifindex: int = 2, name: str = "eth0", **fields: Any) -> Link:
    given: dict[str, Any] = {
        "kind": None,
        "flags": UP,
        "operstate": "up",
        "mtu": 1500,
        "mac": None,
        "master": 0,
        "vrf_table": None,
    }
    return Link(ifindex, name, **{**given, **fields})


def make_address(text: str, ifindex: int = 2, flags: int = 0x80, **fields: Any) -> Address:
    """`text` as ip(8) writes it: 192.0.2.5/24."""
    interface = ip_interface(text)
    given: dict[str, Any] = {
        "scope": 0,
        "peer": None,
        "broadcast": None,
        "label": None,
        "preferred_lifetime": None,
        "valid_lifetime": None,
    }
    family = "ipv4" if interface.version == 4 else "ipv6"
    return Address(
        family, interface.ip.packed, interface.network.prefixlen, ifindex, flags=flags, **{**given, **fields}
    )


def make_route(text: str, ifindex: int = 2, type: int = RTN_LOCAL, **fields: Any) -> Route:
    network = ip_network(text)
    family = "ipv4" if network.version == 4 else "ipv6"
    given: dict[str, Any] = {"table": RT_TABLE_LOCAL, "priority": 0, "flags": 0, "tos": 0}
    return Route(
        family=family,
        type=type,
        packed=network.network_address.packed,
        prefixlen=network.prefixlen,
        ifindex=ifindex,
        **{**given, **fields},
    )


def make_network(
    links: Optional[Sequence[Link]] = (),
    addresses: Optional[Sequence[Address]] = (),
    routes: Sequence[Route] = (),
    **fields: Any,
) -> Network:
    """A network that was read completely; each address brings its local route, as the kernel does it."""
    own = [
        make_route(str(ip_address(address.packed)), address.ifindex)
        for address in addresses or ()
        if not (address.flags or 0) & 0x40
    ]
    rows = [*own, *routes]
    given: dict[str, Any] = {
        "links": None if links is None else tuple(links),
        "addresses": None if addresses is None else tuple(addresses),
        "routes_ipv4": tuple(row for row in rows if row.family == "ipv4"),
        "routes_ipv6": tuple(row for row in rows if row.family == "ipv6"),
        "local_first": True,
        "ipv4_merged": False,
        "nonlocal_bind_ipv4": False,
        "nonlocal_bind_ipv6": False,
    }
    return NO_NETWORK._replace(**{**given, **fields})


def name_all(found: dict[int, Ownership], proc: str = "/proc") -> dict[int, Ownership]:
    """With the services that read_owners() left to be named."""
    return dict(zip(found, name_plain(list(found.values()), proc)))


def make_ownership(unit: Optional[str] = "nginx.service", name: str = "nginx", **fields: Any) -> Ownership:
    service = Service("systemd", unit, "system") if unit else None
    given: dict[str, Any] = {
        "owners": (Owner(812, name, f"/usr/sbin/{name}", "root", 6),),
        "status": FOUND,
        "service": service,
    }
    return Ownership(**{**given, **fields})


def make_listener(
    address: str = "192.0.2.5",
    port: int = 443,
    state: str = "valid",
    reason: str = "a reason",
    ownership: Optional[Ownership] = None,
    options: Options = REUSES,
    **fields: Any,
) -> Listener:
    binding = Binding(state, None, None, reason)
    return Listener(make_socket(address, port, **fields), binding, ownership or make_ownership(), options)


def make_backend(
    samples: Sequence[tuple[Sequence[Socket], Network]],
    ownerships: Optional[dict[int, Ownership]] = None,
    gaps: Sequence[Gap] = (),
    capabilities: Capabilities = SEES_ALL,
    asked: Optional[list[Any]] = None,
) -> Backend:
    """A host that shows one (sockets, network) after the other, the last one for ever. `asked` collects the calls."""
    calls: list[Any] = asked if asked is not None else []
    moments = {"sockets": 0, "network": 0}

    def step(what: str) -> Any:
        moment = min(moments[what], len(samples) - 1)
        moments[what] += 1
        return samples[moment]

    def read_sockets(protocols: Sequence[str]) -> Any:
        calls.append(("sockets", tuple(protocols)))
        rows = [socket for socket in step("sockets")[0] if socket.protocol in protocols]
        return tuple(sorted(rows, key=lambda row: row.sort_key)), ()

    def read_network() -> Any:
        calls.append(("network",))
        return step("network")[1], tuple(gaps)

    def read_lookups(network: Network, wanted: Collection[tuple[int, bytes]]) -> Any:
        calls.append(("lookups", sorted(wanted)))
        return network._replace(lookups=dict.fromkeys(wanted, 0)), ()

    def read_owners(sockets: Sequence[Socket], every_holder: Collection[int]) -> Any:
        calls.append(("owners", sorted(every_holder)))
        return [(ownerships or {}).get(socket.port, make_ownership()) for socket in sockets], ()

    def read_merged(network: Network) -> Any:
        calls.append(("merged",))
        return network._replace(ipv4_merged=False), ()

    def read_options(sockets: Sequence[Socket], _ownerships: Sequence[Ownership]) -> Any:
        return [REUSES] * len(sockets), ()

    return Backend(
        "netlink", capabilities, read_sockets, read_network, read_lookups, read_merged, read_owners, read_options
    )
