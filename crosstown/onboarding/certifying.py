"""An agency's own sample through everything, on a home of its own: what holds and what doesn't.

Check, start, publish, intake, join, read back; again; broken; changed; withdrawn. Nothing of a
running installation is touched. Source of what is tried: docs/decisions/0020.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from crosstown.backbone import kafka
from crosstown.casebook.lookup import Lookup
from crosstown.contracts.checked import Checked, Checker
from crosstown.contracts.checking import Finding, check, in_order
from crosstown.contracts.contract import Contract
from crosstown.contracts.mapping import Expression
from crosstown.contracts.naming import Naming
from crosstown.contracts.repository import Repository
from crosstown.errors import CrosstownError, NotFound, Refused
from crosstown.event.envelope import Envelope
from crosstown.home import Endpoints
from crosstown.onboarding.certificate import Trial
from crosstown.publishing.publish import FileReport, publish
from crosstown.settings import SOURCES, Settings
from crosstown.source import Reject, Said, Source
from crosstown.supervision import detached
from crosstown.supervision.running import running
from crosstown.supervision.supervise import NAMES
from crosstown.supervision.waiting import Waiting

Make = Callable[[Naming], Source]
READ_BACK: Final = 200
"""So many records are read back, spread over the sample."""
TOO_MANY: Final = 0.1
"""The share of rejected rows above which a sample doesn't hold."""
_PATIENCE: Final = 180.0


class Examples:
    """Bodies as a source: each file is one event, `change` is made to each."""

    name = "examples"

    def __init__(self, contract: str, agency: str, change: Mapping[str, Any]) -> None:
        self._contract, self._agency, self._change = contract, agency, change

    def survey(self, files: Iterable[Path]) -> None:
        """No look at all files is needed."""

    def read(self, file: Path) -> Iterator[Said | Reject]:
        """The one event of a file."""
        body = json.loads(file.read_text("utf-8")) | self._change
        yield Said(self._contract, self._agency, body, 1)


def wrong_with(agency: str, folder: Path) -> list[Finding]:
    """What `check` says about an agency's part of a repository, and about what all parts need."""
    theirs = {folder / agency, folder / "examples" / agency, folder / SOURCES, folder}
    return [one for one in in_order(check(folder).findings) if one.file.parent in theirs]


