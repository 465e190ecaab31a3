"""Which topics are live: after a rebuild `accepted` and `timelines` have a number behind their name.

It is said in Kafka, in the compacted topic `backbone` under the key `live`, so that a swap is one
message: it has happened or it hasn't. Source: docs/decisions/0013.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

if TYPE_CHECKING:
    from crosstown.contracts.repository import Repository

BACKBONE: Final = "backbone"
LIVE: Final = "live"
NEXT: Final = "next"
DEFAULT: Final = ""
"""Under which `windows` has the window of every concern that isn't named there."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One set of topics. `number` is that of `timelines`, `base` that of `accepted` (1: the first).

    `windows` are microseconds by concern, those that its timelines are computed with; empty: not
    said. `before` are the numbers of what it took over from and what isn't finished yet, or None.
    """

    number: int = 1
    base: int = 1
    windows: Mapping[str, int] = field(default_factory=dict)
    before: tuple[int, int] | None = None

    @property
    def accepted(self) -> str:
        """The topic of what passed intake."""
        return _named("accepted", self.base)

    @property
    def timelines(self) -> str:
        """The topic of what the case program says."""
        return _named("timelines", self.number)

    @property
    def cases(self) -> str:
        """The case program's group."""
        return _named("cases", self.number)

    @property
    def eraser(self) -> str:
        """The eraser's group: it has its place in `accepted`."""
        return _named("eraser", self.base)

    @property
    def watch(self) -> str:
        """The watcher's group: its tables have as many partitions as `accepted`."""
        return _named("watch", self.base)

    @property
    def member(self) -> str:
        """The watcher's member of its group; what it reads has the number of `timelines`."""
        return _named("watch", self.number)

    @property
    def copy(self) -> str:
        """The group of the program that copies an older `accepted` into this one."""
        return _named("copy", self.base)

    @property
    def old(self) -> Generation | None:
        """What it took over from, while that is still to be cleared away."""
        return None if self.before is None else Generation(*self.before)

    def window(self, concern: str) -> int:
        """How far apart events of a concern are related by place, in microseconds."""
        return self.windows.get(concern, self.windows.get(DEFAULT, 0))

    def bytes(self) -> bytes:
        """As it stands in `backbone`."""
        said = {"generation": self.number, "accepted": self.base, "windows": dict(self.windows),
                "before": self.before}  # fmt: skip
        return json.dumps(said).encode()

    def with_windows(self, contracts: Repository) -> Generation:
        """The same, with the contracts' windows where it says none yet."""
        return self if self.windows else replace(self, windows=windows(contracts))


def _named(name: str, number: int) -> str:
    return name if number == 1 else f"{name}.{number}"


def read(value: bytes) -> Generation:
    """What `bytes` wrote."""
    said = json.loads(value)
    before = said.get("before")
    return Generation(said["generation"], said["accepted"], said["windows"],
                      (before[0], before[1]) if before else None)  # fmt: skip


def windows(contracts: Repository) -> dict[str, int]:
    """The windows that a city's concerns ask for."""
    return {DEFAULT: contracts.default_window} | {
        concern: contracts.window(concern) for concern in sorted(contracts.concerns)
    }


def differing(live: Generation, contracts: Repository) -> list[str]:
    """In words, the concerns whose window isn't the one that live timelines are computed with."""
    days = 86_400_000_000
    wanted = replace(live, windows=windows(contracts))
    named = sorted({*live.windows, *wanted.windows})
    return [
        f"{concern or 'every other concern'}: {live.window(concern) / days:g} days now,"
        f" {wanted.window(concern) / days:g} in concerns.yaml"
        for concern in named
        if live.windows and live.window(concern) != wanted.window(concern)
    ]


def live(settings: Settings, endpoints: Endpoints) -> Generation:
    """The generation that is live; the first where no rebuild was ever swapped in."""
    return said(settings, endpoints).get(LIVE, Generation())


def said(settings: Settings, endpoints: Endpoints) -> dict[str, Generation]:
    """What `backbone` says: `live`, and `next` while a rebuild is at work. Empty before the start.

    Raises `Unavailable` where Kafka can't be read.
    """
    found: dict[str, Generation] = {}
    reader = Consumer(
        kafka.consumer(settings, endpoints, enable_partition_eof=True, fetch_wait_max_ms=10)
    )
    try:
        if BACKBONE not in reader.list_topics(timeout=10).topics:
            return {}
        reader.assign([TopicPartition(BACKBONE, 0, 0)])
        while True:
            message = reader.poll(10)
            if message is None:
                raise Unavailable(f"{BACKBONE} can't be read now", mend="see crosstown status")
            error, key = message.error(), (message.key() or b"").decode()
            if error is None:
                value = message.value()
                found.pop(key, None)
                if value is not None:
                    found[key] = read(value)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                return found
            else:
                raise Unavailable(f"{BACKBONE} can't be read: {error.str()}")
    finally:
        reader.close()


def say(settings: Settings, endpoints: Endpoints, **what: Generation | None) -> None:
    """Say `live` or `next`, all in one transaction; None takes it away."""
    ensure(settings, endpoints)
    producer = Producer(kafka.producer(settings, endpoints, transactional_id=BACKBONE, linger_ms=0))
    try:
        producer.init_transactions(15)
        producer.begin_transaction()
        for key, one in what.items():
            producer.produce(BACKBONE, one.bytes() if one else None, key.encode(), 0)
        producer.commit_transaction(15)
    except KafkaException as error:
        raise Unavailable(f"{BACKBONE} can't be written: {error.args[0].str()}",
                          mend="see crosstown status") from None  # fmt: skip


def ensure(settings: Settings, endpoints: Endpoints) -> None:
    """Make the topic, if it isn't there."""
    admin = kafka.wait_for_broker(settings, endpoints, timeout=60)
    config: dict[str, Any] = {"cleanup.policy": "compact"}
    kafka.ensure_topics(admin, [kafka.Topic(BACKBONE, 1, config)])


def remove(settings: Settings, endpoints: Endpoints, one: Generation, keep: Generation) -> None:
    """Delete a generation's topics, but for those that `keep` has too."""
    admin = kafka.wait_for_broker(settings, endpoints, timeout=60)
    present = admin.list_topics(timeout=30).topics
    watch = (f"{one.watch}-watched-changelog", f"{one.watch}-ticks")
    kept = {keep.accepted, keep.timelines, f"{keep.watch}-watched-changelog", f"{keep.watch}-ticks"}
    gone = [t for t in (one.accepted, one.timelines, *watch) if t in present and t not in kept]
    for name, future in admin.delete_topics(gone).items() if gone else ():
        try:
            future.result(timeout=30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise Unavailable(f"topic {name} can't be deleted: {error.args[0].str()}") from None
