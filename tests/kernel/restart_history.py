# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real sockets on one port, with a random past: what a restart finds. Every draw comes from one Random."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import NamedTuple, Optional

from ansible_collections.infracheck.bindings.tests.kernel.restart_namespaces import (
    CLIENT4,
    CLIENT6,
    DEVICE,
    LINK_LOCAL6,
    LOOPBACKS,
    SECOND4,
    SERVER4,
    SERVER6,
    UPSTREAM_PORT,
    Namespaces,
)

UIDS = (0, 1000, 1001)
PATIENCE = 2.0  # seconds for one connect on this very machine

_IPV4 = ("0.0.0.0", "0.0.0.0", *LOOPBACKS, SERVER4, SECOND4)
_IPV6 = ("::", "::", "::", "::1", SERVER6, f"::ffff:{LOOPBACKS[0]}", f"::ffff:{SERVER4}", "::ffff:0.0.0.0", LINK_LOCAL6)

# What becomes of an accepted connection, and how the kernel calls what is left of it on our port.
PASTS = (
    "server closes first",  # TIME_WAIT
    "client closes first",  # nothing
    "open",  # ESTABLISHED, held
    "server half closed",  # FIN_WAIT2, held
    "client half closed",  # CLOSE_WAIT, held
    "orphan waits for the client",  # FIN_WAIT2, timed
    "orphan with unsent data",  # FIN_WAIT1, nobody holds it
    "orphan that answers",  # LAST_ACK with unsent data, nobody holds it
    "reset",  # nothing
    "not accepted",  # ESTABLISHED, nobody holds it yet
    "not accepted, client closed",  # CLOSE_WAIT, nobody holds it yet
    "closed and still held",  # TIME_WAIT beside a socket that has no port any more
)


