"""The registry as clients meet it: Confluent's own client, over HTTP, on a real Kafka."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from crosstown.avro.codec import Decoder, frame, unframe
from crosstown.avro.guards import guard
from crosstown.embedded.broker import Broker
from crosstown.errors import Refused, TimedOut, Unavailable
from crosstown.home import Endpoints
from crosstown.registry.client import Registry
from crosstown.registry.server import Server
from crosstown.settings import Settings


def schema(*fields: dict[str, Any], name: str = "Event") -> str:
    every = [{"name": "number", "type": "string"}, *fields]
    return json.dumps({"type": "record", "name": name, "namespace": "city", "fields": every})


NOTE = {"name": "note", "type": "string", "default": ""}
BARE = {"name": "note", "type": "string"}


@pytest.fixture
def ours(server: Server) -> Iterator[Registry]:
    with Registry(server.url, login=server.login) as one:
        yield one


@pytest.fixture
def theirs(server: Server) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient(asks(server, ":".join(server.login))) as client:
        yield client


def asks(server: Server, login: str) -> dict[str, Any]:
    return {"url": server.url, "max.retries": 0, "basic.auth.user.info": login}


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> str:
    return f"events.{request.node.name}-value"


def http(server: Server, method: str, path: str, body: Any = None) -> httpx.Response:
    return httpx.request(method, server.url + path, json=body, auth=server.login, timeout=10)


def test_confluents_serialiser_and_deserialiser_dont_work_with_the_registry(
    theirs: SchemaRegistryClient,
) -> None:
    context = SerializationContext("events.a.serde", MessageField.VALUE)
    write = AvroSerializer(theirs, schema(NOTE))
    value = write({"number": "7", "note": "é"}, context)
    assert value is not None
    assert AvroDeserializer(theirs)(value, context) == {"number": "7", "note": "é"}

    latest = AvroSerializer(
        theirs, schema(NOTE), conf={"auto.register.schemas": False, "use.latest.version": True}
    )
    assert latest({"number": "7", "note": "é"}, context) == value

    known = AvroSerializer(theirs, schema(NOTE), conf={"auto.register.schemas": False})
    assert known({"number": "7", "note": "é"}, context) == value


def test_what_confluents_serialiser_writes_cant_be_read_by_us(
    theirs: SchemaRegistryClient, ours: Registry
) -> None:
    context = SerializationContext("events.a.ours", MessageField.VALUE)
    value = AvroSerializer(theirs, schema(NOTE))({"number": "7", "note": "x"}, context)
    schema_id, body = unframe(value)
    writer = guard(ours.schema(schema_id))
    assert Decoder(writer, guard(schema())).decode(body) == {"number": "7"}
    assert frame(schema_id, body) == value


def test_one_schema_gets_two_ids(ours: Registry, subject: str) -> None:
    spaced = json.dumps(json.loads(schema(NOTE)), indent=3, sort_keys=True)
    wordy = schema({**NOTE, "type": {"type": "string"}})
    first = ours.register(subject, schema(NOTE))
    assert ours.register(subject, spaced) == first
    assert ours.register(subject, wordy) == first
    assert ours.register(subject + "-other", schema(NOTE)) == first
    assert ours.latest(subject).version == 1
    assert ours.lookup(subject, spaced).id == first
    documented = ours.register(subject, schema({**NOTE, "doc": "what they said"}))
    assert documented != first


def test_a_breaking_schema_is_registered(ours: Registry, subject: str) -> None:
    ours.register(subject, schema())
    with pytest.raises(Refused, match=r"note.*no default.*give it a default") as refused:
        ours.register(subject, schema(BARE))
    assert refused.value.reason == "schema-incompatible"
    ours.register(subject, schema(NOTE))
    assert ours.latest(subject).version == 2


def test_the_compatibility_level_is_ignored(
    server: Server, theirs: SchemaRegistryClient, subject: str
) -> None:
    theirs.register_schema(subject, Schema(schema(), "AVRO"))
    with pytest.raises(SchemaRegistryError) as missing:
        theirs.get_compatibility(subject)
    assert missing.value.error_code == 40408
    assert not theirs.test_compatibility(subject, Schema(schema(BARE), "AVRO"))
    theirs.set_compatibility(subject, "NONE")
    assert str(theirs.get_compatibility(subject)) == "NONE"
    assert theirs.test_compatibility(subject, Schema(schema(BARE), "AVRO"))
    theirs.register_schema(subject, Schema(schema(BARE), "AVRO"))
    assert str(theirs.get_compatibility()) == "BACKWARD"
    assert http(server, "GET", f"/config/{subject}?defaultToGlobal=true").is_success
    with pytest.raises(SchemaRegistryError) as wrong:
        theirs.set_compatibility(subject, "SIDEWAYS")
    assert (wrong.value.http_status_code, wrong.value.error_code) == (422, 42203)


def test_a_deleted_version_cant_be_read_any_more(
    theirs: SchemaRegistryClient, ours: Registry, subject: str
) -> None:
    first = theirs.register_schema(subject, Schema(schema(), "AVRO"))
    second = theirs.register_schema(subject, Schema(schema(NOTE), "AVRO"))
    assert theirs.get_versions(subject) == [1, 2]
    assert theirs.delete_version(subject, 2) == 2
    assert theirs.get_latest_version(subject).schema_id == first
    assert theirs.delete_subject(subject) == [1]
    assert subject not in theirs.get_subjects()
    with pytest.raises(Refused, match="unknown-subject"):
        ours.latest(subject)
    assert json.loads(ours.schema(second)) == json.loads(schema(NOTE))
    assert ours.register(subject, schema(NOTE)) == second
    assert ours.latest(subject).version == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/schemas/ids/999999", None, 404, 40403),
        ("GET", "/schemas/ids/nine", None, 404, 404),
        ("GET", "/subjects/nowhere/versions", None, 404, 40401),
        ("GET", "/subjects/nowhere/versions/latest", None, 404, 40401),
        ("POST", "/subjects/nowhere", {"schema": '"string"'}, 404, 40401),
        ("POST", "/subjects/s/versions", {"schema": "nonsense"}, 422, 42201),
        ("POST", "/subjects/s/versions", {"schema": 5}, 422, 42201),
        ("POST", "/subjects/s/versions", {}, 422, 42201),
        ("POST", "/subjects/s/versions", {"schema": "{}", "schemaType": "JSON"}, 422, 42201),
        ("POST", "/subjects/s/versions", {"schema": '"int"', "references": [{}]}, 422, 42201),
        ("POST", "/subjects/%00/versions", {"schema": '"int"'}, 422, 42208),
        ("DELETE", "/subjects/nowhere", None, 404, 40401),
        ("DELETE", "/subjects/s?permanent=true", None, 404, 40401),
        ("PUT", "/mode", {"mode": "IMPORT"}, 422, 42205),
        ("PATCH", "/subjects", None, 405, 405),
        ("PUT", "/subjects", None, 405, 405),
        ("GET", "/favicon.ico", None, 404, 404),
    ],
)
def test_an_error_isnt_said_in_the_words_of_confluents_clients(
    server: Server, method: str, path: str, body: Any, status: int, code: int | None
) -> None:
    answer = http(server, method, path, body)
    assert answer.status_code == status
    if code is not None:
        assert answer.json()["error_code"] == code
        assert answer.json()["message"]


def test_a_missing_version_isnt_told_from_a_missing_subject(
    server: Server, ours: Registry, subject: str
) -> None:
    ours.register(subject, schema())
    assert http(server, "GET", f"/subjects/{subject}/versions/9").json()["error_code"] == 40402
    assert http(server, "GET", f"/subjects/{subject}/versions/0").json()["error_code"] == 42202
    assert http(server, "GET", f"/subjects/{subject}/versions/-1").json()["version"] == 1
    found = http(server, "POST", f"/subjects/{subject}", {"schema": schema(NOTE)})
    assert found.json()["error_code"] == 40403


def test_a_bomb_gets_into_the_registry(ours: Registry, subject: str) -> None:
    nulls = {"name": "x", "type": {"type": "array", "items": "null"}}
    with pytest.raises(Refused, match=r"schema-empty-items.*->.*long"):
        ours.register(subject, schema(nulls))
    with pytest.raises(Refused, match="schema-recursive"):
        ours.register(subject, schema({"name": "x", "type": ["null", "Event"]}))


def test_a_bad_request_ends_the_registry_or_hangs_it(server: Server, ours: Registry) -> None:
    port = server.port
    deep = b'{"schema": ' + b"[" * 100_000
    head = {"Content-Type": "application/json"}
    assert httpx.post(f"{server.url}/subjects/s/versions", content=deep, headers=head).is_error
    page = httpx.post(f"{server.url}/subjects/s/versions", content=b"{}", headers={
        "Content-Type": "text/plain"})  # fmt: skip
    assert page.status_code == 415
    big = httpx.post(f"{server.url}/subjects/s/versions", content=b" " * 1_100_000, headers=head)
    assert big.status_code == 413
    import socket

    for raw in (b"\0\1\2\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"GET"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(raw)
    assert ours.subjects() is not None


def test_an_unknown_id_and_a_registry_that_is_down_look_the_same(ours: Registry) -> None:
    with pytest.raises(Refused) as unknown:
        ours.schema(987_654)
    assert unknown.value.reason == "unknown-schema"
    with Registry("http://127.0.0.1:9", timeout=1) as nobody:
        with pytest.raises(Unavailable, match="doesn't answer"):
            nobody.schema(1)
        with pytest.raises(TimedOut):
            nobody.wait(0.3)


def test_a_web_proxy_keeps_us_from_this_machines_registry(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with Registry(server.url) as client:
        assert client.subjects() is not None


@pytest.mark.parametrize("url", ["http://ann:s3cret@127.0.0.1:9", "http://[x", "nonsense", ""])
def test_a_wrong_address_ends_in_a_stack_trace_or_tells_the_password(url: str) -> None:
    with Registry(url, timeout=1) as nobody, pytest.raises(Unavailable) as error:
        nobody.subjects()
    assert "s3cret" not in f"{error.value} {error.value.mend}"
    assert error.value.mend


def test_a_known_schema_needs_the_registry_each_time(broker: Broker, home: Path) -> None:
    endpoints = Endpoints(broker.bootstrap, "")
    settings = Settings(home=home, bootstrap=broker.bootstrap, kafka=broker.login)
    one = Server(settings, endpoints).start()
    with Registry(one.url, 1, one.login) as client:
        schema_id = client.register("events.kept-value", schema())
        client.schema(schema_id)
        one.close()
        assert client.schema(schema_id)
        with pytest.raises(Unavailable):
            client.latest("events.kept-value")


def test_a_zombie_registry_hands_out_an_id_twice(kafka: tuple[Settings, Endpoints]) -> None:
    old, new = Server(*kafka).start(), Server(*kafka).start()
    with (
        closing(old),
        closing(new),
        Registry(old.url, login=old.login) as left,
        Registry(new.url, login=new.login) as right,
    ):
        first = right.register("events.zombie-value", schema(name="New"))
        assert left.register("events.zombie-other", schema(name="Old")) != first
        assert left.latest("events.zombie-value").id == first


def test_ids_change_or_registrations_are_lost_when_the_registry_is_killed(
    broker: Broker, home: Path
) -> None:
    known: dict[str, int] = {}
    urls = set()
    for round_ in range(3):
        with _program(broker, home) as (process, url):
            urls.add(url)
            with Registry.at(Settings(home=home), Endpoints("", url)) as client:
                assert {name: client.latest(name).id for name in known} == known
                for n in range(5):
                    name = f"events.killed.{round_}.{n}-value"
                    known[name] = client.register(name, schema(name=f"Killed{round_}x{n}"))
                if round_ == 2:
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(10) == 0
            process.send_signal(signal.SIGKILL)
    assert len(set(known.values())) == 15
    assert len(urls) == 1, "clients would have to be told a new address"


@pytest.mark.long
def test_a_registration_is_lost_or_refused_for_good_when_kafka_is_killed(home: Path) -> None:
    broker = Broker(Settings(home=home)).start()
    try:
        settings = Settings(home=home, bootstrap=broker.bootstrap)
        endpoints = Endpoints(broker.bootstrap, "")
        with (
            closing(Server(settings, endpoints).start()) as one,
            Registry(one.url, login=one.login) as client,
        ):
            first = client.register("events.before-value", schema(name="Before"))
            broker.kill()
            with pytest.raises(Unavailable):
                client.register("events.while-value", schema(name="While"))
            assert "Before" in client.schema(first)
            broker.start()
            deadline = time.monotonic() + 30
            while True:
                try:
                    second = client.register("events.after-value", schema(name="After"))
                    break
                except Unavailable:
                    assert time.monotonic() < deadline
        with closing(Server(settings, endpoints).start()) as again, Registry(again.url) as client:
            assert client.latest("events.before-value").id == first
            assert client.latest("events.after-value").id == second != first
    finally:
        broker.stop()


class _program:  # noqa: N801 - reads as a function
    """The registry as a process of its own, ended with the block."""

    def __init__(self, broker: Broker, home: Path) -> None:
        environment = {**os.environ, "CROSSTOWN_HOME": str(home), "CROSSTOWN_REGISTRY": "",
                       "CROSSTOWN_BOOTSTRAP": broker.bootstrap,
                       "CROSSTOWN_KAFKA": json.dumps(broker.login)}  # fmt: skip
        (home / "run").mkdir(exist_ok=True)
        (home / "run/up.json").write_text(
            json.dumps({"bootstrap": broker.bootstrap, "registry": ""})
        )
        self._ready = home / "run/registry.json"
        self._ready.unlink(missing_ok=True)
        self._log = home / "registry.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crosstown.registry.server"],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        deadline = time.monotonic() + 20
        while not self._ready.exists():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self._process, json.loads(self._ready.read_text())["url"]

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
