"""Feeds: what agreements in force share of `accepted`, each on a topic of its own, exactly once.

    accepted, agreements ──> Sharing ──> feed.<agreement> and delivered, in one transaction

One process writes all feeds. Its state is folded from the log; what it has told before lies in
`delivered`, so that after whatever end the next one says what is missing and nothing twice.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Collection
from contextlib import closing, suppress
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from crosstown import metrics
from crosstown.agreements.agreement import Agreement
from crosstown.audit.access import Delivery
from crosstown.audit.log import AccessLog
from crosstown.backbone import generation, kafka
from crosstown.backbone.sweep import messages
from crosstown.contracts.contract_files import ContractFiles
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import Erasures, Key
from crosstown.errors import NotFound, Refused, Stop, Unavailable
from crosstown.feeds.carrying_out import CarryingOut
from crosstown.feeds.contract_of import UNKNOWN, ContractOf
from crosstown.feeds.feed import Told
from crosstown.feeds.ground import SetAside
from crosstown.feeds.pieces import framed, piece
from crosstown.feeds.sharing import Sharing
from crosstown.feeds.told_before import TOPIC as DELIVERED
from crosstown.feeds.told_before import key_of, told_before
from crosstown.feeds.writing import FencedOff, Writing
from crosstown.outward.feed_log import FeedLog
from crosstown.processing.traceparent import Parent
from crosstown.processing.traces import LINKS, Span, Traces, parent_of, traces_of
from crosstown.processing.transact import STALL, Output, Ownership, calm_collector, gather
from crosstown.processing.watchdog import Watchdog
from crosstown.program import Program, main
from crosstown.registry.client import Registry
from crosstown.registry.own_values import own_values

log = logging.getLogger(__name__)

FRAME: Final = 5
PAUSE: Final = 1.0
"""Seconds before all is begun anew where something needed was away."""


class Feeds:
    """All feeds, from the log's beginning until a contract's or agreement's file changes."""

    def __init__(
        self, program: Program, repository: Repository, aside: Collection[str],
        traces: Traces | None,
    ) -> None:  # fmt: skip
        settings, endpoints = program.settings, program.endpoints
        agreements = [one for name, one in repository.agreements.items() if name not in aside]
        self._program = program
        self._live = generation.live(settings, endpoints).with_windows(repository)
        self._registry = Registry.at(settings, endpoints)
        self._sharing = Sharing(
            repository, program.home.pseudonym_key(settings),
            Erasures(Key(program.home.erasure_key(settings))), self._live.window,
            self._registry.schema,
        )  # fmt: skip
        self._sharing.terms(agreements)
        self._carrying_out = CarryingOut(
            settings, endpoints, self._registry, self._sharing, agreements, repository.agencies.ids,
            self._log_what_lies_there,
        )  # fmt: skip
        self._agreements = self._carrying_out.agreements
        self._contract_of = ContractOf(repository, self._registry)
        self._delivered = own_values(DELIVERED, settings, endpoints)
        self._access = AccessLog(settings, endpoints, f"{program.name}-0")
        self._consumer = Consumer(
            kafka.consumer(
                settings, endpoints, group_id=program.reads_as, enable_partition_eof=True,
                fetch_queue_backoff_ms=10, fetch_wait_max_ms=100,
            )
        )  # fmt: skip
        self._ownership = Ownership(self._consumer, program.stopping)
        self._writing = Writing(program)
        self._at: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._told_to = 0
        self._oldest = 0
        self._following = False
        self._traces = traces
        self._after: list[Parent] = []
        """What of the messages since the last telling is traced."""

    def close(self) -> None:
        """Give up the connections."""
        self._access.close()
        self._carrying_out.close()
        self._consumer.close()
        self._registry.close()

    def restore(self) -> None:
        """Fold what was told before and all that was accepted, without telling anything."""
        self._writing.open()  # first: what an earlier writer left open is settled then
        for one in told_before(self._program.settings, self._program.endpoints):
            self._program.health.turn()
            self._told_to = one.offset + 1
            if one.agreement in self._agreements:
                self._sharing.delivered(one.agreement, one.thing, one.number, one.digest)
                metrics.feed_number.labels(one.agreement).set(one.number)
                metrics.feed_said.labels(one.agreement).set(one.at / 1e6)
        for partition in self._partitions():
            metrics.restored.labels(self._program.name, partition).set(0)
            self._at[partition] = 0
            for message in messages(
                self._program.settings, self._program.endpoints, self._live.accepted, partition
            ):
                if self._program.stopping.is_set():
                    return
                self._program.health.turn()
                self._fold(message)
            metrics.restored.labels(self._program.name, partition).set(1)

    def _partitions(self) -> list[int]:
        """Those of `accepted`: without one of them all that lies there would seem to be gone."""
        about = self._consumer.list_topics(self._live.accepted, timeout=10)
        found = about.topics[self._live.accepted]
        if found.error is not None or not found.partitions:
            raise Unavailable(f"{self._live.accepted} isn't there now: {found.error}")
        return sorted(found.partitions)

    def follow(self, files: ContractFiles) -> Repository | None:
        """Tell what is missing, then what comes, until files change; what they are then.

        Raises `Unavailable` where all must be begun anew, `SetAside`, `FencedOff`.
        """
        accepted = self._live.accepted
        self._consumer.assign([TopicPartition(accepted, *at) for at in self._at.items()])
        watchdog = Watchdog(self._program, lambda _: self._idle(), STALL, lone=True)
        watchdog.start()
        try:
            while not self._program.stopping.is_set():
                self._tell()
                self._after.clear()
                self._following = True
                self._program.health.waits("log", "")
                self._oldest = 0
                for message in gather(self._program, self._ownership):
                    self._fold(message)
                again = files.again()
                if again is not None:
                    return again
        finally:
            watchdog.stop()
        return None

    def _idle(self) -> list[tuple[str, int]]:
        """The partitions of which all is told, where there seems to be nothing to do."""
        idle = self._following and self._ownership.idle
        return [(self._live.accepted, partition) for partition in self._at] if idle else []

    def _fold(self, message: Message) -> None:
        """Take one message in; bytes that intake didn't write are the case program's dead letter."""
        self._at[message.partition()] = message.offset() + 1
        self._oldest = self._oldest or kafka.stamp_of(message)
        if self._traces is not None and self._following:
            parent = parent_of(message.headers())
            if parent is not None and len(self._after) < LINKS:
                self._after.append(parent)
        value = message.value()
        try:
            contract = self._asked(message)
            self._sharing.say(contract, message.key(), value and value[FRAME:])
        except Exception as error:  # noqa: BLE001 - whatever it is, it came out of these bytes
            metrics.feed_refused.labels("not-from-intake").inc()
            log.warning("%s/%d/%d is none of intake's: %s", message.topic(), message.partition(),
                        message.offset(), type(error).__name__)  # fmt: skip

    def _asked(self, message: Message) -> str:
        """Its contract; waits while the registry is away."""
        while not self._program.stopping.is_set():
            try:
                return self._contract_of(message)
            except Unavailable as error:
                log.warning("waiting: %s", error)
                self._program.health.waits("registry", str(error))
                self._program.rest(PAUSE)
                self._program.health.waits("registry", "")
        return UNKNOWN

    def _tell(self) -> None:
        """Write all that receivers must hear now, piece by piece; between two the parties are heard."""
        while not self._program.stopping.is_set():
            self._program.health.turn()
            try:
                now = self._carrying_out.hear()
                told = piece(self._sharing.outputs(now))
            except Unavailable as error:  # nothing is lost by asking again
                log.warning("waiting: %s", error)
                self._program.health.waits("agreements", str(error))
                self._program.rest(PAUSE)
                continue
            self._program.health.waits("agreements", "")
            if not told:
                return self._commit()
            self._write(told, now)
        return None

    def _write(self, told: list[Told], now: int) -> None:
        """Into the access log what can be read at the broker from then on, then the feeds' transaction."""
        outputs = []
        spans = self._spans(told)
        for one in told:
            agreement = self._agreements[one.agreement]
            try:
                value = framed(self._carrying_out.schema_ids[one.agreement], one.value)
            except Refused as error:  # no number may be left out
                raise SetAside(one.agreement, error) from None
            span = spans.get(one.agreement)
            headers = None if span is None else [span.header]
            outputs.append(Output(agreement.topic, str(one.number).encode(), value, 0, headers))
            noted = self._delivered.encode({"number": one.number, "digest": one.digest, "at": now})
            outputs.append(Output(DELIVERED, key_of(one.agreement, one.thing), noted, 0))
        self._log_access(told)
        self._writing.write(outputs, lambda: self._went_in(told[-1]))
        for span in spans.values():
            span.end()
        self._count(told, now)

    def _spans(self, told: list[Told]) -> dict[str, Span]:
        """A span an agreement, each of a trace of its own: receivers can't compare what they got by it.

        It names what was traced of the messages that were read since the last telling.
        """
        if self._traces is None or not self._after:
            return {}
        numbers: dict[str, list[int]] = {}
        for one in told:
            numbers.setdefault(one.agreement, []).append(one.number)
        begun = {
            name: self._traces.begin_after("feed", self._after, agreement=name, first=these[0],
                                           last=these[-1], messages=len(these))
            for name, these in numbers.items()
        }  # fmt: skip
        return {name: span for name, span in begun.items() if span is not None}

    def _log_access(self, told: list[Told]) -> None:
        """Say in the access log what receivers can read at the broker once this is written."""
        numbers: dict[str, list[int]] = {}
        for one in told:
            if "kafka" in self._agreements[one.agreement].delivery.ways:
                numbers.setdefault(one.agreement, []).append(one.number)
        agreed = [(self._agreements[name], these) for name, these in numbers.items()]
        self._access.append_all(
            Delivery(one.receiver, one.id, one.purpose, "kafka", these[0], these[-1], len(these))
            for one, these in agreed
        )

    def _log_what_lies_there(self, agreement: Agreement) -> None:
        """Say in the access log what a receiver can read at once that is let read a feed now."""
        with closing(
            FeedLog(self._program.settings, self._program.endpoints, agreement.topic)
        ) as log:
            try:
                first, last = log.numbers()
            except NotFound:  # no such topic yet
                return
        if last:
            self._access.append(
                agency=agreement.receiver, agreement=agreement.id, purpose=agreement.purpose,
                way="kafka", first=first, last=last, count=last - first + 1,
            )  # fmt: skip

    def _went_in(self, last: Told) -> bool:
        """Whether the last of a batch is noted as told: then the whole batch is in."""
        return any(
            (one.agreement, one.thing, one.number) == (last.agreement, last.thing, last.number)
            for one in told_before(self._program.settings, self._program.endpoints, self._told_to)
        )

    def _count(self, told: list[Told], now: int) -> None:
        for one in told:
            metrics.feed_messages.labels(one.agreement, "SAID" if one.digest else "GONE").inc()
        for name, number in {one.agreement: one.number for one in told}.items():
            metrics.feed_number.labels(name).set(number)
            metrics.feed_said.labels(name).set(now / 1e6)
            if self._following and self._oldest:
                metrics.feed_age.labels(name).set(max(0.0, time.time() - self._oldest / 1e6))

    def _commit(self) -> None:
        """Note up to where all is told, for who looks from outside: a new process reads `delivered`."""
        if self._committed != self._at:
            offsets = [TopicPartition(self._live.accepted, *at) for at in self._at.items()]
            with suppress(KafkaException):  # the next one says it again
                self._consumer.commit(offsets=offsets, asynchronous=False)
                self._committed = dict(self._at)


