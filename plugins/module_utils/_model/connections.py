# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds a port: listeners, connections, what is left of them, and sockets that are merely bound."""

from typing import NamedTuple, Optional

from . import bindings

LISTENING = "listening"
ESTABLISHED = "established"
SYN_SENT = "syn_sent"
SYN_RECEIVED = "syn_received"
FIN_WAIT_1 = "fin_wait_1"
FIN_WAIT_2 = "fin_wait_2"
TIME_WAIT = "time_wait"
CLOSE_WAIT = "close_wait"
LAST_ACK = "last_ack"
CLOSING = "closing"
BOUND = "bound"  # neither connected nor listening


class Occupant(NamedTuple):
    """One socket with a local port, or what is left of one, as the kernel lists it."""

    protocol: str  # tcp | udp
    family: str  # ipv4 | ipv6
    packed: bytes  # local address: 4 or 16 bytes, network order
    port: int
    peer_packed: bytes  # all zero when it is not connected
    peer_port: int
    state: str
    ifindex: int  # 0 = not pinned; children of a pinned listener are pinned as well
    uid: Optional[int]  # None for a timed row: the kernel keeps none there
    inode: int  # 0 = no process holds it: not accepted yet, an orphan, or a timed row
    clears_in: Optional[int]  # milliseconds until the kernel removes it, for a timed row; None = nobody can say
    v6only: Optional[bool]  # only said of sockets that listen or are merely bound

    @property
    def is_timed(self) -> bool:
        """No socket any more, only a row with a timer (struct inet_timewait_sock): TIME_WAIT, or FIN_WAIT_2 whose
        process has closed."""
        return self.clears_in is not None

    @property
    def is_unaccepted(self) -> bool:
        """Waits in the accept queue of a listener, and goes with it."""
        return (
            self.protocol == bindings.TCP and not self.inode and self.state in (ESTABLISHED, CLOSE_WAIT, SYN_RECEIVED)
        )

    @property
    def sort_key(self) -> tuple[object, ...]:
        return (self.protocol, self.packed, self.port, self.ifindex, self.peer_packed, self.peer_port, self.inode)
