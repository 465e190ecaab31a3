"""What a receiver must know in the end, read straight from the plan: plain, slow, from the whole set.

Written without the code that it checks, except for the envelope's bytes and the oracle of cases.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oracle import join

from crosstown.agreements.agreement import Agreement
from crosstown.event.envelope import Envelope, content_hash, prefix_bytes

DAY = 86_400_000_000
VIA = ("hand", "batch", "poll", "push", "changelog", "event")
ORDER = (
    "agency", "type", "step", "occurred_at", "due_at", "jurisdiction", "place", "area", "concern",
    "to_agency", "channel", "refs", "headline", "flags", "known_at", "via",
)  # fmt: skip
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:crosstown")


@dataclass(frozen=True)
class Saying:
    """One version: its contract, envelope, the body's fields and its framed bytes."""

    contract: str
    envelope: Envelope
    body: Mapping[str, Any]
    payload: bytes


@dataclass(frozen=True)
class Under:
    """An agreement, its filter in Python, and from when to when it holds, microseconds."""

    agreement: Agreement
    wanted: Callable[[Envelope, Mapping[str, Any]], bool]
    since: int
    ends: int


def floored(at: int | None, by: str | None) -> int | None:
    if at is None or by is None:
        return at
    day = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=at)
    day = day.replace(hour=0, minute=0, second=0, microsecond=0)
    if by == "month":
        day = day.replace(day=1)
    return round((day - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).total_seconds()) * 1_000_000


@dataclass(frozen=True)
class Shown:
    """An event that counts and is covered; `first` and `via` as they are shown.

    `rank`: of one that counts in two jurisdictions the greater goes into a feed of events.
    """

    saying: Saying
    first: int
    via: str
    rank: tuple[int, bytes]


