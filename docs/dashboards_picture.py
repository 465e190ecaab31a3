"""Draws the dashboards from what a Prometheus knows, for where no Grafana is at hand.

`python docs/dashboards_picture.py URL FOLDER [AGENCY] [MINUTES]` asks every panel's query and writes
crosstown-ops.svg, -agency.svg and -leadership.svg: the panels where Grafana would put them, simpler.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import sys
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

BOARDS: Final = Path(__file__).parents[1] / "deploy/grafana/dashboards"
X, Y, GAP = 46, 30, 6
"""Pixels of one cell of Grafana's grid, and between panels."""
COLOURS: Final = (
    "#73bf69",
    "#5794f2",
    "#f2cc0c",
    "#ff780a",
    "#b877d9",
    "#f2495c",
    "#8ab8ff",
    "#96d98d",
)
HIDDEN: Final = {"__name__", "Time", "instance", "job"}
Series = tuple[str, list[tuple[float, float]]]


def main() -> None:
    """Ask and draw."""
    url, folder = sys.argv[1], Path(sys.argv[2])
    agency = sys.argv[3] if len(sys.argv) > 3 else "xx-county-health"
    minutes = float(sys.argv[4]) if len(sys.argv) > 4 else 5.0
    for file in sorted(BOARDS.glob("*.json")):
        board = json.loads(file.read_text("utf-8"))
        asked = Asked(url, agency, minutes * 60)
        (folder / f"{file.stem}.svg").write_text(picture(board, asked), "utf-8")


class Asked:
    """Answers of one Prometheus, with the dashboards' variables filled in."""

    def __init__(self, url: str, agency: str, seconds: float) -> None:
        self.url, self.agency, self.seconds, self.now = (
            url.rstrip("/"),
            agency,
            seconds,
            time.time(),
        )

    def __call__(self, target: dict[str, Any]) -> list[dict[str, Any]]:
        """The series of one query: over time, or as they are now."""
        expr = target["expr"].replace("$__rate_interval", "30s").replace("$agency", self.agency)
        words = {"query": expr, "time": self.now}
        if not target.get("instant"):
            step = max(1.0, self.seconds / 75)
            words = {"query": expr, "start": self.now - self.seconds, "end": self.now, "step": step}
        path = "query" if target.get("instant") else "query_range"
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(words)}", timeout=30) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def picture(board: dict[str, Any], asked: Asked) -> str:
    """One dashboard as an SVG."""
    height = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in board["panels"])
    at = dt.datetime.fromtimestamp(asked.now, dt.UTC)
    parts = [f'<text x="8" y="22" class="h">{escape(board["title"])}</text>',
             f'<text x="{24 * X - 8}" y="22" text-anchor="end" class="s">drawn from Prometheus, {at:%Y-%m-%d %H:%M} UTC</text>']  # fmt: skip
    for panel in board["panels"]:
        parts += panel_of(panel, asked)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * X} {height * Y + 34}" font-family="sans-serif">'
        "<style>text{fill:#ccccdc;font-size:11px} .h{font-size:16px} .t{font-weight:bold} .s{fill:#8e8e9c}"
        " .n{font-size:30px}</style>"
        f'<rect width="100%" height="100%" fill="#111217"/>{"".join(parts)}</svg>\n'
    )


def panel_of(panel: dict[str, Any], asked: Asked) -> Iterator[str]:
    """A panel at its place, cut off where it ends."""
    at = panel["gridPos"]
    wide, high = at["w"] * X - GAP, at["h"] * Y - GAP
    yield f'<svg x="{at["x"] * X + GAP / 2}" y="{at["y"] * Y + 34}" width="{wide}" height="{high}">'
    if panel["type"] != "row":
        yield '<rect width="100%" height="100%" rx="3" fill="#181b1f" stroke="#2c2f36"/>'
    title = panel["title"].replace("$agency", asked.agency)
    yield f'<text x="8" y="16" class="t">{escape(title)}</text>'
    draw = {"stat": stat, "timeseries": lines, "table": table, "text": words}.get(panel["type"])
    if draw:
        yield from draw(panel, asked, wide, high)
    yield "</svg>"


def words(panel: dict[str, Any], _asked: Asked, wide: int, _high: int) -> Iterator[str]:
    """Markdown as plain lines."""
    line, y = "", 34
    for word in [*panel["options"]["content"].replace("**", "").split(), ""]:
        if not word or len(line) + len(word) > wide / 5.8:
            yield f'<text x="8" y="{y}">{escape(line)}</text>'
            line, y = "", y + 16
        line += f"{word} "


def stat(panel: dict[str, Any], asked: Asked, _wide: int, high: int) -> Iterator[str]:
    """One large figure, in the colour of its threshold."""
    found = asked(panel["targets"][0])
    if not found:
        yield f'<text x="8" y="{high / 2}">nobody answers</text>'
        return
    value = float(found[0]["value"][1])
    colour = "#ccccdc"
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = {"green": "#73bf69", "yellow": "#f2cc0c", "red": "#f2495c"}.get(
                step["color"], "#ccccdc"
            )
    shown = figure(value, panel["fieldConfig"]["defaults"].get("unit", ""))
    yield f'<text x="8" y="{high / 2 + 20}" class="n" style="fill:{colour}">{shown}</text>'


