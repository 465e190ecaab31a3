"""The embedded Kafka as people meet it: killed, crowded out of its port, started twice, broken."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient

from crosstown.backbone import kafka as clients
from crosstown.embedded.broker import Broker
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.processes.ports import choose
from crosstown.settings import Settings


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own, in a folder and with an id that Java finds hard; not started."""
    one = Broker(Settings(home=tmp_path / "Stra\N{LATIN SMALL LETTER SHARP S}e = 1 \N{SNOWMAN}"))
    one.home.broker.mkdir(parents=True)
    looks_like_an_option = {
        "cluster": "-tBROKERIDxxxxxxxxxxxQ",
        "port": choose(),
        "controller": choose(),
    }
    (one.home.broker / "broker.json").write_text(json.dumps(looks_like_an_option))
    yield one
    one.kill()


def say(broker: Broker, topic: str, value: bytes, key: bytes | None = None) -> KafkaError | None:
    """Produce one message and return what the broker said."""
    told: list[KafkaError | None] = []

    def on_delivery(error: KafkaError | None, _message: Message) -> None:
        told.append(error)

    how = clients.producer(
        broker.settings, Endpoints(broker.bootstrap, ""), message_max_bytes=3_000_000
    )
    producer = Producer({**how, "message.timeout.ms": 5000})
    producer.produce(topic, value, key, on_delivery=on_delivery)
    assert producer.flush(10) == 0
    return told[0]


def _admin(broker: Broker) -> AdminClient:
    return AdminClient(clients.client(broker.settings, Endpoints(broker.bootstrap, "")))


def hear(broker: Broker, topic: str) -> bytes | None:
    """The first message of a topic."""
    consumer = Consumer(
        clients.consumer(broker.settings, Endpoints(broker.bootstrap, ""), group_id="hearing")
    )
    try:
        consumer.subscribe([topic])
        message = consumer.poll(15)
        assert message is not None
        assert message.error() is None
        return bytes(message.value())
    finally:
        consumer.close()


def make(broker: Broker, topic: clients.Topic) -> None:
    clients.ensure_topics(_admin(broker), [topic])


def test_kill_or_a_stranger_on_its_port_loses_data(own: Broker) -> None:
    own.start()
    bootstrap = own.bootstrap
    make(own, clients.Topic("kept", 1, clients.EVENTS))
    assert say(own, "kept", b"before") is None
    own.kill()
    own.start()
    assert own.bootstrap == bootstrap, "clients that wait must find it again"
    assert hear(own, "kept") == b"before"

    own.stop()
    with socket.create_server(("127.0.0.1", int(bootstrap.split(":")[1]))):
        own.start()
        assert own.bootstrap != bootstrap
        assert hear(own, "kept") == b"before"
        moved = own.bootstrap
        own.stop()
    again = Broker(own.settings)
    assert again.bootstrap == moved, "the new port is remembered"


def test_orphan_of_a_killed_owner_keeps_the_home(own: Broker) -> None:
    program = (
        "import os, sys; from pathlib import Path; from crosstown.embedded.broker import Broker;"
        "from crosstown.settings import Settings;"
        "one = Broker(Settings(home=Path(sys.argv[1]))).start();"
        "print(one.pid, flush=True); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(own.settings.home)],
        stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    orphan = int(done.stdout)
    assert psutil.pid_exists(orphan)
    own.start()
    assert not psutil.pid_exists(orphan)
    other = Broker(own.settings)
    with pytest.raises(Unavailable, match="another process runs the broker"):
        other.start()
    assert own.answers(timeout=5), "the one that tried in vain must not disturb it"


def test_broken_broker_is_told_without_its_log(own: Broker) -> None:
    data = own.home.broker / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\ncluster.id=of-another-life\nnode.id=77\n")
    with pytest.raises(Unavailable) as caught:
        own.start()
    assert str(own.home.logs / "broker.log") in str(caught.value)
    assert "node.id" in str(caught.value).lower() or "node id" in str(caught.value).lower()
    assert not own.alive()


def test_misspelt_topic_comes_into_being(broker: Broker) -> None:
    error = say(broker, "acepted", b"x")
    assert error is not None
    assert "acepted" not in _admin(broker).list_topics().topics


def test_dead_letter_of_a_large_message_is_too_large(broker: Broker) -> None:
    make(broker, clients.Topic("large-dead-letters", 1, clients.DEAD))
    assert say(broker, "large-dead-letters", bytes(1_450_000), b"events.a/0/0") is None


def test_second_start_with_other_partitions_goes_unnoticed(broker: Broker) -> None:
    from crosstown.errors import Stop

    make(broker, clients.Topic("sharded", 2, clients.EVENTS))
    make(broker, clients.Topic("sharded", 2, clients.EVENTS))
    with pytest.raises(Stop, match="has 2 partitions, not 5"):
        make(broker, clients.Topic("sharded", 5, clients.EVENTS))


def test_stranger_on_the_port_passes_for_our_broker(broker: Broker, tmp_path: Path) -> None:
    mistaken = Broker(Settings(home=tmp_path))
    mistaken.home.broker.mkdir(parents=True)
    port = broker.bootstrap.split(":")[1]
    mistaken._file.write_text(f'{{"port": {port}, "controller": 1, "cluster": "another"}}')
    assert broker.answers(timeout=5)
    assert not mistaken.answers(timeout=5)
