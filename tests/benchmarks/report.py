# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured: rows with their target, as plain text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional, Union

Cell = Union[str, float, int]


class Target(NamedTuple):
    """One line of what is to be reached."""

    title: str
    value: float
    limit: float
    unit: str = "×"
    at_least: bool = False

    @property
    def is_reached(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


class Table(NamedTuple):
    title: str
    heads: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


class Curve(NamedTuple):
    """One line of a chart: y over x."""

    name: str
    points: Sequence[tuple[float, float]]


class Chart(NamedTuple):
    title: str
    x: str
    y: str
    curves: Sequence[Curve]


class Part(NamedTuple):
    """What one part of the benchmarks found out."""

    name: str
    tables: Sequence[Table]
    targets: Sequence[Target]
    charts: Sequence[Chart] = ()


def format_part(part: Part) -> str:
    blocks = [format_table(table) for table in part.tables]
    if part.targets:
        blocks.append(format_targets(part.targets))
    return f"== {part.name} ==\n\n" + "\n\n".join(blocks) + "\n"


def format_targets(targets: Sequence[Target]) -> str:
    rows = []
    for target in targets:
        bound = f"{'at least' if target.at_least else 'at most'} {_format(target.limit)} {target.unit}"
        verdict = "reached" if target.is_reached else "MISSED"
        rows.append((target.title, f"{_format(target.value)} {target.unit}", bound, verdict))
    return format_table(Table("Targets", ("what", "measured", "target", ""), rows))


def format_table(table: Table) -> str:
    """Numbers to the right, all else to the left."""
    lines = [list(table.heads), *([_format(cell) for cell in row] for row in table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.heads))]
    numeric = [all(not isinstance(row[column], str) for row in table.rows) for column in range(len(table.heads))]
    shown = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(line, widths, numeric)
        ).rstrip()
        for line in lines
    ]
    shown.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([table.title, *shown, *([table.note] if table.note else [])])


def _format(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 1000:
        return f"{cell:,.0f}"
    return f"{cell:.2f}" if abs(cell) < 10 else f"{cell:.1f}"


def write_json(parts: Sequence[Part], facts: dict[str, str], path: Path) -> None:
    document = {
        "machine": facts,
        "parts": [
            {
                "name": part.name,
                "targets": [{**target._asdict(), "reached": target.is_reached} for target in part.targets],
                "tables": [
                    {
                        "title": table.title,
                        "rows": [dict(zip(table.heads, row)) for row in table.rows],
                        "note": table.note,
                    }
                    for table in part.tables
                ],
                "charts": [
                    {**chart._asdict(), "curves": [curve._asdict() for curve in chart.curves]} for chart in part.charts
                ],
            }
            for part in parts
        ],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def find_target(parts: Sequence[Part], title: str) -> Optional[Target]:
    return next((target for part in parts for target in part.targets if target.title == title), None)
