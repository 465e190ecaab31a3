"""`crosstown doctor` at a cluster that is really broken: one broker and registry for all of it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from installation import Installation
from jsonschema import Draft202012Validator
from second_broker import beside, brokers
from test_doctor import GOLDEN, looked

from crosstown.backbone import kafka
from crosstown.contracts.repository import shipped
from crosstown.doctor.finding import Finding, Severity
from crosstown.embedded.broker import Broker
from crosstown.home import Endpoints, Home
from crosstown.registry.own_values import own_values
from crosstown.registry.server import Server
from crosstown.settings import Settings
from crosstown.supervision.prepare import prepare
from crosstown.supervision.supervise import Supervisor


@dataclass(frozen=True, slots=True)
class City:
    """A broker and a registry with all that the contracts ask for."""

    broker: Broker
    settings: Settings

    @property
    def admin(self) -> AdminClient:
        """Whoever breaks it."""
        where = Endpoints(self.settings.bootstrap, self.settings.registry)
        return kafka.wait_for_broker(self.settings, where, 30)

    def with_(self, **more: object) -> Settings:
        """The same, seen with other settings."""
        given = {name: getattr(self.settings, name) for name in self.settings.model_fields_set}
        return Settings(**(given | more))

    def prepare(self) -> None:
        """Make what is missing, as `crosstown up` does."""
        prepare(self.settings, Endpoints(self.settings.bootstrap, self.settings.registry))


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """One for all tests here: each leaves it as it was."""
    home = tmp_path_factory.mktemp("city")
    broker = Broker(Settings(home=home)).start()
    try:
        settings = Settings(home=home, bootstrap=broker.bootstrap, kafka=broker.login)
        server = Server(settings, Endpoints(broker.bootstrap, "")).start()
        try:
            one = City(broker, settings.model_copy(update={"registry": server.url}))
            one.prepare()
            yield one
        finally:
            server.close()
    finally:
        broker.stop()


def found(settings: Settings, check: str) -> dict[str, Finding]:
    """The findings of a cluster's check by name."""
    report = looked(settings, "kafka", "registry", "contracts", check)
    assert report.results[-1].state in ("ok", "found"), report
    return {one.check: one for one in report.findings}


def until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


def test_well_cluster_is_called_ill(city: City) -> None:
    assert found(city.settings, "drift") == {}
    assert found(city.settings, "copies") == {}


def test_wrong_password_looks_like_a_dead_cluster(city: City) -> None:
    wrong = city.with_(kafka={**city.broker.login, "sasl.password": "canary-9931"})
    report = looked(wrong, "kafka", "drift", "copies")
    (refused,) = report.findings
    assert "doesn't let us in" in refused.what
    assert "user name or password" in refused.cause
    assert "canary-9931" not in str(report)
    assert [one.state for one in report.results] == ["found", "skipped", "skipped"]


def test_deleted_topics_are_not_missed(city: City) -> None:
    gone = ["reciprocity", "events.riverton-311.requests"]
    admin = city.admin
    there = admin.list_topics(timeout=10).topics
    assert set(gone) <= set(there), sorted(there)
    for future in admin.delete_topics(gone).values():
        future.result(30)
    until(lambda: not set(gone) & set(admin.list_topics(timeout=10).topics))
    report = looked(city.settings, "kafka", "registry", "drift")
    ours, theirs = report.findings
    assert (ours.severity, theirs.severity) == (Severity.CRITICAL, Severity.WARNING)
    assert "reciprocity" in ours.what
    assert gone[1] in theirs.what
    assert theirs.whose.startswith("riverton-311")
    assert ours.mend == ("crosstown plan", "crosstown apply")
    city.prepare()
    until(lambda: found(city.settings, "drift") == {})


