"""What lies on the agencies' topics, opened as intake opens it, to be held against what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as Raw

from crosstown.accepting.intake import HOUR, Intake
from crosstown.backbone import kafka
from crosstown.backbone.kafka import stamp_of
from crosstown.backbone.sweep import messages
from crosstown.completeness.flow import Message, Slot
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused, Unavailable
from crosstown.event.envelope import read, read_long
from crosstown.home import Endpoints
from crosstown.moments import day_of
from crosstown.screen.screening import clean
from crosstown.settings import Settings

TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class Published:
    """One message: its key and payload in `accepted` as intake makes them, or why it would refuse it.

    `type` and `refs` are its envelope's, empty where it is refused.
    """

    message: Message
    type: str
    refs: tuple[str, ...]
    key: bytes
    payload: bytes
    refused: str
    under_way: bool
    """Intake hasn't dealt with it yet."""


class Topics:
    """The agencies' topics of one repository's contracts; `contract` empty: all of them.

    `since` (microseconds UTC): only what may have been known from then on is read.
    """

    def __init__(
        self, settings: Settings, where: Endpoints, repository: Repository, intake: Intake,
        contract: str = "", since: int | None = None,
    ) -> None:  # fmt: skip
        self._settings, self._where, self._repository = settings, where, repository
        self._intake, self._contract, self._since = intake, contract, since
        self.cut: set[tuple[str, str]] = set()
        """Contract and publisher of topics whose beginning isn't there any more: erased, or too old."""

    def published(self) -> Iterator[Published]:
        """Every message up to the ends as they are now; raises `Unavailable`."""
        for topic, partition, start, done in self._positions():
            for raw in messages(self._settings, self._where, topic, partition, start):
                yield self._one(raw, raw.offset() >= done)

    def _positions(self) -> list[tuple[str, int, int, int]]:
        """(topic, partition, where to begin, how far intake has dealt with it)."""
        reader = Consumer({**kafka.consumer(self._settings, self._where, group_id="intake"),
                           "log_level": 0})  # fmt: skip
        try:
            topics = reader.list_topics(timeout=TIMEOUT).topics
            parts = [TopicPartition(name, one) for name in sorted(topics) if self._asked(name)
                     for one in topics[name].partitions]  # fmt: skip
            if not parts:
                return []
            done = {(p.topic, p.partition): max(p.offset, 0)
                    for p in reader.committed(parts, timeout=TIMEOUT)}  # fmt: skip
            for part in parts:
                if reader.get_watermark_offsets(part, timeout=TIMEOUT)[0] > 0:
                    self.cut.add(self._of(part.topic))
            return [(p.topic, p.partition, self._start(reader, p), done[p.topic, p.partition])
                    for p in parts]  # fmt: skip
        except KafkaException as error:
            raise Unavailable(f"the agencies' topics can't be read: {error.args[0].str()}",
                              mend="see crosstown status") from None  # fmt: skip
        finally:
            reader.close()

    def _asked(self, topic: str) -> bool:
        found = self._repository.for_topic(topic)
        if found is None:
            return topic.startswith("events.") and not self._contract
        return self._contract in ("", found[0].id)

    def _start(self, reader: Consumer, part: TopicPartition) -> int:
        """Intake accepts no `known_at` over an hour after the time stamp: what came before is earlier."""
        if self._since is None:
            return 0
        asked = TopicPartition(part.topic, part.partition, max(0, (self._since - HOUR) // 1000))
        (found,) = reader.offsets_for_times([asked], TIMEOUT)
        if found.offset >= 0:
            return int(found.offset)
        return int(reader.get_watermark_offsets(part, timeout=TIMEOUT)[1])

    def _one(self, raw: Raw, under_way: bool) -> Published:
        topic = str(raw.topic())
        at = f"{topic}/{raw.partition()}/{raw.offset()}"
        contract, agency = self._of(topic)
        try:
            accepted = self._intake.accept(topic, raw.value(), raw.headers() or (), stamp_of(raw))
        except Refused as error:
            named = clean((raw.key() or b"").decode("utf-8", "replace")[:128])
            message = Message(Slot(day_of(stamp_of(raw)), contract, agency), named, "", at)
            return Published(message, "", (), b"", b"", error.reason, under_way)
        envelope, end = read(accepted.body)
        size, start = read_long(accepted.body, end)
        slot = Slot(day_of(envelope.known_at), contract, agency)
        return Published(
            Message(slot, envelope.record, envelope.event_id, at), envelope.type, envelope.refs,
            accepted.key, accepted.body[start : start + size], "", under_way,
        )  # fmt: skip

    def _of(self, topic: str) -> tuple[str, str]:
        found = self._repository.for_topic(topic)
        if found is None:
            return "", topic.split(".")[1] if topic.count(".") else topic
        return found[0].id, found[1]
