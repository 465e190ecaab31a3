"""The watcher and the guarded Faust on a real Kafka: kills, foreign bytes, aborted transactions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import fastavro
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from crosstown.backbone import kafka
from crosstown.cases.watch import Told, Watched, key_of, row_bytes
from crosstown.embedded.broker import Broker
from crosstown.event.envelope import Envelope
from crosstown.event.identity import case_key, event_id
from crosstown.formats import ALERT, DEAD_LETTER, TIMELINE, plain
from crosstown.home import Endpoints
from crosstown.settings import Settings

CITY = "us-xx-riverton"
REPOSITORY = Path(__file__).parent.parent
_TIMELINE = fastavro.parse_schema(plain(TIMELINE))
_NAMES = Envelope.__dataclass_fields__.keys()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Endpoints]]:
    """A broker of its own: the watcher's topics have fixed names."""
    settings = Settings(home=tmp_path_factory.mktemp("watch"))
    broker = Broker(settings).start()
    endpoints = Endpoints(broker.bootstrap, "")
    admin = kafka.wait_for_broker(settings, endpoints, timeout=20)
    kafka.ensure_topics(admin, kafka.own_topics(1))
    (settings.home / "run").mkdir(exist_ok=True)
    (settings.home / "run/up.json").write_text(
        json.dumps({"bootstrap": broker.bootstrap, "registry": ""})
    )
    yield settings, endpoints
    for process in Process.started:
        process.kill()
        process.wait(10)
    broker.stop()


class Process:
    """One run of a program, its log in a file; none outlives the cluster."""

    started: ClassVar[list[subprocess.Popen[bytes]]] = []

    def __init__(self, settings: Settings, args: list[str], name: str) -> None:
        self.about = settings.home / f"run/{name}.json"
        self.about.unlink(missing_ok=True)
        self.log = settings.home / f"{name}.log"
        env = {**os.environ, "CROSSTOWN_HOME": str(settings.home), "CROSSTOWN_WATCH_SECONDS": "1",
               "CROSSTOWN_PICKUP_WITHIN_DAYS": "0.00002", "PYTHONPATH": str(REPOSITORY)}  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, *args], env=env, stderr=log)
        self.started.append(self.process)
        until(self.about.exists, "ready", self)

    def end(self, how: Callable[[], None]) -> int:
        how()
        return self.process.wait(timeout=15)

    def metric(self, line: str) -> float:
        url = json.loads(self.about.read_text())["metrics"]
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own
            text = answer.read().decode()
        return sum(float(one.split()[-1]) for one in text.splitlines() if one.startswith(line))


def until(done: Callable[[], object], what: str, process: Process, seconds: float = 25) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline or process.process.poll() is not None:
            process.process.kill()
            pytest.fail(f"not {what}\n{process.log.read_text()[-4000:]}")
        time.sleep(0.2)


def now() -> int:
    return time.time_ns() // 1000


def timeline(record: str, step: str, *, due_in: float | None = None, to: str = "") -> bytes:
    """A framed message: a case of one record with one event that happened just now."""
    at = now()
    due = None if due_in is None else at + int(due_in * 1_000_000)
    event = Envelope(
        event_id=event_id(record, step), agency=record.partition("/")[0], record=record, type="t",
        step=step, occurred_at=at, due_at=due, jurisdiction=CITY, to_agency=to, known_at=at,
        via="event",
    )  # fmt: skip
    case = {
        "digest": "", "status": "open", "first": at, "last": at, "agencies": [], "record_count": 1,
        "entry_count": 1, "link_count": 0, "vias": {}, "flags": [], "links": [],
        "entries": [{name: getattr(event, name) for name in _NAMES}],
    }  # fmt: skip
    stream = BytesIO()
    fastavro.schemaless_writer(stream, _TIMELINE, {
        "jurisdiction": CITY, "record": record, "case_id": case_key(CITY, record), "version": 1,
        "case": case,
    })  # fmt: skip
    return b"\0\0\0\0\0" + stream.getvalue()


class Topics:
    """Writes and reads topics of one partition."""

    def __init__(self, settings: Settings, endpoints: Endpoints) -> None:
        self.settings, self.endpoints = settings, endpoints
        self.producer = Producer(kafka.producer(settings, endpoints))

    def say(self, topic: str, *values: bytes | None, key: bytes = b"k") -> None:
        for value in values:
            self.producer.produce(topic, value, key, partition=0)
        assert self.producer.flush(10) == 0

    def abort(self, topic: str, value: bytes) -> None:
        settings = kafka.producer(self.settings, self.endpoints, transactional_id="gives-up")
        producer = Producer(settings)
        producer.init_transactions(10)
        producer.begin_transaction()
        producer.produce(topic, value, b"k", partition=0)
        producer.flush(10)
        producer.abort_transaction(10)

    def read(self, topic: str, schema: Any) -> list[dict[str, Any]]:
        consumer = Consumer(
            kafka.consumer(self.settings, self.endpoints, enable_partition_eof=True)
        )
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[dict[str, Any]] = []
        while (message := consumer.poll(10)) is not None and message.error() is None:
            value = BytesIO((message.value() or b"")[5:])
            found.append(fastavro.schemaless_reader(value, plain(schema), None))
        consumer.close()
        return found

    def alerts(self) -> Counter[tuple[str, str]]:
        return Counter(
            (alert["rule"], alert["record"])
            for rule in ("deadline", "pickup")
            for alert in self.read(f"alerts.{rule}", ALERT)
        )


