"""The fold on Quix Streams: exactly-once, the state in RocksDB with a changelog topic.

python app.py BOOTSTRAP GROUP INPUT OUTPUT STATE_DIR
"""

import json
import os
import struct
import sys
from io import BytesIO
from pathlib import Path

import fastavro
from quixstreams import Application
from quixstreams.kafka.configuration import ConnectionConfig

BOOTSTRAP, GROUP, INPUT, OUTPUT, FOLDER = sys.argv[1:]
EVENT, RESULT = (
    fastavro.parse_schema(json.loads((Path(__file__).parents[1] / f"{name}.avsc").read_text()))
    for name in ("event", "result")
)
FRAME = struct.pack(">bI", 0, 1)


def fold(value: bytes, state) -> bytes:
    stream = BytesIO(value)
    stream.seek(5)
    event = fastavro.schemaless_reader(stream, EVENT, None)
    known = state.get("state")
    if known is None:
        known = {"record": event["record"], "count": 0, "occurred_at": -1}
    known["count"] += 1
    if event["occurred_at"] >= known["occurred_at"]:
        known["type"] = event["type"]
        known["step"] = event["step"]
        known["occurred_at"] = event["occurred_at"]
        known["headline"] = event["headline"]
    state.set("state", known)
    out = BytesIO(FRAME)
    out.seek(5)
    fastavro.schemaless_writer(out, RESULT, known)
    return out.getvalue()


app = Application(
    broker_address=ConnectionConfig(
        bootstrap_servers=BOOTSTRAP,
        security_protocol="sasl_plaintext",
        sasl_mechanism="PLAIN",
        sasl_username=os.environ["BENCH_USER"],
        sasl_password=os.environ["BENCH_PASSWORD"],
    ),
    consumer_group=GROUP,
    processing_guarantee="exactly-once",
    auto_offset_reset="earliest",
    commit_interval=1.0,
    state_dir=FOLDER,
    auto_create_topics=True,
    consumer_extra_config={"isolation.level": "read_committed"},
    producer_extra_config={
        "linger.ms": 5,
        "batch.size": 200_000,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 500_000,
    },
)
raw = {"value_deserializer": "bytes", "key_deserializer": "bytes"}
source = app.topic(INPUT, **raw)
target = app.topic(OUTPUT, value_serializer="bytes", key_serializer="bytes")
app.dataframe(source).apply(fold, stateful=True).to_topic(target)

if __name__ == "__main__":
    app.run()
