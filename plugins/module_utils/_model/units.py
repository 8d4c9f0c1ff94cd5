# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd says of a unit, as far as a restart depends on it. Names as in systemctl show; systemd.unit(5)."""

from typing import NamedTuple, Optional


class EnvironmentFile(NamedTuple):
    path: str
    optional: bool  # with a leading "-" in the unit: may be missing


class UnitListen(NamedTuple):
    """One ListenStream= or ListenDatagram= of a .socket unit."""

    protocol: str  # tcp | udp
    packed: bytes
    port: int  # 0: any that was free
    device: Optional[str]  # BindToDevice=, or the scope of a link-local address


class Unit(NamedTuple):
    """One unit, as its manager has it in memory (which is what a restart works with, whatever the file says by now)."""

    name: str
    load_state: str  # loaded | not-found | masked | bad-setting | error | …
    active_state: str  # active | reloading | inactive | failed | activating | deactivating
    sub_state: str
    transient: bool  # made by systemd-run and the like: once stopped, it is gone
    can_start: bool
    can_stop: bool
    can_reload: bool
    refuse_manual_start: bool
    refuse_manual_stop: bool
    need_daemon_reload: bool  # the file on disk is newer
    kill_mode: str  # control-group | mixed | process | none
    control_group: str
    main_pid: int  # 0 = none
    user: str  # User=, empty for root
    exec_path: str  # the program of the first command; empty where there is none
    exec_start: tuple[str, ...]  # words of the first command; a word that contains blanks cannot be told from several
    environment: tuple[str, ...]  # NAME=VALUE
    environment_files: tuple[EnvironmentFile, ...]
    accept: bool  # .socket: one service instance per connection
    free_bind: bool  # .socket: FreeBind= or Transparent=, so that any address can be bound
    listens: tuple[UnitListen, ...]  # .socket
    unix_listens: int  # .socket: how many of its listens are no Internet sockets
    triggers: tuple[str, ...]  # .socket → its service
    triggered_by: tuple[str, ...]  # service → its sockets
    after: tuple[str, ...]
    restarted_along: tuple[str, ...]  # RequiredBy=, PartOf= and the like: a stop stops them too, and so does a restart

    @property
    def is_active(self) -> bool:
        return self.active_state in ("active", "reloading", "activating")
