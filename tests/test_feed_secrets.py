"""What a receiver could learn that nobody agreed to: canaries, guesses, strangers' tokens, hidden versions."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import fastavro
import pytest
from feed_sayings import INSPECTIONS, LINKS, NOTES, REQUESTS, agreement, link, say
from feeds_oracle import DAY, Saying
from riverton_said import REPOSITORY, envelope
from riverton_said import said as said_in
from sharing_said import IDS, NOW, Installation, Message, message

from crosstown.agreements.agreement import Agreement
from crosstown.avro.codec import Encoder, frame
from crosstown.contracts.mapping import kinds
from crosstown.event.envelope import Envelope
from crosstown.event.identity import case_key
from crosstown.feeds.form import text
from crosstown.sample import write
from crosstown.source import Said

SAMPLES = list(REPOSITORY.agreements.values())
RECORDS = [f"{agency}/r/{n}" for agency in ("riverton-311", "riverton-housing") for n in (1, 2, 3)]
STEPS = ("REPORTED", "NOTE", "CLOSED", "WITHDRAWN")
ENVELOPE = ("type", "place", "area", "to_agency", "channel", "headline")
_ENCODERS = {name: Encoder(one.schema) for name, one in REPOSITORY.contracts.items()}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    return said_in(write(tmp_path_factory.mktemp("exports"), events=3_000))


def canary(*where: str) -> str:
    """A text that stands in one place only."""
    return f"canary {' '.join(where)};"


def canaried(one: Said) -> tuple[Envelope, dict[str, Any]]:
    """An event of the sample in which each text tells where it stood, but for what filters ask."""
    e, kind = envelope(one), kinds(REPOSITORY.contracts[one.contract].schema)
    told: dict[str, Callable[[str], Any]] = {"string": str, "array of string": lambda text: [text]}
    body = {
        name: told[kind[name].type](canary(one.contract, "payload", name)) if kind[name].type in told else value
        for name, value in one.body.items()
    }  # fmt: skip
    changes: dict[str, Any] = {name: canary(one.contract, name) for name in ENVELOPE}
    record = f"{e.agency}/{canary(one.contract, 'record')}/{e.record}"
    return replace(e, record=record, refs=(record, canary(one.contract, "refs")),
                   flags=(canary(one.contract, "flags"),), **changes), body  # fmt: skip


def accepted(one: tuple[Envelope, dict[str, Any]], contract: str) -> Message:
    return message(contract, one[0], frame(IDS[contract], _ENCODERS[contract].encode(one[1])))


def sent(terms: Sequence[Agreement], messages: Iterator[Message]) -> tuple[Installation, bytes]:
    """What goes out under these agreements, all bytes of it: names, values, digests, schemas."""
    one = Installation(terms, REPOSITORY.window)
    for agreed in terms:
        one.accept(agreed)
    for said in messages:
        one.say(said)
    one.hand_out()
    parts = [
        part
        for told in one.told.values()
        for part in (told.thing.encode(), told.value, told.digest)
    ]
    parts += [text(one.sharing.schema(agreed.id)).encode() for agreed in terms]
    return one, b"\n".join(parts)


@pytest.mark.parametrize("terms", SAMPLES, ids=lambda one: one.id)
def test_a_field_that_is_not_named_leaves(terms: Agreement, city: list[Said]) -> None:
    one, out = sent([terms], (accepted(canaried(s), s.contract) for s in city))
    assert len(one.told) > 2
    exact: set[str] = {
        name for name in terms.envelope if name != "place" or not terms.coarser.place
    }
    exact |= {"area"} if terms.coarser.place else set()
    exact |= {"record"} if terms.identifiers == "records" else set()
    covered = {c.contract: c for c in terms.contracts}
    for contract in {one.contract for one in city}:
        for name in (*ENVELOPE, "record", "refs", "flags"):
            there = contract in covered and name in exact and name != "refs"
            assert (canary(contract, name).encode() in out) == there, (contract, name)
        for field in kinds(REPOSITORY.contracts[contract].schema):
            there = contract in covered and field in covered[contract].payload
            assert (canary(contract, "payload", field).encode() in out) == there, (contract, field)


@pytest.mark.parametrize("terms", SAMPLES, ids=lambda one: one.id)
def test_a_pseudonym_can_be_made_again_from_a_guess(terms: Agreement, city: list[Said]) -> None:
    """Whoever knows every record's number, the program and the agreement's file, but not the secret."""
    one, out = sent([terms], ((s.contract, *accepted((envelope(s), dict(s.body)), s.contract)[1:]) for s in city))  # fmt: skip
    tokens = set(one.told)
    guesses: set[bytes] = set()
    for e in map(envelope, city):
        for guess in {e.event_id, e.record, case_key(e.jurisdiction, e.record)}:
            if guess == e.record and terms.identifiers == "records":
                continue
            guesses.add(guess.encode())
            for secret in (b"", terms.id.encode(), terms.terms.encode()):
                key = hmac.digest(secret, f"agreement:{terms.id}".encode(), "sha256")
                for kind in ("event", "record", "case"):
                    guesses.add(
                        hmac.digest(key, f"{kind}:{guess}".encode(), "sha256").hex()[:32].encode()
                    )
            guesses.add(hashlib.sha256(guess.encode()).hexdigest()[:32].encode())
            guesses.add(hashlib.sha256(guess.encode()).digest()[:16])
        guesses |= {uuid.UUID(e.event_id).bytes, uuid.UUID(e.event_id).hex.encode()}
    assert not [guess for guess in guesses if guess in out]
    assert all(len(thing) == 32 for _, thing in tokens)


def test_one_person_is_known_again_under_two_agreements(city: list[Said]) -> None:
    """The same terms twice: no token is in both feeds."""
    for gives in ("events", "timelines"):
        two = [
            agreement(name, gives=gives, envelope=["refs"], since="2020-01-01",
                      contracts=[{"contract": REQUESTS}, {"contract": INSPECTIONS}])
            for name in ("one-of-two", "two-of-two")
        ]  # fmt: skip
        one, _ = sent(two, (accepted((envelope(s), dict(s.body)), s.contract) for s in city))
        tokens = [set(strings(one.receivers[agreed.id].known)) for agreed in two]
        assert len(tokens[0]) == len(tokens[1]) > 100
        assert not tokens[0] & tokens[1]


def strings(value: Any) -> Iterator[str]:
    """All names of 32 hex digits in what a receiver knows, and digests."""
    match value:
        case str() if len(value) in (32, 64):
            yield value
        case dict():
            for key, one in value.items():
                yield from strings(key)
                yield from strings(one)
        case list():
            for one in value:
                yield from strings(one)
        case _:
            pass


def test_numbers_or_messages_betray_what_is_hidden() -> None:
    """With and without hidden records, versions, fields, refs and people's reasons: the same bytes."""
    terms = [
        agreement("shown-events", envelope=["step", "occurred_at", "refs"], filter='concern == "heat"'),
        agreement("shown-lines", gives="timelines", envelope=["step", "occurred_at", "refs"],
                  filter='concern == "heat"', contracts=[{"contract": REQUESTS}, {"contract": LINKS}]),
    ]  # fmt: skip
    a, b, c = (f"riverton-311/r/{n}" for n in (1, 2, 3))
    shown = [
        say(a, 0, REQUESTS, step="REPORTED", place="p:1"), say(b, 2, REQUESTS, place="p:2"),
        link("riverton-311", "asserted", [a, b], 0, "OTHER"), say(a, 9, REQUESTS, kind="done", step="CLOSED"),
    ]  # fmt: skip
    housing = "riverton-housing/r/9"
    hidden: list[list[Saying]] = [
        [say(housing, -5, INSPECTIONS, place="p:1"), say(housing, 1, INSPECTIONS, kind="done", place="p:2")],
        [say(a, 0, REQUESTS, step="REPORTED", place="p:1", headline="hidden", known_at=1)],
        [say(a, 0, REQUESTS, step="REPORTED", place="p:1", text="another body", known_at=2),
         say(a, -9, REQUESTS, kind="note", concern="noise", place="p:1"), say(c, 3, REQUESTS, concern="noise")],
        [say(b, 2, REQUESTS, place="p:2", refs=[housing, c], known_at=2),
         link("xx-county-health", "asserted", [a, housing], 1, "OTHER")],
        [replace(shown[2], envelope=replace(shown[2].envelope, headline="another reason", known_at=NOW - DAY))],
    ]  # fmt: skip
    assert bytes_of(terms, shown, [[] for _ in hidden]) == bytes_of(terms, shown, hidden)


