"""A program that has stopped reading ends itself, and the supervisor starts it again."""

from __future__ import annotations

import os
import subprocess
import sys

from confluent_kafka import Producer

from crosstown import kafka as clients
from crosstown.home import Endpoints
from crosstown.settings import Settings
from crosstown.watchdog import EXIT_CODE, Still

DEAF = """
import sys
from crosstown import transact
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
    print(len(batch), flush=True)
    program.stopping.set()
    return ()
transact.run_stateless(program, "^stalled$", work, 0)
"""


def test_data_lies_unread_and_nobody_notices(kafka: tuple[Settings, Endpoints]) -> None:
    settings, where = kafka
    admin = clients.wait_for_broker(settings, where, 10)
    clients.ensure_topics(admin, [clients.Topic("stalled", 1, clients.EVENTS)])
    env = {
        **os.environ,
        "CROSSTOWN_HOME": str(settings.home),
        "CROSSTOWN_BOOTSTRAP": where.bootstrap,
    }
    with subprocess.Popen(
        [sys.executable, "-c", DEAF, "deaf"], env=env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"deaf\n"
        producer = Producer(clients.producer(settings, where))
        producer.produce("stalled", b"x")
        assert producer.flush(10) == 0
        process.communicate(timeout=60)
        assert process.returncode == EXIT_CODE
    again = subprocess.run(
        [sys.executable, "-c", DEAF, "well"], env=env, capture_output=True, timeout=60, check=True
    )
    assert again.stdout == b"1\n", "the next one reads it"


def test_a_program_that_works_is_ended() -> None:
    still = Still(5, 0.0, 9)
    assert not still.stalled(5, 9, 44.0, 45.0, lone=True)
    assert not still.stalled(6, 9, 60.0, 45.0, lone=True), "it went on"
    assert still.stalled(6, 9, 105.0, 45.0, lone=True)
    assert not still.stalled(9, 9, 500.0, 45.0, lone=True), "all is read"