def lines(panel: dict[str, Any], asked: Asked, wide: int, high: int) -> Iterator[str]:
    """The largest eight series over time, with a legend."""
    unit = panel["fieldConfig"]["defaults"].get("unit", "")
    found = sorted(series(panel, asked), key=lambda one: -one[1][-1][1])[:8]
    top = max((v for _, points in found for _, v in points), default=1.0) or 1.0
    bottom = high - 16 - 13 * min(len(found), 5)
    yield f'<text x="{wide - 8}" y="16" text-anchor="end" class="s">{figure(top, unit)}</text>'
    for (_, points), colour in zip(found, COLOURS, strict=False):
        path = " ".join(
            f"{8 + (t - asked.now + asked.seconds) / asked.seconds * (wide - 16):.1f},"
            f"{bottom - v / top * (bottom - 26):.1f}" for t, v in points
        )  # fmt: skip
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    for n, ((name, points), colour) in enumerate(zip(found[:5], COLOURS, strict=False)):
        y = bottom + 16 + 13 * n
        yield f'<rect x="8" y="{y - 7}" width="10" height="3" fill="{colour}"/>'
        yield f'<text x="24" y="{y}">{escape(name)}</text>'
        yield f'<text x="{wide - 8}" y="{y}" text-anchor="end">{figure(points[-1][1], unit)}</text>'


def series(panel: dict[str, Any], asked: Asked) -> Iterator[Series]:
    """Named as Grafana would, without what isn't a number."""
    for target in panel["targets"]:
        for one in asked(target):
            name = target.get("legendFormat", "")
            for label in one["metric"]:
                name = name.replace(f"{{{{{label}}}}}", one["metric"][label])
            while "{{" in name:
                name = name[: name.index("{{")] + name[name.index("}}") + 2 :]
            points = [(t, float(v)) for t, v in one["values"] if math.isfinite(float(v))]
            if points:
                yield name.strip() or panel["title"], points


def table(panel: dict[str, Any], asked: Asked, wide: int, high: int) -> Iterator[str]:
    """A line a set of labels, a column a query, as many as there is room for."""
    columns = {
        one["matcher"]["options"]: {p["id"]: p["value"] for p in one["properties"]}
        for one in panel["fieldConfig"]["overrides"]
    }
    heads: list[tuple[str, str]] = []
    cells: list[tuple[dict[str, str], str, str]] = []
    for target in panel["targets"]:
        key = "Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}"
        look = columns[key]
        heads.append((key, str(look["displayName"])))
        for one in asked(target):
            labels = {k: v for k, v in one["metric"].items() if k not in HIDDEN}
            cells.append((labels, key, figure(float(one["value"][1]), str(look.get("unit", "")))))
    common = set.intersection(*(set(labels) for labels, _, _ in cells)) if cells else set()
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for labels, key, shown in cells:  # as Grafana merges: what all have in common names the row
        rows.setdefault(tuple(labels[k] for k in sorted(common)), {}).update(labels | {key: shown})
    titles = sorted({k for labels, _, _ in cells for k in labels})
    wide_each = (wide - 16) / max(1, len(titles) + len(heads))
    for n, head in enumerate([*titles, *(name for _, name in heads)]):
        yield f'<text x="{8 + n * wide_each:.0f}" y="34" class="s">{escape(head)}</text>'
    for y, row in zip(range(50, high, 15), rows.values(), strict=False):
        for n, key in enumerate([*titles, *(key for key, _ in heads)]):
            cell = row.get(key, "")
            short = cell if len(cell) * 6 < wide_each else cell[: int(wide_each / 6)] + "…"
            yield f'<text x="{8 + n * wide_each:.0f}" y="{y}">{escape(short)}</text>'


def figure(value: float, unit: str) -> str:
    """A figure with its unit, as short as Grafana has it."""
    if value == -1:
        return "never"
    if unit == "percentunit":
        return f"{value * 100:,.1f}%"
    scales = {"s": ((86400 * 7, "weeks"), (86400, "days"), (3600, "hours"), (60, "min"), (1, "s")),
              "bytes": ((2**30, "GiB"), (2**20, "MiB"), (1, "B"))}.get(unit, ((1e6, "M"), (1e3, "k"), (1, "")))  # fmt: skip
    if unit == "none":
        return f"{value:,.0f}"
    by, word = next((one for one in scales if abs(value) >= one[0]), scales[-1])
    rate = {"cps": "/s", "reqps": "/s"}.get(unit, "")
    return f"{value / by:,.3g} {word}{rate}".replace(" /", "/").strip()


if __name__ == "__main__":
    main()
