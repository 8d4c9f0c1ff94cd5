# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any system that psutil knows: addresses, listeners and owners. Whatever it cannot see is None and a Gap.

Only load_backend() imports the library; everything else gets it as a value.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any

from .._model import addresses, backends, bindings

# psutil 3.0, of 2015, has them all.
_NEEDED = ("net_connections", "net_if_addrs", "net_if_stats", "pids", "Process")
_HOW_TO_GET_IT = "install it for that Python (package python3-psutil or py-psutil, or `pip install psutil`)"

# Where bind() takes an address that the host does not have under no circumstances. Everywhere else, and where nobody
# looked it up yet, a missing address may be meant (see _rules/portable_locality.py).
_WITHOUT_NONLOCAL_BINDS = ("darwin",)


def load_backend(name: str) -> backends.Backend:
    """The backend for this host, where it is not netlink's. Raises BackendUnavailable where netlink was asked for, and
    where psutil is missing or too old.
    """
    if name == "netlink":
        raise backends.BackendUnavailable(
            f"backend netlink reads Linux only, and this host runs {sys.platform}; use backend=psutil"
        )
    try:
        import psutil
    except (ImportError, NotImplementedError) as error:  # the latter: "platform … is not supported"
        raise backends.BackendUnavailable(
            f"backend psutil needs the Python library psutil, which {sys.executable} cannot import ({error});"
            f" {_HOW_TO_GET_IT}" + ("; or use backend=netlink" if sys.platform.startswith("linux") else "")
        ) from error
    missing = [name for name in _NEEDED if not hasattr(psutil, name)]
    if missing:
        raise backends.BackendUnavailable(
            f"psutil {getattr(psutil, '__version__', 'of an unknown version')} is too old: it has no"
            f" {', '.join(missing)}; psutil 3.0 or newer is needed: {_HOW_TO_GET_IT}"
        )
    return make_backend(psutil, sys.platform)


def make_backend(library: Any, platform: str) -> backends.Backend:
    """A Backend that reads through `library`, a psutil, on `platform`, a value of sys.platform."""

    def read_sockets(protocols: Sequence[str]) -> backends.Sockets:
        from . import psutil_sockets

        return psutil_sockets.read_sockets(library, platform, protocols)

    def read_network() -> backends.Networks:
        from . import psutil_network

        return psutil_network.read_network(library, platform)

    def read_lookups(network: addresses.Network, _wanted: Collection[tuple[int, bytes]]) -> backends.Networks:
        return network, ()  # routes are a gap already

    def read_merged(network: addresses.Network) -> backends.Networks:
        return network, ()

    def read_owners(sockets: Sequence[bindings.Socket], every_holder: Collection[int]) -> backends.Ownerships:
        from . import psutil_owners

        return psutil_owners.read_owners(library, platform, sockets, every_holder)

    def read_options(
        sockets: Sequence[bindings.Socket], _ownerships: Sequence[bindings.Ownership]
    ) -> backends.LiveOptions:
        return [bindings.Options(reason="backend psutil cannot read them")] * len(sockets), ()  # a gap already

    return backends.Backend(
        name="psutil",
        capabilities=find_capabilities(platform),
        read_sockets=read_sockets,
        read_network=read_network,
        read_lookups=read_lookups,
        read_merged=read_merged,
        read_owners=read_owners,
        read_options=read_options,
    )


def find_capabilities(platform: str) -> backends.Capabilities:
    return backends.Capabilities(
        pins=False,
        address_flags=False,
        # Whether a link has a carrier cannot be told from one that has none by design (an empty bridge), and what
        # "running" means differs from system to system.
        link_state=False,
        routes=False,
        nonlocal_binds=platform not in _WITHOUT_NONLOCAL_BINDS,
        whole_loopback=platform.startswith("linux"),
        options=False,
        services=False,
    )
