# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for people: names as a host reports them, made harmless, and addresses in one spelling everywhere."""

from __future__ import annotations

from struct import Struct

from .._model import addresses, bindings

_WORDS = Struct("!8H")
_ZERO_RUNS = tuple(":0" * length + ":" for length in range(8, 1, -1))  # the longest first


def printable(raw: bytes | str) -> str:
    """Text that can be shown on a terminal and written to a log: what the host said, with everything dangerous escaped.

    Bytes that are not UTF-8 (also as the surrogates that os.fsdecode makes of them) become \\xNN. Control characters,
    ESC, line separators, format and bidi characters and lone surrogates become \\n, \\x1b, \\u202e and so on. All other
    text is unchanged; a backslash is not doubled, because unit names such as dev-disk-by\\x2duuid.swap contain it.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join([character if character.isprintable() else _escape(character) for character in text])


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return character.encode("unicode_escape").decode("ascii")
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: an undecodable byte
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def format_address(packed: bytes) -> str:
    """RFC 5952 text of 4 or 16 bytes in network order; v4-mapped addresses in dotted form (::ffff:192.0.2.5).

    Written out here because neither peer is the same everywhere: ipaddress spells v4-mapped addresses differently
    before Python 3.13, inet_ntop of the C library also dots v4-compatible ones (::192.0.2.5). ValueError for other
    lengths.
    """
    if len(packed) == 4:
        return "{}.{}.{}.{}".format(*packed)
    if len(packed) != 16:
        raise ValueError(f"an address has 4 or 16 bytes, not {len(packed)}")
    if packed[:12] == addresses.V4_MAPPED:
        return "::ffff:{}.{}.{}.{}".format(*packed[12:])
    text = ":{:x}:{:x}:{:x}:{:x}:{:x}:{:x}:{:x}:{:x}:".format(*_WORDS.unpack(packed))
    if ":0:0:" in text:  # a single zero word is never shortened (RFC 5952, 4.2.2)
        for run in _ZERO_RUNS:
            if run in text:  # the first of equals (4.2.3)
                text = text.replace(run, "::", 1)
                break
    start = 0 if text.startswith("::") else 1
    end = len(text) if text.endswith("::") else -1
    return text[start:end]


def format_endpoint(socket: bindings.Socket) -> str:
    """192.0.2.5:443/tcp, [2001:db8::5]:53/udp."""
    text = format_address(socket.packed)
    return f"{text if len(socket.packed) == 4 else f'[{text}]'}:{socket.port}/{socket.protocol}"
