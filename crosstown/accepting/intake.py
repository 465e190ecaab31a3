"""What intake does with one message: open it, hold it to its contract, make the envelope.

Pure: schemas by id come from a function that may raise `Unavailable` (then the caller waits).
Everything wrong with the bytes is `Refused`, and the caller writes a dead letter.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from crosstown.avro.codec import Decoder, Rewriter, frame, unframe
from crosstown.avro.guards import guard
from crosstown.contracts.contract import Contract
from crosstown.contracts.promises import promised
from crosstown.contracts.repository import Repository
from crosstown.contracts.screened import Rules, settle
from crosstown.erasure.erasures import RESERVED
from crosstown.errors import Refused
from crosstown.event.envelope import (
    VIAS,
    Envelope,
    accepted_key,
    content_hash,
    prefix_bytes,
    suffix_bytes,
    zigzag,
)
from crosstown.event.identity import shard
from crosstown.screen.screening import in_bytes

HOUR: Final = 3_600_000_000
_VIA: Final[dict[bytes | None, str]] = {via.encode(): via for via in VIAS}
Headers = Sequence[tuple[str, bytes | None]]


EVERY_PARTITION: Final = -2
NO_PROMISE: Final = 2**63
"""Microseconds by which nothing is late: the contract says nothing of it."""
CONTRACT: Final = "contract"
"""The header of a message of `accepted` that names its contract: its bytes don't, and who shares
what came in under one must not guess."""


class Accepted(NamedTuple):
    """One message for `accepted`, without the frame of its own format.

    An erasure holds in every jurisdiction, so it lies on every partition.
    """

    agency: str
    contract: str
    partition: int
    key: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class _Opener:
    """How bodies of one schema on one topic are opened: as they were written, and as the contract's."""

    rewriter: Rewriter
    written: Decoder
    decoder: Decoder | None
    rules: Rules


