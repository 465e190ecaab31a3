"""Reminds of a deadline that passed and of a hand-off that nobody picked up.

    timelines ──> a row a record in the table `watched`
    watch-ticks ─> what is due by now ─> written down as about to be told ─> alerts.* ─> told

A deadline passes with time, and Faust's timers can't write tables: a timer sends ticks, one to each
partition. One alert a record and rule: docs/decisions/0009.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Final

from crosstown import metrics
from crosstown.backbone import generation, kafka
from crosstown.cases import watch
from crosstown.cases.alert_log import found_in_log
from crosstown.cases.watch import Alert, Told, Watched
from crosstown.contracts.contract_files import ContractFiles
from crosstown.errors import Refused
from crosstown.processing.faust_message import Message
from crosstown.processing.guarded_faust import Guarded
from crosstown.program import Program, main
from crosstown.registry.own_values import OwnValues, body_of, own_values

log = logging.getLogger(__name__)

SECOND: Final = 1_000_000
TICKS_CONFIG: Final = {"cleanup.policy": "delete", "retention.ms": "3600000"}


class Watch:
    """The program: reads timelines and ticks, keeps the table, sends alerts."""

    def __init__(self, program: Program) -> None:
        settings = program.settings
        live = generation.live(settings, program.endpoints)
        admin = kafka.wait_for_broker(settings, program.endpoints, timeout=30)
        self.timelines, self.ticks = live.timelines, f"{live.watch}-ticks"
        shards = len(admin.list_topics(timeout=10).topics[self.timelines].partitions)
        settings = settings.model_copy(update={"partitions": shards})
        self.program = program = replace(program, group=live.watch, settings=settings)
        self.guarded = Guarded(program, member=live.member)
        self.within = int(settings.pickup_within_days * watch.DAY)
        self.every = settings.watch_seconds
        self.start = _now()
        self._table = self.guarded.table("watched")
        self._values: dict[str, OwnValues] = {}
        self._ends: dict[int, int] = {}
        self._surveyed: dict[int, float] = {}
        self._late: dict[int, watch.Survey] = {}
        self._files = ContractFiles(settings)
        self._declared = self._files.read().agencies.ids

    def run(self) -> None:
        """Watch until the program is to stop."""
        for rule in watch.RULES:
            self._values[rule] = own_values(
                f"alerts.{rule}", self.program.settings, self.program.endpoints
            )
        self.guarded.topic(self.ticks, self.guarded.partitions, TICKS_CONFIG)
        self.guarded.reads(self.handle, self.timelines, self.ticks)
        self.guarded.every(self.every, self.tick)
        self.guarded.run()

    async def tick(self) -> None:
        """Tell each partition that time has passed, and how far its timelines reach by now."""
        for partition in self.guarded.owned(self.timelines):
            end = await self.guarded.end(self.timelines, partition)
            await self.guarded.send(self.ticks, None, str(end).encode(), partition=partition)

    async def handle(self, message: Message) -> None:
        """A tick or a timeline, whichever it is."""
        partition, value = message.partition(), message.value()
        if message.topic() == self.ticks:
            self._ends.setdefault(partition, _end(value))
            await self._look(partition)
            return
        if value is None:
            await self._erase(partition, (message.key() or b"").decode("utf-8", "replace"))
        else:
            timeline = watch.read_timeline(body_of(value))
            self._keep(partition, watch.advance(_Rows(self._table, partition), timeline))
        if message.offset() + 1 >= self._ends.get(partition, sys.maxsize):
            await self._look(partition)

    async def _erase(self, partition: int, key: str) -> None:
        """A record was erased: its row goes, and what was sent about it."""
        row = _Rows(self._table, partition).get(key)
        if row is None:
            return
        self._keep(partition, {key: None})
        for told in row.told:
            await self.guarded.send(f"alerts.{told.rule}", key.encode(), None)

    async def _look(self, partition: int) -> None:
        """Send what is due, once all is known that lay in timelines when the tick was sent."""
        recently = time.monotonic() - self._surveyed.get(partition, -self.every) < self.every / 2
        if recently or not await self.guarded.handled(
            self.timelines, partition, self._ends.get(partition, 0)
        ):
            return
        self._ends.pop(partition, None)
        self._surveyed[partition] = time.monotonic()
        await self._settle_unsure(partition)
        rows = dict(self._rows(partition))
        found = watch.survey(rows.values(), _now(), self._started(partition), self.within)
        if found.alerts:
            await self._send(partition, found.alerts)
        self._show(partition, found)

    async def _send(self, partition: int, alerts: tuple[Alert, ...]) -> None:
        """Write down what is about to be told, tell it, write down that it was told."""
        await self._write_down(partition, alerts, sure=False)
        for alert in alerts:
            value = self._values[alert.rule].encode(asdict(alert))
            key = watch.key_of(alert.jurisdiction, alert.record)
            await self.guarded.send(f"alerts.{alert.rule}", key.encode(), value)
        await self._write_down(partition, alerts, sure=True)
        for alert in alerts:
            log.info("%s: %s is reminded", alert.rule, alert.agency)  # the log names no record
            metrics.alerts.labels(alert.rule).inc()

    async def _write_down(self, partition: int, alerts: tuple[Alert, ...], *, sure: bool) -> None:
        for alert in alerts:
            key = watch.key_of(alert.jurisdiction, alert.record)
            row = _Rows(self._table, partition)[key]
            self._keep(partition, {key: row.tell(Told(alert.rule, alert.seen_at, sure))})
        await self.guarded.settle()

    async def _settle_unsure(self, partition: int) -> None:
        """What an earlier life was about to tell: told, if it lies in the log; else not yet."""
        unsure = watch.unsure(row for _, row in self._rows(partition))
        if not unsure:
            return
        since = min(told.at for _, told in unsure)
        there = await asyncio.to_thread(found_in_log, self.program, watch.RULES, since)
        for row, told in unsure:
            key = watch.key_of(row.jurisdiction, row.record)
            now = _Rows(self._table, partition)[key].untell(told.rule)
            if (told.rule, row.jurisdiction, row.record) in there:
                now = now.tell(Told(told.rule, told.at, sure=True))
            self._keep(partition, {key: now})
        await self.guarded.settle()

    def _started(self, partition: int) -> int:
        """When the watcher first had this partition in hand; written down by the first tick."""
        key = b"%d/started" % partition
        if key not in self._table:
            self._table[key] = str(self.start).encode()
        return int(self._table[key])

    def _keep(self, partition: int, changed: dict[str, Watched | None]) -> None:
        for key, row in changed.items():
            at = _key(partition, key)
            if row is not None:
                self._table[at] = watch.row_bytes(row)
            elif at in self._table:
                del self._table[at]

    def _rows(self, partition: int) -> Iterator[tuple[bytes, Watched]]:
        mine, started = b"%d/" % partition, b"%d/started" % partition
        for key, value in list(self._table.items()):
            if key.startswith(mine) and key != started and value:
                yield key, watch.read_row(value)

    def _show(self, partition: int, found: watch.Survey) -> None:
        self._late[partition] = found
        changed = self._files.again()
        if changed is not None:
            self._declared = changed.agencies.ids
        held = [self._late[p] for p in self.guarded.owned(self.timelines) if p in self._late]
        for rule, gauge in ((watch.DEADLINE, metrics.overdue), (watch.PICKUP, metrics.unclaimed)):
            late: Counter[str] = Counter()
            for one in held:
                for (found_by, agency), number in one.late.items():
                    if found_by == rule:
                        late[metrics.named(agency, self._declared)] += number
            gauge.clear()
            for agency, number in late.items():
                gauge.labels(agency).set(number)
            metrics.alerts_counted.labels(rule).set(sum(one.counted.get(rule, 0) for one in held))


class _Rows:
    """The rows of one partition, by their record's key."""

    def __init__(self, table: Mapping[bytes, bytes], partition: int) -> None:
        self._table = table
        self._partition = partition

    def get(self, key: str) -> Watched | None:
        """The row, if there is one."""
        value = self._table.get(_key(self._partition, key))
        return watch.read_row(value) if value else None

    def __getitem__(self, key: str) -> Watched:
        """The row that is there."""
        return watch.read_row(self._table[_key(self._partition, key)])


def _key(partition: int, key: str) -> bytes:
    return f"{partition}/{key}".encode()


def _end(value: bytes | None) -> int:
    """The offset that a tick names."""
    if value is None or not value.isdigit():
        raise Refused("not-a-tick", f"{value!r:.40}")
    return int(value)


def _now() -> int:
    return time.time_ns() // 1000


def body(program: Program) -> None:
    """The program's body, for `crosstown.program.main`."""
    Watch(program).run()


if __name__ == "__main__":
    sys.exit(main("watch", body))
