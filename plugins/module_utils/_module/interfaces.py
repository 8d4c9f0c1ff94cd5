# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links, addresses and local routes as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Optional

from .._model import addresses, backends
from .._wire import spelling
from . import arguments, results

# include/uapi/linux/rtnetlink.h: RT_SCOPE_*, RTN_*
_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
_ROUTE_TYPES = (
    *("unspec", "unicast", "local", "broadcast", "anycast", "multicast"),
    *("blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"),
)


def list_interfaces(params: dict[str, Any]) -> tuple[results.Json, Sequence[backends.Gap]]:
    """What interface_address_info returns. Raises InvalidOption, BackendUnavailable, UnreadableTable."""
    globs = arguments.parse_globs("interfaces", params["interfaces"])
    network, gaps = arguments.select_backend(params["backend"]).read_network()
    if network.links is None:
        raise backends.UnreadableTable("; ".join(f"{gap.subject} could not be read: {gap.reason}" for gap in gaps))
    links = [link for link in network.links if not globs or any(fnmatchcase(link.name, glob) for glob in globs)]
    return {
        "interfaces": render_interfaces(links, network),
        "local_routes": render_routes(network, {link.ifindex for link in links} if globs else None),
        "gaps": results.render_gaps(gaps),
    }, gaps


def render_interfaces(links: Sequence[addresses.Link], network: addresses.Network) -> list[results.Json]:
    """By ifindex, addresses by family and number."""
    names = {link.ifindex: link.name for link in network.links or ()}
    by_link: dict[int, list[addresses.Address]] = {}
    for address in network.addresses or ():
        by_link.setdefault(address.ifindex, []).append(address)
    return [
        {
            "name": link.name,
            "ifindex": link.ifindex or None,
            "kind": link.kind,
            "up": None if link.flags is None else bool(link.flags & addresses.IFF_UP),
            "operstate": link.operstate,
            "mtu": link.mtu,
            "mac": link.mac,
            "master": names.get(link.master),
            "vrf_table": link.vrf_table,
            "addresses": None
            if network.addresses is None
            else [render_address(address) for address in sorted(by_link.get(link.ifindex, ()), key=_address_key)],
        }
        for link in sorted(links, key=lambda link: link.ifindex)
    ]


def render_routes(network: addresses.Network, only: Optional[set[int]]) -> Optional[list[results.Json]]:
    """Both families; None where neither could be read. `only` restricts to those links."""
    if network.routes_ipv4 is None and network.routes_ipv6 is None:
        return None
    names = {link.ifindex: link.name for link in network.links or ()}
    routes = (*(network.routes_ipv4 or ()), *(network.routes_ipv6 or ()))
    chosen = [route for route in routes if only is None or route.ifindex in only]
    return [_render_route(route, names) for route in sorted(chosen, key=_route_key)]


def render_address(address: addresses.Address) -> results.Json:
    def has(flag: int, family: Optional[str] = None) -> Optional[bool]:
        if address.flags is None:
            return None
        return bool(address.flags & flag) and family in (None, address.family)

    scope = address.scope
    return {
        "family": address.family,
        "address": spelling.format_address(address.packed),
        "prefixlen": address.prefixlen,
        "peer": spelling.format_address(address.peer) if address.peer else None,
        "broadcast": spelling.format_address(address.broadcast) if address.broadcast else None,
        "label": address.label,
        "scope": None if scope is None else _SCOPES.get(scope, str(scope)),
        # One bit, two meanings (include/uapi/linux/if_addr.h).
        "secondary": has(addresses.IFA_F_SECONDARY, "ipv4"),
        "temporary": has(addresses.IFA_F_SECONDARY, "ipv6"),
        "permanent": has(addresses.IFA_F_PERMANENT),
        "deprecated": has(addresses.IFA_F_DEPRECATED),
        "tentative": has(addresses.IFA_F_TENTATIVE),
        "optimistic": has(addresses.IFA_F_OPTIMISTIC),
        "dadfailed": has(addresses.IFA_F_DADFAILED),
        "preferred_lifetime": address.preferred_lifetime,
        "valid_lifetime": address.valid_lifetime,
    }


def _render_route(route: addresses.Route, names: dict[int, str]) -> results.Json:
    return {
        "family": route.family,
        "table": route.table,
        "type": _ROUTE_TYPES[route.type] if route.type < len(_ROUTE_TYPES) else str(route.type),
        "address": spelling.format_address(route.packed),
        "prefixlen": route.prefixlen,
        "interface": names.get(route.ifindex),
        "ifindex": route.ifindex or None,
        "priority": route.priority,
    }


def _address_key(address: addresses.Address) -> tuple[str, bytes, int, bytes]:
    return (address.family, address.packed, address.prefixlen, address.peer or b"")


def _route_key(route: addresses.Route) -> tuple[str, int, bytes, int, int, int, int]:
    return (route.family, route.table, route.packed, route.prefixlen, route.ifindex, route.priority, route.type)
