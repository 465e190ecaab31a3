"""The engines as bars, an SVG that reads on light and on dark pages."""

from __future__ import annotations

from html import escape
from typing import Any

WIDTH, LEFT, BAR, ROW, TOP = 760, 190, 14, 54, 64
STYLE = """text{font:13px system-ui,sans-serif;fill:#24292f}.q{fill:#57606a;font-size:12px}
.r{fill:#2f6f9f}.c{fill:#c9803a}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9aa4ae}.r{fill:#5aa5d8}.c{fill:#e0a060}}"""


def bars(engines: list[dict[str, Any]]) -> str:
    """Events a second and CPU seconds a million events, each to its own scale."""
    room = WIDTH - LEFT - 110
    fastest = max(one["events_per_second"] for one in engines)
    dearest = max(one["cpu_seconds_per_million"] for one in engines)
    height = TOP + ROW * len(engines)
    title = "Events a second and CPU seconds a million events, by engine"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{title}"><title>{title}</title><style>{STYLE}</style>',
        f'<rect class="r" x="{LEFT}" y="16" width="12" height="12"/>'
        f'<text x="{LEFT + 18}" y="27">events a second (longer is better)</text>',
        f'<rect class="c" x="{LEFT + 260}" y="16" width="12" height="12"/>'
        f'<text x="{LEFT + 278}" y="27">CPU s a million (shorter is better)</text>',
    ]
    for number, one in enumerate(engines):
        y = TOP + ROW * number
        rate, cpu = one["events_per_second"], one["cpu_seconds_per_million"]
        parts += [
            f'<text x="{LEFT - 12}" y="{y + 12}" text-anchor="end">{escape(one["name"])}</text>',
            f'<text class="q" x="{LEFT - 12}" y="{y + 29}" text-anchor="end">'
            f"{escape(one['how'].partition(';')[0])}</text>",
            *_bar("r", y, rate / fastest * room, f"{rate:,}"),
            *_bar("c", y + BAR + 4, cpu / dearest * room, f"{cpu:,.1f} s"),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(kind: str, y: int, width: float, label: str) -> list[str]:
    return [
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{max(width, 1):.0f}" height="{BAR}" rx="2"/>',
        f'<text class="q" x="{LEFT + width + 8:.0f}" y="{y + 12}">{label}</text>',
    ]
