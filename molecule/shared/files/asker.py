#!/usr/bin/env python3
# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks servers twice a second whether they still answer, and counts: asker.py FILE KIND=ADDRESS:PORT…

KIND is http or postgresql. FILE has one line for each: KIND ASKED FAILED.
"""

from __future__ import annotations

import os
import socket
import sys
import time

QUESTIONS = {
    "http": (b"GET / HTTP/1.0\r\n\r\n", b"HTTP/"),
    "postgresql": (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"NS"),  # SSLRequest; answered with one of these letters
}


def is_answering(kind: str, address: str, port: int) -> bool:
    question, answer = QUESTIONS[kind]
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            connection.sendall(question)
            said = connection.recv(5)
    except OSError:
        return False
    return bool(said) and (said in answer or said == answer)


def main() -> None:
    path, *wishes = sys.argv[1:]
    counts = {wish: [0, 0] for wish in wishes}
    while True:
        started = time.monotonic()
        for wish, count in counts.items():
            kind, _equals, where = wish.partition("=")
            address, _colon, port = where.rpartition(":")
            count[0] += 1
            count[1] += not is_answering(kind, address, int(port))
        with open(f"{path}.new", "w", encoding="ascii") as stream:
            for wish, (asked, failed) in counts.items():
                stream.write(f"{wish.partition('=')[0]} {asked} {failed}\n")
        os.replace(f"{path}.new", path)
        time.sleep(max(0.0, 0.5 - (time.monotonic() - started)))


if __name__ == "__main__":
    main()