def expected(
    sayings: Sequence[Saying], under: Under, secret: bytes, chain: Callable[[str], Collection[str]],
    window: Callable[[str], int], erased: Collection[str],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """By name, what the receiver of an agreement must know: without digests."""
    key = hmac.new(secret, b"agreement:" + under.agreement.id.encode(), hashlib.sha256).digest()

    def name(kind: str, text: str) -> str:
        return hmac.new(key, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()[:32]

    covered, people = cover(sayings, under, chain, erased)
    if under.agreement.gives == "events":
        return events(covered, under.agreement, name)
    return timelines(covered, people, under.agreement, name, window)


def cover(
    sayings: Sequence[Saying], under: Under, chain: Callable[[str], Collection[str]],
    erased: Collection[str],
) -> tuple[list[Shown], list[Shown]]:  # fmt: skip
    """The covered events, and what people say that holds under this agreement."""
    contents: dict[tuple[str, str], dict[bytes, list[Saying]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for one in sayings:
        content = content_hash(prefix_bytes(one.envelope), one.payload)
        contents[one.envelope.jurisdiction, one.envelope.event_id][content].append(one)
    terms = under.agreement
    covered: list[Shown] = []
    people: list[Shown] = []
    for (jurisdiction, _), said in contents.items():
        if not set(chain(jurisdiction)) & set(terms.jurisdictions):
            continue
        last, content = max(
            (max(s.envelope.known_at for s in versions), content)
            for content, versions in said.items()
        )
        versions = said[content]
        e = versions[0].envelope
        first = min(versions, key=lambda s: (s.envelope.known_at, VIA.index(s.envelope.via)))
        shown = Shown(first, first.envelope.known_at, first.envelope.via, (last, content))
        if e.step == "WITHDRAWN":
            continue
        if e.type.startswith("link."):
            holds = e.type != "link.asserted" or (
                given(terms, versions[0]) and under.since <= last < under.ends
            )
            if holds and not set(e.refs) & set(erased):
                people.append(shown)
        elif (
            e.record not in erased and given(terms, versions[0]) and under.since <= last < under.ends
            and under.wanted(e, versions[0].body)
        ):  # fmt: skip
            covered.append(shown)
    return covered, people


def given(terms: Agreement, one: Saying) -> bool:
    owner = one.contract.split("/")[0]
    publisher = one.envelope.agency if owner == "any" else owner
    return one.contract in {c.contract for c in terms.contracts} and publisher in terms.providers


def entry(
    one: Shown, terms: Agreement, refs: Collection[str], named: Callable[[str], str]
) -> dict[str, Any]:
    e, by = one.saying.envelope, terms.coarser.times
    said: dict[str, Any] = {}
    for field in ORDER:
        if field not in terms.envelope:
            continue
        value = getattr(e, field)
        if field == "known_at":
            value = one.first
        if field == "via":
            value = one.via
        if field in ("occurred_at", "due_at", "known_at"):
            value = floored(value, by)
        if field == "place" and terms.coarser.place:
            value = f"area:{e.area}" if e.area else ""
        if field == "refs":
            value = [named(ref) for ref in e.refs if ref in refs]
        said[field] = list(value) if isinstance(value, tuple) else value
    names = next((c.payload for c in terms.contracts if c.contract == one.saying.contract), ())
    if any(c.payload for c in terms.contracts):
        said["payload"] = {
            n: floored(v, by) if n.endswith("_at") else v for n, v in one.saying.body.items() if n in names
        } or None  # fmt: skip
    return said


def events(
    covered: Sequence[Shown], terms: Agreement, name: Callable[[str, str], str]
) -> dict[str, dict[str, Any]]:
    def named(record: str) -> str:
        return record if terms.identifiers == "records" else name("record", record)

    records = {one.saying.envelope.record for one in covered}
    return {
        name("event", one.saying.envelope.event_id): {
            "record": named(one.saying.envelope.record), "said": entry(one, terms, records, named),
        }
        for one in sorted(covered, key=lambda one: one.rank)
    }  # fmt: skip


def timelines(
    covered: Sequence[Shown], people: Sequence[Shown], terms: Agreement,
    name: Callable[[str, str], str], window: Callable[[str], int],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    def named(record: str) -> str:
        return record if terms.identifiers == "records" else name("record", record)

    found = join([(s.saying.envelope, s.saying.payload) for s in (*covered, *people)], window)
    out = {}
    for case, records in found.records.items():
        here = [
            s for s in covered
            if found.case_of.get((s.saying.envelope.jurisdiction, s.saying.envelope.record)) == case
        ]  # fmt: skip
        said: dict[str, Any] = {
            "status": "open" if any(is_open(here, r) for r in records) else "closed"
        }
        if "occurred_at" in terms.envelope:
            times = [s.saying.envelope.occurred_at for s in here]
            said["first"] = floored(min(times), terms.coarser.times)
            said["last"] = floored(max(times), terms.coarser.times)
        if "agency" in terms.envelope:
            said["agencies"] = sorted({r.split("/")[0] for r in records})
        links = {
            (rule, *((named(a), named(b)) if rule == "ref" else sorted((named(a), named(b)))))
            for rule, a, b, *_ in found.links[case]
        }
        said |= {"record_count": len(records), "entry_count": len(here), "link_count": len(links)}
        entries = [
            {"event": name("event", s.saying.envelope.event_id),
             "record": named(s.saying.envelope.record), **entry(s, terms, records, named)}
            for s in here
        ]  # fmt: skip
        entries.sort(key=lambda e: (e.get("occurred_at", 0), e["event"]))
        said["entries"] = entries
        said["links"] = [{"rule": r, "source": a, "target": b} for r, a, b in sorted(links)]
        out[name("case", case)] = {"said": said}
    return out


def is_open(here: Sequence[Shown], record: str) -> bool:
    """Whether a record is open, by the rule of docs/decisions/0008."""
    steps = (
        "REPORTED",
        "ASSIGNED",
        "IN_PROGRESS",
        "HANDED_OFF",
        "WAITING",
        "RESOLVED",
        "CLOSED",
        "REOPENED",
    )
    said = [s.saying.envelope for s in here if s.saying.envelope.record == record]
    spoken = [e for e in said if e.step not in ("NOTE", "OTHER", "REPORTED")]
    if not spoken:
        return any(e.step == "REPORTED" for e in said)
    return max(spoken, key=lambda e: (e.occurred_at, steps.index(e.step))).step not in (
        "RESOLVED",
        "CLOSED",
    )
