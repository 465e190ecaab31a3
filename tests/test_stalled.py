"""A program that has stopped reading ends itself, and the supervisor starts it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from crosstown.backbone import kafka as clients
from crosstown.home import Endpoints
from crosstown.processing.watchdog import EXIT_CODE, Still, data_waits
from crosstown.settings import Settings

PROGRAM = """
import sys
from crosstown.processing import transact
from crosstown.home import Endpoints, Home
from crosstown.program import Program
from crosstown.settings import Settings

transact.STALL = 3.0
gain = transact.Ownership.gain
def deaf(ownership, partitions):
    gain(ownership, partitions)
    ownership.consumer.incremental_assign(partitions)
    ownership.consumer.pause(partitions)
    print("deaf", flush=True)
if sys.argv[1] == "deaf":
    transact.Ownership.gain = deaf
settings = Settings()
home = Home(settings.home).make()
program = Program("stalled", settings, home, Endpoints(settings.bootstrap, ""), "")
def work(batch):
    print(*sorted({message.topic() for message in batch}), flush=True)
    program.stopping.set()
    return ()
transact.run_stateless(program, "^stalled", work, 0)
"""

SHARDED = """
import sys
from crosstown.processing import transact
from crosstown.home import Endpoints, Home
from crosstown.program import Program
from crosstown.settings import Settings

transact.STALL = 3.0
gain = transact._Shards.gain
def deaf(shards, consumer, partitions):
    gain(shards, consumer, partitions)
    consumer.pause(partitions)
    print("deaf", flush=True)
if sys.argv[1] == "deaf":
    transact._Shards.gain = deaf
settings = Settings()
program = Program("sharded", settings, Home(settings.home).make(), Endpoints(settings.bootstrap, ""), "")
class Once(transact.Shard):
    def fold(self, message):
        return ()
    def outputs(self, version):
        print("told", flush=True)
        program.stopping.set()
        return ()
transact.run_sharded(program, "stalled-shards", lambda _: Once(), 0)
"""


@pytest.fixture
def run(kafka: tuple[Settings, Endpoints]) -> Callable[..., subprocess.Popen[bytes]]:
    settings, where = kafka
    env = {
        **os.environ,
        "CROSSTOWN_HOME": str(settings.home),
        "CROSSTOWN_BOOTSTRAP": where.bootstrap,
        "CROSSTOWN_KAFKA": json.dumps(settings.kafka),
    }
    return lambda how, program=PROGRAM: subprocess.Popen(
        [sys.executable, "-c", program, how], env=env, stdout=subprocess.PIPE
    )


def said_in(topic: str, kafka: tuple[Settings, Endpoints]) -> None:
    settings, where = kafka
    admin = clients.wait_for_broker(settings, where, 10)
    clients.ensure_topics(admin, [clients.Topic(topic, 1, clients.EVENTS)])
    producer = Producer(clients.producer(settings, where))
    producer.produce(topic, b"x")
    assert producer.flush(10) == 0


def said_by(process: subprocess.Popen[bytes]) -> bytes:
    out, _ = process.communicate(timeout=60)
    return out


def ends_deaf(process: subprocess.Popen[bytes], say: Callable[[], None]) -> int:
    """How a program ends that doesn't hear what is said once it runs."""
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"deaf\n"
        say()
        process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode


def test_data_lies_unread_and_nobody_notices(
    kafka: tuple[Settings, Endpoints], run: Callable[..., subprocess.Popen[bytes]]
) -> None:
    said_in("stalled", kafka)
    assert said_by(run("well")) == b"stalled\n"
    assert ends_deaf(run("deaf"), lambda: said_in("stalled", kafka)) == EXIT_CODE
    assert said_by(run("well")) == b"stalled\n", "the next one reads it"


def test_a_shard_that_was_never_restored_may_stand_still(
    kafka: tuple[Settings, Endpoints], run: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """It has told all and starts again: what comes first then is what it doesn't read."""
    said_in("stalled-shards", kafka)
    assert said_by(run("well", SHARDED)) == b"told\n"
    assert ends_deaf(run("deaf", SHARDED), lambda: said_in("stalled-shards", kafka)) == EXIT_CODE
    assert said_by(run("well", SHARDED)) == b"told\n", "the next one reads it"


def test_a_topic_that_came_while_a_program_was_started_again(
    kafka: tuple[Settings, Endpoints], run: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """The group's coordinator gives a static member what it had, whatever it asks for now."""
    early = run("well")
    time.sleep(4)
    early.kill()
    early.communicate()
    said_in("stalled-1", kafka)
    assert said_by(run("well")) == b"stalled-1\n"
    said_in("stalled-2", kafka)
    assert said_by(run("well")) == b"stalled-2\n"


def test_a_program_that_works_is_ended() -> None:
    still, there = Still(5), lambda: True
    assert not still.stalled(5, 9, 0.0, 45.0, there, lone=True)
    assert not still.stalled(5, 9, 44.0, 45.0, there, lone=True)
    assert not still.stalled(6, 9, 60.0, 45.0, there, lone=True), "it went on"
    assert not still.stalled(6, 9, 62.0, 45.0, there, lone=True)
    assert still.stalled(6, 9, 107.0, 45.0, there, lone=True)
    assert not still.stalled(6, 9, 107.0, 45.0, there), "nothing came since"
    assert still.stalled(6, 10, 107.0, 45.0, there)
    assert not still.stalled(10, 10, 500.0, 45.0, there, lone=True), "all is read"


@pytest.mark.parametrize("lone", [True, False])
def test_a_message_behind_old_markers_is_taken_for_one_that_waited_long(lone: bool) -> None:
    """Who has read all commits less than the end, for as long as nothing comes."""
    still, waits = Still(4), False
    for now in range(0, 600, 2):
        assert not still.stalled(4, 5, now, 45.0, lambda: waits, lone=lone), "markers"
    waits = True
    assert not still.stalled(4, 13, 600.0, 45.0, lambda: waits, lone=lone), "it came just now"
    assert not still.stalled(4, 14, 644.0, 45.0, lambda: waits, lone=lone)
    assert still.stalled(4, 14, 645.0, 45.0, lambda: waits, lone=lone)


def test_a_broker_that_does_not_answer_hides_what_waits() -> None:
    still = Still(4)
    assert not still.stalled(4, 5, 0.0, 45.0, lambda: None, lone=True), "not known yet"
    assert not still.stalled(4, 5, 2.0, 45.0, lambda: True, lone=True)
    assert still.stalled(4, 5, 47.0, 45.0, lambda: True, lone=True)


def test_markers_alone_are_taken_for_a_message(kafka: tuple[Settings, Endpoints]) -> None:
    settings, where = kafka
    admin = clients.wait_for_broker(settings, where, 10)
    clients.ensure_topics(admin, [clients.Topic("marked", 1, clients.EVENTS)])
    producer = Producer({**clients.producer(settings, where), "transactional.id": "marked"})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce("marked", b"x")
    producer.commit_transaction(10)
    how = clients.consumer(settings, where, group_id="marked", enable_partition_eof=True)
    with Consumer(how) as reader:
        assert data_waits(reader, "marked", 0, 0) is True
        assert data_waits(reader, "marked", 0, 1) is False, "the marker of the commit"
        assert reader.get_watermark_offsets(TopicPartition("marked", 0), timeout=5) == (0, 2)
