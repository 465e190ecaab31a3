"""What the state of `cases` costs after the fact: starting again with and without its file; rebuild.

measure(bone, say_one)   on a backbone whose topics are filled and whose programs stand still
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
from bench.measure import end
from confluent_kafka import Consumer, TopicPartition

from crosstown.backbone import kafka
from crosstown.formats import TIMELINE, plain
from crosstown.cases.rebuild import Rebuild

if TYPE_CHECKING:
    from bench.path import Backbone


def measure(bone: Backbone, say_one: Callable[[], str]) -> dict[str, float]:
    """Seconds from the start of the process to its first output, and of a rebuild; the file's size.

    `say_one` sends one new event to its agency's topic and gives its record.
    """
    intake = bone.start("streams.intake")
    try:
        files = list(bone.home.state.glob("cases-*.sqlite*"))
        found: dict[str, float] = {"store_mb": round(sum(f.stat().st_size for f in files) / 1e6)}
        found["restart_with_store"] = _first_output(bone, say_one)
        shutil.rmtree(bone.home.state)
        bone.home.make()
        found["restart_from_log"] = _first_output(bone, say_one)
        cases = bone.start("streams.cases")
        try:
            one = Rebuild(bone.settings, bone.endpoints, lambda _text: None, 7_200)
            with one.running(None) as done:
                assert done.same, "a rebuild differs"  # noqa: S101
                found["rebuild"] = round(done.seconds, 1)
                found["rebuild_per_second"] = round(done.messages / done.seconds)
        finally:
            end(cases)
    finally:
        end(intake)
    return found


def _first_output(bone: Backbone, say_one: Callable[[], str]) -> float:
    """What was said while nothing ran comes first: counted until a reader has it."""
    schema = fastavro.parse_schema(plain(TIMELINE))
    consumer = Consumer(kafka.consumer(bone.settings, bone.endpoints, fetch_wait_max_ms=20))
    at = consumer.get_watermark_offsets(TopicPartition("timelines", 0), timeout=10)[1]
    consumer.assign([TopicPartition("timelines", 0, at)])
    record = say_one()
    time.sleep(3)  # intake has it
    start = time.monotonic()
    cases: subprocess.Popen[bytes] = bone.start("streams.cases")
    try:
        while time.monotonic() - start < 3_600:
            for message in consumer.consume(100, 0.05):
                if message.error() is not None:
                    continue
                said: Any = fastavro.schemaless_reader(BytesIO(message.value()[5:]), schema, None)
                if said["record"] == record:
                    return round(time.monotonic() - start, 2)
        raise SystemExit("no output for an hour")
    finally:
        end(cases)
        consumer.close()