class Setup(NamedTuple):
    """How a socket is made."""

    kind: socket.SocketKind
    address: str
    device: str  # "" = not pinned
    v6only: bool
    reuseaddr: bool
    reuseport: bool
    late: bool  # the options are set between bind and listen
    uid: int

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """Sockets that are made (and connections that are accepted) in here belong to that user."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def draw_setup(random: Random, kind: socket.SocketKind, like: Optional[Setup] = None) -> Setup:
    """`like`: mostly the same, so that sockets meet and share."""
    if like is not None and random.random() < 0.5:
        return like._replace(
            address=_draw_address(random, kind) if random.random() < 0.5 else like.address,
            reuseaddr=like.reuseaddr if random.random() < 0.7 else not like.reuseaddr,
            reuseport=like.reuseport if random.random() < 0.7 else not like.reuseport,
            uid=like.uid if random.random() < 0.8 else random.choice(UIDS),
        )
    return Setup(
        kind=kind,
        address=_draw_address(random, kind),
        device=random.choice(("", "", "", "lo", DEVICE)),
        v6only=random.random() < 0.4,
        reuseaddr=random.random() < 0.5,
        reuseport=random.random() < 0.4,
        late=random.random() < 0.15,
        uid=random.choice((0, *UIDS)),
    )


def _draw_address(random: Random, kind: socket.SocketKind) -> str:
    return random.choice(_IPV4 if random.random() < 0.5 else _IPV6)


def make_socket(setup: Setup, port: int, namespaces: Namespaces) -> socket.socket:
    """Bound and, for TCP, not yet listening. Raises OSError."""
    with acting_as(setup.uid):
        made = socket.socket(setup.family, setup.kind)
    try:
        if setup.device:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, setup.device.encode())
        if setup.family == socket.AF_INET6:
            v6only = setup.v6only and not setup.address.startswith("::ffff:")
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        if not setup.late:
            set_options(made, setup)
        if setup.address == LINK_LOCAL6:
            made.bind((setup.address, port, 0, namespaces.device_index))
        else:
            made.bind((setup.address, port))
        if setup.late:
            set_options(made, setup)
    except BaseException:
        made.close()
        raise
    return made


def set_options(made: socket.socket, setup: Setup) -> None:
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, setup.reuseaddr)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, setup.reuseport)


class History:
    """One port and everything that happened on it. Close it: whatever is still open goes."""

    def __init__(self, random: Random, namespaces: Namespaces, port: int) -> None:
        self.random = random
        self.port = port
        self.story: list[str] = []
        self.stuck = 0  # orphans that stay in FIN_WAIT1
        self.has_connected = False
        self.dropped_reuseport = False  # by a socket that was bound with it, which the kernel may remember
        self.listeners: list[tuple[socket.socket, Setup]] = []
        self.others: list[socket.socket] = []  # bound or outgoing, and ours: their options can be read
        self._held: list[socket.socket] = []
        self._namespaces = namespaces

    def __enter__(self) -> History:
        return self

    def __exit__(self, *exception: object) -> None:
        for held in (*self._held, *self.others, *(listener for listener, _setup in self.listeners)):
            held.close()  # closing twice does no harm

    def play_tcp(self) -> None:
        first = self._listen(self._bind_quietly(0.2))
        if first is not None and self.random.random() < 0.15:
            self._connect_some()
            if not self._restart_in_the_past(first):
                return  # what listened next would be taken for what left those connections (the guide says so)
        for _round in range(self.random.choice((0, 0, 0, 1, 2))):
            self._listen(first)
        if self.random.random() < 0.3:
            self._change_options()
        self._connect_some()
        self._bind_quietly(0.1)
        # Beside a listener that was bound with SO_REUSEPORT and dropped it, and has SO_REUSEADDR, connections are not
        # compared (the guide says so).
        if self.random.random() < 0.15 and not self.dropped_reuseport:
            self._go_out(first)

    def play_udp(self) -> None:
        first = None
        for _round in range(self.random.choice((1, 2, 2, 3, 4))):
            setup = draw_setup(self.random, socket.SOCK_DGRAM, first)
            try:
                made = make_socket(setup, self.port, self._namespaces)
            except OSError as error:
                self.story.append(f"{setup}: {errno.errorcode.get(error.errno or 0)}")
                continue
            self.story.append(str(setup))
            first = first or setup
            if self.random.random() < 0.2 and _connect_datagram(made):
                self.story.append("… connected")
                self.others.append(made)
            else:
                self.listeners.append((made, setup))
        if self.random.random() < 0.2:
            self._change_options()

    def _listen(self, like: Optional[Setup]) -> Optional[Setup]:
        setup = draw_setup(self.random, socket.SOCK_STREAM, like)
        return setup if self._listen_as(setup) else None

    def _listen_as(self, setup: Setup) -> bool:
        made = None
        try:
            made = make_socket(setup, self.port, self._namespaces)
            made.listen(16)
        except OSError as error:
            self.story.append(f"{setup}: {errno.errorcode.get(error.errno or 0)}")
            if made is not None:
                made.close()
            return False
        made.setblocking(False)
        self.story.append(f"listens: {setup}")
        self.listeners.append((made, setup))
        return True

    def _restart_in_the_past(self, setup: Setup) -> bool:
        """The same program ran before, with the same options."""
        for listener, _setup in self.listeners:
            listener.close()
        self.listeners = []
        self.story.append("closes")
        return self._listen_as(setup)

    def _change_options(self) -> None:
        """Programs change what they had set, after the sockets were bound. No connection has inherited it yet.

        SO_REUSEPORT is only ever dropped: what the kernel remembers of the port is of the time of the bind, and a
        socket that was given it late looks like one that was bound with it.
        """
        if self.has_connected:
            return
        for changing in (*self.others, *(listener for listener, _setup in self.listeners)):
            if self.random.random() < 0.6:
                option = self.random.choice((socket.SO_REUSEADDR, socket.SO_REUSEPORT))
                value = option == socket.SO_REUSEADDR and self.random.random() < 0.3
                if option == socket.SO_REUSEPORT and changing.getsockopt(socket.SOL_SOCKET, option):
                    self.dropped_reuseport = True
                changing.setsockopt(socket.SOL_SOCKET, option, value)
                self.story.append(f"changes {changing.getsockname()[:2]}: option {option} = {value}")

    def _bind_quietly(self, chance: float) -> Optional[Setup]:
        if self.random.random() >= chance:
            return None
        setup = draw_setup(self.random, socket.SOCK_STREAM)
        with suppress(OSError):
            self.others.append(make_socket(setup, self.port, self._namespaces))
            self.story.append(f"binds: {setup}")
        return setup

    def _go_out(self, like: Optional[Setup]) -> None:
        """An outgoing connection from this very port."""
        setup = draw_setup(self.random, socket.SOCK_STREAM, like)._replace(device="")
        if (
            setup.address in LOOPBACKS
            or setup.address.startswith("::ffff:127")
            or setup.address in ("::1", LINK_LOCAL6)
        ):
            return
        made = None
        try:
            made = make_socket(setup, self.port, self._namespaces)
            made.settimeout(PATIENCE)
            upstream = CLIENT4 if setup.family == socket.AF_INET else CLIENT6
            made.connect((f"::ffff:{CLIENT4}" if setup.address.startswith("::ffff:") else upstream, UPSTREAM_PORT))
        except OSError:
            if made is not None:
                made.close()
            return
        self._held.append(self._namespaces.upstream.accept()[0])
        self.story.append(f"connects out: {setup}")
        self.others.append(made)

    def _connect_some(self) -> None:
        pasts = self.random.choices(PASTS, k=self.random.choice((0, 1, 1, 2, 3)))
        # Those that stay in a queue come last, or they would be accepted in place of later ones.
        for past in sorted(pasts, key=lambda past: past.startswith("not accepted")):
            if self.listeners:
                self._connect(self.random.choice(self.listeners)[1], past)

    def _connect(self, setup: Setup, past: str) -> None:
        client = self._make_client(setup)
        if client is None:
            return
        self.has_connected = True
        self.story.append(f"connection from {client.getsockname()[:2]} to {client.getpeername()[0]}: {past}")
        if past.startswith("not accepted"):
            self._held.append(client)
            if past != "not accepted":
                client.shutdown(socket.SHUT_WR)
            return
        server = self._accept()
        if server is None:
            self._held.append(client)
            return
        with suppress(ConnectionError, BrokenPipeError):
            self._live_out(client, server, past)

    def _make_client(self, setup: Setup) -> Optional[socket.socket]:
        """Connected to whichever listener the kernel picks for an address of this one, or None."""
        outside = (
            setup.device == DEVICE or setup.address == LINK_LOCAL6 or (not setup.device and self.random.random() < 0.4)
        )
        target: str = setup.address.removeprefix("::ffff:")
        if target in ("0.0.0.0", "::"):
            target = self._pick_target(setup, target, outside)
        if outside and target in (*LOOPBACKS, "::1"):
            return None
        scope = 0
        if target == LINK_LOCAL6:
            scope = self._namespaces.peer_index if outside else self._namespaces.device_index
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        if outside:
            with self._namespaces.outside():
                client = socket.socket(family, socket.SOCK_STREAM)
        else:
            client = socket.socket(family, socket.SOCK_STREAM)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        client.settimeout(PATIENCE)
        try:
            client.connect((target, self.port, 0, scope) if family == socket.AF_INET6 else (target, self.port))
        except OSError:
            client.close()
            return None
        return client

    def _pick_target(self, setup: Setup, wildcard: str, outside: bool) -> str:
        ipv4: list[str] = [SERVER4, SECOND4] if outside else [*LOOPBACKS, SERVER4]
        ipv6: list[str] = [SERVER6, LINK_LOCAL6] if outside else ["::1", SERVER6]
        if wildcard == "0.0.0.0":
            return self.random.choice(ipv4)
        return self.random.choice(ipv6 if setup.v6only else ipv4 + ipv6)

    def _accept(self) -> Optional[socket.socket]:
        """From whichever listener has it."""
        for _attempt in range(200):
            for listener, setup in self.listeners:
                # Mostly by the listener's own user; else as a server does that drops its rights after bind.
                uid = setup.uid if self.random.random() < 0.9 else self.random.choice(UIDS)
                with suppress(BlockingIOError), acting_as(uid):
                    return listener.accept()[0]
        return None

    def _live_out(self, client: socket.socket, server: socket.socket, past: str) -> None:
        self._held += [client, server]
        if past == "server closes first":
            server.close()
            client.recv(1)
            client.close()
        elif past == "client closes first":
            client.close()
            server.recv(1)
            server.close()
        elif past == "server half closed":
            server.shutdown(socket.SHUT_WR)
        elif past == "client half closed":
            client.shutdown(socket.SHUT_WR)
            server.recv(1)
        elif past == "orphan waits for the client":
            server.close()
            client.recv(1)
        elif past == "orphan with unsent data":
            self.stuck += 1
            _fill(server)
            server.close()
        elif past == "orphan that answers":
            client.shutdown(socket.SHUT_WR)
            server.recv(1)
            _fill(server)
            server.close()
        elif past == "reset":
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.close()
        elif past == "closed and still held":
            server.shutdown(socket.SHUT_RDWR)
            client.recv(1)
            client.close()


def _fill(server: socket.socket) -> None:
    """More than the client's window takes, so that the closing FIN stays unsent."""
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    server.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            server.send(bytes(32768))


def _connect_datagram(made: socket.socket) -> bool:
    targets = ("127.0.0.9",) if made.family == socket.AF_INET else ("::1", f"::ffff:{LOOPBACKS[0]}", SERVER6)
    for target in targets:
        with suppress(OSError):
            made.connect((target, 53))
            return True
    return False
