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
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import typer
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from installation import Installation, call
from pushing import Agency, event, key_of, url_of
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
ENDS = {"counter": ["_total"], "histogram": ["_sum", "_count", "_bucket"]}
NAMES = {
    found._name + end: set(found._labelnames)
    for found in vars(metrics).values()
    if hasattr(found, "_labelnames")
    for end in ENDS.get(found._type, [""])
}
"""The labels of each figure of ours, by the name under which it's asked for."""
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
        for name in re.findall(r"\bkafka_\w+", target["expr"]):
            assert f"| `{name}` |" in (ROOT / "docs/metrics.md").read_text("utf-8"), (title, name)


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


NOTHING = {
    "crosstown-ops": {
        "Critical", "Programs down", "Don't answer Prometheus", "Not committed",
        "What watchers failed on", "What feeds leave out", "Webhooks that take nothing",
    },
    "crosstown-agency": {"Its webhook takes nothing"},
    "crosstown-leadership": set(),
}  # fmt: skip
"""Panels that show 0 while all is well; every other must find figures without its 0."""
ZERO = re.compile(r" or on \(\) (label_replace)?\(0 \* max")


def bare(expr: str) -> str:
    """A query without the 0 that is shown where it finds nothing."""
    while zero := ZERO.search(expr):
        at, depth = expr.index("(", zero.start() + len(" or on () ")), 0
        for end in range(at, len(expr)):
            depth += {"(": 1, ")": -1}.get(expr[end], 0)
            if not depth:
                break
        expr = expr[: zero.start()] + expr[end + 1 :]
    return expr


class Finds:
    """What a dashboard finds at a Prometheus, as Grafana would ask."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def __call__(self, target: dict[str, Any], agency: str, expr: str = "") -> bool:
        """Whether a panel's query finds any figure, its variables filled in."""
        expr = expr or target["expr"]
        filled = quote(expr.replace("$__rate_interval", "10s").replace("$agency", agency))
        now = time.time()
        answer = self._ask(f"query?query={filled}" if target.get("instant") else
                           f"query_range?query={filled}&start={now - 10}&end={now}&step=2")  # fmt: skip
        assert answer is not None, expr
        return any(
            math.isfinite(float(value))
            for one in answer["result"]
            for _, value in one.get("values") or [one["value"]]
        )

    def agencies(self) -> list[str]:
        """What can be chosen in the agency's dashboard, as Grafana finds it."""
        (choice,) = [one for one in BOARDS["crosstown-agency"]["templating"]["list"]
                     if one["name"] == "agency"]  # fmt: skip
        promql = re.fullmatch(r"query_result\((.*)\)", choice["query"]["query"])
        assert promql
        said = [json.dumps(one["metric"]).replace('": "', '="')
                for one in self._ask(f"query?query={quote(promql[1])}")["result"]]  # fmt: skip
        return sorted(
            {hit[1] for one in said if (hit := re.search(choice["regex"].strip("/"), one))}
        )

    def empty(self) -> Iterator[str]:
        """Panels that show nothing at all, or only a 0 that nobody told."""
        choices = self.agencies()
        assert {"riverton-311", "riverton-tenants", "xx-county-health"} <= set(choices)
        for name, board in BOARDS.items():
            for title, target in asked(board):
                agencies = choices if "$agency" in target["expr"] else [""]
                where = f"{name}: {title} {target['refId']}"
                yield from (f"{where} {one}" for one in agencies if not self(target, one))
                alone = bare(target["expr"])
                if title not in NOTHING[name] and not any(
                    self(target, one, alone) for one in agencies
                ):
                    yield f"{where}: nobody tells that 0"


@contextmanager
def load(home: Path) -> Iterator[None]:
    """Somebody publishes, pushes, reads a feed and is refused meanwhile, again and again."""
    one = Installation(home)
    pushes = Agency(url_of(one), key_of(home, "riverton-tenants"))
    reads = key_of(home, "riverton-water")
    call(home, "key", "rotate", "riverton-tenants", "--grace", "1").ok()  # so that an alert fires
    over = Event()

    def go_on() -> None:
        for n in count():
            if over.wait(0.5):
                return
            assert pushes.post(event(f"d{n}")).status_code == 202
            httpx.get(f"{pushes.url}/feeds/water-hears-of-brown-water/events?since={n % 100}&limit=1",
                      headers={"Authorization": f"Bearer {reads}"}).raise_for_status()  # fmt: skip
            with one.producer() as producer:
                producer.produce("events.riverton-311.requests", b"nonsense")

    with ThreadPoolExecutor(1) as pool:
        goes = pool.submit(go_on)
        try:
            yield
        finally:  # else the pool waits for it for ever, and nobody hears what failed
            over.set()
        goes.result(60)


def told(ask: Callable[..., Any], name: str) -> Any:
    """What Prometheus has of one of our figures."""
    return ask(f"query?query={quote('crosstown_' + name)}")["result"]


def accepts(home: Path, words: tuple[str, ...]) -> bool:
    """Say so; false while Kafka doesn't know its topics yet, right after the start."""
    said = call(home, "agreements", "accept", *words)
    return said.code != 5 and said.ok() is said


def live(home: Path, folder: Path) -> None:
    """The sample city's half year, under its agreements."""
    for one in REPOSITORY.agreements.values():
        for party in one.parties:
            words = (one.id, "--agency", party, "--by", one.stewards[party])
            until("it's accepted", partial(accepts, home, words))
    call(home, "publish", "riverton", *map(str, write(folder / "sample"))).ok()
    call(home, "stats", "--wait", "--timeout", "120").ok()
    call(home, "pause", "eastvale-311", "--because", "a page is tried", "--by", "desk 4").ok()


def test_a_panel_stays_empty_while_everything_works(tmp_path: Path) -> None:
    tools()
    home = tmp_path / "home"
    home.mkdir()
    try:
        call(home, "up", "--detach", CROSSTOWN_RECIPROCITY_MINUTES="0.05").ok()
        with watched(tmp_path, home) as (ask, _):
            live(home, tmp_path)
            with load(home):
                for name in ("reciprocity_events > 0", "outcome_seconds", "refused_total > 3",
                             "gateway_messages_total", "old_key_ends_timestamp_seconds", "paused"):  # fmt: skip
                    until(name, partial(told, ask, name))
                firing = quote('ALERTS{alertstate="firing", severity="warning"}')
                until("an alert fires", lambda: ask(f"query?query={firing}")["result"])
                empty = sorted(Finds(ask).empty())
                assert not empty, "\n".join(empty)
    finally:
        call(home, "down")
