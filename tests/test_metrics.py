"""Figures that grow with what people write, that nobody explains, or that Prometheus can't read."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from installation import Installation, line
from prometheus_client import REGISTRY

from crosstown import metrics
from crosstown.backbone import kafka as clients
from crosstown.embedded import node
from crosstown.embedded.broker import Broker
from crosstown.home import Endpoints
from crosstown.processing.transact import aborted
from crosstown.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"
BY_THE_HOUR = "crosstown_reciprocity_"
"""Told once an hour, whatever is published: that may fall between two looks."""


def told(url: str) -> str:
    """What a process tells."""
    with urlopen(url, timeout=30) as answer:  # noqa: S310 - as the supervisor wrote it
        return str(answer.read().decode())


def series(urls: Mapping[str, str]) -> set[str]:
    """Every series of every process."""
    return {
        f"{name}: {row.rpartition(' ')[0]}"
        for name, url in urls.items()
        for row in told(url).splitlines()
        if not row.startswith(("#", BY_THE_HOUR))
    }


def reports(numbers: range) -> Iterator[str]:
    """A report each, late, of a type of its own, each handed to an agency of its own."""
    for n in numbers:
        yield line(f"M-{n}", type=f"request.m{n}", place=f"address:{n}-m-st", concern=f"m{n}",
                   to_agency=f"nobody-{n}", step="HANDED_OFF", channel="web")  # fmt: skip


def figures(url: str, name: str) -> list[float]:
    """The values of all series of one figure."""
    return [float(row.split()[-1]) for row in told(url).splitlines() if row.startswith(name)]


def told_it_all(installation: Installation, urls: Mapping[str, str], records: int) -> None:
    """Wait until all programs have dealt with it, and the slow ones have looked again."""
    installation.stats()
    now, deadline = time.time(), time.monotonic() + 120
    while time.monotonic() < deadline:
        looked = figures(urls["broker"], 'crosstown_looked_timestamp_seconds{at="cluster"}')
        handed = figures(urls["watch"], "crosstown_unclaimed{")
        if max(looked, default=0) > now and sum(handed) >= records:
            return
        time.sleep(0.5)
    raise AssertionError("the lookout or the watcher hasn't looked")


def publish(installation: Installation, gateway: str, registry: str, numbers: range) -> None:
    """Reports, garbage on a topic, and requests for what isn't there."""
    installation("publish", "events", "-", stdin="".join(reports(numbers))).ok()
    with installation.producer() as producer:
        for n in range(numbers.start, numbers.stop, 20):
            for body in (b"garbage %d" % n, b"\0" + n.to_bytes(4) + b"of no schema", b""):
                producer.produce("events.riverton-311.events", body, key=b"%d" % n)
    for n in range(numbers.start, min(numbers.stop, numbers.start + 100)):
        for url, method in ((f"{gateway}/m{n}", "GET"), (f"{gateway}/v1/m{n}/x", "PUT"),
                            (f"{registry}/subjects/m{n}/versions", "GET"),
                            (f"{registry}/m{n}", f"M{n}")):  # fmt: skip
            with suppress(HTTPError):
                urlopen(Request(url, method=method), timeout=30).close()  # noqa: S310 - ours


def test_series_grow_with_records_or_with_what_strangers_send(installation: Installation) -> None:
    status = installation("status", "-o", "json").ok().json()
    urls: dict[str, str] = status["metrics"]
    assert set(urls) == {"kafka", *(one["name"] for one in status["processes"])}
    gateway = json.loads((installation.home / "run/gateway.json").read_text("utf-8"))["url"]
    publish(installation, gateway, status["registry"], range(100))
    told_it_all(installation, urls, 100)
    before = series(urls)
    assert any('reason="' in one for one in before)
    publish(installation, gateway, status["registry"], range(100, 10_000))
    told_it_all(installation, urls, 10_000)
    after = series(urls)
    assert after - before == set()
    assert len(after) == len(before)
    assert [one for one in after if "nobody-" in one] == []
    named = {rule["name"] for rule in yaml.safe_load(node.FIGURES.read_text("utf-8"))["rules"]}
    assert {f"kafka: {name}" for name in named} <= after, "Kafka has no such figure any more"
    for name in ("crosstown_cases", "crosstown_transaction_seconds_count", "crosstown_lag_seconds",
                 "crosstown_published_after_seconds_total", "crosstown_state_bytes",
                 "crosstown_state_events", "crosstown_cases_regrouped_total",
                 "crosstown_feed_state"):  # fmt: skip
        assert [one for one in after if f": {name}" in one], name
    if shutil.which("promtool") is None:
        assert "CI" not in os.environ, "promtool is missing: apt-get install -y prometheus"
        return
    for name, url in urls.items():
        done = subprocess.run(["promtool", "check", "metrics"], input=told(url).encode(),
                              capture_output=True, check=False, timeout=60)  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), name


def test_a_figure_is_not_explained_in_the_docs() -> None:
    page = runpy.run_path(str(DOCS / "metrics_page.py"))["page"]()
    assert page == (DOCS / "metrics.md").read_text("utf-8"), "run: python docs/metrics_page.py"
    sentences = [
        one._documentation for one in vars(metrics).values() if hasattr(one, "_labelnames")
    ]
    assert all(one.endswith(".") for one in sentences)


def test_a_process_tells_nothing_of_a_disk_that_it_does_not_look_at() -> None:
    script = """
from crosstown import metrics
from prometheus_client import generate_latest
metrics.disk_free.set(7)
metrics.disk_free.set(8)
print(generate_latest().decode())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True,
                          text=True, check=True, timeout=60)  # fmt: skip
    assert "crosstown_disk_free_bytes 8.0" in done.stdout
    assert "crosstown_disk_size_bytes" not in done.stdout


def test_a_stranger_on_the_port_of_kafkas_figures_moves_kafka(home: Path) -> None:
    broker = Broker(Settings(home=home))
    before = broker.bootstrap
    known = home / "kafka/broker.json"
    port = json.loads(known.read_text("utf-8"))["metrics"]
    assert Broker(Settings(home=home))._choose_ports()["metrics"] == port
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        again = Broker(Settings(home=home))
        assert again._choose_ports()["metrics"] != port
        assert again.bootstrap == before


@pytest.mark.parametrize(("folder", "told"), [("cache", 1), ("a=b", 0)])
def test_kafka_does_not_start_where_its_figures_cannot_be_told(folder: str, told: int) -> None:
    jars = [Path("/", folder, "jmx_prometheus_javaagent-1.0.1.jar"), Path("/", folder, "kafka.jar")]
    assert len(node.told(jars, 1)) == told


def test_a_program_that_was_fenced_off_is_not_told_from_one_that_lost_its_broker(
    kafka: tuple[Settings, Endpoints],
) -> None:
    settings, where = kafka
    admin = AdminClient(clients.client(settings, where))
    clients.ensure_topics(admin, [clients.Topic("fencing", 1, clients.EVENTS)])
    first, second = (
        Producer(clients.producer(settings, where, transactional_id="fencing")) for _ in range(2)
    )
    first.init_transactions(30)
    first.begin_transaction()
    second.init_transactions(30)
    first.produce("fencing", b"too late")
    with pytest.raises(KafkaException) as caught:
        first.commit_transaction(30)
    assert not aborted(first, caught.value.args[0], "fencing")
    first.purge()
    counted = {
        outcome: REGISTRY.get_sample_value(
            "crosstown_transactions_total", {"program": "fencing", "outcome": outcome}
        )
        for outcome in ("fenced", "unknown", "aborted")
    }
    assert counted == {"fenced": 1, "unknown": None, "aborted": None}