@dataclass(slots=True)
class Certifying:
    """One run. `settings` are those of the home of its own; `make` is the files' source, if any."""

    settings: Settings
    agency: str
    make: Make | None
    files: tuple[Path, ...]
    say: Callable[[str], None]
    trials: list[Trial] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    contracts: list[Contract] = field(default_factory=list)
    _repository: Any = None
    _where: Any = None
    _expected: dict[str, Envelope] = field(default_factory=dict)

    def run(self) -> None:
        """Try everything in order; what can't be tried after a failure is said to be so."""
        folder = self.settings.schemas
        assert folder is not None  # noqa: S101 - the command gives it
        steps: list[tuple[str, Callable[[], tuple[bool | None, str]]]] = [
            ("The contract keeps every rule of crosstown check", lambda: self._check(folder)),
            ("Kafka, the registry and the programs start in a place apart", self._start),
            ("Its examples are published", self._publish_examples),
            ("Its own file is published through its source", self._publish_files),
            ("Intake accepts all that was published", self._accepted),
            ("Each record is read back from its case, as it was said", self._read_back),
            ("Publishing the same again says nothing new", self._again),
            ("A broken row is refused and named, the good one goes", self._broken),
            ("Bytes that are no event become a dead letter and hold nothing up", self._garbage),
            ("What is said anew replaces what was said before", self._changed),
            ("What is withdrawn doesn't count any more", self._withdrawn),
            ("The service level is kept", self._late),
        ]
        needed = 3
        for number, (what, step) in enumerate(steps):
            self.say(what)
            if number and any(one.holds is False for one in self.trials[:needed]):
                self.trials.append(Trial(what, None, "something before it doesn't hold"))
                continue
            began = time.monotonic()
            try:
                holds, detail = step()
            except CrosstownError as error:
                holds, detail = False, str(error)
            self.trials.append(Trial(what, holds, detail, time.monotonic() - began))

    def end(self) -> None:
        """End what was started."""
        detached.end(self.settings)

    def _check(self, folder: Path) -> tuple[bool, str]:
        found = wrong_with(self.agency, folder)
        if found:
            first = "; ".join(
                f"{one.file.name}:{one.line}: {one.rule}: {one.what}" for one in found[:5]
            )
            return False, f"{len(found)} findings: {first}"
        self._repository = Repository.load(folder)
        self.contracts = [c for c in self._repository.contracts.values() if c.owner == self.agency]
        if not self.contracts:
            return False, f"{self.agency} has no contract in {folder}"
        return (
            True,
            f"{', '.join(f'{c.id} v{c.version}' for c in self.contracts)}: nothing is wrong",
        )

    def _start(self) -> tuple[bool, str]:
        now = detached.start(self.settings, timeout=_PATIENCE)
        self._where = Endpoints(now.bootstrap, now.registry)
        return True, f"{len(now.processes)} processes run"

    def _publish_examples(self) -> tuple[bool, str]:
        reports = [
            one
            for contract in self.contracts
            for one in self._say_examples(contract, _examples(contract, self.settings))
        ]
        self.counts["examples"] = len(reports)
        said = sum(one.published + one.already_known for one in reports)
        return said == len(reports) > 0, f"{said} of {len(reports)} were published"

    def _say_examples(
        self, contract: Contract, files: list[Path], change: Mapping[str, Any] | None = None
    ) -> list[FileReport]:
        def make(_naming: Naming) -> Source:
            return Examples(contract.id, self.agency, change or {})

        return self._publish(make, files)

    def _publish(self, make: Make, files: Iterable[Path]) -> list[FileReport]:
        """Publish, and remember what must be in the cases then."""
        files = tuple(files)
        known_at = time.time_ns() // 1000
        checker = Checker(self._repository, known_at, known_at)
        source = make(Naming(self._repository.agencies))
        source.survey(files)
        for file in files:
            try:
                for row in checker.rows(source, file):
                    for event in () if isinstance(row, Reject) else row:
                        self._expect(event)
            except (Refused, OSError):
                continue  # publishing says why
        beside = self.settings.home / "rejects.csv"
        reports = publish(self.settings, self._where, self._repository, make, files, rejects=beside,
                          known_at=known_at)  # fmt: skip
        for one in reports:
            self.counts["published"] += one.published
            self.counts["already_known"] += one.already_known
            self.rejected.update(one.reasons)
        self.counts["rejected"] = self.rejected.total()
        return reports

    def _expect(self, event: Checked) -> None:
        known = self._expected.get(event.envelope.event_id)
        if known is None or known.known_at <= event.envelope.known_at:
            self._expected[event.envelope.event_id] = event.envelope

    def _publish_files(self) -> tuple[bool | None, str]:
        if self.make is None or not self.files:
            return None, "no file was given: crosstown certify AGENCY FILE"
        reports = self._publish(self.make, self.files)
        rows, rejected = sum(r.rows for r in reports), sum(r.rejected for r in reports)
        self.counts["rows"] = rows
        refused = [f"{one.file.name}: {one.refused}" for one in reports if one.refused]
        said = f"{rows:,} rows, {rejected:,} of them rejected"
        if refused:
            return False, "; ".join(refused)
        return rows > 0 and rejected <= TOO_MANY * rows, said

    def _wait(self) -> dict[str, Any]:
        """The figures once all is in."""

        def dead() -> set[str]:
            return {one.name for one in running(self.settings, NAMES).missing(*NAMES)}

        Waiting(self.settings, self._where, _PATIENCE, dead, lambda _: None).run()
        lookup = Lookup(self.settings)
        try:
            found = lookup.stats(time.time_ns() // 1000)
        finally:
            lookup.close()
        for name, key in (("accepted", "events"), ("dead_letters", "dead_letters"),
                          ("records", "records"), ("cases", "cases")):  # fmt: skip
            self.counts[name] = found[key]
        return found

    def _counting(self) -> int:
        return sum(one.step != "WITHDRAWN" for one in self._expected.values())

    def _accepted(self) -> tuple[bool, str]:
        found = self._wait()
        holds = found["events"] == self._counting() and not found["dead_letters"]
        return holds, (f"{found['events']:,} of {self._counting():,} events count, in {found['cases']:,}"
                       f" cases; {found['dead_letters']:,} dead letters")  # fmt: skip

    def _read_back(self) -> tuple[bool, str]:
        ours: dict[str, list[Envelope]] = {}
        for one in self._expected.values():
            if one.step != "WITHDRAWN":
                ours.setdefault(one.record, []).append(one)
        chosen = sorted(ours)[:: max(1, len(ours) // READ_BACK)][:READ_BACK]
        lookup = Lookup(self.settings)
        try:
            back = sum(_is_back(lookup, record, ours[record]) for record in chosen)
        finally:
            lookup.close()
        return 0 < back == len(chosen), f"{back} of {len(chosen)} records" + (
            f", spread over all {len(ours):,}" if len(ours) > len(chosen) else "")  # fmt: skip

    def _again(self) -> tuple[bool, str]:
        """What was said last, again: an example may speak of an event that the file has too."""
        before = self.rejected.copy()
        if self.make is not None and self.files:
            reports = self._publish(self.make, self.files)
        else:
            reports = [
                one for contract in self.contracts
                for one in self._say_examples(contract, _examples(contract, self.settings))
            ]  # fmt: skip
        self.rejected = before
        self.counts["rejected"] = before.total()
        new, known = sum(r.published for r in reports), sum(r.already_known for r in reports)
        return new == 0, f"{new:,} new, {known:,} known already"

    def _broken(self) -> tuple[bool | None, str]:
        if self.make is None or not self.files:
            return None, "no file was given"
        source = self.make(Naming(self._repository.agencies))
        delimiter, encoding = getattr(source, "delimiter", ""), getattr(source, "encoding", "utf-8")
        line = next((one.row for one in source.read(self.files[0]) if isinstance(one, Said)), 0)
        if not delimiter or line < 2:
            return None, "its source is no CSV with a good row"
        text = self.files[0].read_bytes()[:16_000_000].decode(encoding, "replace")
        lines = text.splitlines(keepends=True)
        head, good = lines[0], lines[line - 1].rstrip("\r\n")
        empty = delimiter * head.count(delimiter)
        broken = self.settings.home / "broken.csv"
        broken.write_bytes(
            f"{head}{good}\r\n{good}{delimiter}\r\n{empty}\r\n".encode(encoding, "replace")
        )
        (report,) = publish(self.settings, self._where, self._repository, self.make, [broken])
        named = ", ".join(f"row {one.row}: {why}" for why, one in report.examples.items())
        return report.rejected == 2 and report.already_known > 0, (
            f"a row with a cell too many and an empty one: {report.rejected} of 2 refused ({named})")  # fmt: skip

    def _garbage(self) -> tuple[bool, str]:
        before = self.counts["dead_letters"]
        topic = self.contracts[0].topic(self.agency)
        producer = Producer(kafka.client(self.settings, self._where))
        producer.produce(topic, b"no event at all")
        producer.flush(30)
        found = self._wait()
        reasons = ", ".join(found["dead_letters_by_reason"])
        return found[
            "dead_letters"
        ] == before + 1, f"{found['dead_letters'] - before} more dead letter: {reasons}"

    def _changed(self) -> tuple[bool | None, str]:
        for contract in self.contracts:
            for example in _examples(contract, self.settings):
                body = json.loads(example.read_text("utf-8"))
                for name in _free_fields(contract, body):
                    change = {name: f"{body[name]} (said anew)".strip()}
                    if self._same_event(contract, body, change):
                        return self._say_anew(contract, example, change, name)
        return None, "no example has a text that may change"

    def _say_anew(
        self, contract: Contract, example: Path, change: Mapping[str, Any], name: str
    ) -> tuple[bool, str]:
        before = self._wait()["events"]
        (report,) = self._say_examples(contract, [example], change)
        after = self._wait()["events"]
        event = self._envelope(contract, json.loads(example.read_text("utf-8")) | change)
        lookup = Lookup(self.settings)
        try:
            corrected = lookup.case(event.record).corrected
        finally:
            lookup.close()
        holds = report.published == 1 and after == before and event.event_id in corrected
        return (
            holds,
            f"another {name}: {after - before:+d} events, and the case knows of the change",
        )

    def _withdrawn(self) -> tuple[bool | None, str]:
        for contract in self.contracts:
            step = contract.file.crosstown.envelope.step
            for example in _examples(contract, self.settings):
                body = json.loads(example.read_text("utf-8"))
                for change in _withdrawing(step):
                    if self._same_event(contract, body, change):
                        before = self._wait()["events"]
                        self._say_examples(contract, [example], change)
                        gone = before - self._wait()["events"]
                        return gone == 1, f"one example was withdrawn: {gone} event fewer"
        return (
            None,
            "this contract has no way to withdraw an event; a row that vanishes says nothing",
        )

    def _same_event(
        self, contract: Contract, body: Mapping[str, Any], change: Mapping[str, Any]
    ) -> bool:
        try:
            one, other = (self._envelope(contract, b) for b in (body, {**body, **change}))
        except Refused:
            return False
        return one.event_id == other.event_id and one.step != "WITHDRAWN"

    def _envelope(self, contract: Contract, body: Mapping[str, Any]) -> Envelope:
        return contract.envelope(body, self.agency, time.time_ns() // 1000, "batch")

    def _late(self) -> tuple[bool | None, str]:
        newest = max((e.occurred_at for e in self._expected.values()), default=0)
        if not self.files or not newest:
            return None, "no file was given"
        written = max(file.stat().st_mtime for file in self.files)
        hours = (written - newest / 1_000_000) / 3_600
        promised = "; ".join(
            f"{one.value} {one.unit}" for c in self.contracts for one in c.file.slaProperties
            if one.property == "frequency"
        )  # fmt: skip
        return None, (f"the newest event is {hours:,.0f} hours older than the file; promised is every {promised or 'nothing'}."
                      " One file can't show whether that is kept")  # fmt: skip


def _is_back(lookup: Lookup, record: str, ours: list[Envelope]) -> bool:
    """Whether a record's case has its events, as they were said; one that is cut may lack old ones."""
    try:
        case = lookup.case(record).case
    except NotFound:
        return False
    there = {one["event_id"]: one for one in case["entries"]}
    cut = case["entry_count"] > len(case["entries"])
    return all(
        cut if (found := there.get(one.event_id)) is None else
        (found["occurred_at"], found["headline"]) == (one.occurred_at, one.headline)
        for one in ours
    )  # fmt: skip


def _examples(contract: Contract, settings: Settings) -> list[Path]:
    assert settings.schemas is not None  # noqa: S101 - the command gives it
    folder = settings.schemas / "examples" / contract.owner
    return sorted(folder.glob(f"{contract.name}.v{contract.version}.*.json"))


def _free_fields(contract: Contract, body: Mapping[str, Any]) -> list[str]:
    """Texts of a body that say neither which event it is nor what it means."""
    ours = contract.file.crosstown
    e = ours.envelope
    fixed = {*ours.identity, *(f for one in (e.agency, e.record, e.type, e.step, e.jurisdiction)
                               for f in one.fields)}  # fmt: skip
    plain = {f["name"] for f in contract.schema["fields"] if f["type"] == "string"}
    return [name for name, value in body.items()
            if name in plain - fixed and isinstance(value, str)]  # fmt: skip


def _withdrawing(step: Expression) -> list[dict[str, str]]:
    """Changes to a body that withdraw its event."""
    if step.field is None:
        return []
    words = step.crosswalk or {"WITHDRAWN": "WITHDRAWN"}
    return [{step.field: code} for code, means in words.items() if means == "WITHDRAWN"]