def test_a_hidden_history_is_betrayed() -> None:
    """Whatever else is said, by whomever, of whatever records, places and cases: the same bytes."""
    terms = [
        agreement("shown-events", envelope=["step", "occurred_at", "refs"], filter='concern == "heat"'),
        agreement("shown-lines", gives="timelines", envelope=["step", "occurred_at", "refs"],
                  coarser={"times": "day"}, filter='concern == "heat"'),
    ]  # fmt: skip
    for seed in range(60):
        dice = random.Random(seed)
        shown = [
            say(dice.choice(RECORDS[:3]), dice.choice((0, 10, 60, 120)), REQUESTS, step=dice.choice(STEPS),
                kind=dice.choice(("seen", "done")), place=dice.choice(("p:1", "p:2")),
                refs=dice.sample(RECORDS, dice.choice((0, 0, 1))), known_at=dice.randrange(4))
            for _ in range(20)
        ]  # fmt: skip
        hidden = [
            [
                say(dice.choice(RECORDS), dice.choice((0, 10, 60, 120)), dice.choice((INSPECTIONS, NOTES)),
                    kind="hidden", place="p:1", refs=dice.sample(RECORDS, 1), known_at=dice.randrange(4)),
                say(dice.choice(RECORDS[:3]), dice.choice((0, 10, 60)), REQUESTS, kind="other",
                    concern="noise", place=dice.choice(("p:1", "p:2")), step="CLOSED",
                    known_at=dice.randrange(4)),
                link("xx-county-health", "asserted", dice.sample(RECORDS, 2), 0, "OTHER"),
            ]
            for _ in range(21)
        ]  # fmt: skip
        assert bytes_of(terms, shown, [[] for _ in hidden]) == bytes_of(terms, shown, hidden), seed


