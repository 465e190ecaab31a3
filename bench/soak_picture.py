"""What the soak saw, as a table in Markdown and as lines in an SVG that reads on light and dark pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.soak import Look

WIDTH, LEFT, RIGHT, PANEL, GAP = 860, 70, 130, 150, 46
COLOURS = ("#2f6f9f", "#c9803a", "#3f8f5f", "#a8467a", "#7a6fc0", "#8a7a2f", "#4a9aa8", "#b04a3f",
           "#5f7f2f", "#777777", "#c05f9f", "#2f9f8f", "#9f6f4f")  # fmt: skip
STYLE = """text{font:12px system-ui,sans-serif;fill:#24292f}.q{fill:#57606a}.h{font-weight:600}
.g{stroke:#d0d7de}path{fill:none;stroke-width:1.6}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9aa4ae}.g{stroke:#3d444d}}"""


def table(about: dict[str, Any], seen: Sequence[Look]) -> str:
    """A row a process. Memory's slope is that of the straight line through the last two thirds."""
    rows = [
        f"| {name} | {mine[0].rss / 1e6:,.0f} | {mine[-1].rss / 1e6:,.0f} | {slope(mine) / 1e6:+,.1f} "
        f"| {mine[0].handles} | {max(one.handles for one in mine)} | {mine[-1].handles} "
        f"| {100 * (mine[-1].cpu - mine[0].cpu) / (mine[-1].at - mine[0].at):.0f} "
        f"| {most(mine)} |"
        for name, mine in by_name(seen).items()
    ]
    behind = ", ".join(f"{name} {lag:,}" for name, lag in about["behind"].items())
    end = f"still behind then: {behind}" if behind else "all had caught up"
    return "\n".join([
        f"{about['sent']:,} events in {about['seconds']:,.0f} s ({about['rate']:,} a second wanted), "
        f"{about['acknowledged']:,} acknowledged, {about['heard']:,} heard by the feed's reader, "
        f"{about['heard_out_of_order']} of them out of order. Looked at for {about['took']:,.0f} s; {end}. "
        f"{about['cores']} cores. Started again: {about['restarts'] or 'nothing'}.", "",
        "| process | MB, first | MB, last | MB an hour | handles, first | most | last | CPU % | most behind |",
        "|---|---|---|---|---|---|---|---|---|", *rows, "",
    ])  # fmt: skip


def most(mine: Sequence[Look]) -> str:
    """The greatest lag of a process, in messages; empty where it has none."""
    found = [one.lag for one in mine if one.lag is not None]
    return f"{max(found):,}" if found else ""


def by_name(seen: Sequence[Look]) -> dict[str, list[Look]]:
    """The looks at each process, in order."""
    found: dict[str, list[Look]] = {}
    for one in seen:
        found.setdefault(one.name, []).append(one)
    return found


def slope(mine: Sequence[Look]) -> float:
    """Bytes an hour of the least-squares line through the last two thirds."""
    late = mine[len(mine) // 3 :]
    at = sum(one.at for one in late) / len(late)
    rss = sum(one.rss for one in late) / len(late)
    spread = sum((one.at - at) ** 2 for one in late)
    return 3600 * sum((one.at - at) * (one.rss - rss) for one in late) / spread if spread else 0.0


def picture(about: dict[str, Any], seen: Sequence[Look]) -> str:
    """Memory, file handles and lag over time, a line a process."""
    panels: list[tuple[str, Callable[[Look], float | None]]] = [
        ("memory, MB", lambda one: one.rss / 1e6),
        ("file handles", lambda one: one.handles),
        ("lag, messages", lambda one: one.lag),
    ]
    height = 40 + len(panels) * (PANEL + GAP) + 10
    title = (f"{about['rate']:,} events a second for {about['seconds'] / 60:.0f} minutes: "
             "memory, file handles and lag of each process")  # fmt: skip
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title><style>{STYLE}</style>'
        f'<text class="h" x="10" y="20">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(panels):
        lines += panel(40 + number * (PANEL + GAP), name, value, by_name(seen))
    return "\n".join([*lines, "</svg>"]) + "\n"


def panel(
    top: float, name: str, value: Callable[[Look], float | None], seen: dict[str, list[Look]]
) -> list[str]:
    """One panel; the names stand at the lines' ends, moved apart where they would overlap."""
    points = {who: [(one.at, v) for one in mine if (v := value(one)) is not None]
              for who, mine in seen.items()}  # fmt: skip
    points = {who: mine for who, mine in points.items() if mine}
    if not points:
        return []
    last = max(at for mine in points.values() for at, _ in mine)
    peak = max(v for mine in points.values() for _, v in mine) or 1
    room = WIDTH - LEFT - RIGHT

    def place(at: float, v: float) -> tuple[float, float]:
        return LEFT + room * at / last, top + 20 + PANEL * (1 - v / peak)

    lines = [f'<text x="10" y="{top + 8}">{name}</text>']
    for share in (0, 0.5, 1):
        y = top + 20 + PANEL * (1 - share)
        lines.append(f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
                     f'<text class="q" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{peak * share:,.0f}</text>')  # fmt: skip
    lines += [f'<text class="q" x="{LEFT + room * share}" y="{top + PANEL + 36}" text-anchor="{anchor}">'
              f"{last * share / 60:.0f} min</text>" for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))]  # fmt: skip
    order = sorted(points, key=lambda who: -points[who][-1][1])
    labels = apart([place(*points[who][-1])[1] + 4 for who in order], top + PANEL + 34)
    for who, label in zip(order, labels, strict=True):
        colour = COLOURS[list(seen).index(who) % len(COLOURS)]
        path = " L".join(f"{x:.1f} {y:.1f}" for x, y in (place(*one) for one in points[who]))
        lines.append(f'<path stroke="{colour}" d="M{path}"/><text x="{WIDTH - RIGHT + 8}" y="{label:.1f}" '
                     f'style="fill:{colour}">{escape(who)}</text>')  # fmt: skip
    return lines


def apart(wanted: Sequence[float], lowest: float) -> list[float]:
    """Heights from above, at least twelve apart and none below `lowest`."""
    found: list[float] = []
    for one in wanted:
        found.append(max(one, found[-1] + 12) if found else one)
    for number in range(len(found) - 1, -1, -1):
        found[number] = min(found[number], lowest)
        lowest = found[number] - 12
    return found
