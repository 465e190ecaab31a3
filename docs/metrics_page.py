"""Writes docs/metrics.md, every figure that is told: `python docs/metrics_page.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from crosstown import metrics
from crosstown.embedded.node import FIGURES

HEAD: Final = """\
# Metrics

Every process serves `/metrics` in Prometheus' text form; `crosstown status` and `HOME/run/prometheus.json` say where.
Beside those below each Python process tells its own memory, CPU time and open files (`process_*`, `python_*`).

Names are only ever added. Labels are agencies, contracts, agreements, programs, topics, partitions, rules and reasons:
none grows with records, and none can be chosen by data. An agency that an event names and that isn't declared counts
as `undeclared`. Counters count since their process started; times are seconds. Why so: decisions
[0029](decisions/0029-alerts.md) and [0031](decisions/0031-metrics.md).

This page is made by `python docs/metrics_page.py` from `crosstown/metrics.py` and `crosstown/embedded/jmx.yml`.

## Crosstown's

| name | type | labels | what |
|---|---|---|---|
"""
KAFKA: Final = """
## Kafka's

The embedded broker's process tells these by the JMX exporter, and what the Java machine measures of itself (`jvm_*`:
`jvm_memory_used_bytes{area="heap"}`, `jvm_gc_collection_seconds`, `jvm_threads_current` and others). A cluster's brokers
tell the same with the same settings, which `python -m crosstown.embedded.kafka_agent FOLDER` puts with the exporter into a folder:
`-javaagent:FOLDER/jmx_prometheus_javaagent-1.0.1.jar=9404:FOLDER/jmx.yml` (`deploy/kafka/start.sh` does so). None is by topic, client or
partition.

| name | type | what |
|---|---|---|
"""


def page() -> str:
    """The page as it must be."""
    ours = [one for one in vars(metrics).values() if hasattr(one, "_labelnames")]
    rows = [_row(one) for one in ours]
    rules = yaml.safe_load(FIGURES.read_text("utf-8"))["rules"]
    theirs = [f"| `{rule['name']}` | {rule['type'].lower()} | {rule['help']} |" for rule in rules]
    return HEAD + _lines(rows) + KAFKA + _lines(theirs)


def _row(one: Any) -> str:
    name = one._name + ("_total" if one._type == "counter" else "")  # noqa: SLF001 - their only names
    labels = ", ".join(f"`{label}`" for label in one._labelnames)  # noqa: SLF001
    return f"| `{name}` | {one._type} | {labels} | {one._documentation} |"  # noqa: SLF001


def _lines(rows: list[str]) -> str:
    return "".join(f"{row}\n" for row in sorted(rows))


if __name__ == "__main__":
    Path(__file__).with_name("metrics.md").write_text(page(), "utf-8")
