# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs with which the kernel picks rows of a sock_diag dump by local port (INET_DIAG_REQ_BYTECODE).

An instruction is struct inet_diag_bc_op { __u8 code, yes; __u16 no; }: continue `yes` or `no` bytes further on. A port
comparison has the port in the `no` of the instruction behind it. A row is taken when the program ends exactly at its
end, and left when it goes 4 bytes beyond (inet_diag_bc_run, net/ipv4/inet_diag.c). `yes` is one byte, so only `no`
reaches far; the kernel's check wants every target on an instruction that the chain of `yes` also meets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

INET_DIAG_REQ_BYTECODE = 1

_JMP, _S_GE, _S_LE = 1, 2, 3  # all three are as old as sock_diag itself; S_EQ is not
_OP = struct.Struct("=BBH")
_COMPARISON, _JUMP = 2 * _OP.size, _OP.size
_LEAF = 2 * _COMPARISON + _JUMP

# The kernel checks a program in time quadratic in its length and runs it for each row. Beyond this the nearest ports
# are merged, so that the kernel sends a few rows too many, which the reader drops.
MOST_RANGES = 64


def pack_port_filter(ports: Iterable[int]) -> bytes:
    """A program that takes every row whose local port is one of `ports` (and maybe a few more). At least one port."""
    ranges = merge_ports(ports, MOST_RANGES)
    if not ranges:
        raise ValueError("a filter needs at least one port")
    return _pack_tree(ranges, 0)


def merge_ports(ports: Iterable[int], most: int) -> list[tuple[int, int]]:
    """(first, last) of at most `most` ranges that hold all the ports, with as few others as can be."""
    ranges: list[tuple[int, int]] = []
    for port in sorted(set(ports)):
        if ranges and ranges[-1][1] == port - 1:
            ranges[-1] = (ranges[-1][0], port)
        else:
            ranges.append((port, port))
    if len(ranges) <= most:
        return ranges
    # Keep the most - 1 widest gaps between neighbours.
    widest = sorted(range(1, len(ranges)), key=lambda right: ranges[right - 1][1] - ranges[right][0])[: most - 1]
    starts = [0, *sorted(widest)]
    ends = [*(start - 1 for start in starts[1:]), len(ranges) - 1]
    return [(ranges[start][0], ranges[end][1]) for start, end in zip(starts, ends)]


def _pack_tree(ranges: list[tuple[int, int]], behind: int) -> bytes:
    """A binary search, `behind` bytes before the program's end: the upper half first, in reach of `yes`."""
    if len(ranges) == 1:
        return _pack_leaf(ranges[0], behind)
    middle = len(ranges) // 2
    lower = _pack_tree(ranges[:middle], behind)
    upper = _pack_tree(ranges[middle:], behind + len(lower))
    return _compare(_S_GE, ranges[middle][0], _COMPARISON + len(upper)) + upper + lower


def _pack_leaf(ports: tuple[int, int], behind: int) -> bytes:
    rest = behind + _LEAF  # to the end, from the first instruction of this leaf
    return (
        _compare(_S_GE, ports[0], rest + 4)
        + _compare(_S_LE, ports[1], rest - _COMPARISON + 4)
        + _OP.pack(_JMP, _JUMP, rest - 2 * _COMPARISON)
    )


def _compare(code: int, port: int, otherwise: int) -> bytes:
    return _OP.pack(code, _COMPARISON, otherwise) + _OP.pack(0, 0, port)
