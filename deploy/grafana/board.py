"""A dashboard from its rows: variables, links to the others, ids and places of the panels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import SOURCE, WIDTH

TAG: Final = "crosstown"
Rows = Mapping[str, Sequence[Any]]
"""Panels by their row's title, in order; those of the title "" stand above all rows."""


def board(uid: str, title: str, says: str, rows: Rows, *, since: str = "now-6h",
          variables: Sequence[Any] = ()) -> str:  # fmt: skip
    """A dashboard as Grafana's JSON, the same bytes each time."""
    one = (
        dashboard.Dashboard(title).uid(uid).description(says).tags([TAG]).timezone("browser")
        .time(since, "now").refresh("30s").readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(_source())
        .link(dashboard.DashboardLink("Crosstown").type(models.DashboardLinkType.DASHBOARDS)
              .tags([TAG]).keep_time(True))
    )  # fmt: skip
    for variable in variables:
        one.with_variable(variable)
    for heading, panels in rows.items():
        if heading:
            one.with_row(dashboard.Row(heading))
        for panel in panels:
            one.with_panel(panel)
    made = one.build()
    for number, panel in enumerate(made.panels or [], 1):
        panel.id_val = number
        place = panel.grid_pos
        assert place is not None and place.x + place.w <= WIDTH, panel.title  # noqa: PT018, S101
    return json.dumps(made, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def choice(name: str, label: str, promql: str, of: str) -> dashboard.QueryVariable:
    """A variable to choose one of the values that the label `of` has in what a query finds now."""
    return (
        dashboard.QueryVariable(name).label(label).datasource(SOURCE)
        .query({"query": f"query_result({promql})", "refId": name})
        .regex(f'/{of}="([^"]+)"/')
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )  # fmt: skip


def _source() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
