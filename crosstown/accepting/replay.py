"""Dead letters: those that stand, whether they would pass now, and saying them again.

A letter that would pass is said again on its own topic, with the bytes, key and headers that it had,
and its dead letter goes, in one transaction. Source: docs/decisions/0016.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from crosstown.accepting.intake import Intake
from crosstown.accepting.where_it_lay import WhereItLay
from crosstown.backbone import kafka
from crosstown.backbone.sweep import messages
from crosstown.contracts.repository import Repository
from crosstown.errors import Refused, Unavailable
from crosstown.home import Endpoints
from crosstown.processing.dead_letter import TOPIC
from crosstown.registry.read_back import read_letter
from crosstown.screen.screening import clean
from crosstown.settings import Settings

AT_ONCE: Final = 500
"""Letters that one transaction says again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: `name` is `topic/partition/offset`, where the message lay; times in microseconds.

    `value` None: the letter holds no bytes, since what was screened may not lie here; they are where
    the message lay.
    """

    name: str
    partition: int
    reason: str
    detail: str
    topic: str
    produced_at: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def letters(
    settings: Settings, endpoints: Endpoints, wanted: Callable[[Letter], bool], since: int = 0
) -> Iterator[Letter]:
    """The dead letters that stand and are wanted, in the order in which they were written.

    `since`: only those written at that time or later, microseconds UTC. What isn't one (somebody
    else's bytes under that topic) is left out. Read twice: a later tombstone
    takes a letter away.
    """
    admin = kafka.wait_for_broker(settings, endpoints, 10)
    found = admin.list_topics(timeout=10).topics.get(TOPIC)
    for partition in found.partitions if found else ():
        start = _offset_at(admin, TopicPartition(TOPIC, partition), since) if since else 0
        last: dict[bytes, int] = {}
        for message in messages(settings, endpoints, TOPIC, partition, start):
            if message.key() is not None:
                last[message.key()] = message.offset()
        for message in messages(settings, endpoints, TOPIC, partition, start):
            if message.value() is None or last.get(message.key()) != message.offset():
                continue
            letter = _opened(message.key(), message.value(), partition)
            if letter is not None and wanted(letter):
                yield letter


def _offset_at(admin: AdminClient, at: TopicPartition, since: int) -> int:
    """The first offset of that time or later; the end where there is none."""
    for spec in (OffsetSpec.for_timestamp(since // 1000), OffsetSpec.latest()):
        (answer,) = admin.list_offsets({at: spec}, request_timeout=10).values()
        if (found := int(answer.result().offset)) >= 0:
            return found
    return 0


def _opened(key: bytes, value: bytes, partition: int) -> Letter | None:
    try:
        said = read_letter(value)
        headers = tuple((one["name"], one["value"]) for one in said["headers"])
        return Letter(key.decode(), partition, said["reason"], clean(said["detail"]), said["topic"],
                      said["produced_at"], said["key"], said["value"], headers)  # fmt: skip
    except Exception:  # noqa: BLE001 - whatever it is, it came out of these bytes
        return None


class Replay:
    """Tries letters against the contracts as they are in the files now, and says them again."""

    def __init__(
        self, settings: Settings, endpoints: Endpoints, contracts: Repository,
        schema_text: Callable[[int], str], erasure_key: str,
    ) -> None:  # fmt: skip
        self._settings, self._endpoints, self._contracts = settings, endpoints, contracts
        self._intake = Intake(contracts, schema_text, 1, erasure_key)

    def whole(self, letters: Iterable[Letter]) -> Iterator[Letter | tuple[Letter, Refused]]:
        """Each letter with its bytes, those that it doesn't hold from where they lay, or why not."""
        with WhereItLay(self._settings, self._endpoints) as lay:
            for letter in letters:
                if letter.value is not None or not letter.topic.startswith("events."):
                    yield letter
                    continue
                message = lay.read(letter.topic, *map(int, letter.name.rsplit("/", 2)[1:]))
                if message is None:
                    yield letter, Refused(
                        "gone", "it holds no bytes, and where they lay they are no more",
                        mend="let the agency publish it again",
                    )  # fmt: skip
                else:
                    yield replace(letter, key=message.key(), value=message.value(),
                                  headers=tuple(message.headers() or ()))  # fmt: skip

    def tried(self, letter: Letter) -> Refused | None:
        """Why a letter would be refused again; None: it would pass. `Unavailable`: nobody knows now."""
        if not letter.topic.startswith("events."):
            return Refused("not-an-event", f"it lay on {letter.topic}, which Crosstown writes itself",
                           mend="find out who wrote there, and let them publish it")  # fmt: skip
        try:
            self._intake.accept(
                letter.topic, letter.value, self._headers(letter), letter.produced_at
            )
        except Refused as refused:
            return refused
        return None

    def send(self, chosen: Iterable[Letter], say: Callable[[int], None]) -> int:
        """Say letters again and take their dead letters away; how many. `say` is told meanwhile."""
        producer = Producer(
            kafka.producer(
                self._settings, self._endpoints, transactional_id="dead-letters-replay",
                transaction_timeout_ms=30_000, message_max_bytes=2_000_000,
            )
        )  # fmt: skip
        done = 0
        try:
            producer.init_transactions(30)
            left = iter(chosen)
            while batch := list(islice(left, AT_ONCE)):
                producer.begin_transaction()
                for one in batch:
                    producer.produce(one.topic, one.value, one.key, headers=self._headers(one))
                    producer.produce(TOPIC, None, one.name.encode(), one.partition)
                producer.commit_transaction(30)
                done += len(batch)
                say(done)
        except KafkaException as error:
            raise Unavailable(f"Kafka didn't take them: {error.args[0].str()}",
                              mend="say it again: what went is gone from the dead letters") from None  # fmt: skip
        return done

    def _headers(self, letter: Letter) -> list[tuple[str, bytes | None]]:
        """Those that it had, and when it was known: else it would be known only now.

        Not where the contract says when: a header would come first.
        """
        headers = list(letter.headers)
        found = self._contracts.for_topic(letter.topic)
        maps = found is not None and found[0].file.crosstown.envelope.known_at is not None
        if not maps and not any(name == "known_at" for name, _ in headers):
            headers.append(("known_at", str(letter.produced_at).encode()))
        return headers
