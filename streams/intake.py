"""Intake: every message on `events.*` becomes one in `accepted` or a dead letter, exactly once."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache

from confluent_kafka import Message

from crosstown import metrics
from crosstown.accepting.intake import CONTRACT, EVERY_PARTITION, Accepted, Intake
from crosstown.avro.codec import frame
from crosstown.backbone import generation
from crosstown.backbone.kafka import stamp_of, wait_for_broker
from crosstown.contracts.contract_files import ContractFiles
from crosstown.contracts.repository import Repository
from crosstown.erasure.erasures import Key
from crosstown.errors import Refused, Unavailable
from crosstown.pausing.pauses import Pauses
from crosstown.processing.dead_letter import dead_letter
from crosstown.processing.traces import Span, Traces, parent_of, traces_of
from crosstown.processing.transact import Lost, Output, run_stateless
from crosstown.program import Program, main
from crosstown.registry.client import Registry
from crosstown.registry.own_values import own_values

log = logging.getLogger(__name__)


@lru_cache(maxsize=4_096)
def _under(contract: str) -> list[tuple[str, bytes]]:
    """The header that names a contract."""
    return [(CONTRACT, contract.encode())]


def _span(traces: Traces, message: Message) -> Span | None:
    """The span of a message whose sender asks for one."""
    parent = parent_of(message.headers())
    if parent is None:
        return None
    return traces.begin(
        "intake", parent, topic=message.topic() or "", partition=message.partition() or 0,
        offset=message.offset() or 0,
    )  # fmt: skip


class Shell:
    """Reads the contracts, asks the registry, and turns each message into one output."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._registry = Registry.at(program.settings, program.endpoints)
        self._frame = frame(
            own_values("accepted", program.settings, program.endpoints).schema_id, b""
        )
        self._dead = own_values("dead-letters", program.settings, program.endpoints)
        admin = wait_for_broker(program.settings, program.endpoints, timeout=30)
        self._accepted = generation.live(program.settings, program.endpoints).accepted
        self._shards = len(admin.list_topics(timeout=10).topics[self._accepted].partitions)
        self._files = ContractFiles(program.settings)
        self._intake = self._made(self._files.read())
        self._traces = traces_of(program.settings, program.name)

    def close(self) -> None:
        """Send the last spans."""
        if self._traces is not None:
            self._traces.close()

    def work(self, batch: list[Message]) -> Iterator[Output]:
        """One output a message: what is accepted in order, then the dead letters in theirs.

        Apart, since one beside the other each is slower: a dead letter among good ones cost 77 us, not 45.
        A refusal that is kept with its stack costs five times what making it does: the frames lie in a
        cycle, and only the garbage collector frees them.
        """
        counts: Counter[tuple[str, str]] = Counter()
        refusals: list[tuple[Message, Refused]] = []
        for message in batch:
            span = None if self._traces is None else _span(self._traces, message)
            try:
                agency, contract, partition, key, body = self._accept(message)
            except Refused as refused:
                refused.__traceback__ = refused.__context__ = None  # kept, they'd keep every frame
                refusals.append((message, refused))
                if span is not None:
                    span.end(error=refused.reason)
            else:
                counts[agency, contract] += 1
                headers = _under(contract)
                if span is not None:
                    headers = [*headers, span.header]
                    span.end(contract=contract)
                everywhere = range(self._shards) if partition == EVERY_PARTITION else (partition,)
                for one in everywhere:
                    yield Output(self._accepted, key, self._frame + body, one, headers)
        for message, why in refusals:
            metrics.dead_letters.labels("intake", why.reason).inc()
            metrics.refused.labels(*self._whose(message.topic())).inc()
            yield dead_letter(message, why, self._dead, closed=self._closes(message, why))
        self._count(counts)

    def _count(self, counts: Counter[tuple[str, str]]) -> None:
        declared = self._intake.contracts.agencies.ids
        for (agency, contract), count in counts.items():
            metrics.accepted.labels(metrics.named(agency, declared), contract).inc(count)
        for labels, count in self._intake.screened.items():
            metrics.screened.labels(*labels).inc(count)
        for (agency, contract), count in self._intake.late.items():
            metrics.accepted_late.labels(metrics.named(agency, declared), contract).inc(count)
        for (agency, contract), after in self._intake.after.items():
            label = metrics.named(agency, declared)
            metrics.published_after.labels(label, contract).inc(after / 1e6)
        self._intake.screened.clear()
        self._intake.late.clear()
        self._intake.after.clear()

    def _whose(self, topic: str) -> tuple[str, str]:
        """The agency and the contract of a topic; both empty where no contract stands behind it."""
        found = self._intake.contracts.for_topic(topic)
        return (found[1], found[0].id) if found else ("", "")

    def _closes(self, message: Message, refused: Refused) -> bool:
        headers = [value for _, value in message.headers() or ()]
        return self._intake.closes(
            message.topic(), refused, (message.value(), message.key(), *headers)
        )

    def _accept(self, message: Message) -> Accepted:
        """Before a message becomes a dead letter, contracts that have changed since are read again."""
        try:
            return self._tried(message)
        except Refused:
            contracts = self._files.again()
            if contracts is None:
                raise
            self._intake = self._made(contracts)
            return self._tried(message)

    def _tried(self, message: Message) -> Accepted:
        while True:
            try:
                return self._intake.accept(
                    message.topic(), message.value(), message.headers() or (), stamp_of(message)
                )
            except Unavailable as error:
                log.warning("waiting: %s", error)
                self._program.health.waits("registry", str(error))
                if self._program.rest(1):
                    raise Lost from None
                self._program.health.waits("registry", "")

    def _made(self, contracts: Repository) -> Intake:
        key = Key(self._program.home.erasure_key(self._program.settings))
        return Intake(contracts, self._registry.schema, self._shards, key.fingerprint)


def run(program: Program) -> None:
    """events.* -> Intake -> accepted | dead-letters."""
    with closing(Pauses(program)) as pauses, closing(Shell(program)) as shell:
        pauses.begin()
        run_stateless(
            program, "^events\\..*", shell.work, slot=program.settings.slot, pauses=pauses
        )


if __name__ == "__main__":
    sys.exit(main("intake", run))
