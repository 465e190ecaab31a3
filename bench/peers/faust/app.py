"""The fold on plain Faust: at-least-once, a table in memory with a changelog topic.

python app.py BOOTSTRAP GROUP INPUT OUTPUT STATE_DIR
"""

import json
import os
import struct
import sys
from io import BytesIO
from pathlib import Path

import fastavro
import faust

BOOTSTRAP, GROUP, INPUT, OUTPUT, FOLDER = sys.argv[1:]
EVENT, RESULT = (
    fastavro.parse_schema(json.loads((Path(__file__).parents[1] / f"{name}.avsc").read_text()))
    for name in ("event", "result")
)
FRAME = struct.pack(">bI", 0, 1)

app = faust.App(
    GROUP,
    broker=f"kafka://{BOOTSTRAP}",
    broker_credentials=faust.SASLCredentials(
        username=os.environ["BENCH_USER"], password=os.environ["BENCH_PASSWORD"], mechanism="PLAIN"
    ),
    datadir=FOLDER,
    store="memory://",
    processing_guarantee="at_least_once",
    consumer_auto_offset_reset="earliest",
    broker_commit_interval=1.0,
    stream_buffer_maxsize=8192,
    stream_wait_empty=False,
    producer_linger=0.005,
    producer_max_batch_size=200_000,
    producer_compression_type="lz4",
    web_enabled=False,
    topic_partitions=1,
    topic_replication_factor=1,
)
source = app.topic(
    INPUT, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
)
target = app.topic(
    OUTPUT, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
)
states = app.Table("states", partitions=1)


@app.agent(source)
async def fold(stream):
    async for value in stream:
        data = BytesIO(value)
        data.seek(5)
        event = fastavro.schemaless_reader(data, EVENT, None)
        key = event["record"]
        state = states.get(key) or {"record": key, "count": 0, "occurred_at": -1}
        state["count"] += 1
        if event["occurred_at"] >= state["occurred_at"]:
            state["type"] = event["type"]
            state["step"] = event["step"]
            state["occurred_at"] = event["occurred_at"]
            state["headline"] = event["headline"]
        states[key] = state
        out = BytesIO(FRAME)
        out.seek(5)
        fastavro.schemaless_writer(out, RESULT, state)
        await target.send(key=key.encode(), value=out.getvalue())


if __name__ == "__main__":
    app.finalize()
    faust.Worker(app, loglevel="warning").execute_from_commandline()