@dataclass(slots=True)
class Intake:
    """The trust boundary for the contracts of one repository; `erasure_key` is a fingerprint.

    `screened` counts what screening found, by kind and contract, and `late` what was published later
    than promised, by agency and contract; `after` is the microseconds from happening to publishing, in
    all. Whoever reads them empties them.
    """

    contracts: Repository
    schema_text: Callable[[int], str]
    partitions: int
    erasure_key: str = ""
    screened: Counter[tuple[str, str]] = field(default_factory=Counter)
    late: Counter[tuple[str, str]] = field(default_factory=Counter)
    after: Counter[tuple[str, str]] = field(default_factory=Counter)
    _latencies: dict[str, int] = field(default_factory=dict)
    _openers: dict[tuple[int, str], _Opener] = field(default_factory=dict)
    _topics: dict[str, tuple[Contract, str]] = field(default_factory=dict)

    def accept(self, topic: str, value: bytes | None, headers: Headers, stamp: int) -> Accepted:
        """The accepted form of a message; `stamp` is its Kafka time stamp, microseconds UTC.

        Raises `Refused` with a stable reason, or `Unavailable` where the registry must be asked.
        """
        contract, agency = self._topics.get(topic) or self._topic(topic)
        schema_id, body = unframe(value)
        opener = self._openers.get((schema_id, topic)) or self._opener(schema_id, topic, contract)
        fields = opener.written.decode(body)
        hits = opener.rules.look(fields)
        if hits:
            self.screened.update({(kind, contract.id) for _, kind, _ in hits})
        try:
            to_mask, noticed = settle(hits) if hits else (False, ())
            if to_mask:
                body = opener.rewriter.change(body, opener.rules.masked)
                value = frame(schema_id, body)
                fields = opener.written.decode(body)
            if opener.decoder is not None:
                fields = opener.decoder.decode(body)
            return self._mapped(contract, agency, fields, value, headers, stamp, noticed)
        except Refused as refused:
            refused.closed = refused.closed or any(hit.action != "flag" for hit in hits)
            raise

    def closes(self, topic: str, refused: Refused, parts: Iterable[bytes | None]) -> bool:
        """Whether a refused message must not lie in its dead letter: it holds what is screened.

        What was never opened is looked at as it is. Nobody has said of it what may be in it where
        there is no contract, or where the contract lets something be masked or refused.
        """
        found = self._topics.get(topic) or self.contracts.for_topic(topic)
        asked = found is None or found[0].rules.closes
        return refused.closed or (asked and any(map(in_bytes, parts)))

    def _mapped(
        self, contract: Contract, agency: str, fields: dict[str, Any], value: bytes | None,
        headers: Headers, stamp: int, noticed: tuple[str, ...],
    ) -> Accepted:  # fmt: skip
        known_at, via = _how(headers)
        envelope = contract.envelope(fields, agency, known_at, via, stamp, noticed)
        if envelope.known_at > stamp + HOUR:
            raise Refused("known-in-the-future", "known_at is over an hour after it was sent",
                          mend="set the clock, or known_at, right and publish it again")  # fmt: skip
        after = stamp - envelope.occurred_at
        self.after[envelope.agency, contract.id] += max(after, 0)
        if after > self._latencies[contract.id]:
            self.late[envelope.agency, contract.id] += 1
        partition = shard(envelope.jurisdiction, self.partitions)
        if envelope.type.startswith(RESERVED):
            partition = EVERY_PARTITION
            check_erasure_key(envelope, self.erasure_key)
        prefix = prefix_bytes(envelope)
        assert value is not None  # noqa: S101 - unframe has refused it
        return Accepted(
            envelope.agency, contract.id, partition,
            accepted_key(envelope, content_hash(prefix, value)),
            prefix + suffix_bytes(envelope.known_at, envelope.via) + zigzag(len(value)) + value,
        )  # fmt: skip

    def _topic(self, topic: str) -> tuple[Contract, str]:
        found = self.contracts.for_topic(topic)
        if found is None:
            raise Refused("no-contract", f"no contract stands behind {topic}",
                          mend="add it to the contract repository, then crosstown dead-letters replay")  # fmt: skip
        self._topics[topic] = found
        self._latencies[found[0].id] = promised(found[0].file, "latency") or NO_PROMISE
        return found

    def _opener(self, schema_id: int, topic: str, contract: Contract) -> _Opener:
        schema = guard(self.schema_text(schema_id))
        decoder = Decoder(schema, contract.schema)
        if decoder.same:
            opener = _Opener(Rewriter(schema), decoder, None, contract.rules)
        else:
            rules = contract.rules.with_unknown(schema, contract.schema)
            opener = _Opener(Rewriter(schema), Decoder(schema, schema), decoder, rules)
        self._openers[schema_id, topic] = opener
        return opener


def check_erasure_key(envelope: Envelope, fingerprint: str) -> None:
    """Refuse an erasure or hold whose record was named with another installation's key."""
    if envelope.type.startswith(RESERVED) and f"/{fingerprint}." not in envelope.record:
        raise Refused("another-erasure-key", "it was made with another installation's key",
                      mend="say it here, with crosstown erase; or set CROSSTOWN_ERASURE_KEY")  # fmt: skip


def _how(headers: Headers) -> tuple[int | None, str]:
    """`known_at` (microseconds, or ISO 8601 with zone) and `via` as the headers say them."""
    known_at: int | None = None
    via = ""
    for name, value in headers:
        if name == "known_at":
            known_at = _moment(value)
        elif name == "via":
            via = _VIA.get(value, "")
            if not via:
                raise Refused(
                    "bad-header",
                    f"via is {(value or b'')[:40]!r}",
                    mend=f"one of {', '.join(VIAS)}",
                )
    return known_at, via


def _moment(value: bytes | None) -> int:
    if value and value.isdigit() and len(value) < 18:
        return int(value)
    text = (value or b"").decode("ascii", "replace")
    try:
        since = dt.datetime.fromisoformat(text) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    except (ValueError, TypeError, OverflowError):  # TypeError: it has no zone
        raise Refused("bad-header", f"known_at is {text[:40]!r}",
                      mend="microseconds since 1970, or ISO 8601 with a zone") from None  # fmt: skip
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
