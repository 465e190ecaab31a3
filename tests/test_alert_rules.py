"""An alert that stays silent, comes for nothing, or leaves whom it wakes without a next step."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from crosstown import metrics
from crosstown.cli import app
from crosstown.embedded.node import FIGURES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy/prometheus"
BOOKS = ROOT / "docs/runbooks"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "crosstown.rules.yml").read_text("utf-8"))[
    "groups"
][0]["rules"]
NAMES = [rule["alert"] for rule in RULES]
METRICS = {
    found._name + ("_total" if found._type == "counter" else ""): set(found._labelnames)
    for found in vars(metrics).values()
    if hasattr(found, "_labelnames")
}
"""The labels of each metric of ours, by the name that rules use."""
METRICS |= {rule["name"]: set() for rule in yaml.safe_load(FIGURES.read_text("utf-8"))["rules"]}
METRICS |= {name: {"area"} for name in ("jvm_memory_used_bytes", "jvm_memory_max_bytes")}
FROM_OUTSIDE = {"awk", "cat", "curl", "df", "dmesg", "du", "free", "grep", "journalctl", "ls", "mkdir",
                "mv", "openssl", "systemctl", "tail", "top"}  # fmt: skip
"""What a runbook may ask for beside our own commands: every Linux has it."""


def tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Call one of Prometheus' tools; skipped where it isn't installed, outside of CI only."""
    if shutil.which(name) is None:
        how = f"{name} is missing: apt-get install -y prometheus prometheus-alertmanager"
        assert "CI" not in os.environ, how
        pytest.skip(how)
    return subprocess.run(
        [name, *words], capture_output=True, text=True, check=False, timeout=300, cwd=FOLDER
    )


def test_each_alert_fires_when_it_must_and_only_then() -> None:
    done = tool("promtool", "test", "rules", "crosstown.rules.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_is_untried_in_either_direction() -> None:
    tests = yaml.safe_load((FOLDER / "crosstown.rules.test.yml").read_text("utf-8"))["tests"]
    tried: dict[str, set[bool]] = {}
    for one in tests:
        (asked,) = one["promql_expr_test"]
        (name,) = re.findall(r'alertname="(\w+)"', asked["expr"])
        word = "fires" if asked["exp_samples"] else "does not fire"
        assert one["name"].startswith(f"{name} {word}: ")
        tried.setdefault(name, set()).add(bool(asked["exp_samples"]))
    assert tried == {name: {True, False} for name in NAMES}


def test_what_is_shipped_is_read_by_prometheus_and_alertmanager() -> None:
    for words in (("promtool", "check", "rules", "crosstown.rules.yml"),
                  ("promtool", "check", "config", "--syntax-only", "prometheus.yml"),
                  ("amtool", "check-config", "alertmanager.yml")):  # fmt: skip
        done = tool(*words)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_asks_only_for_figures_that_somebody_tells(rule: dict[str, Any]) -> None:
    asked = re.findall(r"\b((?:crosstown|kafka|jvm)_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert asked or "up{" in rule["expr"]
    for name, matchers in asked:
        assert name in METRICS, name
        labels = set(re.findall(r"(\w+)\s*[=!]~?\"", matchers))
        assert labels <= METRICS[name], (name, labels)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_whoever_is_woken_learns_what_whose_and_what_to_do(rule: dict[str, Any]) -> None:
    name, about = rule["alert"], rule["annotations"]
    assert set(about) == {"summary", "description", "contact", "runbook"}
    assert all(about.values())
    assert set(rule["labels"]) == {"severity", "whose"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["labels"]["whose"] in ("agency", "operations")
    page = ROOT / about["runbook"]
    text = page.read_text("utf-8")
    assert page.parent == BOOKS
    assert f"Alert `{name}`." in text
    assert "## Causes\n\n- " in text
    assert "## What to type\n\n```sh\n" in text
    assert f"[{name}]({page.name})" in (BOOKS / "README.md").read_text("utf-8")


def test_no_runbook_is_left_without_its_alert() -> None:
    pages = {f"docs/runbooks/{page.name}" for page in BOOKS.glob("*.md")}
    assert pages - {rule["annotations"]["runbook"] for rule in RULES} == {"docs/runbooks/README.md"}
    assert len(pages) == len(RULES) + 1


@pytest.mark.parametrize("page", sorted(BOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_command_of_a_runbook_cannot_be_typed_as_it_is_printed(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = [one for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
             for one in block.splitlines()]  # fmt: skip
    lines += [one for one in re.findall(r"`(crosstown [^`]+)`", text) if " `" not in one]
    assert lines or page.stem == "README"
    root = typer.main.get_command(app)
    for line in lines:
        first, *words = shlex.split(line)
        if first != "crosstown":
            assert first in FROM_OUTSIDE, line
            continue
        command = root.get_command(None, words[0])  # type: ignore[attr-defined]
        assert command is not None, line
        command.make_context(words[0], words[1:])  # raises where an option or word isn't known
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize(
    ("contract", "reachable", "asked"),
    [
        ("any/events", True, "data@311.eastvale.example"),
        ("any/events", False, "whoever runs this installation"),
        ("eastvale-311/requests", True, "whoever runs this installation"),
    ],
)
def test_an_alert_about_an_agency_names_somebody_who_does_not_know_it(
    tmp_path: Path, contract: str, reachable: bool, asked: str
) -> None:
    labels = {"agency": "eastvale-311", "contract": contract}
    series = {
        f'crosstown_contract_info{{contract="{contract}", owner="us", contact="whoever runs this installation"}}': "1x40",
        f'crosstown_refused_total{{agency="eastvale-311", contract="{contract}"}}': "0+3x40",
        'crosstown_agency_info{agency="riverton-311", contact="another"}': "1x40",
    }  # fmt: skip
    if reachable:
        series['crosstown_agency_info{agency="eastvale-311", contact="data@311.eastvale.example"}'] = "1x40"  # fmt: skip
    rule = next(one for one in RULES if one["alert"] == "DeadLettersRise")
    said = {
        **rule["annotations"], "contact": asked,
        "summary": "What eastvale-311 publishes is refused",
        "description": f"90 messages of eastvale-311 under {contract} became dead letters in half an hour.",
    }  # fmt: skip
    held = labels | rule["labels"] | {"owner": "us", "contact": "whoever runs this installation"}
    test = {
        "rule_files": [str(FOLDER / "crosstown.rules.yml")],
        "tests": [{
            "interval": "1m",
            "input_series": [{"series": s, "values": v} for s, v in series.items()],
            "alert_rule_test": [{
                "eval_time": "35m", "alertname": "DeadLettersRise",
                "exp_alerts": [{"exp_labels": held, "exp_annotations": said}],
            }],
        }],
    }  # fmt: skip
    file = tmp_path / "contact.test.yml"
    file.write_text(yaml.safe_dump(test), "utf-8")
    done = tool("promtool", "test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