def test_old_schema_and_changed_topic_are_not_seen(city: City, tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    shutil.copytree(shipped(), schemas)
    folder = schemas / "riverton-311"
    newer = (folder / "requests.v1.avsc").read_text("utf-8")
    at = newer.index("{", newer.index('"fields"'))
    added = '{"name": "doctors_note", "type": ["null", "string"], "default": null}, '
    (folder / "requests.v1.avsc").write_text(newer[:at] + added + newer[at:], "utf-8")
    said = looked(city.with_(schemas=schemas), "kafka", "registry", "drift").findings
    whats = [one.what for one in said if one.check == "drift-schema"]
    assert any("schemas are older than the contracts: riverton-311" in what or
               "older than the contracts: events.riverton-311.requests" in what for what in whats), whats  # fmt: skip
    assert {one.whose.split()[0] for one in said} == {"riverton-311"}

    wrong = [kafka.Topic("dead-letters", 1, {"retention.ms": "1000"})]
    kafka.keep_configs(city.admin, wrong)
    until(lambda: "drift-config" in found(city.settings, "drift"))
    changed = found(city.settings, "drift")["drift-config"]
    assert "dead-letters" in changed.what
    assert "retention.ms: 1000" in changed.cause
    city.prepare()
    assert found(city.settings, "drift") == {}


def test_missing_partition_is_not_seen(city: City) -> None:
    said = found(city.with_(partitions=3), "drift")["drift-partitions"]
    assert said.severity is Severity.CRITICAL
    assert "accepted, timelines" in said.what
    assert "crosstown rebuild --swap --partitions N" in said.mend


def test_topic_of_nobody_is_not_seen(city: City) -> None:
    name = "events.riverton-311.by-hand"
    admin = city.admin
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    until(lambda: "drift-topic" in found(city.settings, "drift"))
    assert name in found(city.settings, "drift")["drift-topic"].what
    admin.delete_topics([name])[name].result(30)


def test_too_few_copies_are_not_seen(city: City) -> None:
    with beside(city.broker) as second:
        until(lambda: brokers(city.broker) == 2)
        said = found(city.settings, "drift")["drift-replicas"]
        assert said.severity is Severity.WARNING
        assert "has 1, not 2" in said.cause
        names = ("doctor-copies", "doctor-strict")
        admin = city.admin
        for future in admin.create_topics([NewTopic(one, 1, 2) for one in names]).values():
            future.result(30)
        until(lambda: set(names) <= set(admin.list_topics(timeout=10).topics))
        assert found(city.settings, "copies") == {}
        second.kill()
        until(lambda: "copies" in found(city.settings, "copies"))
        away = found(city.settings, "copies")["copies"]
    assert away.severity is Severity.WARNING
    assert "doctor-copies/0" in away.what
    assert "broker 2 doesn't answer" in away.cause
    for future in admin.delete_topics(list(names)).values():
        future.result(30)


def test_a_producer_that_hangs_holds_readers_back_and_the_doctor_is_silent(city: City) -> None:
    topic = "events.millbrook-311.service-requests"
    where = Endpoints(city.settings.bootstrap, city.settings.registry)
    kafka.ensure_topics(city.admin, [kafka.Topic(topic, 1, kafka.EVENTS)])
    until(lambda: found(city.settings, "flow") == {})
    producer = Producer(
        kafka.producer(
            city.settings, where, transactional_id="hangs", transaction_timeout_ms=600_000
        )
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    sent = round(time.time() * 1000) - 600_000
    for _ in range(2):
        producer.produce(topic, b"never committed", timestamp=sent)
    assert producer.flush(30) == 0
    (held,) = looked(city.settings, "kafka", "contracts", "flow").findings
    assert held.severity is Severity.CRITICAL
    assert held.what == f"nobody can read the last 2 messages of {topic}"
    assert held.whose == "millbrook-311 (data@311.millbrook.example)"
    assert "a producer of millbrook-311 holds a transaction open" in held.cause
    assert "the first of it was sent 10 min ago" in held.cause
    assert f"crosstown tail {topic}" in held.mend
    producer.abort_transaction(30)
    until(lambda: found(city.settings, "flow") == {})


def test_dead_letters_of_a_day_are_not_told_or_those_of_yesterday_are(city: City) -> None:
    where = Endpoints(city.settings.bootstrap, city.settings.registry)
    values = own_values("dead-letters", city.settings, where)
    producer = Producer(kafka.producer(city.settings, where))
    topic = "events.riverton-housing.inspections"

    def letter(number: int, reason: str, at: float) -> None:
        key = f"{topic}/0/{number}"
        value = values.encode({
            "reason": reason, "detail": "a test", "topic": topic, "partition": 0, "offset": number,
            "produced_at": round(at * 1e6), "key": None, "value": b"?", "headers": [],
        })  # fmt: skip
        producer.produce("dead-letters", value, key, timestamp=round(at * 1000))
        assert producer.flush(30) == 0

    letter(0, "not-avro", time.time() - 90_000)
    assert found(city.settings, "flow") == {}
    for number in range(1, 21):
        letter(number, "unknown-code" if number % 4 else "not-avro", time.time())
    said = found(city.settings, "flow")["flow-dead-letters"]
    assert said.severity is Severity.NOTE
    letter(21, "unknown-code", time.time())
    said = found(city.settings, "flow")["flow-dead-letters"]
    assert said.severity is Severity.WARNING
    assert said.what == f"21 messages of {topic} became dead letters within a day"
    assert said.whose.startswith("riverton-housing (")
    assert said.cause == "unknown-code 16, not-avro 5"
    assert said.mend == (
        f"crosstown dead-letters list --topic {topic}", f"crosstown dead-letters show {topic}/0/21",
    )  # fmt: skip
    for number in range(22):
        producer.produce("dead-letters", None, f"{topic}/0/{number}")
    assert producer.flush(30) == 0
    assert found(city.settings, "flow") == {}


BROKEN = """\
import sys
from crosstown.errors import Stop
from crosstown.program import main
def body(program):
    raise Stop("the paint is wet", mend="wait until it has dried")
sys.exit(main("intake", body))
"""
IDLE = """\
import sys
from crosstown.program import main
def body(program):
    program.ready()
    program.stopping.wait()
sys.exit(main("watch", body))
"""


def test_program_that_ends_again_and_again_or_is_stuck_is_well(
    city: City, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "doctor_intake.py").write_text(BROKEN)
    (tmp_path / "doctor_watch.py").write_text(IDLE)
    here = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, str(tmp_path)]))
    given = city.with_(home=home)
    programs = {"intake": "doctor_intake", "watch": "doctor_watch"}
    one = Supervisor(given, lambda _: None, programs=programs, prepare=lambda *_: 1)
    thread = threading.Thread(target=one.run)
    thread.start()

    def said(name: str) -> str:
        whats = [what.what for what in looked(given, "processes").findings]
        ours = [what for what in whats if what.startswith(name)]
        return " ".join(what for what in ours if "isn't ready" not in what)  # nor do they work

    def watch() -> int | None:
        rows = (Home(home).up() or {"processes": []})["processes"]
        return next(
            (row["pid"] for row in rows if row["name"] == "watch" and row["state"] == "running"),
            None,
        )

    try:
        until(lambda: "started again" in said("intake"))
        until(lambda: "has failed" in said("intake"))
        (failed,) = [x for x in looked(given, "processes").findings if x.what.startswith("intake")]
        assert "the paint is wet" in failed.cause
        assert failed.severity is Severity.CRITICAL
        until(watch)
        pid = watch()
        assert pid is not None
        assert said("watch") == ""
        os.kill(pid, signal.SIGSTOP)
        assert said("watch") == f"watch (pid {pid}) runs and doesn't answer"
        os.kill(pid, signal.SIGCONT)
    finally:
        one.stopping.set()
        thread.join(20)


def test_well_installation_is_called_ill(installation: Installation) -> None:
    said = installation("doctor", "-o", "json")
    Draft202012Validator(GOLDEN).validate(said.json())
    critical = [one for one in said.json()["findings"] if one["severity"] == "critical"]
    assert critical == []
    states = {one["name"]: one["state"] for one in said.json()["checks"]}
    assert set(states.values()) <= {"ok", "found"}, states
    assert {name for name, state in states.items() if state == "ok"} >= {
        "processes", "java", "ports", "secrets", "contracts", "casebook", "kafka", "registry", "clock", "copies",
    }  # fmt: skip
