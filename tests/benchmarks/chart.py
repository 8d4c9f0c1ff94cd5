# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Line charts and bars as SVG, side by side in one file: just enough of it, written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from .report import Chart

_WIDTH, _HEIGHT = 560, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 60
_COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#6a4c93", "#2e4057")


def write_charts(charts: Sequence[Chart], path: Path) -> None:
    drawn = [
        f'<g transform="translate({number % 2 * _WIDTH} {number // 2 * _HEIGHT})">{draw_chart(chart)}</g>'
        for number, chart in enumerate(charts)
    ]
    width, height = 2 * _WIDTH, (len(charts) + 1) // 2 * _HEIGHT
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(drawn)
        + "\n</svg>\n",
        encoding="utf-8",
    )


def draw_chart(chart: Chart) -> str:
    largest_x = max(x for curve in chart.curves for x, _y in curve.points) or 1
    largest_y = max(y for curve in chart.curves for _x, y in curve.points) * 1.1 or 1

    def place(x: float, y: float) -> tuple[float, float]:
        right = _LEFT + x / largest_x * (_WIDTH - _LEFT - _RIGHT)
        return right, _HEIGHT - _BOTTOM - y / largest_y * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<text x="{_WIDTH / 2}" y="20" text-anchor="middle" font-size="14">{escape(chart.title)}</text>']
    for step in range(5):
        x, y = largest_x * step / 4, largest_y * step / 4
        left, level = place(0, y)
        parts.append(f'<path d="M{left} {level:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{level + 4:.1f}" text-anchor="end">{_short(y)}</text>')
        across, bottom = place(x, 0)
        parts.append(f'<text x="{across:.1f}" y="{bottom + 18}" text-anchor="middle">{_short(x)}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 22}" text-anchor="middle">{escape(chart.x)}</text>')
    parts.append(f'<text x="14" y="{_TOP - 12}">{escape(chart.y)}</text>')
    for number, curve in enumerate(chart.curves):
        colour = _COLOURS[number % len(_COLOURS)]
        placed = [place(x, y) for x, y in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed]
        parts.append(f'<text x="{_LEFT + 8}" y="{_TOP + 8 + 16 * number}" fill="{colour}">{escape(curve.name)}</text>')
    return "".join(parts)


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:.3g}"
