"""The few kinds of panel that the dashboards are made of, in the SDK's terms.

Each panel says under its (i) what it can't say and what to type. A query that finds nothing where
nothing is wrong shows 0, but only while something answers Prometheus: where nobody does, it shows
nothing, since a 0 would be a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import common as words
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

SOURCE: Final = models.DataSourceRef("prometheus", "${datasource}")
ANSWERS: Final = 'max(up{job="crosstown"} == 1)'
GREEN, YELLOW, RED = "green", "yellow", "red"
WIDTH: Final = 24
"""Columns of Grafana's grid."""
REFS: Final = "ABCDEFGHIJ"
NEVER: Final = models.ValueMap({"-1": models.ValueMappingResult(text="never", index=0)})


@dataclass(frozen=True, slots=True)
class Ask:
    """One query: PromQL, and what a series of it is called (`{{label}}` is filled in)."""

    expr: str
    name: str = ""
    unit: str = ""
    """Of a table's column, where it isn't a count."""


def or_zero(expr: str, label: str = "", value: str = "none") -> str:
    """The same, and 0 where it finds nothing though something answers; `label` names the 0."""
    return _or(expr, f"0 * {ANSWERS}", label, value)


def or_never(expr: str, label: str = "", value: str = "none") -> str:
    """The same, and -1 (shown as "never") where it finds nothing though something answers."""
    return _or(expr, f"0 * {ANSWERS} - 1", label, value)


def _or(expr: str, other: str, label: str, value: str) -> str:
    named = f'label_replace({other}, "{label}", "{value}", "", "")' if label else f"({other})"
    return f"({expr}) or on () {named}"


def number(title: str, says: str, ask: Ask, *, unit: str = "short", bad: tuple[float, ...] = (),
           span: int = 4, link: dashboard.DashboardLink | None = None) -> stat.Panel:  # fmt: skip
    """One figure as it is now, or one a series; from `bad` on it is yellow and red, else red."""
    one = (
        stat.Panel().title(title).description(says).datasource(SOURCE).unit(unit)
        .height(4).span(span).thresholds(steps(bad))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .graph_mode(words.BigValueGraphMode.NONE)
        .text_mode(words.BigValueTextMode.AUTO)
        .color_mode(words.BigValueColorMode.VALUE)
        .mappings([NEVER]).no_value("nobody answers")
        .with_target(query(ask, "A").instant())
    )  # fmt: skip
    return one.data_links([link]) if link else one


def lines(title: str, says: str, *asks: Ask, unit: str = "short", span: int = 8,
          bad: tuple[float, ...] = (), most: float | None = None) -> timeseries.Panel:  # fmt: skip
    """Figures over time, the largest last values first in the legend."""
    one = (
        timeseries.Panel().title(title).description(says).datasource(SOURCE).unit(unit)
        .height(8).span(span).min(0).fill_opacity(10).thresholds(steps(bad))
        .no_value("nobody answers")
        .legend(common.VizLegendOptions().display_mode(words.LegendDisplayMode.TABLE)
                .placement(words.LegendPlacement.BOTTOM).show_legend(True)
                .calcs(["lastNotNull", "max"]).sort_by("Last *").sort_desc(True))
        .tooltip(common.VizTooltipOptions().mode(words.TooltipDisplayMode.MULTI)
                 .sort(words.SortOrder.DESCENDING))
    )  # fmt: skip
    if bad:
        one.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(words.GraphThresholdsStyleMode.LINE)
        )
    if most is not None:
        one.max(most)
    for ref, ask in zip(REFS, asks, strict=False):
        one.with_target(query(ask, ref).range())
    return one


def rows(title: str, says: str, *asks: Ask, span: int = 24, height: int = 8,
         hide: tuple[str, ...] = (), link: tuple[str, dashboard.DashboardLink] | None = None,
         ) -> table.Panel:  # fmt: skip
    """A line a set of labels, a column a query (its name is the column's); labels in `hide` aren't shown.

    `link` is a label and where its values lead.
    """
    one = (
        table.Panel().title(title).description(says).datasource(SOURCE).height(height).span(span)
        .filterable(True).mappings([NEVER]).no_value("nobody answers")
    )  # fmt: skip
    for ref, ask in zip(REFS, asks, strict=False):
        one.with_target(query(ask, ref).instant().format(PromQueryFormat.TABLE))
        column = f"Value #{ref}" if len(asks) > 1 else "Value"
        look = [models.DynamicConfigValue("displayName", ask.name)]
        if ask.unit:
            look.append(models.DynamicConfigValue("unit", ask.unit))
        one.override_by_name(column, look)
    if link:
        one.override_by_name(link[0], [models.DynamicConfigValue("links", [link[1].build()])])
    if len(asks) > 1:
        one.with_transformation(models.DataTransformerConfig("merge", options={}))
    hidden = dict.fromkeys(("Time", *hide), True)
    return one.with_transformation(
        models.DataTransformerConfig("organize", options={"excludeByName": hidden})
    )


def said(title: str, markdown: str, *, span: int = 24, height: int = 5) -> text.Panel:
    """Words."""
    one = text.Panel().title(title).mode(TextMode.MARKDOWN).content(markdown)
    return one.height(height).span(span)


def query(ask: Ask, ref: str) -> prometheus.Dataquery:
    """A query in the SDK's form."""
    one = prometheus.Dataquery().expr(ask.expr).ref_id(ref).datasource(SOURCE)
    return one.legend_format(ask.name) if ask.name else one


def steps(bad: tuple[float, ...]) -> dashboard.ThresholdsConfig:
    """Green, from the first of `bad` on yellow, from the last on red; one alone is red."""
    colours = (YELLOW, RED) if len(bad) > 1 else (RED,)
    first = models.Threshold(None, GREEN if bad else "text")
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(
        [first, *(models.Threshold(at, to) for at, to in zip(bad, colours, strict=False))]
    )  # fmt: skip


def leads_to(title: str, url: str) -> dashboard.DashboardLink:
    """A link of a figure; `url` may hold Grafana's own variables."""
    return dashboard.DashboardLink(title).url(url)
