"""A dashboard that shows nothing, shows what isn't so, or differs from what it was made of."""

from __future__ import annotations

import json
import math
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import typer
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from installation import call, line
from riverton_said import REPOSITORY
from watched import tools, until, watched

from crosstown import metrics
from crosstown.cli import app
from crosstown.sample import write

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy/grafana"
BOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text("utf-8"))
    for file in sorted((FOLDER / "dashboards").glob("*.json"))
}
NAMES = {
    found._name + ("_total" if found._type == "counter" else ""): set(found._labelnames)
    for found in vars(metrics).values()
    if hasattr(found, "_labelnames")
}
each = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """All that show something, rows' headings left out."""
    return [one for one in board["panels"] if one["type"] != "row"]


def asked(board: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each panel's title with each of its queries."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield panel["title"], target


def test_a_dashboard_is_not_what_the_generator_makes(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "deploy.grafana", str(tmp_path)], cwd=ROOT,
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    kept = {file.name: file.read_bytes() for file in (FOLDER / "dashboards").iterdir()}
    assert (
        set(made)
        == set(kept)
        == {f"crosstown-{one}.json" for one in ("ops", "agency", "leadership")}
    )
    assert made == kept, "python -m deploy.grafana, and commit what it writes"


@each
def test_grafana_would_drop_a_part_of_a_dashboard(board: dict[str, Any]) -> None:
    register_default_plugins()
    read = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert read == board


@each
def test_a_dashboard_cannot_be_looked_at(board: dict[str, Any]) -> None:
    ids = [one["id"] for one in board["panels"]]
    assert len(ids) == len(set(ids))
    cells: set[tuple[int, int]] = set()
    for one in board["panels"]:
        at = one["gridPos"]
        covered = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                   for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert max(x for x, _ in covered) < 24, one["title"]
        assert not covered & cells, one["title"]
        cells |= covered
    for one in panels(board):
        assert one["title"]
        assert one["type"] == "text" or len(one["description"]) > 20, one["title"]
        assert one["type"] == "text" or one["targets"], one["title"]


@each
def test_a_panel_asks_for_figures_that_nobody_tells(board: dict[str, Any]) -> None:
    for title, target in asked(board):
        assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for name, matchers in re.findall(r"\b(crosstown_\w+)(?:\{([^}]*)\})?", target["expr"]):
            assert name in NAMES, (title, name)
            labels = set(re.findall(r"(\w+)\s*[=!]~?\"", matchers))
            assert labels <= NAMES[name], (title, name, labels)


@each
def test_a_panel_names_a_command_or_a_page_that_is_not_there(board: dict[str, Any]) -> None:
    root = typer.main.get_command(app)
    for one in panels(board):
        says = one.get("description", "")
        for command in re.findall(r"`(crosstown [^`]+)`", says):
            _, name, *words = shlex.split(command)
            found = root.get_command(None, name)  # type: ignore[attr-defined]
            assert found is not None, command
            found.make_context(name, words)
        for page in re.findall(r"[Rr]unbooks? ([a-z-]+)", says):
            assert (ROOT / f"docs/runbooks/{page}.md").is_file(), (one["title"], page)
        for page in re.findall(r"\bdocs/[\w/]+\.md", says):
            assert (ROOT / page).is_file(), (one["title"], page)
    linked = set(re.findall(r"/d/([\w-]+)", json.dumps(board)))
    assert linked <= {one["uid"] for one in BOARDS.values()}


def test_grafana_does_not_find_the_dashboards_or_prometheus() -> None:
    (source,) = yaml.safe_load(
        (FOLDER / "provisioning/datasources/crosstown.yml").read_text("utf-8")
    )["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "$PROMETHEUS_URL")
    (found,) = yaml.safe_load(
        (FOLDER / "provisioning/dashboards/crosstown.yml").read_text("utf-8")
    )["providers"]
    assert found["type"] == "file"
    assert found["options"]["path"] in (FOLDER.parent / "README.md").read_text("utf-8")


class Load:
    """Somebody publishes all the time, so that rates have something to tell."""

    def __init__(self, home: Path) -> None:
        self.home, self._n = home, 0

    def go_on(self) -> None:
        """A hundred events more, and one that is refused."""
        self._n += 1
        text = "".join(line(f"d{self._n}-{n}") for n in range(100))
        call(self.home, "publish", "events", "-", stdin=text).ok()


def found(ask: Callable[..., Any], target: dict[str, Any], agency: str) -> list[Any]:
    """The samples that a panel's query finds, with its variables filled in."""
    expr = target["expr"].replace("$__rate_interval", "10s").replace("$agency", agency)
    now = time.time()
    path = (f"query?query={quote(expr)}" if target.get("instant") else
            f"query_range?query={quote(expr)}&start={now - 10}&end={now}&step=1")  # fmt: skip
    answer = ask(path)
    assert answer is not None, expr
    values = [pair for one in answer["result"] for pair in one.get("values") or [one["value"]]]
    return [one for _, one in values if math.isfinite(float(one))]


def agencies(ask: Callable[..., Any]) -> list[str]:
    """What can be chosen in the agency's dashboard, as Grafana finds it."""
    (choice,) = [one for one in BOARDS["crosstown-agency"]["templating"]["list"]
                 if one["name"] == "agency"]  # fmt: skip
    promql = re.fullmatch(r"query_result\((.*)\)", choice["query"]["query"])
    assert promql
    pattern = choice["regex"].strip("/")
    said = [json.dumps(one["metric"]).replace('": "', '="')
            for one in ask(f"query?query={quote(promql[1])}")["result"]]  # fmt: skip
    return sorted({hit[1] for one in said if (hit := re.search(pattern, one))})


def test_a_panel_stays_empty_while_everything_works(tmp_path: Path) -> None:
    tools()
    home = tmp_path / "home"
    home.mkdir()
    try:
        call(home, "up", "--detach", "--partitions", "2", CROSSTOWN_RECIPROCITY_MINUTES="0.05").ok()
        with watched(tmp_path, home) as (ask, _):
            _live(home, tmp_path)
            until(
                "the outcomes are told",
                lambda: ask("query?query=crosstown_outcome_seconds")["result"],
            )
            until(
                "gives and gets are told",
                lambda: ask("query?query=crosstown_reciprocity_events>0")["result"],
            )
            Load(home).go_on()
            empty = sorted(_empty(ask))
            assert not empty, "\n".join(empty)
    finally:
        call(home, "down")


def _live(home: Path, folder: Path) -> None:
    """The sample city's half year, under its agreements."""
    accepted = [("agreements", "accept", one.id, "--agency", party, "--by", one.stewards[party])
                for one in REPOSITORY.agreements.values() for party in one.parties]  # fmt: skip
    with ThreadPoolExecutor(2) as two:
        for said in two.map(lambda words: call(home, *words), accepted):
            said.ok()
    call(home, "publish", "riverton", *map(str, write(folder / "sample"))).ok()
    call(home, "stats", "--wait", "--timeout", "120").ok()


def _empty(ask: Callable[..., Any]) -> Iterator[str]:
    choices = agencies(ask)
    assert {"riverton-311", "riverton-tenants", "xx-county-health"} <= set(choices)
    for name, board in BOARDS.items():
        for title, target in asked(board):
            for agency in choices if "$agency" in target["expr"] else [""]:
                if not found(ask, target, agency):
                    yield f"{name}: {title} {target['refId']} {agency}"