def test_a_kill_a_foreign_message_or_a_crash_halfway_brings_a_second_alert_or_none(
    cluster: tuple[Settings, Endpoints],
) -> None:
    settings, topics = cluster[0], Topics(*cluster)
    topics.say("timelines", timeline("a/r/before", "REPORTED", due_in=-3600))
    watcher = Process(settings, ["-m", "streams.watch"], "watch")
    topics.say("timelines", b"garbage", None, b"\0\0\0\0\0\xff", timeline("a/r/closed", "CLOSED", due_in=1),
               timeline("a/r/soon", "REPORTED", due_in=1), timeline("a/r/handed", "HANDED_OFF", to="b"))  # fmt: skip
    topics.abort("timelines", timeline("a/r/aborted", "REPORTED", due_in=1))
    topics.say("timelines", timeline("a/r/later", "REPORTED", due_in=1))
    expected = Counter(
        {("deadline", "a/r/soon"): 1, ("pickup", "a/r/handed"): 1, ("deadline", "a/r/later"): 1}
    )
    until(lambda: topics.alerts() == expected, "three alerts", watcher)
    assert watcher.metric('crosstown_alerts_counted{rule="deadline"}') == 1
    assert watcher.metric('crosstown_overdue{agency="undeclared"}') == 3
    assert watcher.metric('crosstown_unclaimed{agency="undeclared"}') == 1
    letters = topics.read("dead-letters", DEAD_LETTER)
    assert [(one["reason"], one["value"]) for one in letters] == [
        ("wrong-magic", b"garbage"),
        ("not-avro", b"\0\0\0\0\0\xff"),
    ]
    assert letters[0]["topic"] == "timelines"

    watcher.end(watcher.process.kill)
    # as if it had been killed while it told two alerts, of which one got out
    for record in ("a/r/half", "a/r/soon"):
        row = Watched(CITY, record, "case", due_at=now()).tell(Told("deadline", now(), sure=False))
        topics.say("watch-watched-changelog", row_bytes(row),
                   key=f"0/{key_of(CITY, record)}".encode())  # fmt: skip
    watcher = Process(settings, ["-m", "streams.watch"], "watch")
    for name in ("soon", "before", "half"):
        topics.say("timelines", timeline(f"a/r/{name}", "REPORTED", due_in=0.5))
    topics.say("timelines", timeline("a/r/handed", "HANDED_OFF", to="b"),
               timeline("a/r/last", "REPORTED", due_in=2))  # fmt: skip
    expected += Counter({("deadline", f"a/r/{name}"): 1 for name in ("before", "half", "last")})
    until(lambda: ("deadline", "a/r/last") in topics.alerts(), "the last alert", watcher)
    assert topics.alerts() == expected
    assert watcher.end(watcher.process.terminate) == 0
    assert "Traceback" not in watcher.log.read_text()


PROGRAM = """
import asyncio, sys
from crosstown.errors import Unavailable
from crosstown.processing.guarded_faust import Guarded
from crosstown.program import main

tries = {}

async def handle(message):
    value = message.value()
    tries[value] = tries.get(value, 0) + 1
    if value == b"poison":
        raise KeyError("poison")
    if value == b"later" and tries[value] < 4:
        raise Unavailable("not there yet")
    if value == b"stuck":
        await asyncio.Event().wait()
    guarded.table[value] = b"%d" % tries[value]

def body(program):
    global guarded
    guarded = Guarded(program, stall=4)
    guarded.table = guarded.table("seen")
    guarded.reads(handle, "things")
    guarded.run()

sys.exit(main("things", body))
"""


def test_a_handler_that_fails_skips_a_message_and_one_that_hangs_is_never_noticed(
    cluster: tuple[Settings, Endpoints], tmp_path: Path
) -> None:
    settings, topics = cluster[0], Topics(*cluster)
    admin = kafka.wait_for_broker(*cluster, timeout=10)
    kafka.ensure_topics(admin, [kafka.Topic("things", 1, kafka.EVENTS)])
    letters = len(topics.read("dead-letters", DEAD_LETTER))
    script = tmp_path / "things.py"
    script.write_text(PROGRAM)
    topics.say("things", b"poison", b"later", b"good")
    things = Process(settings, [str(script)], "things")
    until(lambda: things.metric("crosstown_received_total") == 3, "all read", things)
    until(lambda: changelog(topics) == {b"later": b"4", b"good": b"1"}, "handled", things)
    (letter,) = topics.read("dead-letters", DEAD_LETTER)[letters:]
    assert (letter["reason"], letter["value"]) == ("handler-failed", b"poison")
    assert things.metric("crosstown_handler_failures_total") == 1
    topics.say("things", b"stuck", b"after")
    deadline = time.monotonic() + 20
    while things.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.5)
        topics.say("things", b"more")
    assert things.process.wait(1) == 75, things.log.read_text()[-3000:]
    assert "commits stand still" in things.log.read_text()


def changelog(topics: Topics) -> dict[bytes, bytes]:
    consumer = Consumer(
        kafka.consumer(topics.settings, topics.endpoints, enable_partition_eof=True)
    )
    consumer.assign([TopicPartition("things-seen-changelog", 0, 0)])
    found: dict[bytes, bytes] = {}
    while (message := consumer.poll(10)) is not None and message.error() is None:
        found[message.key() or b""] = message.value() or b""
    consumer.close()
    return found
