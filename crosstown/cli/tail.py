"""`crosstown tail`: the newest messages of a topic, opened; free text and payloads stay closed."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    err,
    iso,
    out,
    print_json,
    settings,
)
from crosstown.errors import NotFound, Refused, Unavailable
from crosstown.screen.screening import clean

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

    from crosstown.home import Endpoints
    from crosstown.settings import Settings

CLOSED = frozenset({"payload", "case", "value", "key", "headers"})
"""Fields whose content may be free text, or is a timeline of its own."""
SAID = frozenset({"headline", "detail", "message"})
"""Fields in which people, or their values, may be quoted: screened once more."""
TIMES = frozenset({"at", "occurred_at", "due_at", "known_at", "produced_at", "since", "seen_at"})


def command(
    topic: Annotated[str, typer.Argument(help="A topic: accepted, timelines, dead-letters, ...")],
    last: Annotated[int, typer.Option("--last", "-n", min=0, help="How many per partition.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as messages come.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="With the bytes, as base64; they may hold free text.")
    ] = False,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show a topic's newest messages, opened with their schema. Free text stays closed.

    Example: `crosstown tail dead-letters -n 5`
    """
    from crosstown.cli.backbone import backbone
    from crosstown.registry.client import Registry

    chosen = settings(home)
    where = backbone(chosen)
    opener = _Opener(Registry.at(chosen, where), topic)
    shown = False
    for message in _messages(chosen, where, topic, last, follow):
        shown = True
        row = {
            "topic": topic, "partition": message.partition(), "offset": message.offset(),
            "at": iso(message.timestamp()[1] * 1000), **opener.fields(message),
        }  # fmt: skip
        if raw:
            row["value"] = base64.b64encode(message.value() or b"").decode()
        if output is Output.JSON:
            print_json(row)
        else:
            head = f"[dim]{row.pop('topic')}/{row.pop('partition')}/{row.pop('offset')}[/] {row.pop('at')}"
            rest = "  ".join(f"{name}={_short(value)}" for name, value in row.items() if value)
            out.print(head, end="  ")
            out.print(rest, markup=False)
    if not shown and last:
        err.print(f"{topic} has no messages", markup=False)


def _short(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


class _Opener:
    """Reads the fields that may be shown of a framed message."""

    def __init__(self, registry: Any, topic: str) -> None:
        self._registry = registry
        self._decoders: dict[int, Any] = {}
        self._ours = not topic.startswith("events.")

    def fields(self, message: Message) -> dict[str, Any]:
        """The message's fields; of others' topics only their names, since a contract closes them."""
        try:
            fields = self._decoded(message)
        except Refused as refused:
            return {"unreadable": str(refused), "bytes": len(message.value() or b"")}
        if not self._ours:
            return {"key": (message.key() or b"").decode("utf-8", "replace"),
                    "fields": sorted(fields), "bytes": len(message.value() or b"")}  # fmt: skip
        flags = fields.get("flags") or ()
        return {name: iso(value) if name in TIMES else clean(value, flags) if name in SAID else value
                for name, value in fields.items() if name not in CLOSED}  # fmt: skip

    def _decoded(self, message: Message) -> dict[str, Any]:
        from io import BytesIO
        from typing import cast

        import fastavro

        from crosstown.avro.codec import Decoder, unframe
        from crosstown.avro.guards import guard
        from crosstown.formats import TOPICS, plain
        from crosstown.registry.own_values import body_of

        if self._ours and message.topic() in TOPICS:
            schema = fastavro.parse_schema(plain(TOPICS[message.topic()]))
            stream = BytesIO(body_of(message.value()))
            try:
                return cast("dict[str, Any]", fastavro.schemaless_reader(stream, schema, None))
            except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
                raise Refused("not-avro", f"{type(error).__name__}: {error}") from None
        schema_id, body = unframe(message.value())
        if schema_id not in self._decoders:
            schema = guard(self._registry.schema(schema_id))
            self._decoders[schema_id] = Decoder(schema, schema)
        found: dict[str, Any] = self._decoders[schema_id].decode(body)
        return found


def _messages(
    chosen: Settings, where: Endpoints, topic: str, last: int, follow: bool
) -> Iterator[Message]:
    from confluent_kafka import Consumer

    from crosstown.backbone import kafka

    kafka.wait_for_broker(chosen, where, 10)
    consumer = Consumer(kafka.consumer(chosen, where, group_id="tail", enable_partition_eof=True,
                                       fetch_wait_max_ms=20))  # fmt: skip
    try:
        waiting = _assign(consumer, topic, last)
        while waiting or follow:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error() is None:
                yield message
            elif message.error().name() == "_PARTITION_EOF":
                waiting.discard(message.partition())
            else:
                raise Unavailable(f"{topic} can't be read: {message.error().str()}")
    except KeyboardInterrupt:
        err.print("stopped")
    finally:
        consumer.close()


def _assign(consumer: Consumer, topic: str, last: int) -> set[int]:
    """Go to the last messages of each partition; the partitions that have any."""
    from confluent_kafka import TopicPartition

    topics = consumer.list_topics(timeout=10).topics
    if topic not in topics:
        raise NotFound(f"there is no topic {topic}", candidates=tuple(sorted(topics)),
                       mend="one of these")  # fmt: skip
    places = []
    for partition in topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        start = _start(consumer, topic, partition, low, high, last)
        places.append(TopicPartition(topic, partition, start))
    consumer.assign(places)
    return {place.partition for place in places}


def _start(consumer: Consumer, topic: str, partition: int, low: int, high: int, last: int) -> int:
    """An offset with `last` data messages behind it: markers of transactions are skipped."""
    from confluent_kafka import TopicPartition

    reach = max(last, 1)
    while last and high - reach > low:
        reach *= 2
        at = max(low, high - reach)
        consumer.assign([TopicPartition(topic, partition, at)])
        offsets = []
        until = time.monotonic() + 10
        while time.monotonic() < until:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                offsets.append(message.offset())
            elif message is not None:
                break
        if len(offsets) >= last:
            return int(offsets[-last])
    return low if last else high