def run(program: Program) -> None:
    """Feeds from the log's beginning on; again whenever files change or something was away."""
    if program.settings.slot:
        raise Stop("one process writes all feeds", mend="start feeds without CROSSTOWN_SLOT")
    calm_collector()
    files = ContractFiles(program.settings)
    repository = files.read()
    traces = traces_of(program.settings, program.name)
    program.ready()
    aside: set[str] = set()
    while not program.stopping.is_set():
        try:
            program.health.turn()
            program.health.waits("log", "what was told before is being read")
            _until_moved(program)
            with closing(Feeds(program, repository, aside, traces)) as feeds:
                feeds.restore()
                changed = feeds.follow(files)
            if changed is not None:
                log.info("files have changed: all is read again")
                repository, aside = changed, set()
        except FencedOff:
            raise Unavailable("another process writes the feeds") from None
        except SetAside as error:
            log.error("set aside until files change: %s -> %s", error, error.mend)  # noqa: TRY400
            metrics.feed_refused.labels("agreement").inc()
            aside.add(error.agreement)
        except (Unavailable, KafkaException) as error:
            log.warning("beginning anew: %s", error)
            program.health.waits("log", f"beginning anew: {error}")
            program.rest(PAUSE)
    if traces is not None:
        traces.close()


def _until_moved(program: Program) -> None:
    """Wait while a rebuild still copies into what is live: a part of the log would look like all of it."""
    while not program.stopping.is_set():
        live = generation.live(program.settings, program.endpoints)
        if live.old is None or live.old.base == live.base:
            return
        log.info("waiting for crosstown rebuild to finish copying")
        program.health.waits("log", "crosstown rebuild hasn't finished copying")
        program.rest(PAUSE)


if __name__ == "__main__":
    sys.exit(main("feeds", run))