def bytes_of(
    terms: list[Agreement], shown: list[Saying], hidden: list[list[Saying]]
) -> list[tuple[str, int, bytes, bytes]]:
    """All messages in order, where a hidden batch comes after each that is shown."""
    one = Installation(terms, REPOSITORY.window)
    for agreed in terms:
        one.accept(agreed)
    out = []
    for batch, then in zip([*[[s] for s in shown], []], hidden, strict=True):
        for said in batch:
            one.say(message(said.contract, said.envelope, said.payload))
        out += list(one.sharing.outputs(NOW))
        for said in then:
            one.say(message(said.contract, said.envelope, said.payload))
        out += list(one.sharing.outputs(NOW))
    assert len(out) > 3
    return [(told.agreement, told.number, told.value, told.digest) for told in out]


def test_a_message_holds_more_than_its_schema_says(city: list[Said]) -> None:
    """Each value is read whole by the schema as it is registered, and what it holds is in the form."""
    one, _ = sent(SAMPLES, (accepted((envelope(s), dict(s.body)), s.contract) for s in city))
    for terms in SAMPLES:
        schema = json.loads(text(one.sharing.schema(terms.id)))
        assert fastavro.parse_schema(schema)
        for said in one.receivers[terms.id].read:
            entries = said["said"].get("entries", [said["said"]])
            for entry in entries:
                assert set(entry) - {"event", "record", "payload"} == set(terms.envelope)
